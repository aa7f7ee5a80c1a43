"""Who is told what happens in a phase of a sweep: the protocol, and the followers that a plan asks for."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from queue import SimpleQueue
from threading import Thread
from types import ModuleType
from typing import Any, Protocol

from ae.errors import UserError
from sweeps.config.plan import Plan
from sweeps.config.words import one_line
from sweeps.records.eta import TimeLeft
from sweeps.records.trials import RETRAIN, Report, TrialLog, TrialRecord
from sweeps.tracking.prometheus import PrometheusGauges
from sweeps.tracking.tensorboard import TensorBoard

CLOSE_S = 60.0
"""Seconds that a tracker may take, at the end of a phase, to send what it was told."""

logger = logging.getLogger(__name__)


class Follower(Protocol):
    """Shows or stores a phase in a form of its own; it may not change anything.

    The trial log already holds what a follower is told. `open` comes first and `close` last. A trial begins before it
    reports; one of an earlier session may end without beginning again.
    """

    def open(self) -> None:
        """The phase begins; the trials of earlier sessions are in the trial log already."""

    def begin(self, record: TrialRecord) -> None:
        """A trial starts, or resumes in a later session."""

    def report(self, record: TrialRecord) -> None:
        """A trial was validated; `record.reports[-1]` is new."""

    def end(self, record: TrialRecord) -> None:
        """A trial ended; `record.status` and `record.reason` say how and why."""

    def tick(self) -> None:
        """The controller made a step."""

    def close(self) -> None:
        """The phase is over; no trial is open any more."""


def followers_of(plan: Plan, log: TrialLog, left: Callable[[], TimeLeft | None] = lambda: None) -> list[Follower]:
    """TensorBoard, the plan's tracker if it has one, and gauges for Prometheus where somebody may read them.

    Args:
        plan: of the sweep.
        log: of the phase.
        left: gives what the whole sweep may still take.
    """
    varied = [*plan.varied, "seed"] if log.phase == RETRAIN else plan.varied
    followers: list[Follower] = [TensorBoard(plan.folder, log, varied)]
    if plan.resources.track:
        followers.append(TrackerThread(plan.resources.track, _tracker(plan.resources.track).follower(plan, log)))
    if plan.resources.dashboard or plan.resources.address:
        followers.append(PrometheusGauges(plan, log, left))
    return followers


def check_tracker(plan: Plan) -> None:
    """Try the plan's tracker, if it has one, before anything starts.

    Raises:
        UserError: if its package is not installed, or it cannot be used.
    """
    if plan.resources.track:
        _tracker(plan.resources.track).check(plan)


def _tracker(name: str) -> ModuleType:
    """The module of a tracker: `follower(plan, log)` makes its follower, `check(plan)` raises UserError."""
    try:
        return importlib.import_module(f"sweeps.tracking.{name}_tracker")
    except ModuleNotFoundError as error:
        package = error.name or name
        raise UserError(f"--track {name} needs a package that is not installed: pip install {package}") from None


def run_id(plan: Plan, log: TrialLog, record: TrialRecord) -> str:
    """A trial's id at a tracker, unique among all sweeps, so that a resumed trial continues in its own run."""
    return f"{plan.task.name}-{plan.name}-{log.phase}-{record.name}"


def run_config(log: TrialLog, record: TrialRecord) -> dict[str, Any]:
    """A trial's hyperparameters and phase, as a tracker shows them: "none" for None."""
    values = {name: "none" if value is None else value for name, value in record.config.stated.items()}
    return values | {"phase": log.phase}


def run_metrics(report: Report) -> dict[str, float]:
    """A report's values by the names that a tracker shows: train_loss, and val_ and each validation metric."""
    return {"train_loss": report.train_loss, **{f"val_{name}": value for name, value in report.metrics.items()}}


class TrackerThread:
    """Tells a tracker in a thread of its own, so that a slow server holds no trial up.

    Whatever the tracker raises, the sweep continues: there is one warning, and the tracker is told nothing more of the
    phase. It gets each record as of the call, with the last report alone.

    Args:
        name: of the tracker, as `--track` takes it.
        tracker: its follower; `tick` is not passed on.
    """

    def __init__(self, name: str, tracker: Follower) -> None:
        self.name, self.tracker = name, tracker
        self.calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self.is_dropped = False
        self.thread = Thread(target=self._work, name=f"tracker {name}", daemon=True)

    def open(self) -> None:
        """Start the thread."""
        self.thread.start()
        self.calls.put(self.tracker.open)

    def begin(self, record: TrialRecord) -> None:
        """Pass the call on to the thread."""
        self.calls.put(partial(self.tracker.begin, _as_of_now(record)))

    def report(self, record: TrialRecord) -> None:
        """Pass the call on to the thread."""
        self.calls.put(partial(self.tracker.report, _as_of_now(record)))

    def end(self, record: TrialRecord) -> None:
        """Pass the call on to the thread."""
        self.calls.put(partial(self.tracker.end, _as_of_now(record)))

    def tick(self) -> None:
        """Trackers act on events alone."""

    def close(self) -> None:
        """Wait until the tracker has sent everything, but not for ever."""
        self.calls.put(self.tracker.close)
        self.calls.put(None)
        self.thread.join(CLOSE_S)
        if self.thread.is_alive() and not self.is_dropped:
            self._drop(f"it has not sent everything within {CLOSE_S:g} s")

    def _work(self) -> None:
        while call := self.calls.get():
            if not self.is_dropped:
                try:
                    call()
                except Exception as error:
                    self._drop(one_line(error) or type(error).__name__)

    def _drop(self, reason: str) -> None:
        self.is_dropped = True
        logger.warning("--track %s: %s; this phase continues without it", self.name, reason)


def _as_of_now(record: TrialRecord) -> TrialRecord:
    return replace(record, reports=record.reports[-1:])
