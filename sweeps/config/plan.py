"""One sweep as data: everything it needs to know, resolved and checked before anything starts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ae.configuration import Configuration
from ae.errors import UserError
from ae.kernels import CORES
from ae.task import Budget, Task
from sweeps.config import points
from sweeps.config import space as spaces
from sweeps.config.choices import DEVICES, SAMPLERS, SCHEDULERS, SEARCHES, TRACKERS, check_choice
from sweeps.config.rungs import halving_epochs, rung_epochs
from sweeps.config.space import Space
from sweeps.config.words import option
from sweeps.storage.filesystem import join

MOST_TRIALS = 100_000
"""Most trials of a phase: all of them are kept in memory."""
LEAST_BUDGET_S = 30.0
"""Shortest time budget in seconds: starting Ray and writing a report take as long."""
LONGEST_S = 1e9
"""Longest time limit in seconds; `faulthandler` cannot wait for some ten times as many."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """Where and how the trials run: what a later session may change; only the time budget changes results.

    Raises:
        UserError: at construction, naming the option, the rule and the value that broke it.
    """

    cpus_per_trial: int = 1
    """CPUs, and threads, of a trial."""
    gpus_per_trial: float | None = None
    """Share of a GPU, from 0 to 1; None lets the engine choose one where there are GPUs."""
    max_concurrent: int | None = None
    """Trials at once; None for as many as there is room for."""
    time_limit_s: float | None = None
    """Seconds that a trial may take from one report to the next; None for no limit."""
    time_budget_s: float | None = None
    """Seconds that the whole sweep may take, over all sessions; None for no limit."""
    device: str = "auto"
    core: str = "auto"
    """The code that LSTMs run through on the CPU; `ae.kernels.use_fast` explains it."""
    address: str | None = None
    """A running Ray cluster; None starts Ray on this machine alone."""
    autoscale: int | None = None
    """Trials at once that an autoscaling cluster is asked for; None for what there is room for."""
    dashboard: bool = False
    """Whether Ray starts with its dashboard, each trial in an actor of its own name, and metrics are published."""
    track: str | None = None
    """A tracker that is told about every trial; None for none."""
    verbose: bool = False

    def __post_init__(self) -> None:
        check_choice("device", self.device, DEVICES)
        check_choice("core", self.core, CORES)
        check_choice("track", self.track, TRACKERS)
        for name in ("cpus_per_trial", "max_concurrent", "autoscale"):
            _check_positive(name, getattr(self, name))
        if self.time_limit_s is not None and not 0 < self.time_limit_s <= LONGEST_S:
            raise UserError(f"--time-limit must be > 0 and <= {LONGEST_S:g} seconds, got {self.time_limit_s}")
        if self.time_budget_s is not None and not LEAST_BUDGET_S <= self.time_budget_s <= LONGEST_S:
            rule = f"must be >= {LEAST_BUDGET_S:g} seconds, which Ray and the report take, and <= {LONGEST_S:g}"
            raise UserError(f"--time-budget {rule}, got {self.time_budget_s:g}")
        if self.autoscale and not self.address:
            raise UserError("--autoscale goes with --address: only a cluster can start machines; give both, or neither")
        if self.gpus_per_trial is not None and not 0 <= self.gpus_per_trial <= 1:
            raise UserError(f"--gpus-per-trial must be from 0 to 1, a trial has at most one, got {self.gpus_per_trial}")
        if self.device == "cuda" and self.gpus_per_trial == 0:
            raise UserError("--gpus-per-trial must be > 0 with --device cuda; leave one of the two out")
        if self.device == "cpu" and self.gpus_per_trial:
            raise UserError("--gpus-per-trial must be 0 with --device cpu; leave one of the two out")
        if self.device == "cuda" and self.core == "fast":
            raise UserError("--core fast is for the CPU; leave it out with --device cuda")


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What one sweep does.

    Raises:
        UserError: at construction, naming the option, the rule and the value that broke it.
    """

    task: Task
    """With the objective, budget and base configuration that the sweep began with."""
    name: str
    """Unique among the sweeps of its task."""
    folder: Path
    """The results folder; it need not be where the sweep began."""
    search: str
    sampler: str
    space: Space
    """What varies: lists of values for a grid, ranges or lists for Optuna."""
    trials: int
    scheduler: str
    budget: Budget
    base: Configuration
    """The configuration that hyperparameters are put into, with the sweep's epochs and seed."""
    seed: int
    """Seed of the sampler, and the first seed of each trial; retraining takes those after the trials'."""
    data: Path | None
    """Data that the user brings; None for the task's own."""
    options: Any
    """The task's own options, an instance of `task.options`."""
    subset: int | None
    """Training sequences used; None for all."""
    storage: str | None
    """URI or folder that every machine sees, for checkpoints and a copy of the results; None for the results folder."""
    warm_start: Path | None
    """Results folder of an older sweep whose trials the sampler knows from the start."""
    smoke: bool
    resources: Resources
    commands: tuple[tuple[str, ...], ...]
    """What the user typed: the command that began the sweep, then those that added to it."""
    began: Mapping[str, int] = field(default_factory=dict)
    """`trials`, `top_k` and `seeds` as the sweep began."""
    target: float | None = None
    """The search ends when a validation is as good as this; None for no target."""
    tries: tuple[Mapping[str, Any], ...] = ()
    """Hyperparameters of the configurations that run first, as the user named them."""
    added_spaces: tuple[Space, ...] = ()
    """Grids whose points later sessions added to the first one."""
    patience: int | None = None
    """A trial of the search ends after so many reports without an improvement; None for no such rule."""
    data_sha256: str = ""
    """Hash of `data`, as `sweeps.storage.data_hash` makes it; empty without data."""

    def __post_init__(self) -> None:
        check_choice("search", self.search, SEARCHES)
        check_choice("sampler", self.sampler, SAMPLERS)
        check_choice("scheduler", self.scheduler, SCHEDULERS)
        for name in ("trials", "subset", "patience"):
            _check_positive(name, getattr(self, name))
        if self.target is not None and not math.isfinite(self.target):
            raise UserError(f"--target must be a finite number, a value of the objective, got {self.target}")
        if self.trials > MOST_TRIALS:
            raise UserError(f"--trials must be <= {MOST_TRIALS:,}, got {self.trials}")
        if self.top_k * self.seeds > MOST_TRIALS:
            rule = f"--top-k times --seeds must be <= {MOST_TRIALS:,}"
            raise UserError(f"{rule}, got {self.top_k} and {self.seeds}")
        if self.warm_start and self.search != "optuna":
            raise UserError("--warm-start goes with --search optuna; a grid does not learn from older trials")
        if self.trials * self.seeds_per_trial > MOST_TRIALS:
            rule = f"the trials times --seeds-per-trial must be <= {MOST_TRIALS:,}"
            raise UserError(f"{rule}, got {self.trials} and {self.seeds_per_trial}")
        if not 0 <= self.seed <= 2**32 - self.seeds_per_trial - self.seeds:
            raise UserError(f"--seed must be from 0 to 2**32 - 1 - seeds, got {self.seed}")
        if self.top_k > self.trials:
            raise UserError(f"--top-k must be <= the number of trials ({self.trials}), got {self.top_k}")
        if self.storage == "":
            raise UserError("--storage must be s3://, gs://, or a folder that every machine sees, got ''")
        points.check((self.space, *self.added_spaces), self.tries, self.base)

    @property
    def top_k(self) -> int:
        """Configurations that are retrained."""
        return self.budget.top_k

    @property
    def seeds(self) -> int:
        """Retrainings of each of them."""
        return self.budget.seeds

    @property
    def seeds_per_trial(self) -> int:
        """Seeds that each trial of the search trains; its values are the means over them."""
        return self.budget.seeds_per_trial

    @property
    def retrain_epochs(self) -> int:
        """Epochs of a retraining."""
        return self.budget.retrain_epochs or self.budget.max_epochs

    @property
    def place(self) -> str:
        """What every machine of the cluster sees: STORAGE/TASK/NAME, or the results folder."""
        return join(self.storage, self.task.name, self.name) if self.storage else str(self.folder.absolute())

    @property
    def checkpoints(self) -> str:
        """Where trials keep their state: a folder, or a URI."""
        return join(self.place, "checkpoints")

    @property
    def points(self) -> list[Configuration]:
        """A grid's configurations, each once: those tried by hand first, then those that train the longest."""
        return list(dict.fromkeys([*self.tried, *points.grid_points(self.space, self.added_spaces, self.base)]))

    @property
    def tried(self) -> list[Configuration]:
        """The configurations that are tried by hand, in their order."""
        return points.tried_points(self.tries, points.with_fixed(self.space, self.base))

    @property
    def whole_space(self) -> Space:
        """The search space, its lists with all values that are tried by hand or were added."""
        more = [*self.added_spaces, *({name: [value] for name, value in one.items()} for one in self.tries)]
        return points.widened(self.space, more, points.with_fixed(self.space, self.base)) if more else self.space

    def can_draw(self, config: Configuration) -> bool:
        """Whether the search itself could choose a configuration, so that it tells of the search space."""
        default = points.with_fixed(self.space, self.base)
        added = (points.can_draw(space, default, config) for space in self.added_spaces)
        return points.can_draw(self.space, self.base, config) or any(added)

    @property
    def expected_epochs(self) -> list[int]:
        """Epochs that the trials can be expected to train for, the longest first; the maximum where nobody knows."""
        if SCHEDULERS[self.scheduler].halves:
            return halving_epochs(self.budget, self.trials)
        return [self.budget.max_epochs] * self.trials

    @property
    def levels(self) -> list[int]:
        """Epochs at which trials are promoted or not, ascending, and last the epochs of a whole trial."""
        return [*(rung_epochs(self.budget) if SCHEDULERS[self.scheduler].halves else ()), self.budget.max_epochs]

    @property
    def data_paths(self) -> list[Path]:
        """What the user brings: `data`, and the paths among the task's own options."""
        named = [getattr(self.options, one.name) for one in fields(self.options) if one.metadata.get("path")]
        return [Path(path) for path in (self.data, *named) if path]

    @property
    def varied(self) -> list[str]:
        """Hyperparameters that differ between trials; all of the search space where that is a single point."""
        whole = self.whole_space
        return [name for name, dimension in whole.items() if not spaces.is_single(dimension)] or list(whole)

    @property
    def stated(self) -> list[str]:
        """Hyperparameters that a table of the trials names: without the options that are off in all of them."""
        return [name for name in spaces.HYPERPARAMETERS if name in self.base.stated or name in self.whole_space]

    def values_of(self, name: str) -> list[Any]:
        """What a hyperparameter may be in a trial; of a range, its ends."""
        return points.values_of(name, self.whole_space, self.tried, self.base)

    @property
    def search_limits(self) -> dict[str, Any]:
        """What may end the search; if a later session changes any of it, a search that ended early continues."""
        return {"trials": self.trials, "target": self.target}

    @property
    def time_limits(self) -> dict[str, Any]:
        """What the time budget was for; if a later session changes any of it, what ended for lack of time continues."""
        counts = {"trials": self.trials, "top_k": self.top_k, "seeds": self.seeds}
        return {"time_budget_s": self.resources.time_budget_s, **counts}

    @property
    def added(self) -> dict[str, int]:
        """How much later sessions added to `trials`, `top_k` and `seeds`."""
        return {name: getattr(self, name) - number for name, number in self.began.items()}

    def to_json(self) -> dict[str, Any]:
        """The content of `plan.json`; `sweeps.config.plan_file` writes and reads it."""
        names = ("name", "search", "sampler", "space", "trials", "scheduler", "seed", "target", "patience")
        return {
            "task": self.task.reference,
            **{name: getattr(self, name) for name in names},
            "objective": asdict(self.task.objective),
            "budget": asdict(self.budget),
            "base": asdict(self.base),
            "data": str(self.data) if self.data else None,
            "data_sha256": self.data_sha256,
            "options": asdict(self.options),
            "subset": self.subset,
            "storage": self.storage,
            "warm_start": str(self.warm_start) if self.warm_start else None,
            "smoke": self.smoke,
            "commands": [list(command) for command in self.commands],
            "began": dict(self.began),
            "tries": [dict(values) for values in self.tries],
            "added_spaces": [dict(space) for space in self.added_spaces],
            "resources": asdict(self.resources),
        }


def _check_positive(name: str, value: int | None) -> None:
    if value is not None and value < 1:
        raise UserError(f"{option(name)} must be >= 1, got {value}")
