"""What a task is: data, loss, metrics, figures, search space and budget.

Shape suffixes: N sequences, B batch, T time steps, F features.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from torch import Tensor

from ae.configuration import Configuration
from ae.errors import UserError
from ae.model import LSTM_AE, initialise_

SPLIT_SEED = 20_260_101
"""Seed of every split between training, validation and test data: never the seed of a sweep."""

GRID = {"lr": (0.001, 0.01), "clip": (1.0, None), "hidden_size": (30, 60, 120)}
"""The reference grid, 12 configurations."""

SPACE = {
    "lr": FloatDistribution(5e-4, 2e-2, log=True),
    "clip": CategoricalDistribution((None, 0.25, 1.0, 4.0)),
    "hidden_size": IntDistribution(32, 192, step=16),
    "batch_size": CategoricalDistribution((32, 64, 128)),
    "init": CategoricalDistribution(("uniform", "orthogonal", "chrono")),
    "schedule": CategoricalDistribution(("constant", "one-cycle")),
}
"""The wide space that Optuna searches, unless a task declares its own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NoOptions:
    """Options of a task that has none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """One of the three parts of a data set."""

    inputs_NTF: NDArray[np.float32]
    """Sequences; the range is the task's, [0, 1] for images."""
    labels_N: NDArray[np.int64] | None = None
    """Class of each sequence; None where there are no classes."""
    info: pd.DataFrame | None = None
    """A row a sequence: what names it and restores its units; None where there is nothing to say."""

    def __len__(self) -> int:
        return len(self.inputs_NTF)

    def head(self, count: int) -> Split:
        """The first `count` sequences; the splits are shuffled, so they are a random sample."""
        labels_N = None if self.labels_N is None else self.labels_N[:count]
        info = None if self.info is None else self.info.iloc[:count]
        return replace(self, inputs_NTF=self.inputs_NTF[:count], labels_N=labels_N, info=info)


@dataclass(frozen=True, kw_only=True, slots=True)
class Splits:
    """A data set, cut in three by a seed of its own."""

    train: Split
    validation: Split
    test: Split
    source: str
    """Where the data is from, in words for the report."""

    def subset(self, count: int) -> Splits:
        """`count` training sequences, and the other splits cut in proportion.

        Raises:
            UserError: if `count` is below 1.
        """
        if count < 1:
            raise UserError(f"a subset must have at least 1 training sequence, got {count}")
        if count >= len(self.train):
            return self
        share = count / len(self.train)
        cut = {name: getattr(self, name) for name in ("train", "validation", "test")}
        smaller = {name: split.head(max(1, round(share * len(split)))) for name, split in cut.items()}
        verbs = ("train", "validate", "test")
        sizes = ", ".join(f"{len(split):,} to {verb}" for split, verb in zip(smaller.values(), verbs, strict=True))
        return replace(self, source=f"{self.source}; a subset: {sizes}", **smaller)


@dataclass(frozen=True, kw_only=True, slots=True)
class Objective:
    """The validation metric that ranks configurations."""

    metric: str
    mode: str
    """Either "min" or "max"."""

    def better(self, value: float, than: float | None) -> bool:
        """Whether `value` beats `than`; NaN beats nothing, and anything else beats None."""
        if value != value:  # NaN
            return False
        if than is None:
            return True
        return value > than if self.mode == "max" else value < than


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """How long trials train and when they are judged, in epochs, and how much is trained again."""

    max_epochs: int
    eval_every: int = 5
    """Epochs between two validations, hence between two reports."""
    grace_period: int = 5
    """Epochs before early stopping may judge a trial."""
    reduction_factor: int = 3
    """One trial of this many goes on past each rung."""
    retrain_epochs: int | None = None
    """Epochs of a retraining; None for as many as a trial's."""
    top_k: int = 3
    """Configurations that are retrained."""
    seeds: int = 3
    """Retrainings of each of them."""

    def __post_init__(self) -> None:
        for name in ("max_epochs", "eval_every", "grace_period", "top_k", "seeds"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} must be >= 1, got {getattr(self, name)}")
        if self.retrain_epochs is not None and self.retrain_epochs < 1:
            raise UserError(f"retrain_epochs must be >= 1, got {self.retrain_epochs}")
        if self.reduction_factor < 2:
            raise UserError(f"reduction_factor must be >= 2, got {self.reduction_factor}")
        for name in ("grace_period", "eval_every"):
            if getattr(self, name) > self.max_epochs:
                raise UserError(f"{name} must be <= max_epochs ({self.max_epochs}), got {getattr(self, name)}")

    def rungs(self) -> list[int]:
        """Epochs at which early stopping judges, ascending, below `max_epochs`: those of the next validations."""
        rungs, epoch = [], self.grace_period
        while (judged := -(-epoch // self.eval_every) * self.eval_every) < self.max_epochs:
            rungs.append(judged)
            epoch *= self.reduction_factor
        return sorted(set(rungs))

    def halving(self, trials: int) -> list[int]:
        """Epochs that successive halving trains each of so many trials for, the longest first."""
        levels = [*self.rungs(), self.max_epochs]
        reach = [max(1, trials // self.reduction_factor**rung) for rung in range(len(levels))]
        return [max(levels[rung] for rung, count in enumerate(reach) if place < count) for place in range(trials)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """Everything a sweep must know of a task; one file of `ae/tasks/` makes one, called TASK."""

    description: str
    """One line for --list."""
    load: Callable[[Path | None, Any], Splits]
    """Reads the data from a path, or the task's own for None, as `options` say; UserError where they are wrong."""
    options: type = NoOptions
    """Dataclass of the task's own command-line options, each an int, float or str, or None; a field's "help" in its
    metadata is what --help says."""
    model: Mapping[str, Any]
    """Arguments of LSTM_AE beside hidden_size."""
    measure: Callable[[LSTM_AE, Tensor, Tensor | None], dict[str, Tensor]]
    """Means over a batch of (B, T, F) inputs and (B,) labels: "loss", which is minimised, then further metrics."""
    objective: Objective
    base: Configuration
    """The configuration that a trial's hyperparameters are put into."""
    budget: Budget
    figures: Callable[[LSTM_AE, Splits, Path], list[Path]]
    """Draws the data, and what the trained model does to the test split, into a folder; returns the files, in order."""
    grid: Mapping[str, Sequence[Any]] = field(default_factory=lambda: dict(GRID))
    """Values of each hyperparameter of --search grid."""
    space: Mapping[str, BaseDistribution] = field(default_factory=lambda: dict(SPACE))
    """Range of each hyperparameter of --search optuna."""
    subset: int | None = None
    """Training sequences used unless the user says otherwise; None for all."""
    smoke_subset: int = 3000
    """Training sequences of --smoke, as many as let it end in about a minute on two cores."""
    test_metrics: Callable[[LSTM_AE, Split], dict[str, float]] = lambda model, split: {}
    """Further metrics of a final model, on the test split."""
    baseline: Callable[[Splits, Configuration], dict[str, float]] = lambda splits, configuration: {}
    """What a simple method gets on the test split, as further metrics; to be called after selection, for the winner."""
    remark: Callable[[Mapping[str, float]], str] = lambda test: ""
    """What the report must say of the mean test metrics, those of the baseline among them, in plain words."""
    trials: int = 24
    """Trials of --search optuna."""
    name: str = ""
    """As typed on the command line; `ae.tasks.find` sets it from the file's name."""

    def build(self, configuration: Configuration) -> LSTM_AE:
        """A freshly initialised model; its weights come from torch's global random generator."""
        return initialise_(LSTM_AE(hidden_size=configuration.hidden_size, **self.model), configuration.init)
