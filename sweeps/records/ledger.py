"""What happened to every trial, kept as it happens and written to the results folder."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ae.task import Objective
from sweeps.engine import failure
from sweeps.records import tables
from sweeps.records.tables import CURVES, TRIALS

RUNNING, PAUSED, FINISHED, STOPPED, DIVERGED, FAILED, INTERRUPTED = STATUSES = (
    "running",
    "paused",
    "finished",
    "stopped early",
    "diverged",
    "failed",
    "interrupted",
)
ENDED = (FINISHED, STOPPED, DIVERGED, FAILED)
"""Statuses of trials that no session goes on with."""


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
    retried: str = ""
    """Why it was tried again with more resources, in words."""

    @property
    def open(self) -> bool:
        """Whether it may still train."""
        return self.status in (RUNNING, PAUSED)

    @property
    def lost(self) -> bool:
        """Whether it failed or diverged, so that it cannot be chosen."""
        return self.status in (FAILED, DIVERGED)


class Ledger:
    """One phase of a sweep, "search" or "retrain"; its rows go to `curves.csv` and `trials.csv` at once.

    A context manager around the phase: on leaving, trials that are still open are closed. `sweeps.history` lets it
    begin where earlier sessions ended, `sweeps.recorder` tells it what happens.

    Args:
        phase: first column of both tables.
        folder: the results folder; rows are appended to tables that are there.
        objective: what is best.
        requested: trials that the phase will have.
        max_epochs: epochs that a trial can have.
        time_limit_s: seconds that it can take from one report to the next, if there is a limit.
        planned: configurations of the trials by name, where they are known beforehand.
        expected: epochs that the trials will train for, as far as one can tell, the longest first; none: max_epochs.
        why_stopped: why a trial is stopped early, in words.
    """

    def __init__(
        self,
        phase: str,
        folder: Path,
        objective: Objective,
        requested: int,
        max_epochs: int,
        time_limit_s: float | None = None,
        planned: Mapping[str, dict[str, Any]] = MappingProxyType({}),
        expected: Sequence[int] = (),
        why_stopped: str = "outside the best of its rung",
    ) -> None:
        self.phase, self.folder, self.objective = phase, folder, objective
        self.requested, self.max_epochs, self.time_limit_s = requested, max_epochs, time_limit_s
        self.planned, self.expected, self.why_stopped = planned, expected, why_stopped
        self.entries: dict[str, Entry] = {}
        self.reports: list[tuple[str, int, float, bool]] = []
        """Of earlier sessions: trial, epoch, best value so far, whether it diverged; in the order they came."""
        self.heard: dict[str, float] = {}
        """When a trial last started or reported."""
        self.before_s = 0.0
        """Seconds that earlier sessions took, up to their last report."""
        self.over = False
        """Whether trials that still wait at a rung wait in vain; the scheduler says so."""
        self.again: set[str] = set()
        """Trials that come again though Tune gives them up, as their process or machine was lost."""
        self.started = time.monotonic()
        self.wall_s = 0.0

    def begin(self, name: str, configuration: dict[str, Any]) -> Entry:
        """A trial starts, or goes on."""
        entry = self.entry(name, configuration)
        entry.status = RUNNING
        self.heard[name] = time.monotonic()
        return entry

    def report(self, entry: Entry, result: Mapping[str, Any]) -> bool:
        """A trial was validated: its row, unless this was trained again after a fault and is there already.

        Returns:
            whether it is new.
        """
        self.heard[entry.name] = time.monotonic()
        entry.train_s += result["train_s"]
        entry.warning = result["warning"] or entry.warning
        if result["epoch"] <= entry.epoch:
            return False
        metrics = {name: value for name, value in result.items() if name.startswith("val_")}
        self.take(entry, result["epoch"], metrics)
        row = {"phase": self.phase, "trial": entry.name, "epoch": entry.epoch, "train_loss": result["train_loss"]}
        clock = {"train_s": result["train_s"], "wall_s": round(self.gone_s, 3)}
        tables.append(self.folder / CURVES, row | metrics | clock)
        return True

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

    def end(self, entry: Entry, diverged: bool) -> None:
        """A trial ended by itself, or was stopped: finished, stopped early or diverged."""
        if diverged:
            self.close(entry, DIVERGED, f"the loss became NaN or infinite in epoch {entry.epoch}")
        elif entry.epoch >= self.max_epochs:
            self.close(entry, FINISHED, f"reached its last epoch, {entry.epoch}")
        else:
            self.close(entry, STOPPED, f"{self.why_stopped} at epoch {entry.epoch}")

    def end_unseen(self, name: str, configuration: dict[str, Any], failed: bool) -> None:
        """A trial ended as its session died, before this could be written down."""
        entry = self.entry(name, configuration)
        if failed or not entry.epoch:
            self.close(entry, FAILED, "the sweep was killed before the reason was written down")
        else:
            self.end(entry, next(diverged for trial, *_, diverged in reversed(self.reports) if trial == name))

    def fail(self, entry: Entry, error_file: str | None) -> None:
        """A trial failed: with its error's last line, or what is known of a process that died; or it comes again."""
        if entry.name in self.again:
            self.again.discard(entry.name)
            entry.status = PAUSED
            return
        reason = failure.last_line(error_file)
        if reason.startswith(failure.PROCESS_DIED):
            reason = failure.NO_MESSAGE
            quiet_s = time.monotonic() - self.heard.get(entry.name, math.inf)
            if self.time_limit_s and quiet_s >= self.time_limit_s:
                reason = f"gave no report in {self.time_limit_s:g} s, its time limit"
        self.close(entry, FAILED, reason)

    def __enter__(self) -> Ledger:
        self.started = time.monotonic()
        return self

    def __exit__(self, *exception: object) -> None:
        """Close what is still open: as stopped early if the phase is over, else as interrupted."""
        self.wall_s = self.gone_s
        for entry in [entry for entry in self.trials if entry.open]:
            if self.over and entry.status == PAUSED:
                self.end(entry, diverged=False)
            else:
                self.close(entry, INTERRUPTED, f"the sweep was interrupted after its epoch {entry.epoch}")

    @property
    def gone_s(self) -> float:
        """Seconds that the phase has taken, over all sessions."""
        return self.before_s + time.monotonic() - self.started

    @property
    def trials(self) -> list[Entry]:
        """The trials as of now, for whoever looks from another thread, as a live display does."""
        return list(self.entries.values())

    def names(self, *statuses: str) -> set[str]:
        """The trials of one of these statuses."""
        return {entry.name for entry in self.trials if entry.status in statuses}

    def count(self, status: str) -> int:
        """How many trials have that status."""
        return len(self.names(status))

    def lost(self) -> list[Entry]:
        """The trials that failed or diverged."""
        return [entry for entry in self.trials if entry.lost]

    @property
    def ended(self) -> int:
        """Trials that came to an end of their own."""
        return sum(not entry.open and entry.status != INTERRUPTED for entry in self.trials)

    @property
    def epochs(self) -> int:
        """Epochs trained so far, by all the trials."""
        return sum(entry.epoch for entry in self.trials)

    def ranked(self) -> list[Entry]:
        """The trials that can be chosen, best first: validated, neither failed nor diverged."""
        usable = [entry for entry in self.trials if entry.best is not None and not entry.lost]
        sign = -1 if self.objective.mode == "max" else 1
        return sorted(usable, key=lambda entry: (sign * (entry.best or 0.0), entry.name))

    def listed(self) -> list[Entry]:
        """All the trials: those that can be chosen, best first, then the others."""
        ranked = self.ranked()
        chosen = {entry.name for entry in ranked}
        return [*ranked, *(entry for entry in self.trials if entry.name not in chosen)]

    def close(self, entry: Entry, status: str, reason: str) -> None:
        """Write down how a trial ended, for good: the study, which is told next, is never ahead of the tables."""
        entry.status = status
        entry.reason = "; ".join(filter(None, (reason, entry.retried, entry.warning)))
        settings = {name: value for name, value in entry.configuration.items() if name != "epochs"}
        values = {"epochs": entry.epoch, f"best_{self.objective.metric}": entry.best, "best_epoch": entry.best_epoch}
        row = {"phase": self.phase, "trial": entry.name, **settings, "status": status, **values}
        tables.append(self.folder / TRIALS, row | {"train_s": entry.train_s, "reason": entry.reason})
        tables.sync(self.folder)

    def entry(self, name: str, configuration: dict[str, Any], status: str = RUNNING) -> Entry:
        """The trial's entry; a new one, of that status, where there is none."""
        return self.entries.setdefault(name, Entry(name=name, configuration=configuration, status=status))
