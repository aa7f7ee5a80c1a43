"""The record of a sweep: its event log, and the state that follows from the events."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from ae.configuration import Configuration
from ae.errors import UserError
from sweeps.config.choices import SCHEDULERS
from sweeps.config.plan import Plan
from sweeps.records.events import EventLog, read_events
from sweeps.records.names import NAME, trial_name
from sweeps.records.trial_events import apply
from sweeps.records.trials import (
    INTERRUPTED,
    PAUSED,
    RETRAIN,
    RUNNING,
    SEARCH,
    STOPPED,
    KnownTrial,
    Tested,
    TrialLog,
    TrialRecord,
)
from sweeps.records.work import Shape, Work
from sweeps.storage.folder import EVENTS


class SweepLog:
    """Everything that happened in a sweep.

    The state changes through `add` alone: a live sweep adds events to the log, a later session and every reader apply
    the events that the log holds. So both have the same state by construction.

    Args:
        plan: of the sweep.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        points = plan.points if plan.search == "grid" else []
        self.search = TrialLog(
            SEARCH,
            plan.task.objective,
            plan.trials,
            plan.budget.max_epochs,
            planned={trial_name(number): point for number, point in enumerate(points)},
            expected=plan.expected_epochs,
            why_stopped=SCHEDULERS[plan.scheduler].why_stopped,
            seeds_per_trial=plan.seeds_per_trial,
        )
        self.retraining = self._retraining_log({})
        self.retrainings: dict[str, TrialRecord] = {}
        """Every retraining there was; `retraining` has those of the current selection."""
        self.work = {
            SEARCH: Work(plan.levels, self.search.planned, plan.task.objective),
            RETRAIN: self._retraining_work(),
        }
        """The running sums of each phase."""
        self.timed: dict[Shape, float] = {}
        """Seconds per epoch of some shapes, as they were timed before the sweep."""
        self.known: list[KnownTrial] = []
        self.tests: dict[str, Tested] = {}
        """By the name of the retraining."""
        self.session = ""
        """The session that wrote last."""
        self.host = ""
        """The machine of the driver."""
        self.device = ""
        """What the trials ran on, in words."""
        self.versions: dict[str, str] = {}
        """The packages that the last session ran with."""
        self.total_s: float | None = None
        """Seconds that the whole sweep had taken when the last session ended; None if none ended."""
        self.last_time: float | None = None
        """When the last event happened, in seconds since 1970."""
        self.ended_as = ""
        """How the last session ended: "finished", "interrupted" or "failed"; empty if it runs or was killed."""
        self.spent_s = 0.0
        """Seconds that all sessions had taken at the last event, each from the start of its command."""
        self.start_s = 0.0
        """Seconds that the last session took to start: what is no training takes longer on a busy machine."""
        self.fewer = ""
        """Why fewer are retrained than the plan has, in words; empty if all are."""
        self.file: EventLog | None = None

    @classmethod
    def read(cls, plan: Plan) -> SweepLog:
        """The record in the plan's results folder.

        Raises:
            UserError: if the log is damaged, naming the line.
        """
        return deque(cls.history(plan), maxlen=1).pop()

    @classmethod
    def history(cls, plan: Plan) -> Iterator[SweepLog]:
        """The record in the plan's results folder before and after each event; it is the same object every time.

        Raises:
            UserError: if the log is damaged, naming the line.
        """
        found = cls(plan)
        yield found
        for number, event in read_events(plan.folder):
            found.take_in(number, event)
            yield found

    def take_in(self, number: int, event: Mapping[str, Any]) -> None:
        """Apply an event that the file has in that line.

        Raises:
            UserError: if it cannot be one.
        """
        try:
            self._apply(event)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else error
            path = self.plan.folder / EVENTS
            raise UserError(f"{path}, line {number}: {reason}; the file is damaged") from None

    def open(self) -> None:
        """Let `add` write to the log; the results folder is locked by this process.

        Raises:
            OSError: if the log cannot be written.
        """
        self.file = EventLog(self.plan.folder)

    def add(self, kind: str, **facts: Any) -> None:
        """Add an event: change the state now, and write the event at the next `flush`."""
        event = {"event": kind, "time": round(time.time(), 3), **facts}
        self._apply(event)
        if self.file:
            self.file.append(event)

    def flush(self, sync: bool = True) -> bool:
        """Write the events that are new.

        Args:
            sync: have them on the disk now, not only once a second.

        Returns:
            Whether everything is on the disk.

        Raises:
            OSError: if they cannot be written; a later call tries again.
        """
        return self.file.flush(sync) if self.file else True

    def phase(self, name: str) -> TrialLog:
        """The log of a phase."""
        return self.retraining if name == RETRAIN else self.search

    @property
    def is_finished(self) -> bool:
        """Whether the last session left nothing to do."""
        return self.ended_as == "finished"

    def _apply(self, event: Mapping[str, Any]) -> None:
        self._count_time(event)
        handlers: dict[str, Callable[[Mapping[str, Any]], None]] = {
            "session_begun": self._session_begun,
            "session_ended": self._session_ended,
            "known": self._known,
            "search_closed": partial(self._closed, self.search),
            "retraining_closed": partial(self._closed, self.retraining),
            "retraining": self._retraining,
            "tested": self._tested,
            "asked": self._asked,
        }
        if handler := handlers.get(event["event"]):
            handler(event)
        else:
            self._trial_event(event)

    def _count_time(self, event: Mapping[str, Any]) -> None:
        now = float(event["time"])
        if event["event"] == "session_begun":
            self.start_s = float(event.get("start_s", 0.0))
            self.spent_s += self.start_s
        elif self.last_time is not None:
            self.spent_s += max(0.0, now - self.last_time)
        self.last_time = now

    def taken_s(self, now: float | None = None) -> float:
        """Seconds that all sessions have taken.

        Args:
            now: until when, in seconds since 1970; None means this moment if this process runs the sweep, and the last
                event otherwise.
        """
        moment = time.time() if now is None and self.file else now
        return self.spent_s + max(0.0, (moment or 0.0) - (self.last_time or math.inf))

    @property
    def has_more_to_train(self) -> bool:
        """Whether trials or retrainings are left, those included that a time budget ended and another one reopens."""
        log = self.retraining
        is_trained = log.requested and log.is_complete and (log.closed or not log.names(STOPPED))
        return not (self.search.is_complete and is_trained)

    @property
    def ran_out_of_time(self) -> bool:
        """Whether the time budget ended something early."""
        closed = (log for log in (self.search, self.retraining) if log.closed)
        return bool(self.fewer) or any("time_budget_s" in log.closed_within[-1] for log in closed)

    def _trial_event(self, event: Mapping[str, Any]) -> None:
        log = self.phase(event["phase"])
        if event["trial"] not in log.records:
            if log.phase == RETRAIN and event["trial"] in self.retrainings:
                return
            raise ValueError(f"trial {event['trial']} was never asked for")
        apply(event, log, self.work[log.phase], self.spent_s)

    def _asked(self, event: Mapping[str, Any]) -> None:
        log, name = self.phase(event["phase"]), str(event["trial"])
        if not NAME.fullmatch(name):  # it becomes the name of folders
            raise ValueError(f"a trial cannot be called {name!r}")
        if name in log.records:
            raise ValueError(f"trial {name} was asked for before")
        record = TrialRecord(name=name, config=Configuration(**event["config"]), attrs=dict(event.get("attrs", {})))
        record.tried = bool(event.get("tried"))
        record.note("asked", self.spent_s)
        log.records[name] = record
        if log.phase == RETRAIN:
            self.retrainings[name] = record
        self.work[log.phase].ask(record)
        self.work[log.phase].put_in(record, float(event["time"]))
        log.add_fact("asked", record)

    def _session_begun(self, event: Mapping[str, Any]) -> None:
        self.session, self.host, self.device = (str(event[name]) for name in ("session", "host", "device"))
        self.versions, self.ended_as = dict(event.get("versions", {})), ""
        for record in (*self.search.trials, *self.retrainings.values()):
            if record.status == RUNNING:  # the session before was killed
                record.note("interrupted", self.spent_s - self.start_s)
            if record.is_open or record.status == INTERRUPTED:
                record.status, record.reason = PAUSED, ""
        self._count_anew()

    def _session_ended(self, event: Mapping[str, Any]) -> None:
        self.ended_as = str(event["status"])
        self.total_s = float(event["total_s"]) if "total_s" in event else None
        for log in (self.search, self.retraining):
            log.recorded_s = max(log.recorded_s, float(event["wall_s"].get(log.phase, 0.0)))
        for record in (*self.search.trials, *self.retrainings.values()):
            if record.is_open:
                record.note("interrupted", self.spent_s)
                record.status, record.reason = INTERRUPTED, f"the sweep was interrupted after its epoch {record.epoch}"
        self._count_anew()

    def _count_anew(self) -> None:
        for log in (self.search, self.retraining):
            self.work[log.phase].rebuild(log.trials)

    def _known(self, event: Mapping[str, Any]) -> None:
        curve = [(int(epoch), float(value)) for epoch, value in event["curve"]]
        config = Configuration(**event["config"])
        self.known.append(KnownTrial(config=config, status=str(event["status"]), curve=curve))

    def _closed(self, log: TrialLog, event: Mapping[str, Any]) -> None:
        """A phase ends early; one that was closed within other limits than the plan has now is open again."""
        log.closed_within.append(dict(event["limits"]))
        if self._holds(event["limits"]):
            log.closed = str(event["reason"])

    def _holds(self, limits: Mapping[str, Any]) -> bool:
        """Whether the plan still has these limits."""
        now = self.plan.search_limits | self.plan.time_limits
        return all(now.get(name) == value for name, value in limits.items())

    def _retraining(self, event: Mapping[str, Any]) -> None:
        before = self.retraining
        log = self._retraining_log({run["trial"]: Configuration(**run["config"]) for run in event["runs"]})
        log.records = {name: self.retrainings[name] for name in log.planned if name in self.retrainings}
        log.recorded_s, log.facts = before.recorded_s, before.facts
        self.retraining = log
        self.fewer = str(event["fewer"]) if "fewer" in event and self._holds(event["limits"]) else ""
        self.work[RETRAIN] = self._retraining_work()
        self.work[RETRAIN].rebuild(log.trials)

    def _retraining_log(self, runs: Mapping[str, Configuration]) -> TrialLog:
        return TrialLog(RETRAIN, self.plan.task.objective, len(runs), self.plan.retrain_epochs, planned=runs)

    def _retraining_work(self) -> Work:
        return Work([self.plan.retrain_epochs], self.retraining.planned, self.plan.task.objective)

    def _tested(self, event: Mapping[str, Any]) -> None:
        values = {
            split: {str(name): float(value) for name, value in event[split].items()} for split in ("validation", "test")
        }
        self.tests[str(event["trial"])] = Tested(epoch=int(event["epoch"]), **values)
