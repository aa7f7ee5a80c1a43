"""How long a sweep, and a phase of it, may still take."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from ae.configuration import Configuration
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import RUNNING, TrialLog, TrialRecord


@dataclass(frozen=True, kw_only=True, slots=True)
class TimeLeft:
    """What a sweep may still take until its report is written, in seconds."""

    low_s: float
    high_s: float


def time_left(log: SweepLog) -> TimeLeft | None:
    """What a whole sweep may still take: search, retraining, test and report. None before any report."""
    plan, search_s = log.plan, seconds_left(log.search)
    if search_s is None:
        return None
    retraining_s = seconds_left(log.retraining) if log.retraining.requested else None
    if retraining_s is None:
        epochs = plan.top_k * plan.seeds * plan.retrain_epochs
        retraining_s = epochs * log.search.elapsed_s / log.search.epochs
    return TimeLeft(low_s=0.8 * (search_s + retraining_s), high_s=1.25 * (search_s + retraining_s))


def seconds_left(log: TrialLog) -> float | None:
    """Seconds to the end of a phase at the pace so far; None before any report.

    The trials that are furthest, and among those the best, are expected to train the longest; a running trial trains at
    least to its next rung. An epoch takes as long as for trials of the same hidden size, or of the nearest one, scaled
    by its square like an LSTM's matrix products. Trials whose configuration is not known yet take the mean so far.
    """
    places = {record.name: place for place, record in enumerate(log.ranked())}
    records = sorted(log.trials, key=lambda record: (-record.epoch, places.get(record.name, len(places))))
    epochs, train_s = (sum(getattr(record, name) for record in records) for name in ("epoch", "train_s"))
    if not epochs or not train_s:
        return None
    epoch_s = _epoch_seconds(records)
    train_for = log.expected or [log.max_epochs] * log.requested
    planned_s = [epoch_s(config) for name, config in log.planned.items() if name not in log.records]
    unknown_s = [train_s / epochs] * max(0, log.requested - len(records) - len(planned_s))
    to_come_s = sum(map(operator.mul, train_for[len(records) :], [*planned_s, *unknown_s]))
    if log.closed:
        to_come_s = 0.0
    open_s = sum(
        max(0, expected - record.epoch, _to_next_rung(record, train_for)) * epoch_s(record.config)
        for record, expected in zip(records, train_for, strict=False)
        if record.is_open
    )
    return log.elapsed_s / train_s * (open_s + to_come_s)


def _to_next_rung(record: TrialRecord, rungs: Collection[int]) -> int:
    """Epochs until a running trial is judged again; 0 for others."""
    return min((rung - record.epoch for rung in rungs if rung > record.epoch and record.status == RUNNING), default=0)


def _epoch_seconds(records: Sequence[TrialRecord]) -> Callable[[Configuration], float]:
    """Seconds that an epoch of a configuration takes, from the trials so far."""
    trained: dict[int, tuple[int, float]] = {}
    for record in records:
        if record.epoch:
            epochs, train_s = trained.get(record.config.hidden_size, (0, 0.0))
            trained[record.config.hidden_size] = epochs + record.epoch, train_s + record.train_s

    def seconds(config: Configuration) -> float:
        nearest = min(trained, key=lambda other: abs(other - config.hidden_size))
        epochs, train_s = trained[nearest]
        return train_s / epochs * float(config.hidden_size / nearest) ** 2

    return seconds
