"""The sweep that suffers the faults, in a process of its own, and the comparison with one that nothing happened to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[2]
HOOKS = Path(__file__).parent / "hooks"
PATH = f"{HOOKS}{os.pathsep}{ROOT}"
"""Where Python looks first: the faults, and this very project."""
TASK = "synthetic-smooth"
SMALL = (
    *("--task", TASK, "--subset", "600", "--max-epochs", "27", "--eval-every", "1", "--grace-period", "1"),
    *("--reduction-factor", "3", "--top-k", "2", "--seeds", "1", "--max-concurrent", "1"),
)
"""A sweep of a few seconds beside the start of Ray, on one worker."""
SPACE = "lr: [0.01, 0.003, 0.001]\nhidden_size: [8, 16]\n"
LONG = {"kind": "wait", "seconds": 4, "hidden_size": 8, "epoch": 5}
"""A fifth epoch that lasts so long that a fault falls into it: of trials 0003 and 0003-seed1."""
POINTS = ["phase", "trial", "epoch", "train_loss", "val_loss"]


@dataclass
class Session:
    """One run of the main job, the leader of a session of processes: Ray's are all in it."""

    process: subprocess.Popen[str]
    out: Path

    @property
    def output(self) -> str:
        """All that it said so far."""
        return self.out.read_text(errors="replace")

    def reach(self, folder: Path, trial: str, epoch: int, seconds: float = 120) -> None:
        """Wait until a trial has reported an epoch."""
        end, wanted = time.monotonic() + seconds, f",{trial},{epoch},"
        while not (folder / "curves.csv").exists() or wanted not in (folder / "curves.csv").read_text():
            assert self.process.poll() is None, f"it ended with {self.process.returncode}: {self.output}"
            assert time.monotonic() < end, f"{trial} is not at epoch {epoch} in {seconds} s: {self.output}"
            time.sleep(0.05)

    def end(self, seconds: float = 200) -> int:
        """Wait for the end; returns the exit status."""
        status = self.process.wait(timeout=seconds)
        assert "Traceback" not in self.output, self.output
        return status

    def processes(self, title: str = "") -> list[int]:
        """Living processes of the session whose command line has the title in it."""
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                pid = int(path.name)
                command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if os.getsid(pid) == self.process.pid and command and title in command:
                    found.append(pid)
        return found

    def trials(self) -> list[int]:
        """The processes that train."""
        return self.processes("ray::SweepTrial")

    def clear(self) -> None:
        """Kill it and all that it left."""
        self.process.kill()
        self.process.wait()
        while left := self.processes():
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)


@contextmanager
def sessions(place: Path) -> Iterator:
    """Starts runs of the main job with their results in a folder; whatever they leave is killed at the end."""
    begun = []

    def start(*options, faults=None, **environment):
        inside = {"log": str(place / "epochs.log"), **(faults or {})}
        environment |= {"PYTHONPATH": PATH, "FAULTS": json.dumps(inside)}
        out = place / f"session-{len(begun)}.out"
        with out.open("w") as file:
            process = subprocess.Popen(
                [sys.executable, "-u", "sweeps/run.py", *map(str, options)],
                stdout=file,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env=os.environ | environment,
                text=True,
                start_new_session=True,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it
            )
        begun.append(Session(process, out))
        return begun[-1]

    try:
        yield start
    finally:
        for session in begun:
            session.clear()


@dataclass
class Whole:
    """The small sweep, never stopped."""

    folder: Path
    epochs: int


def points(folder: Path) -> pd.DataFrame:
    """Every point of a sweep's curves, in an order that does not depend on who came first."""
    curves = pd.read_csv(folder / "curves.csv", dtype={"trial": str})
    assert not curves.duplicated(["phase", "trial", "epoch"]).any()
    return curves[POINTS].sort_values(POINTS).reset_index(drop=True)


def trials(folder: Path, phase: str = "search") -> pd.DataFrame:
    """The trials of a phase, by name; each is in the table once."""
    table = pd.read_csv(folder / "trials.csv", dtype={"trial": str})
    assert not table.duplicated(["phase", "trial"]).any()
    return table[table["phase"] == phase].set_index("trial")


def assert_same(folder: Path, other: Path) -> None:
    """Two sweeps have the same trials, the same curves to the bit, the same best configuration and test."""
    pd.testing.assert_frame_equal(points(folder), points(other), check_exact=True)
    first, second = (json.loads((one / "summary.json").read_text()) for one in (folder, other))
    for key in ("best", "retrained", "test"):
        assert first[key] == second[key]
    for phase in ("search", "retrain"):
        columns = ["status", "epochs", "best_loss", "best_epoch"]
        pd.testing.assert_frame_equal(
            trials(folder, phase)[columns].sort_index(), trials(other, phase)[columns].sort_index(), check_exact=True
        )
