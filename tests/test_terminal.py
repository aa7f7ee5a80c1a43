"""Whole sweeps as a person at a terminal sees them."""

import sys

import pytest
from terminal_recording import record

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
COPIED = ("Resume with:", "Report:")
"""Lines with commands and paths, which are copied: the terminal wraps them, not the program."""


@pytest.fixture
def sweep(request, tmp_path):
    """Records a small smoke run."""

    def sweep(columns, **options):
        script = request.config.rootpath / "sweeps" / "run.py"
        command = [sys.executable, str(script), "--task", "synthetic-smooth", "--smoke", "--subset", "60"]
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
    seen = "\n".join("\n".join(frame.lines) for frame in found.frames)
    for words in ("search, then retraining", "rungs: ", "retraining 1 of ", "test, then report", "report, "):
        assert words in seen, "every part of the sweep is announced"


def test_a_ctrl_c(sweep):
    pressed = []

    def act(frame):
        if not pressed and any(" waits)" in line for line in frame.lines):
            pressed.append(frame)
            return b"\x03"
        return b""

    found = sweep(140, act=act)
    assert found.status == 130
    assert too_wide(found) == []
    assert not found.frames[-1].cursor_hidden
    assert sum("search interrupted after" in line for line in found.scrollback) == 1
    assert any(line.startswith("Resume with: python sweeps/run.py --resume ") for line in found.scrollback)
