"""What a task is: data, loss, metrics, figures, search space and budget.

Shape suffixes: N sequences, B batch, T time steps, F features.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ae.configuration import Configuration
from ae.errors import UserError

if TYPE_CHECKING:  # heavy, and the command line needs a task's options only
    from torch import Tensor

    from ae.batches import Batch
    from ae.model import LSTM_AE
    from ae.splits import Split, Splits
    from ae.units import Units

GRID: Mapping[str, list[Any]] = {"lr": [0.001, 0.01], "clip": [1.0, None], "hidden_size": [30, 60, 120]}
"""The reference grid, 12 configurations."""

PLAIN_SPACE: Mapping[str, list[Any] | dict[str, Any]] = {
    "lr": {"low": 5e-4, "high": 2e-2, "log": True},
    "clip": [None, 0.25, 1.0, 4.0],
    "hidden_size": {"low": 32, "high": 192, "step": 16},
    "batch_size": [32, 64, 128],
    "init": ["uniform", "orthogonal", "chrono"],
    "schedule": ["constant", "one-cycle"],
}
"""What every LSTM autoencoder is tuned by."""

SPACE: Mapping[str, list[Any] | dict[str, Any]] = {
    **PLAIN_SPACE,
    "schedule": ["constant", "one-cycle", "cosine"],
    "time_features": [0, 16, 32],
    "decode": ["forward", "backward"],
    "patch": [1, 2, 4],
    "latent_size": [None, 32, 128],
    "layers": [1, 2],
    "dropout": {"low": 0.0, "high": 0.4, "when": {"layers": [2]}},
    "noise": [0.0, 0.02, 0.1],
    "weight_decay": [0.0, 0.001, 0.01, 0.1],
    "average": [0.0, 0.99, 0.999],
}
"""The wide space, with all options of `Configuration`, that Optuna searches unless a task declares its own."""

UNLABELLED_SPACE: Mapping[str, list[Any] | dict[str, Any]] = {**SPACE, "mix": [0.0, 0.2, 0.5, 1.0]}
"""The same for tasks whose models do not classify."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NoOptions:
    """The options of a task without options."""


def features_alone(split: Split) -> dict[str, int]:
    """Arguments of LSTM_AE for a model that reconstructs every feature of these sequences and has no other head."""
    return {"input_size": split.features, "output_size": split.features}


def as_read(facts: Mapping[str, Any]) -> Units:
    """The units of a task whose data is what the model reads."""
    from ae.units import Units

    return Units()


@dataclass(frozen=True, kw_only=True, slots=True)
class Objective:
    """The validation metric that ranks configurations."""

    metric: str
    mode: str
    """Either "min" or "max"."""

    def better(self, value: float, than: float | None) -> bool:
        """True if `value` beats `than`. NaN beats nothing; any other value beats None."""
        if value != value:  # NaN
            return False
        if than is None:
            return True
        return value > than if self.mode == "max" else value < than


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """How long trials train, when early stopping judges them (both in epochs), and what is retrained."""

    max_epochs: int
    eval_every: int = 5
    """Epochs between two validations, and so between two reports."""
    grace_period: int = 5
    """Epochs that a trial trains before early stopping may judge it."""
    reduction_factor: int = 3
    """At each rung, one in this many trials is promoted."""
    retrain_epochs: int | None = None
    """Epochs of a retraining; None means `max_epochs`."""
    top_k: int = 3
    """The number of best configurations that are retrained."""
    seeds: int = 3
    """Retrainings per configuration, each with its own seed."""
    seeds_per_trial: int = 1
    """Seeds that a trial of the search trains; its values are the means over them."""

    def __post_init__(self) -> None:
        for name in ("max_epochs", "eval_every", "grace_period", "top_k", "seeds", "seeds_per_trial"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} must be >= 1, got {getattr(self, name)}")
        if self.retrain_epochs is not None and self.retrain_epochs < 1:
            raise UserError(f"retrain_epochs must be >= 1, got {self.retrain_epochs}")
        if self.reduction_factor < 2:
            raise UserError(f"reduction_factor must be >= 2, got {self.reduction_factor}")
        for name in ("grace_period", "eval_every"):
            if getattr(self, name) > self.max_epochs:
                raise UserError(f"{name} must be <= max_epochs ({self.max_epochs}), got {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """All that a sweep needs to know about a task; every file in `ae/tasks/` defines one, called TASK."""

    description: str
    """One line, printed by --list."""
    load: Callable[[Path | None, Any], Splits]
    """Reads the data at a path, or the embedded data for None, as the options say; UserError if they are wrong."""
    options: type = NoOptions
    """Dataclass of the task's own command-line options, each an int, float, bool, str or None. A field's metadata holds
    its "help" for --help, and "path" for a path of data."""
    variant: Callable[[Task, Any], Task] = lambda task, options: task
    """The task as its options want it, with other heads or another loss; `Task.with_options` calls it."""
    measure: Callable[[LSTM_AE, Batch], dict[str, Tensor]]
    """Means over the sequences of a batch: first "loss", which training minimises, then other metrics."""
    objective: Objective
    base: Configuration
    """The default configuration; a trial replaces the hyperparameters that the search varies."""
    budget: Budget
    budget_of: Callable[[Splits], Budget] | None = None
    """The default budget for some data; None where `budget` fits all data of the task."""
    figures: Callable[[LSTM_AE, Splits, Path], list[Path]]
    """Draws the data and the trained model's output on the test split into a folder; returns the files in order."""
    model: Callable[[Split], Mapping[str, Any]] = features_alone
    """Arguments of LSTM_AE other than hidden_size, from the training split: sizes and classes are those of the data."""
    grid: Mapping[str, list[Any]] = field(default_factory=lambda: dict(GRID))
    """Values of each hyperparameter of --search grid."""
    space: Mapping[str, list[Any] | dict[str, Any]] = field(default_factory=lambda: dict(SPACE))
    """For each hyperparameter of --search optuna, a list of values or a range {low, high, log, step}. With `when`, only
    configurations with these values of other hyperparameters have it; its list then stands under `values`."""
    subset: int | None = None
    """Training sequences to use by default; None uses all."""
    smoke_subset: int = 3000
    """Training sequences of --smoke, few enough that it takes about a minute on two cores."""
    test_metrics: Callable[[LSTM_AE, Splits], dict[str, float]] = lambda model, splits: {}
    """More metrics of a final model on the test split."""
    facts: Callable[[LSTM_AE, Splits], dict[str, Any]] = lambda model, splits: {}
    """What else is saved with a final model, as JSON values, from the training and validation splits alone."""
    units: Callable[[Mapping[str, Any]], Units] = as_read
    """What turns values in the data's own units into a model's inputs, from the facts saved with it, for an exported
    graph."""
    baseline: Callable[[Splits, Configuration], dict[str, float]] = lambda splits, configuration: {}
    """Test metrics of a simple method, to compare the winner with; called after selection."""
    remark: Callable[[Mapping[str, float]], str] = lambda test: ""
    """One sentence for the report about the mean test metrics, which include the baseline's."""
    trials: int = 24
    """Trials of --search optuna."""
    name: str = ""
    """As typed on the command line; `ae.tasks.find` sets it from the file's name."""
    file: str = ""
    """The file of a user's own task, absolute; empty for the tasks in `ae/tasks/`."""

    @property
    def reference(self) -> str:
        """What `ae.tasks.find` takes: the file of a user's own task, or the name."""
        return self.file or self.name

    def with_options(self, options: Any) -> Task:
        """The task as these options, an instance of `self.options`, want it."""
        return self.variant(self, options)

    def check(self, configuration: Configuration, train: Split) -> None:
        """Refuse what this task cannot train on data like this.

        Raises:
            UserError: naming the hyperparameter.
        """
        if configuration.mix and self.model(train).get("labels"):
            rule = "mix must be 0 for a model that classifies: labels do not mix"
            raise UserError(f"{rule}; got {configuration.mix}")

    def build(self, configuration: Configuration, train: Split) -> LSTM_AE:
        """A newly initialised model for data like this; its weights come from torch's global random generator.

        Raises:
            UserError: as `check`.
        """
        self.check(configuration, train)
        from ae.initialisation import initialise_
        from ae.model import LSTM_AE

        longest, shape = int(train.lengths_N.max()), configuration.architecture
        sizes = self.model(train)
        model = LSTM_AE(hidden_size=configuration.hidden_size, architecture=shape, longest=longest, **sizes)
        return initialise_(model, configuration.init)
