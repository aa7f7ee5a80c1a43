"""Arithmetic of successive halving: where trials are judged, and how far they can be expected to train."""

from __future__ import annotations

from ae.task import Budget


def rung_epochs(budget: Budget) -> list[int]:
    """Epochs at which early stopping judges trials, ascending, below `max_epochs`.

    The rungs are `grace_period` times the powers of `reduction_factor`, each moved up to the next validation.
    """
    rungs, epoch = [], budget.grace_period
    while (judged := -(-epoch // budget.eval_every) * budget.eval_every) < budget.max_epochs:
        rungs.append(judged)
        epoch *= budget.reduction_factor
    return sorted(set(rungs))


def halving_epochs(budget: Budget, trials: int) -> list[int]:
    """Epochs that synchronous successive halving would train each of `trials` trials for, the longest first."""
    levels = [*rung_epochs(budget), budget.max_epochs]
    reach = [max(1, trials // budget.reduction_factor**rung) for rung in range(len(levels))]
    return [max(levels[rung] for rung, count in enumerate(reach) if place < count) for place in range(trials)]
