"""The trials of a sweep as the data of its page: compact, since there may be thousands of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from sweeps.config.plan import Plan
from sweeps.records.trials import TrialLog, TrialRecord

DIGITS = 6
"""Significant digits of a value."""


def number(value: float | None, digits: int = DIGITS) -> float | int | None:
    """A value as JSON has it: rounded, and null for NaN and infinities."""
    if value is None or not math.isfinite(value):
        return None
    rounded = float(f"{value:.{digits}g}")
    return int(rounded) if rounded == int(rounded) and abs(rounded) < 1e15 else rounded


def columns_of(plan: Plan) -> list[str]:
    """What a trial's configuration lists: the hyperparameters that a table names, and the seed."""
    return [*plan.stated, "seed"]


def metrics_of(log: TrialLog) -> list[str]:
    """The validation metrics of a phase, the objective first."""
    first = next((record.reports[0].metrics for record in log.trials if record.reports), {})
    return list(dict.fromkeys([log.objective.metric, *first]))


def trial(
    record: TrialRecord, columns: Sequence[str], metrics: Sequence[str], is_over: bool, since: int = 0
) -> dict[str, Any]:
    """One trial: what it is, how far it came, and its reports from number `since` on.

    Args:
        record: the trial.
        columns: the hyperparameters that are listed, and the seed.
        metrics: the order of the values of a report.
        is_over: whether nothing trains any more, so that an open trial was interrupted.
        since: reports that the reader has already.

    Returns:
        Short keys, which `trials.js` explains: the page may hold a hundred thousand reports.
    """
    reports = record.reports[since:]
    found: dict[str, Any] = {
        "n": record.name,
        "c": [getattr(record.config, name) for name in columns],
        "s": record.status_when(is_over),
        "b": number(record.best),
        "be": record.best_epoch,
        "ts": number(record.train_s, 4),
        "h": [
            [one.kind, number(one.at_s, 7), one.epoch, *([one.words] if one.words else [])] for one in record.history
        ],
        "from": since,
        "e": [report.epoch for report in reports],
        "l": [number(report.train_loss, 5) for report in reports],
        "m": [[number(report.metrics.get(name), 5) for report in reports] for name in metrics],
        "t": [number(report.wall_s, 6) for report in reports],
    }
    optional = {
        "why": record.outcome,
        "w": record.warning,
        "again": record.retried,
        "tried": record.tried,
        "std": number(record.best_std),
        "seeds": [number(value) for value in record.best_per_seed],
    }
    return found | {name: value for name, value in optional.items() if value}
