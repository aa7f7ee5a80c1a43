"""One sweep as data: all that a command line means, checked before anything starts."""

from __future__ import annotations

import itertools
import os
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ae.configuration import Configuration
from ae.core import CORES
from ae.task import Budget, Task
from ae.words import counted
from sweeps.config import space as spaces
from sweeps.config.schedulers import SCHEDULERS
from sweeps.config.space import Space
from sweeps.config.words import hyperparameter
from sweeps.search.samplers import SAMPLERS
from sweeps.storage import filesystem as storage
from sweeps.storage.folder import Record

TRACKERS = ("mlflow", "wandb")
SEARCHES = ("grid", "optuna")
DEVICES = ("auto", "cpu", "cuda")
LONGEST_S = 1e9
"""Seconds of the longest time limit; some ten times as many are more than `faulthandler` can wait."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What one sweep does; ValueError at construction names the option, the rule and the value that broke it."""

    task: Task
    search: str
    sampler: str
    space: Space
    """What varies: lists of values for a grid, ranges or lists for Optuna."""
    trials: int
    scheduler: str
    budget: Budget
    top_k: int
    """Configurations that are retrained."""
    seeds: int
    """Retrainings of each of them."""
    seed: int
    """Seed of the trials and of the sampler; retraining takes the ones after it."""
    data: Path | None
    """Data that the user brings; None for the task's own."""
    options: Any
    """The task's own options, an instance of `task.options`."""
    subset: int | None
    """Training sequences used; None for all."""
    folder: Path
    """Results folder; must not exist, unless `resume`."""
    storage: str | None
    """URI or folder that every machine sees, for checkpoints and a copy of the results; None for the results folder."""
    resume: bool
    """Whether the folder's sweep goes on."""
    warm_start: Path | None
    """Results folder of an older sweep whose trials the sampler knows from the start."""
    cpus_per_trial: int
    gpus_per_trial: float | None
    """None gives each trial a fraction of a GPU where there are any."""
    max_concurrent: int | None
    """Trials at once; None for as many as there is room for."""
    time_limit_s: float | None
    """Seconds that a trial may take from one report to the next; None for no limit."""
    device: str
    core: str
    """What the LSTMs run through on the CPU, as `ae.core.use_fast` says."""
    address: str | None
    """A running Ray cluster; None starts Ray on this machine alone."""
    autoscale: int | None
    """Trials at once that a cluster which starts machines by itself is asked for; None for what there is room for."""
    dashboard: bool
    """Whether Ray starts with its dashboard, each trial in an actor of its own name, and metrics are published."""
    track: str | None
    """A tracker that is told of every trial; None for none."""
    verbose: bool
    record: Record
    """What a later session must know to go on."""
    space_file: Path | None
    """The user's own search space."""
    added: Mapping[str, int] = field(default_factory=dict)
    """How many `--resume` added to `trials`, `top_k` and `seeds`."""
    found: Record | None = None
    """The folder's record as `--resume` found it; None for a new sweep."""

    def __post_init__(self) -> None:
        for name, allowed in (
            ("search", SEARCHES),
            ("sampler", SAMPLERS),
            ("scheduler", SCHEDULERS),
            ("device", DEVICES),
            ("core", CORES),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(f"--{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        for name in ("trials", "top_k", "seeds", "subset", "cpus_per_trial", "max_concurrent", "autoscale"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"--{name.replace('_', '-')} must be >= 1, got {value}")
        if self.time_limit_s is not None and not 0 < self.time_limit_s <= LONGEST_S:
            raise ValueError(f"--time-limit must be > 0 and <= {LONGEST_S:g} seconds, got {self.time_limit_s}")
        if self.warm_start and self.search != "optuna":
            raise ValueError("--warm-start goes with --search optuna; a grid learns from nothing")
        self._check_tracker()
        self._check_machines()
        if not 0 <= self.seed <= 2**32 - 1 - self.seeds:
            raise ValueError(f"--seed must be from 0 to 2**32 - 1 - seeds, got {self.seed}")
        if self.top_k > self.trials:
            raise ValueError(f"--top-k must be <= the number of trials ({self.trials}), got {self.top_k}")
        for name, distribution in self.space.items():
            spaces.check(name, distribution, self.base)
        self._check_folder()

    def _check_tracker(self) -> None:
        if self.track not in (None, *TRACKERS):
            raise ValueError(f"--track must be one of {', '.join(TRACKERS)}, got {self.track!r}")

    def _check_machines(self) -> None:
        if self.autoscale and not self.address:
            raise ValueError("--autoscale goes with --address: this machine alone starts no others")
        if self.gpus_per_trial is not None and not 0 <= self.gpus_per_trial <= 1:
            raise ValueError(f"--gpus-per-trial must be from 0 to 1, as a trial uses one, got {self.gpus_per_trial}")
        if self.device == "cuda" and self.gpus_per_trial == 0:
            raise ValueError("--gpus-per-trial must be > 0 with --device cuda; leave one of the two out")
        if self.device == "cpu" and self.gpus_per_trial:
            raise ValueError("--gpus-per-trial must be 0 with --device cpu; leave one of the two out")
        if self.device == "cuda" and self.core == "fast":
            raise ValueError("--core fast is for the CPU; leave it out with --device cuda")

    def _check_folder(self) -> None:
        if self.storage == "":
            raise ValueError("--storage must be s3://, gs://, or a folder that every machine sees, got ''")
        if self.resume:
            return
        try:
            there = self.folder.exists()
            parent = next(parent for parent in self.folder.absolute().parents if parent.exists())
        except OSError as error:  # a name too long, or a folder that may not be looked into
            raise ValueError(f"{self.folder} cannot be made: {error.strerror}; give another --results") from None
        if there:
            raise ValueError(
                f"{self.folder} exists and is never overwritten; give another --name, or --resume {self.folder}"
            )
        if not parent.is_dir() or not os.access(parent, os.W_OK):
            raise ValueError(f"{self.folder} cannot be made: no write access to {parent}; give another --results")
        place = Path(os.path.realpath(self.place.removeprefix("file://")))
        if self.storage and place.is_relative_to(os.path.realpath(self.folder)):
            raise ValueError(f"--storage {self.storage} must be elsewhere than the results; give another, or none")

    @property
    def name(self) -> str:
        """The sweep's name, unique among those of its task."""
        return os.path.basename(os.path.abspath(self.folder))

    @property
    def command(self) -> str:
        """What the user typed to begin the sweep."""
        return shlex.join(["python", "sweeps/run.py", *self.record.arguments])

    @property
    def commands(self) -> list[str]:
        """What makes the sweep again: what began it, and what was added to it."""
        added = [(f"--{name.replace('_', '-')}", f"+{number}") for name, number in self.added.items() if number]
        more = ["python", "sweeps/run.py", "--resume", str(self.folder), *itertools.chain(*added)]
        return [self.command, *([shlex.join(more)] if added else [])]

    @property
    def base(self) -> Configuration:
        """The configuration that hyperparameters are put into."""
        return replace(self.task.base, epochs=self.budget.max_epochs, seed=self.seed)

    @property
    def retrain_epochs(self) -> int:
        """Epochs of a retraining."""
        return self.budget.retrain_epochs or self.budget.max_epochs

    @property
    def place(self) -> str:
        """What every machine of the cluster sees: STORAGE/TASK/NAME as it began, or the results folder."""
        return self.record.place or str(self.folder.absolute())

    @property
    def checkpoints(self) -> str:
        """Where trials keep their state: a folder, or a URI."""
        return storage.join(self.place, "checkpoints")

    @property
    def points(self) -> list[dict[str, Any]]:
        """The grid's configurations, those that train the longest first, so that none of them starts last."""

        def order(point: dict[str, Any]) -> tuple[int, int]:
            configuration = replace(self.base, **point)
            return -configuration.hidden_size, configuration.batch_size

        return sorted(spaces.points(self.space), key=order)

    @property
    def expected(self) -> list[int]:
        """Epochs that the trials are expected to train for, the longest first; nobody knows with Ray's other rules."""
        budget, halves = self.budget, SCHEDULERS[self.scheduler].halves
        return budget.halving(self.trials) if halves else [budget.max_epochs] * self.trials

    @property
    def varied(self) -> list[str]:
        """Hyperparameters that the search varies; all of its space where that is one point."""
        return [name for name, distribution in self.space.items() if not distribution.single()] or list(self.space)

    def describe(self) -> str:
        """The plan in lines, as --dry-run prints it."""
        budget = self.budget
        rungs = ", ".join(map(str, budget.rungs()))
        how = f"grid of {counted(self.trials, 'configuration')}"
        if self.search == "optuna":
            how = f"{counted(self.trials, 'trial')} chosen by Optuna ({self.sampler})"
        early = SCHEDULERS[self.scheduler].description.format(
            rungs=rungs, factor=budget.reduction_factor, grace=budget.grace_period
        )
        if SCHEDULERS[self.scheduler].halves and not rungs:
            early = f"none: there is no rung below epoch {budget.max_epochs}"
        gpus = "a fraction of a GPU where there are any" if self.gpus_per_trial is None else self.gpus_per_trial
        given = asdict(self.options).items() - asdict(self.task.options()).items()
        own = "".join(f", {name} {value}" for name, value in sorted(given))
        concurrent = f"{self.max_concurrent or 'as many as there is room for'} at once"
        most, expected = self.trials * budget.max_epochs, sum(self.expected)
        about = f", about {expected:,} with early stopping" if expected < most else ""
        base = {name: value for name, value in asdict(self.base).items() if name not in (*self.space, "epochs", "seed")}
        seeds = counted(self.seeds, "seed")
        final = counted(self.retrain_epochs * self.top_k * self.seeds, "epoch")
        rows = {
            "task": f"{self.task.name}: {self.task.description}",
            "data": f"{self.data or 'what comes with the task'}{own}"
            + (f", at most {self.subset:,} training sequences" if self.subset else ""),
            "search": how,
            "space": "; ".join(f"{name} {_range(distribution)}" for name, distribution in self.space.items()),
            "fixed": ", ".join(f"{name} {hyperparameter(value)}" for name, value in base.items()) or "nothing",
            "budget": f"{counted(budget.max_epochs, 'epoch')} a trial, validated every {budget.eval_every}; "
            f"{counted(most, 'epoch')} at most{about}",
            "early stop": early,
            "objective": f"validation {self.task.objective.metric}, {self.task.objective.mode}",
            "retraining": f"the best {self.top_k}, {seeds} each, {final}; then the test split, once",
            "resources": f"a trial: {self.cpus_per_trial} CPU, GPU: {gpus}; device {self.device}; {concurrent}",
            "cluster": (self.address or "this machine")
            + (f", asked for {self.autoscale} trials at once" if self.autoscale else ""),
            "seed": str(self.seed),
            "results": f"{self.folder}, and {self.place}" if self.storage else str(self.folder),
        }
        if self.warm_start:
            rows["warm start"] = f"the sampler knows the trials of {self.warm_start}"
        return "\n".join(f"{name:<11} {row}" for name, row in rows.items())


def _range(distribution: Any) -> str:
    if hasattr(distribution, "choices"):
        return " | ".join(map(hyperparameter, distribution.choices))
    log = " (log)" if distribution.log else ""
    steps = f" in steps of {distribution.step}" if distribution.step not in (None, 1) else ""
    return f"{hyperparameter(distribution.low)} to {hyperparameter(distribution.high)}{log}{steps}"
