"""The names that options accept, with what the rest of the program must know about each.

Ray and Optuna are not imported here, so that a command line is checked in an instant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ae.errors import UserError
from ae.words import did_you_mean, nearest, plain
from sweeps.config import synonyms

SEARCHES = ("grid", "optuna")
DEVICES = ("auto", "cpu", "cuda")
TRACKERS = ("mlflow", "wandb")
"""Each is the module `sweeps.tracking.NAME_tracker`."""


@dataclass(frozen=True, slots=True)
class SchedulerChoice:
    """One scheduler; its code is the module `sweeps.scheduling.NAME` (with _ for -)."""

    description: str
    """For a person; {rungs}, {factor} and {grace} are filled in."""
    why_stopped: str = "not among the best of its rung"
    """Why it stops a trial, in words."""
    grace_period: bool = True
    """Whether it has one."""
    reduction_factor: bool = True
    """Whether it has one."""
    halves: bool = False
    """Whether it is a successive halving, so that a trial that left a rung was among the best of it."""


SCHEDULERS = {
    "asha": SchedulerChoice("asha, promotes 1 of {factor} at each rung; rungs at epochs {rungs}", halves=True),
    "asha-stop": SchedulerChoice("Ray's ASHA, keeps 1 of {factor} at each rung; rungs at epochs {rungs}", halves=True),
    "hyperband": SchedulerChoice("Ray's HyperBand, reduction factor {factor}", grace_period=False),
    "median": SchedulerChoice("Ray's median rule from epoch {grace}", "worse than the median", reduction_factor=False),
    "none": SchedulerChoice("none: every trial trains to its last epoch", grace_period=False, reduction_factor=False),
}


@dataclass(frozen=True, slots=True)
class SamplerChoice:
    """One of Optuna's samplers."""

    cls: str
    """Its class in `optuna.samplers`."""
    options: Mapping[str, Any] = field(default_factory=dict)
    joint: bool = False
    """Whether it models all hyperparameters together, and learns from finished trials alone."""


SAMPLERS = {
    "tpe": SamplerChoice("TPESampler", {"multivariate": True}),
    "gp": SamplerChoice("GPSampler", joint=True),
    "random": SamplerChoice("RandomSampler"),
    "cmaes": SamplerChoice("CmaEsSampler", {"warn_independent_sampling": False}, joint=True),
}

EXPORTS = {"onnx": ".onnx", "torch": ".pt2", "safetensors": ".safetensors"}
"""Forms of an exported model, and how their files end."""


def check_choice(name: str, value: Any, allowed: Iterable[Any]) -> None:
    """See that the value of an option is one of its names.

    Raises:
        UserError: with all of them, and the one that was probably meant.
    """
    names = [str(one) for one in allowed if one is not None]
    if value is None or value in names:
        return
    meant = nearest(str(value), names, synonyms.CHOICES.get(name))
    always = synonyms.ALWAYS.get(plain(str(value)))
    hint = did_you_mean(meant and f"--{name} {meant}") or (f"; {always}" if always else "")
    raise UserError(f"--{name} must be one of {', '.join(names)}, got {value!r}{hint}")
