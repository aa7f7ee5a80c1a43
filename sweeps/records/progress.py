"""How far a phase is, in words and as a bar: for the live display and for `show.py`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.progress_bar import ProgressBar
from rich.table import Table

from ae.words import counted
from sweeps.config.words import duration, over_seeds, settings, span
from sweeps.records.eta import TimeLeft, seconds_left
from sweeps.records.trials import STATUSES, TrialLog


def bar(log: TrialLog) -> Table:
    """How far a phase is: a bar over the epochs that it is expected to train for, and the clock."""
    row = Table.grid(padding=(0, 2))
    total = max(log.epochs, log.seeds_per_trial * sum(log.expected) or log.most_epochs)
    row.add_row(ProgressBar(total=total, completed=log.epochs, width=60), clock(log))
    return row


def clock(log: TrialLog) -> str:
    """The time that a phase has taken, and may still take, in words."""
    left_s = seconds_left(log)
    eta = "time left unknown" if left_s is None else f"about {duration(left_s)} left"
    return f"{duration(log.elapsed_s)} elapsed, {eta}"


def left_in_words(left: TimeLeft | None) -> str:
    """The time that a sweep may still take: '12 to 18 min left'."""
    return "time left unknown" if left is None else f"{span(left.low_s, left.high_s)} left"


def counts(log: TrialLog) -> str:
    """Trials by status, and epochs, in words."""
    parts = [f"{log.count(status)} {status}" for status in STATUSES if log.count(status)]
    epochs = f"{log.epochs}/{log.most_epochs} epochs"
    return ", ".join([*parts, *([f"{log.to_come} to come"] if log.to_come else []), epochs])


def early_end(log: TrialLog) -> str:
    """Why a search ended before all of its trials, in words; empty if it did not."""
    started = f"{len(log.records)} of {counted(log.requested, 'trial')} had started"
    return f"The search ended early: {log.closed}; {started}." if log.closed else ""


def best(log: TrialLog, varied: Sequence[str]) -> str:
    """The best trial so far, in words."""
    ranked = log.ranked()
    if not ranked:
        is_validated = any(record.reports for record in log.trials)
        return "every validated trial failed or diverged" if is_validated else "no validation yet"
    first, metric = ranked[0], log.objective.metric
    value = f"{metric} {first.best:.4g}{over_seeds(log.seeds_per_trial)}"
    found = f"best {value}, {first.name} at epoch {first.best_epoch}"
    return f"{found} ({settings(first.config, varied)})"
