"""From Tune's events to the ledger, and from there to everyone who follows a phase."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from ray import tune
from ray.tune.experiment import Trial

from sweeps.records.ledger import INTERRUPTED, Entry, Ledger
from sweeps.tracking.loggers import Logger
from sweeps.tracking.tensorboard import METRICS


class Recorder(tune.Callback):
    """Writes down in the ledger what becomes of each trial, then tells the loggers, each report once.

    A context manager around the phase: on leaving, trials that the ledger closes are told too.

    Args:
        ledger: the phase.
        loggers: who is told everything, in this order.
        ended: who is told before them that a trial has ended, and will not come again.
    """

    def __init__(
        self, ledger: Ledger, loggers: Sequence[Logger], ended: Sequence[Callable[[Entry], None]] = ()
    ) -> None:
        self.ledger, self.loggers, self.ended = ledger, loggers, ended
        self.begun: set[str] = set()
        """Trials of which the loggers know the beginning, and not yet the end."""

    def __enter__(self) -> Recorder:
        self.ledger.__enter__()
        for logger in self.loggers:
            logger.open()
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            self.ledger.__exit__(*exception)
            for name in sorted(self.begun):
                if self.ledger.entries[name].status != INTERRUPTED:
                    self._end(self.ledger.entries[name])
        finally:
            for logger in reversed(self.loggers):
                logger.close()

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune saves its callbacks' state; a session goes on from the tables

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """A trial starts for the first time, or goes on."""
        self._begin(self.ledger.begin(*_run(trial)))

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """A report came."""
        entry = self.ledger.entry(*_run(trial))
        if self.ledger.report(entry, result):
            metrics = {name: value for name, value in result.items() if name.startswith(METRICS)}
            for logger in self.loggers:
                logger.report(entry, entry.epoch, metrics, time.time())

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """A trial ended by itself, or was stopped."""
        entry = self.ledger.entry(*_run(trial))
        self.ledger.end(entry, trial.last_result.get("diverged", False))
        self._end(entry)

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """A trial failed; its process may not even have started, and then it may come again."""
        entry = self.ledger.entry(*_run(trial))
        self.ledger.fail(entry, trial.error_file)
        if not entry.open:
            self._begin(entry)
            self._end(entry)

    def _begin(self, entry: Entry) -> None:
        if entry.name not in self.begun:
            self.begun.add(entry.name)
            for logger in self.loggers:
                logger.begin(entry)

    def _end(self, entry: Entry) -> None:
        for told in self.ended:
            told(entry)
        self.begun.discard(entry.name)
        for logger in self.loggers:
            logger.end(entry)


def _run(trial: Trial) -> tuple[str, dict[str, Any]]:
    run = trial.config["run"]
    return run["trial"], run["configuration"]
