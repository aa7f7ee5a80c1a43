"""One configuration trained with several seeds, as one run that is judged by its mean."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, replace
from typing import Any

from ae.batches import DeviceSplit
from ae.configuration import Configuration
from ae.task import Task
from ae.threads import Threads
from ae.training import Training


@dataclass(frozen=True, kw_only=True, slots=True)
class Validation:
    """What a run came to at a validation; with several seeds, the mean of each value over them."""

    epoch: int
    train_loss: float
    metrics: dict[str, float]
    """By name; all NaN if the run has diverged."""
    has_diverged: bool
    """Whether the loss or the objective is not finite."""
    per_seed: tuple[float, ...] = ()
    """The objective of each seed; if one diverged it is the last. Empty with one seed."""
    skipped: int = 0
    """Steps skipped so far because their gradient was far larger than usual; with several seeds, of all."""
    rolled_back: int = 0
    """How many seeds diverged once and resumed from the validation before, at half the step size."""


class SeededTraining:
    """Trains a configuration with its seed and those that follow it, one after the other up to each validation.

    Each seed gives the same losses to the bit as in a run of its own. If one diverges, the run has diverged: what the
    others came to says nothing about a configuration that cannot be relied on, and they are not trained on.

    Args:
        task, configuration, train, validation, core: as for `Training`.
        seeds: how many.

    Raises:
        UserError: if this core is not available.
    """

    def __init__(
        self,
        task: Task,
        configuration: Configuration,
        train: DeviceSplit,
        validation: DeviceSplit,
        core: str = "auto",
        seeds: int = 1,
    ) -> None:
        self.task, self.configuration, self.threads = task, configuration, Threads()
        each = [replace(configuration, seed=configuration.seed + place) for place in range(seeds)]
        self.trainings = [Training(task, one, train, validation, core) for one in each]
        for training in self.trainings:
            training.threads = self.threads  # their steps are alike

    @property
    def epoch(self) -> int:
        """The last epoch that every seed was trained for."""
        return min(training.epoch for training in self.trainings)

    def train_and_validate(self, epochs: int) -> Validation:
        """Train each seed for so many epochs, fewer at the end, and validate it; ends at a seed that diverges."""
        found: list[Validation] = []
        for training in self.trainings:
            found.append(_validation(training, epochs))
            if found[-1].has_diverged:
                break
        return _mean(found, self.task.objective.metric) if len(self.trainings) > 1 else found[0]

    def state_dict(self) -> dict[str, Any]:
        """All that a restored run needs; with one seed, the state of its `Training`."""
        states = [training.state_dict() for training in self.trainings]
        return {"epoch": self.epoch, "seeds": states} if len(states) > 1 else states[0]

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume where `state_dict` was taken; the configuration and the number of seeds must be the same."""
        for training, one in zip(self.trainings, state.get("seeds", [state]), strict=True):
            training.load_state_dict(one)


def _validation(training: Training, epochs: int) -> Validation:
    """Train one seed, and validate it; if it diverges, once more from where it was, at half the step size."""
    last = min(training.epoch + epochs, training.configuration.epochs)
    metrics = _trained(training, last)
    if not training.is_sound(metrics) and training.roll_back():
        metrics = _trained(training, last)
    has_diverged = not training.is_sound(metrics)
    if not has_diverged:
        training.keep()
    if has_diverged:  # the score of diverged weights means nothing
        metrics = dict.fromkeys(metrics, math.nan)
    return Validation(
        epoch=training.epoch,
        train_loss=training.train_loss,
        metrics=metrics,
        has_diverged=has_diverged,
        skipped=training.skipped,
        rolled_back=int(training.rolled_back),
    )


def _trained(training: Training, last: int) -> dict[str, float]:
    """Train up to an epoch, less if the training loss stops being finite; returns the metrics of a validation."""
    while training.epoch < last and math.isfinite(training.train_epoch()):
        pass
    return training.validate()


def _mean(found: list[Validation], objective: str) -> Validation:
    """The mean over the seeds; if one diverged, what it came to. A metric that is not finite for each has no mean."""
    last, per_seed = found[-1], tuple(one.metrics[objective] for one in found)
    last = replace(last, skipped=sum(one.skipped for one in found), rolled_back=sum(one.rolled_back for one in found))
    if last.has_diverged:
        return replace(last, per_seed=per_seed)
    values = {name: [one.metrics[name] for one in found] for name in last.metrics}
    return replace(
        last,
        train_loss=statistics.fmean(one.train_loss for one in found),
        metrics={
            name: statistics.fmean(each) if all(map(math.isfinite, each)) else math.nan for name, each in values.items()
        },
        per_seed=per_seed,
    )
