"""A sweep in Ray's dashboard, on the metrics endpoint that Prometheus reads, and at its Ctrl-C."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from sweeps.tracking.prometheus import GAUGES

OPTIONS = ("--task", "mnist-cls", "--subset", "600", "--max-epochs", "500", "--eval-every", "1")
ASHA = ("--scheduler", "asha", "--grace-period", "1")


@pytest.fixture
def watched(request, tmp_path):
    """A sweep that runs with its own Ray and a dashboard: its process, its dashboard's address, and Ray's folder."""
    command = [sys.executable, "-u", request.config.rootpath / "sweeps" / "run.py", *OPTIONS, *ASHA, "--dashboard"]
    place = ("--results", tmp_path, "--name", "watched")
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as short:  # sockets have short names
        own = {"HOME": str(tmp_path), "RAY_TMPDIR": short, "RAY_AUTH_MODE": "token"}
        with subprocess.Popen(
            list(map(str, [*command, *place])),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | own,
            cwd=tmp_path,
        ) as process:
            found = map(re.compile(r"^Ray dashboard: (http://127\.0\.0\.1:\d+) ").search, process.stdout)
            yield process, next(filter(None, found))[1], Path(short) / "ray"
            process.send_signal(signal.SIGINT)
            process.stdout.read()


def until(found, seconds=100):
    """What `found` returns, as soon as it is something; it may fail to connect until then."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if value := found():
                return value
        except (OSError, ValueError):
            pass
        time.sleep(0.5)
    raise AssertionError("nothing in time")


def get(url, **headers):
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20) as answer:
        return answer.read().decode()


@pytest.mark.slow
def test_trials_have_their_names_and_metrics_and_a_ctrl_c_keeps_what_was_finished(watched, summary_of, tmp_path):
    process, address, ray = watched
    actors = f"{address}/api/v0/actors?detail=1"
    with pytest.raises(urllib.error.HTTPError, match="401"):
        get(actors)  # not without the token

    def named():
        token = (tmp_path / ".ray" / "auth_token").read_text().strip()
        listed = json.loads(get(actors, Authorization=f"Bearer {token}"))["data"]["result"]["result"]
        return ("SweepTrial", "trial 0000") in [(one["class_name"], one["repr_name"]) for one in listed]

    assert until(named)

    patterns = (
        r'^ray_sweep_trials\{.*phase="search",state="running".*task="mnist-cls"\} [12]\.0$',
        r'^ray_sweep_trials\{.*phase="search",state="paused".*\} [1-9]\d*\.0$',
        r'^ray_sweep_rung_reached\{.*rung="1".*\} [1-9]\d*\.0$',
        r'^ray_sweep_trial_best\{.*trial="0000"\} 0\.\d+$',
    )

    def exported():
        (group,) = json.loads((ray / "prom_metrics_service_discovery.json").read_text())
        text = "".join(get(f"http://{target}/metrics") for target in group["targets"])
        every = set(re.findall(r"^ray_(sweep_\w+)\{", text, re.MULTILINE)) >= set(GAUGES)
        return every and all(re.search(pattern, text, re.MULTILINE) for pattern in patterns)

    assert until(exported)

    process.send_signal(signal.SIGINT)
    rest = process.stdout.read()
    assert process.wait() == 130
    assert re.search(r"Interrupted: \d of 12 trials had ended", rest)
    assert "Traceback" not in rest
    folder = tmp_path / "mnist-cls" / "watched"
    summary = summary_of(folder)
    assert summary["test"] is None
    assert summary["retrained"] == []
    assert summary["best"]["val"]["accuracy"] > 0
    assert "interrupted" in (folder / "trials.csv").read_text()
    assert "This sweep was interrupted" in (folder / "report.html").read_text()
