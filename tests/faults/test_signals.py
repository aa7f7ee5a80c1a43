"""SIGINT, SIGTERM and SIGHUP, to the driver alone and to all of its processes, as terminals and batch systems do."""

import os
import signal
import subprocess
import time
from contextlib import suppress

import pytest
from victim import LONG, assert_same

pytestmark = [pytest.mark.faults, pytest.mark.slow]


@pytest.mark.parametrize(
    ("number", "send", "at"),
    [
        (signal.SIGTERM, os.kill, "0003"),
        (signal.SIGHUP, os.kill, "0003"),
        (signal.SIGINT, os.killpg, "0003-seed1"),
        (signal.SIGTERM, os.kill, "0003-seed1"),
    ],
    ids=["SIGTERM in the search", "SIGHUP in the search", "Ctrl-C in retraining", "SIGTERM in retraining"],
)
def test_a_signal_ends_it_cleanly_and_its_last_words_resume_it(start, small, whole, twice, number, send, at):
    options, folder = small
    session = start(*options, faults=LONG)
    session.reach(folder, at, 4)
    sent = time.monotonic()
    send(session.process.pid, number)
    assert session.end(60) == 130, session.output
    took_s = time.monotonic() - sent
    assert_gone(session)
    assert "\nStopping, up to about " in session.output
    assert "interrupted" in (folder / "trials.csv").read_text()
    line = next(line for line in session.output.splitlines() if line.startswith("Resume with: "))
    words = line.removeprefix("Resume with: python sweeps/run.py ").split()
    assert start(*words).end() == 0
    assert_same(folder, whole.folder)
    print(f"lost: ended in {took_s:.1f} s; {twice()} epochs trained twice")


def test_a_batch_system_s_sigterm_to_all_processes_loses_no_more_than_a_kill(start, small, whole, twice):
    """It takes Ray away from under the driver; what has not ended half a minute later is killed, as they do."""
    options, folder = small
    session = start(*options, faults=LONG)
    session.reach(folder, "0003", 4)
    sent = time.monotonic()
    os.killpg(session.process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        session.process.wait(30)
    status, took_s = session.process.poll(), time.monotonic() - sent
    session.clear()
    assert start("--resume", folder).end() == 0
    assert_same(folder, whole.folder)
    print(f"lost: exit status {status} after {took_s:.1f} s; {twice()} epochs trained twice")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("started", ["gcs_server", "raylet/raylet"])
def test_a_signal_while_ray_starts_ends_it_at_once(start, small, number, started):
    session = start(*small[0])
    while not session.processes(started):
        time.sleep(0.05)
    os.kill(session.process.pid, number)
    assert session.end(60) in (130, number, -number), session.output  # Ray has handlers of its own as it starts
    assert_gone(session)


def assert_gone(session):
    """Ray's last processes end after the driver, its agents up to 90 s later where Ray had not quite started."""
    end = time.monotonic() + 120
    while left := session.processes():
        assert time.monotonic() < end, f"processes are left: {left}"
        time.sleep(0.1)
