"""The schedulers that a sweep can have, as data; `sweeps.engine.early_stopping` puts them to work.

Ray is imported where one of its own is made: a command line is checked without it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ae.task import Budget

if TYPE_CHECKING:
    from ray.tune.schedulers import TrialScheduler


def _asha_stop(budget: Budget) -> TrialScheduler:
    from ray.tune.schedulers import ASHAScheduler

    return ASHAScheduler(
        time_attr="epoch",
        max_t=budget.max_epochs,
        grace_period=budget.grace_period,
        reduction_factor=budget.reduction_factor,
    )


def _hyperband(budget: Budget) -> TrialScheduler:
    from ray.tune.schedulers import HyperBandScheduler

    return HyperBandScheduler(time_attr="epoch", max_t=budget.max_epochs, reduction_factor=budget.reduction_factor)


def _median(budget: Budget) -> TrialScheduler:
    from ray.tune.schedulers import MedianStoppingRule

    return MedianStoppingRule(time_attr="epoch", grace_period=budget.grace_period)


@dataclass(frozen=True, kw_only=True, slots=True)
class Scheduler:
    """What one scheduler is and has."""

    description: str
    """For a person, with `rungs`, `factor` and `grace` to be put in."""
    marker: str
    """What stands for it in figures, as matplotlib names it."""
    of_ray: Callable[[Budget], TrialScheduler] | None = None
    """Makes it, where it is one of Ray's own."""
    why_stopped: str = "outside the best of its rung"
    """Why it stops a trial, in words."""
    grace_period: bool = True
    """Whether it has one."""
    reduction_factor: bool = True
    """Whether it has one."""
    halves: bool = False
    """Whether the epochs that it leaves to the trials can be told beforehand, as those of successive halving."""


SCHEDULERS = {
    "asha": Scheduler(
        description="asha, promotes 1 of {factor} at each rung; rungs at epochs {rungs}", marker="o", halves=True
    ),
    "asha-stop": Scheduler(
        description="Ray's asha, keeps 1 of {factor} at each rung; rungs at epochs {rungs}",
        marker="s",
        of_ray=_asha_stop,
        halves=True,
    ),
    "hyperband": Scheduler(
        description="Ray's HyperBand, reduction factor {factor}", marker="D", of_ray=_hyperband, grace_period=False
    ),
    "median": Scheduler(
        description="Ray's median stopping rule, after epoch {grace}",
        marker="^",
        of_ray=_median,
        why_stopped="worse than the median",
        reduction_factor=False,
    ),
    "none": Scheduler(
        description="none: every trial trains to its last epoch",
        marker="P",
        grace_period=False,
        reduction_factor=False,
    ),
}
