"""Gauges for Prometheus and Grafana, on Ray's own metrics endpoint."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from itertools import pairwise

from ray.util.metrics import Gauge

from sweeps.config.plan import Plan
from sweeps.config.rungs import rung_epochs
from sweeps.records.eta import TimeLeft
from sweeps.records.trials import SEARCH, STATUSES, STOPPED, TrialLog, TrialRecord

UPDATE_S = 2.0
"""Seconds between two updates; Ray exports every few seconds anyway."""
PACE_S = 60.0
"""Seconds that the pace is averaged over."""
NAMED_TRIALS = 100
"""A search with more trials publishes none by name: each name is a time series that stays."""
TO_COME = "to come"

GAUGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "sweep_trials": ("trials by state", ("state",)),
    "sweep_best": ("best validation value of the objective so far", ("metric",)),
    "sweep_epochs": ("epochs trained, over all trials", ()),
    "sweep_epochs_most": ("epochs if every trial trained to its last", ()),
    "sweep_epochs_per_second": (f"epochs per second, over the last {PACE_S:g} s", ()),
    "sweep_seconds_gone": ("seconds that the phase has taken", ()),
    "sweep_seconds_left": ("seconds to the end of the whole sweep: at least, and at most", ("bound",)),
    "sweep_rung_reached": ("trials that trained to a rung's epoch", ("rung",)),
    "sweep_rung_promoted": ("trials that trained past a rung's epoch", ("rung",)),
    "sweep_rung_stopped": ("trials stopped at a rung", ("rung",)),
    "sweep_trial_best": ("a trial's best validation value so far", ("trial", "metric")),
}
"""Every metric: its description, and its tags beside sweep, task and phase. The endpoint adds `ray_` to the name."""


class PrometheusGauges:
    """Publishes a phase, every few seconds.

    Args:
        plan: gives the tags and the rungs.
        log: what to publish.
        left: gives what the whole sweep may still take.
    """

    def __init__(self, plan: Plan, log: TrialLog, left: Callable[[], TimeLeft | None] = lambda: None) -> None:
        self.log, self.left, self.rungs = log, left, rung_epochs(plan.budget)
        tags = {"sweep": plan.name, "task": plan.task.name, "phase": log.phase}
        self.gauges = {
            name: Gauge(name, description=text, tag_keys=(*tags, *more)).set_default_tags(tags)
            for name, (text, more) in GAUGES.items()
        }
        self.updated = -UPDATE_S
        self.pace: deque[tuple[float, int]] = deque()
        """Seconds elapsed and epochs trained, at the updates of the last `PACE_S`."""

    def open(self) -> None:
        """Publish the phase as earlier sessions left it."""
        self.publish()

    def begin(self, record: TrialRecord) -> None:
        """The next update has it."""

    def report(self, record: TrialRecord) -> None:
        """The next update has it."""

    def end(self, record: TrialRecord) -> None:
        """Publish at once if this was the last trial: no step may follow."""
        if self.log.is_complete:
            self.publish()

    def tick(self) -> None:
        """Publish, if the last update was a while ago."""
        if time.monotonic() - self.updated >= UPDATE_S:
            self.publish()

    def close(self) -> None:
        """Publish how the phase ended."""
        self.publish()

    def publish(self) -> None:
        """Set every gauge to what the log says."""
        self.updated = time.monotonic()
        log, metric = self.log, {"metric": self.log.objective.metric}
        for status in STATUSES:
            self._set("sweep_trials", log.count(status), state=status)
        self._set("sweep_trials", log.to_come, state=TO_COME)
        if ranked := log.ranked():
            self._set("sweep_best", ranked[0].best, **metric)
        self._set("sweep_epochs", log.epochs)
        self._set("sweep_epochs_most", log.most_epochs)
        self._set("sweep_epochs_per_second", self._epochs_per_second())
        self._set("sweep_seconds_gone", log.elapsed_s)
        if left := self.left():
            self._set("sweep_seconds_left", left.low_s, bound="low")
            self._set("sweep_seconds_left", left.high_s, bound="high")
        if log.phase == SEARCH:
            self._publish_rungs()
        if log.requested <= NAMED_TRIALS:
            for record in log.trials:
                self._set("sweep_trial_best", record.best, trial=record.name, **metric)

    def _publish_rungs(self) -> None:
        records = self.log.trials
        for rung, following in pairwise([*self.rungs, self.log.max_epochs]):
            tag = {"rung": str(rung)}
            self._set("sweep_rung_reached", sum(record.epoch >= rung for record in records), **tag)
            self._set("sweep_rung_promoted", sum(record.epoch > rung for record in records), **tag)
            stopped = sum(record.status == STOPPED and rung <= record.epoch < following for record in records)
            self._set("sweep_rung_stopped", stopped, **tag)

    def _epochs_per_second(self) -> float:
        self.pace.append((self.log.elapsed_s, self.log.epochs))
        while self.pace[-1][0] - self.pace[0][0] > PACE_S:
            self.pace.popleft()
        seconds = self.pace[-1][0] - self.pace[0][0]
        return (self.pace[-1][1] - self.pace[0][1]) / seconds if seconds else 0.0

    def _set(self, name: str, value: float | None, **tags: str) -> None:
        if value is not None:
            self.gauges[name].set(value, tags=tags)
