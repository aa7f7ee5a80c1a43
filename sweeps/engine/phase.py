"""One phase of a sweep while it runs: what Tune reports becomes events, and followers are told."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Protocol

from ae.configuration import Configuration
from sweeps.config import streams
from sweeps.engine import failure
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import DIVERGED, FAILED, FINISHED, PAUSED, RUNNING, SEARCH, STOPPED, TrialLog, TrialRecord
from sweeps.scheduling.base import Scheduler
from sweeps.scheduling.queue import TrialQueue
from sweeps.scheduling.stopping import StoppingRules
from sweeps.tracking.followers import Follower


class Source(Protocol):
    """Where the new trials of a phase come from."""

    @property
    def has_more(self) -> bool:
        """Whether there is another one."""

    def ask(self) -> tuple[str, Configuration, Mapping[str, Any]]:
        """The next trial: its name, its configuration, and what else its event says."""


class Phase:
    """Writes down what becomes of each trial, then tells the followers, each report once.

    A context manager around the phase.

    Args:
        name: "search" or "retrain".
        log: of the sweep; trials of earlier sessions are in it already.
        scheduler: decides; it learns here what earlier sessions reported.
        source: of new trials.
        followers: are told everything, in this order.
        drop: removes the checkpoints of trials that have ended, once their end is on the disk.
        time_limit_s: seconds that a trial may take from one report to the next, if there is a limit.
        tell: says at once what a person must know, from a handler of signals too.
        look: looks at the phase at its begin, after each report and each controller step, and may finish it.
    """

    def __init__(
        self,
        name: str,
        log: SweepLog,
        scheduler: Scheduler,
        source: Source,
        followers: Sequence[Follower],
        drop: Callable[[Sequence[str]], None] = lambda names: None,
        time_limit_s: float | None = None,
        tell: Callable[[str], None] = streams.tell,
        look: Callable[[Phase, TrialRecord | None], None] = lambda phase, record: None,
    ) -> None:
        self.name, self.log, self.scheduler, self.source = name, log, scheduler, source
        self.followers, self.drop, self.time_limit_s, self.tell, self.look = followers, drop, time_limit_s, tell, look
        rules = StoppingRules(objective=self.trials.objective, patience=log.plan.patience, target=log.plan.target)
        self.rules = rules if name == SEARCH else StoppingRules(objective=self.trials.objective)
        scheduler.restore(self.trials.facts)
        returning = [record.name for record in self.trials.trials if record.is_open]
        self.queue = TrialQueue(scheduler, returning, self._has_more, self._ask, self.promoted)
        self.begun: set[str] = set()
        """Trials whose beginning the followers know, but not their end."""
        self.heard: dict[str, float] = {}
        """When a trial last started or reported, by the monotonic clock."""
        self.again: set[str] = set()
        """Trials to start again although Tune has given them up."""
        self.to_drop: list[str] = []
        self.opened = contextlib.ExitStack()
        """Closes the followers, the last one first; one that fails does not keep the others open."""

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune saves its scheduler, searcher and callbacks; a session resumes from the event log

    @property
    def trials(self) -> TrialLog:
        """The trials of the phase."""
        return self.log.phase(self.name)

    def __enter__(self) -> Phase:
        self.trials.start_clock()
        with contextlib.ExitStack() as opened:
            for follower in self.followers:
                follower.open()
                opened.callback(follower.close)
            self._catch_up()
            self.look(self, None)
            self.opened = opened.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        """End trials that stay paused as stopped early; close the followers in any case."""
        try:
            if kind is None and self.queue.is_over:
                for record in self.trials.trials:
                    if record.status == PAUSED:
                        self.end(record.name)
            self.log.flush()
            self.tick()
        finally:
            self.trials.stop_clock()
            self.opened.close()

    def tick(self) -> None:
        """At the end of a controller step: write the events in one go, then let the followers write.

        Raises:
            OSError: if something cannot be written.
        """
        self.look(self, None)
        is_synced = self.log.flush(sync=False)
        if self.to_drop and is_synced:
            with contextlib.suppress(OSError):  # what cannot be removed now is removed at the end of the phase
                self.drop(self.to_drop)
            self.to_drop = []
        for follower in self.followers:
            follower.tick()

    def finish(self, reason: str, limits: Mapping[str, Any] | None = None) -> None:
        """End the phase early, with what it has found.

        No new trial starts; paused trials end now, running ones at their next report, all of them as stopped early with
        this reason. The phase is complete then, in later sessions too, unless they change the limits.

        Args:
            reason: in words; it follows "stopped at epoch 5: ".
            limits: of the plan, within which the phase ends; None means `plan.search_limits`.
        """
        if not self.trials.closed:
            kind = "search_closed" if self.name == SEARCH else "retraining_closed"
            self.log.add(kind, reason=reason, limits=dict(limits or self.log.plan.search_limits))
            self._end_returning()

    def begin(self, name: str) -> None:
        """A trial starts, or resumes in this session."""
        record = self.trials.records[name]
        self.heard[name] = time.monotonic()
        if record.status == PAUSED:
            self._add("resumed", name)
        if name not in self.begun:
            self.begun.add(name)
            for follower in self.followers:
                follower.begin(record)

    def report(self, name: str, result: Mapping[str, Any]) -> TrialRecord:
        """A trial was validated; one that was trained again after a fault reports some epochs twice."""
        record = self.trials.records[name]
        self.heard[name] = time.monotonic()
        if result["epoch"] <= record.epoch:
            self._add("repeated", name, epoch=result["epoch"], train_s=result["train_s"])
            return record
        metrics = {key.removeprefix("val_"): value for key, value in result.items() if key.startswith("val_")}
        names = ("epoch", "train_loss", "train_s", "per_seed", "skipped", "rolled_back")
        facts = {key: result[key] for key in names if key in result}
        warning = {"warning": result["warning"]} if result["warning"] else {}
        self._add("reported", name, **facts, metrics=metrics, wall_s=self._wall_s(), **warning)
        for follower in self.followers:
            follower.report(record)
        if reached := self.rules.reached(record):
            self.finish(f"trial {name} reached {reached}")
        self.look(self, record)
        return record

    def must_end(self, record: TrialRecord) -> bool:
        """Whether a trial that has reported ends now, whatever the scheduler decided."""
        return bool(self.trials.closed or self.rules.why_stalled(record))

    def paused(self, name: str) -> None:
        """The scheduler paused a trial at a rung."""
        self._add("paused", name)

    def promoted(self, name: str) -> None:
        """The scheduler promoted a trial past its rung."""
        self._add("promoted", name)

    def end(self, name: str) -> None:
        """A trial ended by itself, or was stopped: finished, stopped early or diverged."""
        record, trials = self.trials.records[name], self.trials
        if record.status == RUNNING and name not in self.begun:  # Tune had not started it yet
            self.begin(name)
        if record.has_diverged:
            which = "" if record.diverged_seed is None else f" of seed {record.diverged_seed}"
            self._close(record, DIVERGED, f"the loss{which} became NaN or infinite in epoch {record.epoch}")
        elif record.epoch >= trials.max_epochs:
            reached = self.rules.reached(record)
            self._close(record, FINISHED, f"reached its last epoch, {record.epoch}{reached and f', and {reached}'}")
        else:
            self._close(record, STOPPED, self._why_stopped(record))

    def fail(self, name: str, error_file: str | None) -> None:
        """A trial failed: record the last line of its error; one that is to start again is paused instead."""
        if name in self.again:
            self.again.discard(name)
            self._add("paused", name)
            self._end_returning()
            return
        reason = failure.last_line(error_file)
        if reason.startswith(failure.PROCESS_DIED):
            reason = failure.NO_MESSAGE
            quiet_s = time.monotonic() - self.heard.get(name, math.inf)
            if self.time_limit_s and quiet_s >= self.time_limit_s:
                reason = f"no report within its time limit of {self.time_limit_s:g} s"
        if name not in self.begun:
            self.begin(name)
        self._close(self.trials.records[name], FAILED, reason)

    def come_again(self, name: str) -> None:
        """Hand out again a trial that Tune has given up."""
        self.again.add(name)
        self.queue.come_again(name)

    def retried(self, name: str, reason: str) -> None:
        """A trial is tried again with more resources."""
        self._add("retried", name, reason=reason)

    def _end_returning(self) -> None:
        """End the trials that wait to continue, and must not."""
        for record in map(self.trials.records.__getitem__, self.queue.returning.copy()):
            if record.is_open and self.must_end(record):
                self.queue.returning.remove(record.name)
                self.scheduler.on_end(record.name, record.epoch, math.nan if record.best is None else record.best)
                self.end(record.name)

    def _why_stopped(self, record: TrialRecord) -> str:
        """Why a trial is stopped early, the user's own rules first."""
        closed = self.trials.closed
        if reached := self.rules.reached(record):
            return f"reached {reached}, with {record.best:.4g} at epoch {record.best_epoch}"
        if closed and not record.reports:
            return f"stopped before its first report: {closed}"
        if closed:
            return f"stopped at epoch {record.epoch}: {closed}"
        return f"{self.rules.why_stalled(record) or self.trials.why_stopped} at epoch {record.epoch}"

    def _catch_up(self) -> None:
        """Do what the reports of earlier sessions call for: one may have been killed, or the target may be another.

        A search that ended at this target before was opened again for more trials: it waits for one of them.
        """
        reached = [record for record in self.trials.ranked() if self.rules.reached(record)]
        if reached and not any(limits.get("target") == self.rules.target for limits in self.trials.closed_within):
            self.finish(f"trial {reached[0].name} reached {self.rules.reached(reached[0])}")
        self._end_returning()

    def _has_more(self) -> bool:
        return not self.trials.closed and self.source.has_more

    def _ask(self) -> str:
        name, config, facts = self.source.ask()
        self._add("asked", name, config=asdict(config), **facts)
        return name

    def _close(self, record: TrialRecord, status: str, reason: str) -> None:
        whole = "; ".join(filter(None, (reason, record.retried, record.warning)))
        self._add("ended", record.name, status=status, reason=whole, wall_s=self._wall_s())
        self.begun.discard(record.name)
        self.to_drop.append(record.name)
        for follower in self.followers:
            follower.end(record)

    def _wall_s(self) -> float:
        return round(self.trials.elapsed_s, 3)

    def _add(self, kind: str, name: str, **facts: Any) -> None:
        self.log.add(kind, phase=self.name, trial=name, **facts)
