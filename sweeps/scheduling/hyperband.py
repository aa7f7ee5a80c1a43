"""Ray's HyperBand."""

from __future__ import annotations

from ray.tune.schedulers import HyperBandScheduler

from ae.task import Budget, Objective
from sweeps.scheduling.base import Scheduler
from sweeps.scheduling.ray_rules import RayRule


def make(budget: Budget, objective: Objective, max_concurrent: int) -> Scheduler:
    """Ray's HyperBandScheduler with the budget's last epoch."""
    rule = HyperBandScheduler(time_attr="epoch", max_t=budget.max_epochs, reduction_factor=budget.reduction_factor)
    return RayRule(rule, objective, max_concurrent)
