"""How far a sweep came, and what it lost, in words: for the page and for the terminal."""

from __future__ import annotations

from ae.words import counted
from sweeps.records.result import SweepResult


def how_far(result: SweepResult) -> str:
    """How far the sweep came: '12 of 12 trials and 3 of 9 retrainings'."""
    search, retraining = result.search, result.retraining
    trials = f"{search.ended} of {counted(search.requested, 'trial')}"
    if not retraining.requested:
        return trials
    return f"{trials} and {retraining.ended} of {counted(retraining.requested, 'retraining')}"


def lost_retrainings(result: SweepResult) -> str:
    """Which retrainings failed or diverged, why, and which model each left; empty if none did."""
    lost = result.retraining.lost()
    kept = {model.name: model.epoch for one in result.retrained for model in one.models}
    each = [
        f"{record.name} {record.status}: {record.outcome}, "
        + (f"its model is that of epoch {kept[record.name]}" if record.name in kept else "it left no model")
        for record in lost
    ]
    return f"{counted(len(lost), 'retraining')} failed or diverged; {'; '.join(each)}." if lost else ""


def why_no_best(result: SweepResult) -> str:
    """Why no trial can be selected, for a sweep in which none can."""
    if result.interrupted:
        return "none was validated yet"
    is_validated = any(record.reports for record in result.search.trials)
    return "none was validated" if result.search.closed and not is_validated else "all of them failed or diverged"
