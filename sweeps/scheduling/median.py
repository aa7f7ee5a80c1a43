"""Ray's median stopping rule."""

from __future__ import annotations

from ray.tune.schedulers import MedianStoppingRule

from ae.task import Budget, Objective
from sweeps.scheduling.base import Scheduler
from sweeps.scheduling.ray_rules import RayRule


def make(budget: Budget, objective: Objective, max_concurrent: int) -> Scheduler:
    """Ray's MedianStoppingRule, which stops no trial before the grace period is over."""
    return RayRule(MedianStoppingRule(time_attr="epoch", grace_period=budget.grace_period), objective, max_concurrent)
