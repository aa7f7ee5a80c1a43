"""What Prometheus and Grafana are told of a sweep, through Ray's own metrics endpoint."""

from __future__ import annotations

import time
from collections import deque
from itertools import pairwise
from typing import Any

from ray import tune
from ray.util.metrics import Gauge

from sweeps.config.plan import Plan
from sweeps.records.eta import seconds_left
from sweeps.records.ledger import STATUSES, STOPPED, Ledger

UPDATE_S = 2.0
"""Seconds between two updates; Ray exports every few seconds anyway."""
PACE_S = 60.0
"""Seconds that the pace is averaged over."""
NAMED_TRIALS = 100
"""A search of more trials publishes none of them by name: every name is a time series that stays."""
TO_COME = "to come"

GAUGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "sweep_trials": ("trials by state", ("state",)),
    "sweep_best": ("best validation value of the objective so far", ("metric",)),
    "sweep_epochs": ("epochs trained, by all the trials", ()),
    "sweep_epochs_most": ("epochs that all the trials could train", ()),
    "sweep_epochs_per_second": (f"epochs a second, over {PACE_S:g} s", ()),
    "sweep_seconds_gone": ("seconds since the phase began", ()),
    "sweep_seconds_left": ("seconds to its end at the pace so far", ()),
    "sweep_rung_reached": ("trials that trained to a rung's epoch", ("rung",)),
    "sweep_rung_promoted": ("trials that trained past a rung's epoch", ("rung",)),
    "sweep_rung_stopped": ("trials stopped at a rung", ("rung",)),
    "sweep_trial_best": ("a trial's best validation value so far", ("trial", "metric")),
}
"""Every metric: what it says, and its tags beside sweep, task and phase. The endpoint puts `ray_` before the name."""


class Metrics(tune.Callback):
    """Publishes a phase of a sweep.

    Args:
        plan: gives the tags and the rungs.
        ledger: what to publish.
    """

    def __init__(self, plan: Plan, ledger: Ledger) -> None:
        self.ledger, self.rungs = ledger, plan.budget.rungs()
        tags = {"sweep": plan.name, "task": plan.task.name, "phase": ledger.phase}
        self.gauges = {
            name: Gauge(name, description=text, tag_keys=(*tags, *more)).set_default_tags(tags)
            for name, (text, more) in GAUGES.items()
        }
        self.updated = 0.0
        self.pace: deque[tuple[float, int]] = deque()
        """Seconds gone and epochs trained, of the last minute."""

    @classmethod
    def of(cls, plan: Plan, ledger: Ledger) -> list[Metrics]:
        """One where there may be somebody to read them: with a dashboard, or on a cluster; else none."""
        return [cls(plan, ledger)] if plan.dashboard or plan.address else []

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune saves its callbacks' state; gauges have none

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Publish, now and then."""
        if time.monotonic() - self.updated >= UPDATE_S:
            self.publish()

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """The last trial to end is published too."""
        if self.ledger.ended == self.ledger.requested:
            self.publish()

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Also if it failed."""
        self.on_trial_complete(iteration, trials, trial)

    def publish(self) -> None:
        """Set every gauge to what the ledger says."""
        self.updated = time.monotonic()
        ledger, metric = self.ledger, {"metric": self.ledger.objective.metric}
        for status in STATUSES:
            self._set("sweep_trials", ledger.count(status), state=status)
        self._set("sweep_trials", ledger.requested - len(ledger.entries), state=TO_COME)
        if ranked := ledger.ranked():
            self._set("sweep_best", ranked[0].best, **metric)
        self._set("sweep_epochs", ledger.epochs)
        self._set("sweep_epochs_most", ledger.requested * ledger.max_epochs)
        self._set("sweep_epochs_per_second", self._epochs_a_second())
        self._set("sweep_seconds_gone", ledger.gone_s)
        self._set("sweep_seconds_left", seconds_left(ledger, ledger.gone_s))
        if ledger.phase == "search":
            self._publish_rungs()
        if ledger.requested <= NAMED_TRIALS:
            for entry in ledger.entries.values():
                self._set("sweep_trial_best", entry.best, trial=entry.name, **metric)

    def _publish_rungs(self) -> None:
        entries = self.ledger.entries.values()
        for rung, following in pairwise([*self.rungs, self.ledger.max_epochs]):
            tag = {"rung": str(rung)}
            self._set("sweep_rung_reached", sum(entry.epoch >= rung for entry in entries), **tag)
            self._set("sweep_rung_promoted", sum(entry.epoch > rung for entry in entries), **tag)
            stopped = sum(entry.status == STOPPED and rung <= entry.epoch < following for entry in entries)
            self._set("sweep_rung_stopped", stopped, **tag)

    def _epochs_a_second(self) -> float:
        self.pace.append((self.ledger.gone_s, self.ledger.epochs))
        while self.pace[-1][0] - self.pace[0][0] > PACE_S:
            self.pace.popleft()
        seconds = self.pace[-1][0] - self.pace[0][0]
        return (self.pace[-1][1] - self.pace[0][1]) / seconds if seconds else 0.0

    def _set(self, name: str, value: float | None, **tags: str) -> None:
        if value is not None:
            self.gauges[name].set(value, tags=tags)
