"""Whole sweeps as a person at a terminal sees them."""

import json
import re
import shutil
import sys
import time
from contextlib import ExitStack

import pytest
from terminal_recording import record

from sweeps.storage.folder import locked

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
COPIED = ("Resume with:", "Report:")
"""Lines with commands and paths, which are copied: the terminal wraps them, not the program."""


@pytest.fixture
def sweep(request, tmp_path):
    """Records a small sweep: a smoke run, if nothing else is asked for."""

    def sweep(columns, size=("--smoke", "--subset", "60"), **options):
        script = request.config.rootpath / "sweeps" / "run.py"
        command = [sys.executable, str(script), "--task", "synthetic-smooth", *size]
        return record([*command, "--results", "results", "--name", "a"], columns=columns, folder=tmp_path, **options)

    return sweep


def too_wide(recording):
    """The lines that the terminal had to wrap, or that were cut."""
    return [line for line in recording.wide if not line.startswith(COPIED)]


def test_a_whole_smoke_run(sweep):
    found = sweep(80)
    assert found.status == 0
    assert too_wide(found) == []
    assert any(frame.cursor_hidden for frame in found.frames)
    assert not found.frames[-1].cursor_hidden
    phases = [line for line in found.scrollback if line.startswith("synthetic-smooth/a: ")]
    assert [phase.split(" after ")[0] for phase in phases] == [
        "synthetic-smooth/a: search ended",
        "synthetic-smooth/a: retraining ended",
    ], "the last frame of each phase stays, and nothing else does"
    assert sum(line.startswith("trial ") for line in found.scrollback) == 2
    assert not any(line.endswith(" left") for line in found.scrollback)
    assert "This is a smoke run: its figures mean nothing." in found.scrollback
    written = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", found.raw.decode())  # a short step may stand for less than a frame
    for words in ("search, then retraining", "rungs: ", "retraining 1 of ", "test, then report", "report, "):
        assert words in written, "every part of the sweep is announced"


def test_a_ctrl_c(sweep):
    pressed = []

    def act(frame):
        if not pressed and any(" waits)" in line for line in frame.lines):
            pressed.append(frame)
            return b"\x03"
        return b""

    found = sweep(140, size=("--subset", "600"), act=act)  # far longer than it takes to see it and press
    assert found.status == 130
    assert too_wide(found) == []
    assert not found.frames[-1].cursor_hidden
    assert sum("search interrupted after" in line for line in found.scrollback) == 1
    assert any(line.startswith("Resume with: python sweeps/run.py --resume ") for line in found.scrollback)


@pytest.mark.parametrize(("columns", "rows"), [(60, 14), (140, 40)])
def test_a_watched_sweep_leaves_its_last_page_alone(columns, rows, kept, tmp_path, request):
    folder, lock = shutil.copytree(kept("mnist-rec/asha"), tmp_path / "watched"), ExitStack()
    begun = {"event": "session_begun", "time": time.time(), "session": "b", "host": "", "device": "cpu"}
    with (folder / "events.jsonl").open("a") as file:
        file.write(json.dumps(begun) + "\n")
    lock.enter_context(locked(folder))
    seen = []

    def act(frame):
        if "running, last event" in " ".join(frame.lines):
            seen.append(frame)
            if len(seen) == 3:
                lock.close()
        return b""

    script = request.config.rootpath / "sweeps" / "show.py"
    command = [sys.executable, str(script), "watched", "--watch", "0.5"]
    found = record(command, columns=columns, rows=rows, folder=tmp_path, act=act)
    assert found.status == 0
    assert too_wide(found) == []
    assert all(frame.scrolled == 0 for frame in seen), "a page is no higher than the terminal"
    assert sum(line.startswith("mnist-rec/asha  grid of 12") for line in found.scrollback) == 1
    assert "and 2 more; --trials N shows N" in found.scrollback
    assert not found.frames[-1].cursor_hidden
