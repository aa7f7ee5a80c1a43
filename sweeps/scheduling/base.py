"""What a scheduler decides: which trials train, wait, or stop. It knows trials by name, and nothing of Ray."""

from __future__ import annotations

import enum
import importlib
import math
from collections.abc import Iterable

from ae.task import Budget, Objective
from sweeps.records.trials import DIVERGED, FAILED, FINISHED, Fact


class Decision(enum.Enum):
    """What becomes of a trial after a report."""

    CONTINUE = "continue"
    PROMOTE = "promote"
    """Continue past a rung."""
    PAUSE = "pause"
    STOP = "stop"


class Scheduler:
    """Runs every trial to its last epoch; subclasses pause or stop some.

    Ray's own limit, max_concurrent_trials, counts paused trials as running: no other trial could take their place.

    Args:
        max_concurrent: trials that may train at once; it may change while the trials run.
    """

    def __init__(self, max_concurrent: int) -> None:
        self.max_concurrent = max_concurrent
        self.running: set[str] = set()
        self.paused: set[str] = set()
        self.to_stop: list[str] = []
        """Paused trials to stop now; whoever stops them clears the list."""
        self.is_exhausted = False
        """Whether no new trial will start; the trial queue sets it."""

    @property
    def has_capacity(self) -> bool:
        """Whether there is room for one more trial."""
        return len(self.running) < self.max_concurrent

    @property
    def is_idle(self) -> bool:
        """Whether no trial is running and no new one will start."""
        return self.is_exhausted and not self.running

    @property
    def is_over(self) -> bool:
        """True once no paused trial can be promoted any more."""
        return self.is_idle and self.next_to_resume() is None

    def on_start(self, trial: str) -> None:
        """A trial starts, or starts again after a fault or in a later session."""
        self.running.add(trial)
        self.paused.discard(trial)

    def on_result(self, trial: str, epoch: int, best: float) -> Decision:
        """Decide what becomes of a trial after a report.

        Args:
            trial: its name.
            epoch: of the report.
            best: the objective's best value up to it; NaN if every value was.
        """
        return Decision.CONTINUE

    def on_end(self, trial: str, epoch: int, best: float, *, diverged: bool = False, failed: bool = False) -> None:
        """A trial has ended.

        Args:
            trial: its name.
            epoch: of its last report.
            best: the objective's best value; NaN if there is none.
            diverged: whether it diverged.
            failed: whether it failed.
        """
        self.running.discard(trial)
        self.paused.discard(trial)

    def on_lost(self, trial: str) -> None:
        """A trial's process was lost; the trial will start again."""
        self.running.discard(trial)

    def next_to_resume(self) -> str | None:
        """The paused trial to resume before any new one starts, or None."""
        return None

    def resume(self, trial: str) -> None:
        """Promote a paused trial: it will train past its rung."""
        self.paused.discard(trial)

    def must_wait(self, trial: str) -> bool:
        """Whether a trial of an earlier session may not train before it is promoted."""
        return trial in self.paused

    def restore(self, facts: Iterable[Fact]) -> None:
        """Replay what happened in earlier sessions, in order."""
        for kind, record, report in facts:
            if kind == "asked":  # Tune adds a trial as soon as it has asked for it
                self.on_start(record.name)
            elif kind == "promoted":
                self.resume(record.name)
                self.on_start(record.name)
            elif kind == "ended":
                best = math.nan if record.best is None else record.best
                failed = record.status == FAILED
                self.on_end(record.name, record.epoch, best, diverged=record.has_diverged, failed=failed)
            elif report and not (record.status in (FINISHED, DIVERGED) and report is record.reports[-1]):
                best = math.nan if report.best is None else report.best
                self.on_result(record.name, report.epoch, best)
        self.running.clear()
        self.to_stop.clear()


def make_scheduler(name: str, budget: Budget, objective: Objective, max_concurrent: int) -> Scheduler:
    """One of `sweeps.config.choices.SCHEDULERS`.

    Args:
        name: of the scheduler; its module has a function `make` with the other arguments.
        budget: when trials are judged.
        objective: what is best.
        max_concurrent: trials that may train at once.
    """
    module = importlib.import_module(f"sweeps.scheduling.{name.replace('-', '_')}")
    made: Scheduler = module.make(budget, objective, max_concurrent)
    return made
