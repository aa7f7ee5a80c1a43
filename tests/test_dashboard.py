"""A sweep in Ray's dashboard, and on the metrics endpoint that Prometheus reads."""

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

from sweeps.metrics import GAUGES

OPTIONS = ("--task", "mnist-cls", "--subset", "600", "--max-epochs", "500", "--eval-every", "1", "--scheduler", "none")


@pytest.fixture
def watched(request, tmp_path):
    """A sweep that runs with its own Ray and a dashboard: its address, and the home and Ray's folder that it has."""
    command = [sys.executable, "-u", request.config.rootpath / "sweeps" / "run.py", *OPTIONS, "--dashboard"]
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as short:  # sockets have short names
        own = {"HOME": str(tmp_path), "RAY_TMPDIR": short, "RAY_AUTH_MODE": "token"}
        with subprocess.Popen(
            [*map(str, command), "--results", str(tmp_path)], stdout=subprocess.PIPE, text=True, env=os.environ | own
        ) as process:
            line = process.stdout.readline()
            yield re.search(r"^Ray dashboard: (http://127\.0\.0\.1:\d+) ", line)[1], tmp_path, Path(short) / "ray"
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
def test_trials_have_their_names_and_their_metrics(watched):
    address, home, ray = watched
    actors = f"{address}/api/v0/actors?detail=1"
    with pytest.raises(urllib.error.HTTPError, match="401"):
        get(actors)  # not without the token

    def named():
        token = (home / ".ray" / "auth_token").read_text().strip()
        listed = json.loads(get(actors, Authorization=f"Bearer {token}"))["data"]["result"]["result"]
        return ("SweepTrial", "trial 0000") in [(one["class_name"], one["repr_name"]) for one in listed]

    assert until(named)

    def exported():
        (group,) = json.loads((ray / "prom_metrics_service_discovery.json").read_text())
        text = "".join(get(f"http://{target}/metrics") for target in group["targets"])
        return (
            set(re.findall(r"^ray_(sweep_\w+)\{", text, re.MULTILINE)) >= set(GAUGES)
            and 'trial="0000"' in text
            and text
        )

    text = until(exported)
    assert re.search(r'^ray_sweep_trials\{.*phase="search",state="running".*task="mnist-cls"\} [12]\.0$', text, re.M)
    assert re.search(r'^ray_sweep_trial_best\{.*trial="0000"\} 0\.\d+$', text, re.M)
