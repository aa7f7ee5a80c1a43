"""The schedulers that a sweep can have, as data; `sweeps.engine.early_stopping` makes them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Scheduler:
    """What one scheduler is and has."""

    description: str
    """For a person, with `rungs`, `factor` and `grace` to be put in."""
    why_stopped: str = "outside the best of its rung"
    """Why it stops a trial, in words."""
    grace_period: bool = True
    """Whether it has one."""
    reduction_factor: bool = True
    """Whether it has one."""
    halves: bool = False
    """Whether the epochs that it leaves to the trials can be told beforehand, as those of successive halving."""


SCHEDULERS = {
    "asha": Scheduler(description="asha, promotes 1 of {factor} at each rung; rungs at epochs {rungs}", halves=True),
    "asha-stop": Scheduler(
        description="Ray's asha, keeps 1 of {factor} at each rung; rungs at epochs {rungs}", halves=True
    ),
    "hyperband": Scheduler(description="Ray's HyperBand, reduction factor {factor}", grace_period=False),
    "median": Scheduler(
        description="Ray's median stopping rule, after epoch {grace}",
        why_stopped="worse than the median",
        reduction_factor=False,
    ),
    "none": Scheduler(
        description="none: every trial trains to its last epoch", grace_period=False, reduction_factor=False
    ),
}
