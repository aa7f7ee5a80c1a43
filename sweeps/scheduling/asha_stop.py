"""Ray's ASHA, which stops trials and pauses none."""

from __future__ import annotations

from ray.tune.schedulers import ASHAScheduler

from ae.task import Budget, Objective
from sweeps.scheduling.base import Scheduler
from sweeps.scheduling.ray_rules import RayRule


def make(budget: Budget, objective: Objective, max_concurrent: int) -> Scheduler:
    """Ray's ASHAScheduler with the budget's rungs."""
    rule = ASHAScheduler(
        time_attr="epoch",
        max_t=budget.max_epochs,
        grace_period=budget.grace_period,
        reduction_factor=budget.reduction_factor,
    )
    return RayRule(rule, objective, max_concurrent)
