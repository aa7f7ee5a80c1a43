"""Tells the loggers of a sweep what happens in it: TensorBoard, and a tracker if there is one."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ray import tune
from ray.tune.experiment import Trial

from sweeps.folder import Unusable
from sweeps.ledger import INTERRUPTED, Entry, Ledger
from sweeps.plan import Plan
from sweeps.tensorboard_runs import METRICS, TensorBoard
from sweeps.turns import name_of


class Logger(Protocol):
    """Keeps a phase of a sweep in a form of its own, beside the ledger's tables."""

    def begin(self, entry: Entry) -> None:
        """A trial starts, or goes on in a later session."""

    def report(self, entry: Entry, epoch: int, metrics: Mapping[str, float], wall_time: float) -> None:
        """A trial was validated; "train_loss", and "val_" and each metric; `wall_time` in seconds since 1970."""

    def end(self, entry: Entry) -> None:
        """A trial ended, and the entry says how."""

    def close(self) -> None:
        """The phase is over."""


def check(plan: Plan) -> None:
    """Raise Unusable if a logger that a plan asks for cannot be had."""
    if plan.track and not importlib.util.find_spec(plan.track):
        raise Unusable(f"--track {plan.track} needs a package that is not installed: pip install {plan.track}")
    if plan.track:
        from sweeps import tracking

        tracking.check(plan)


def of(plan: Plan, ledger: Ledger) -> list[Logger]:
    """Those that a plan asks for, for a phase as earlier sessions left it."""
    found: list[Logger] = [TensorBoard(ledger, [*plan.varied, *(["seed"] if ledger.phase == "retrain" else [])])]
    if plan.track:
        from sweeps.tracking import tracker  # imports the tracker's own package

        found.append(tracker(plan, ledger.phase))
    return found


class Loggers(tune.Callback):
    """Tells loggers each report once, whatever a fault makes a trial train again; comes after the ledger.

    A context manager around the ledger's: on leaving, trials that the ledger closed meanwhile are told too.

    Args:
        ledger: the phase.
        loggers: who is told.
    """

    def __init__(self, ledger: Ledger, loggers: Sequence[Logger]) -> None:
        self.ledger, self.loggers = ledger, loggers
        self.epochs = {entry.name: entry.epoch for entry in ledger.entries.values()}
        """The last epoch that was told of a trial."""
        self.begun: set[str] = set()

    def __enter__(self) -> Loggers:
        return self

    def __exit__(self, *exception: object) -> None:
        for entry in self.ledger.entries.values():
            if entry.name in self.begun and entry.status != INTERRUPTED:
                self._end(entry)
        for logger in self.loggers:
            logger.close()

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune saves its callbacks' state; loggers have none that a session could go on with

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """A trial starts for the first time, or goes on."""
        entry = self.ledger.entries[name_of(trial)]
        if entry.name not in self.begun:
            self.begun.add(entry.name)
            for logger in self.loggers:
                logger.begin(entry)

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """A report came."""
        entry = self.ledger.entries[name_of(trial)]
        if result["epoch"] > self.epochs.get(entry.name, 0):
            self.epochs[entry.name] = result["epoch"]
            metrics = {name: value for name, value in result.items() if name.startswith(METRICS)}
            for logger in self.loggers:
                logger.report(entry, result["epoch"], metrics, time.time())

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """A trial ended."""
        self._end(self.ledger.entries[name_of(trial)])

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """A trial failed; its process may not even have started, and then the trial may come again."""
        if not self.ledger.entries[name_of(trial)].open:
            self.on_trial_complete(iteration, trials, trial)

    def _end(self, entry: Entry) -> None:
        if entry.name in self.begun:
            self.begun.discard(entry.name)
            for logger in self.loggers:
                logger.end(entry)
