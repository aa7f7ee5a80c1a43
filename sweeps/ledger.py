"""What happened to every trial, kept as it happens and written to the results folder."""

from __future__ import annotations

import csv
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from ray import tune
from ray.tune.experiment import Trial

from ae.task import Objective

RUNNING, FINISHED, STOPPED, DIVERGED, FAILED, INTERRUPTED = STATUSES = (
    "running",
    "finished",
    "stopped early",
    "diverged",
    "failed",
    "interrupted",
)


@dataclass(kw_only=True)
class Entry:
    """One trial so far."""

    name: str
    configuration: dict[str, Any]
    status: str = RUNNING
    reason: str = ""
    """Why it ended, in words."""
    epoch: int = 0
    best: float | None = None
    """Best validation value of the objective; None before the first validation."""
    best_epoch: int = 0
    best_metrics: dict[str, float] = field(default_factory=dict)
    """Every validation metric at the best epoch."""
    train_s: float = 0.0
    """Seconds in training and validation."""


class Ledger(tune.Callback):
    """Follows one phase of a sweep, "search" or "retrain"; its rows go to `curves.csv` and `trials.csv` at once.

    A context manager around the phase: on leaving, trials that are still open are closed as interrupted.

    Args:
        phase: first column of both tables.
        folder: the results folder; rows are appended to tables that are there.
        objective: what is best.
        requested: trials that the phase will have.
        max_epochs: epochs that a trial can have.
    """

    def __init__(self, phase: str, folder: Path, objective: Objective, requested: int, max_epochs: int) -> None:
        self.phase, self.folder, self.objective = phase, folder, objective
        self.requested, self.max_epochs = requested, max_epochs
        self.entries: dict[str, Entry] = {}
        self.started = time.monotonic()
        self.wall_s = 0.0

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Open the trial's entry; a trial that starts again keeps it."""
        self.entries.setdefault(trial.trial_id, _entry(trial))

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """Record a report, and write its row."""
        entry = self.entries[trial.trial_id]
        metrics = {name: value for name, value in result.items() if name.startswith("val_")}
        entry.epoch = result["epoch"]
        entry.train_s += result["train_s"]
        if self.objective.better(result[f"val_{self.objective.metric}"], entry.best):
            entry.best, entry.best_epoch = result["best"], result["best_epoch"]
            entry.best_metrics = {name.removeprefix("val_"): value for name, value in metrics.items()}
        row = {"phase": self.phase, "trial": entry.name, "epoch": entry.epoch, "train_loss": result["train_loss"]}
        self._append("curves.csv", row | metrics | {"train_s": result["train_s"]})

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Close the entry: finished, stopped early or diverged."""
        entry = self.entries[trial.trial_id]
        if trial.last_result.get("diverged"):
            self._close(entry, DIVERGED, f"the loss became NaN or infinite in epoch {entry.epoch}")
        elif entry.epoch >= self.max_epochs:
            self._close(entry, FINISHED, f"reached its last epoch, {entry.epoch}")
        else:
            self._close(entry, STOPPED, f"outside the best of its rung at epoch {entry.epoch}")

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Close the entry as failed, with the error's last line."""
        entry = self.entries.setdefault(trial.trial_id, _entry(trial))
        self._close(entry, FAILED, _last_line(trial.error_file))

    def __enter__(self) -> Ledger:
        self.started = time.monotonic()
        return self

    def __exit__(self, *exception: object) -> None:
        """Close what is still open as interrupted."""
        self.wall_s = time.monotonic() - self.started
        for entry in self.entries.values():
            if entry.status == RUNNING:
                self._close(entry, INTERRUPTED, f"the sweep was interrupted after its epoch {entry.epoch}")

    def count(self, status: str) -> int:
        """Trials of that status."""
        return sum(entry.status == status for entry in self.entries.values())

    def lost(self) -> list[Entry]:
        """The trials that failed or diverged."""
        return [entry for entry in self.entries.values() if entry.status in (FAILED, DIVERGED)]

    @property
    def ended(self) -> int:
        """Trials that came to an end of their own."""
        return len(self.entries) - self.count(RUNNING) - self.count(INTERRUPTED)

    @property
    def epochs(self) -> int:
        """Epochs trained so far, by all the trials."""
        return sum(entry.epoch for entry in self.entries.values())

    def ranked(self) -> list[Entry]:
        """The trials that can be chosen, best first: validated, neither failed nor diverged."""
        usable = [e for e in self.entries.values() if e.best is not None and e.status not in (FAILED, DIVERGED)]
        sign = -1 if self.objective.mode == "max" else 1
        return sorted(usable, key=lambda entry: (sign * (entry.best or 0.0), entry.name))

    def _close(self, entry: Entry, status: str, reason: str) -> None:
        entry.status, entry.reason = status, reason
        settings = {name: value for name, value in entry.configuration.items() if name != "epochs"}
        values = {"epochs": entry.epoch, f"best_{self.objective.metric}": entry.best, "best_epoch": entry.best_epoch}
        row = {"phase": self.phase, "trial": entry.name, **settings, "status": status, **values}
        self._append("trials.csv", row | {"train_s": entry.train_s, "reason": reason})

    def _append(self, table: str, row: dict[str, Any]) -> None:
        path = self.folder / table
        new = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(row)
            writer.writerow("none" if name == "clip" and value is None else value for name, value in row.items())


def _entry(trial: Trial) -> Entry:
    return Entry(name=trial.config["run"]["trial"], configuration=trial.config["run"]["configuration"])


def _last_line(error_file: str | None) -> str:
    """The last line of a trial's error file on this machine; Trial.get_error looks where it is copied to later."""
    if error_file is None or not Path(error_file).exists():
        return "its process died without an error message"
    lines = [line.strip() for line in Path(error_file).read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "its process died without an error message"


def curves(folder: Path) -> pd.DataFrame:
    """`curves.csv` of a results folder; trial names stay text."""
    return pd.read_csv(folder / "curves.csv", dtype={"trial": str})
