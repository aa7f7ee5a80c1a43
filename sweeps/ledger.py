"""What happened to every trial, kept as it happens and written to the results folder."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.experiment import Trial

from ae.task import Objective
from sweeps import tables
from sweeps.folder import Unusable
from sweeps.tables import CURVES, TRIALS

RUNNING, PAUSED, FINISHED, STOPPED, DIVERGED, FAILED, INTERRUPTED = STATUSES = (
    "running",
    "paused",
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
    warning: str = ""
    """What was odd and is worth knowing, in words."""

    @property
    def open(self) -> bool:
        """Whether it may still train."""
        return self.status in (RUNNING, PAUSED)


class Ledger(tune.Callback):
    """Follows one phase of a sweep, "search" or "retrain"; its rows go to `curves.csv` and `trials.csv` at once.

    A context manager around the phase: on leaving, trials that are still open are closed. What earlier sessions wrote
    is where it begins.

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
        self.reports: list[tuple[str, int, float, bool]] = []
        """Of earlier sessions: trial, epoch, best value so far, whether it diverged; in the order they came."""
        self.before_s = 0.0
        """Seconds that earlier sessions took, up to their last report."""
        self.started = time.monotonic()
        self.wall_s = 0.0

    def restore(self, configurations: dict[str, dict[str, Any]]) -> None:
        """Begin where the tables of earlier sessions end; trials that had not ended wait to go on.

        Args:
            configurations: of the phase's trials, by name.

        Raises:
            Unusable: if a table has a row that was not written by a sweep, naming it.
        """
        for row in self._rows(CURVES, configurations):
            entry = self.entries.setdefault(
                row["trial"], Entry(name=row["trial"], configuration=configurations[row["trial"]], status=PAUSED)
            )
            try:
                epoch, train_s, wall_s = int(row["epoch"]), float(row["train_s"]), float(row["wall_s"])
                metrics = {name: float(value) for name, value in row.items() if name.startswith("val_")}
                self.take(entry, epoch, metrics)
            except (ValueError, KeyError) as error:
                raise Unusable(f"{self.folder / CURVES}: not the table of a sweep: {error}") from None
            entry.train_s += train_s
            self.before_s = max(self.before_s, wall_s)
            best = math.nan if entry.best is None else entry.best
            self.reports.append((entry.name, epoch, best, not math.isfinite(metrics["val_loss"])))
        for row in self._rows(TRIALS, configurations):
            entry = self.entries.setdefault(
                row["trial"], Entry(name=row["trial"], configuration=configurations[row["trial"]])
            )
            entry.status, entry.reason = row["status"], row["reason"]
        self.wall_s = self.before_s

    def _rows(self, table: str, configurations: dict[str, Any]) -> list[dict[str, str]]:
        rows = tables.rows(self.folder / table)
        return [row for row in rows if row.get("phase") == self.phase and row.get("trial") in configurations]

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Open the trial's entry; a trial that starts again keeps it."""
        self._entry(trial).status = RUNNING

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """Record a report, and write its row; epochs trained again after a fault are in the tables already."""
        entry = self._entry(trial)
        entry.train_s += result["train_s"]
        entry.warning = result["warning"] or entry.warning
        if result["epoch"] <= entry.epoch:
            return
        metrics = {name: value for name, value in result.items() if name.startswith("val_")}
        self.take(entry, result["epoch"], metrics)
        row = {"phase": self.phase, "trial": entry.name, "epoch": entry.epoch, "train_loss": result["train_loss"]}
        clock = {"train_s": result["train_s"], "wall_s": round(self.gone_s, 3)}
        tables.append(self.folder / CURVES, row | metrics | clock)

    def take(self, entry: Entry, epoch: int, metrics: dict[str, float]) -> None:
        """Bring an entry up to a report's epoch and metrics, named `val_` and the metric."""
        entry.epoch = epoch
        value = metrics[f"val_{self.objective.metric}"]
        if self.objective.better(value, entry.best):
            entry.best, entry.best_epoch = value, epoch
            entry.best_metrics = {name.removeprefix("val_"): value for name, value in metrics.items()}

    def pause(self, name: str) -> None:
        """The scheduler lets a trial wait at a rung."""
        self.entries[name].status = PAUSED

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Close the entry: finished, stopped early or diverged."""
        entry = self._entry(trial)
        if trial.last_result.get("diverged"):
            self.close(entry, DIVERGED, f"the loss became NaN or infinite in epoch {entry.epoch}")
        elif entry.epoch >= self.max_epochs:
            self.close(entry, FINISHED, f"reached its last epoch, {entry.epoch}")
        else:
            self.close(entry, STOPPED, f"outside the best of its rung at epoch {entry.epoch}")

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Close the entry as failed, with the error's last line."""
        self.close(self._entry(trial), FAILED, _last_line(trial.error_file))

    def __enter__(self) -> Ledger:
        self.started = time.monotonic()
        return self

    def __exit__(self, *exception: object) -> None:
        """Close what is still open: as stopped early if only waiting trials are left, else as interrupted."""
        self.wall_s = self.gone_s
        left = [entry for entry in self.entries.values() if entry.open]
        over = len(self.entries) == self.requested and all(entry.status == PAUSED for entry in left)
        for entry in left:
            if over:
                self.close(entry, STOPPED, f"outside the best of its rung at epoch {entry.epoch}")
            else:
                self.close(entry, INTERRUPTED, f"the sweep was interrupted after its epoch {entry.epoch}")

    @property
    def gone_s(self) -> float:
        """Seconds that the phase has taken, over all sessions."""
        return self.before_s + time.monotonic() - self.started

    def count(self, status: str) -> int:
        """Trials of that status."""
        return sum(entry.status == status for entry in self.entries.values())

    def lost(self) -> list[Entry]:
        """The trials that failed or diverged."""
        return [entry for entry in self.entries.values() if entry.status in (FAILED, DIVERGED)]

    @property
    def ended(self) -> int:
        """Trials that came to an end of their own."""
        return sum(not entry.open and entry.status != INTERRUPTED for entry in self.entries.values())

    @property
    def epochs(self) -> int:
        """Epochs trained so far, by all the trials."""
        return sum(entry.epoch for entry in self.entries.values())

    def ranked(self) -> list[Entry]:
        """The trials that can be chosen, best first: validated, neither failed nor diverged."""
        usable = [e for e in self.entries.values() if e.best is not None and e.status not in (FAILED, DIVERGED)]
        sign = -1 if self.objective.mode == "max" else 1
        return sorted(usable, key=lambda entry: (sign * (entry.best or 0.0), entry.name))

    def close(self, entry: Entry, status: str, reason: str) -> None:
        """Write down how a trial ended."""
        entry.status = status
        entry.reason = f"{reason}; {entry.warning}" if entry.warning else reason
        settings = {name: value for name, value in entry.configuration.items() if name != "epochs"}
        values = {"epochs": entry.epoch, f"best_{self.objective.metric}": entry.best, "best_epoch": entry.best_epoch}
        row = {"phase": self.phase, "trial": entry.name, **settings, "status": status, **values}
        tables.append(self.folder / TRIALS, row | {"train_s": entry.train_s, "reason": entry.reason})

    def _entry(self, trial: Trial) -> Entry:
        run = trial.config["run"]
        return self.entries.setdefault(run["trial"], Entry(name=run["trial"], configuration=run["configuration"]))


def _last_line(error_file: str | None) -> str:
    """The last line of a trial's error file on this machine; Trial.get_error looks where it is copied to later."""
    if error_file is None or not Path(error_file).exists():
        return "its process died without an error message"
    lines = [line.strip() for line in Path(error_file).read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "its process died without an error message"
