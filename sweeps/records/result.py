"""What a sweep found, and the same as the fixed keys of `summary.json`."""

from __future__ import annotations

import importlib.metadata
import math
import platform
import shlex
import statistics
import subprocess
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ae.configuration import Configuration
from ae.task import Objective
from sweeps.config.plan import Plan
from sweeps.records.progress import early_ends
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import DIVERGED, FAILED, FINISHED, STOPPED, TrialLog

if TYPE_CHECKING:
    from torch import Tensor

PACKAGES = ("torch", "ray", "optuna", "numpy", "pandas")


def versions() -> dict[str, str]:
    """Python, the packages that figures depend on, and the project's commit where it is known."""
    found = {"python": platform.python_version()}
    found |= {name: importlib.metadata.version(name) for name in PACKAGES}
    git = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        found["commit"] = subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        found["commit"] = "unknown: not a git checkout"
    return found


@dataclass(kw_only=True)
class Model:
    """One retrained model, its weights those of its best-validation epoch."""

    name: str
    """The name of its retraining, in every table."""
    seed: int
    epoch: int
    weights: dict[str, Tensor]
    validation: dict[str, float]
    test: dict[str, float] = field(default_factory=dict)
    """Empty until the model was tested."""


@dataclass(kw_only=True)
class Retrained:
    """A selected configuration with its models, one per seed; a retraining that failed left none."""

    config: Configuration
    """With the epochs of the retraining."""
    trial: str
    """Name of the search's trial that it was selected for."""
    models: list[Model]
    finished: int = 0
    """Retrainings that reached their last epoch: their seeds count as completed."""
    diverged: int = 0
    """Retrainings that diverged, those that left no model included."""

    @property
    def tested(self) -> bool:
        """Whether every one of its models was tested."""
        return all(model.test for model in self.models)

    def order(self, objective: Objective) -> tuple[int, float]:
        """Sorts the best first: by the number of seeds completed, then by mean validation value.

        So a single seed that survived does not win against three by its mean.
        """
        mean = statistics.fmean(model.validation[objective.metric] for model in self.models)
        return -self.finished, -mean if objective.mode == "max" else mean

    def best_model(self, objective: Objective) -> Model:
        """The model with the best validation value: the one that is saved."""
        choose = max if objective.mode == "max" else min
        return choose(self.models, key=lambda model: model.validation[objective.metric])

    def summary(self) -> dict[str, Any]:
        """The entry of `retrained`: configuration, and mean, standard deviation and every value of each metric."""
        return {
            "config": _without_seed(self.config),
            "val": _spread([model.validation for model in self.models]),
            "test": _spread([model.test for model in self.models]),
        }


@dataclass(kw_only=True)
class SweepResult:
    """What a sweep has found so far."""

    plan: Plan
    log: SweepLog
    source: str
    """Where the data is from, in words."""
    device: str = "none: nothing was started"
    """What the trials ran on, in words."""
    versions: dict[str, str] = field(default_factory=versions)
    """The packages that the sweep ran with."""
    retrained: list[Retrained] = field(default_factory=list)
    """Best first, by validation; in an interrupted sweep those that were tested come before the others."""
    baseline: dict[str, float] = field(default_factory=dict)
    """What the task's baseline scores on the test split; empty until the best model was tested."""
    importance: tuple[dict[str, float], int] = field(default_factory=lambda: ({}, 0))
    """Share of the objective's variance that each hyperparameter explains, and the epoch at which it was measured."""
    problems: list[str] = field(default_factory=list)
    """What could not be drawn or computed, one line each; the tracebacks are in `errors.log`."""
    interrupted: bool = False
    started: float = field(default_factory=time.monotonic)
    earlier_s: float = 0.0
    """Seconds that both phases took in earlier sessions."""
    total_s: float | None = None
    """Seconds that the whole sweep has taken, once this session's work is done."""

    @property
    def search(self) -> TrialLog:
        """The trials of the search."""
        return self.log.search

    @property
    def retraining(self) -> TrialLog:
        """The retrainings of the selected configurations; empty before the selection."""
        return self.log.retraining

    @property
    def wall_s(self) -> float:
        """Seconds that the whole sweep has taken: this session, and both phases of earlier ones."""
        if self.total_s is not None:
            return self.total_s
        return time.monotonic() - self.started + self.earlier_s

    @property
    def tested(self) -> bool:
        """Whether the best configuration was tested."""
        return bool(self.retrained) and self.retrained[0].tested

    def summary(self) -> dict[str, Any]:
        """`summary.json`: the keys are fixed; some are there only with a time budget, or several seeds per trial."""
        plan, search = self.plan, self.search
        retrained = [one.summary() for one in self.retrained]
        return {
            "task": plan.task.name,
            "name": plan.name,
            "command": command_line(plan.commands[0]),
            "seed": plan.seed,
            "versions": self.versions,
            "device": self.device,
            "objective": asdict(plan.task.objective),
            "search": {
                "kind": plan.search,
                "requested": search.requested,
                "finished": search.count(FINISHED),
                "stopped_early": search.count(STOPPED),
                "diverged": search.count(DIVERGED),
                "failed": search.count(FAILED),
                "epochs_trained": search.epochs,
                "epochs_possible": search.most_epochs,
                "wall_s": round(search.elapsed_s, 3),
                **({"seeds_per_trial": plan.seeds_per_trial} if plan.seeds_per_trial > 1 else {}),
            },
            "best": self._best(),
            "retrained": retrained,
            "test": retrained[0]["test"] if retrained else None,
            "wall_s": round(self.wall_s, 3),
            **self._time_budget(),
        }

    def _time_budget(self) -> dict[str, Any]:
        """What became of the time budget, if there is one."""
        budget_s = self.plan.resources.time_budget_s
        if budget_s is None:
            return {}
        return {"time_budget": {"seconds": budget_s, "ran_out": self.log.ran_out_of_time, "why": early_ends(self.log)}}

    def _best(self) -> dict[str, Any] | None:
        """The best configuration after retraining, or of the search alone, with its metrics in the search.

        Where a trial has several seeds, these are means over them, and "per_seed" has each one's objective.
        """
        ranked = self.search.ranked()
        if not ranked:
            return None
        record = ranked[0]
        if self.retrained:
            wanted = self.retrained[0].config
            record = next(one for one in ranked if replace(one.config, epochs=wanted.epochs) == wanted)
        per_seed = {"per_seed": list(record.best_per_seed)} if record.best_per_seed else {}
        return {"config": _without_seed(record.config), "val": record.best_metrics, **per_seed}


def command_line(command: tuple[str, ...]) -> str:
    """A command as a shell takes it."""
    return shlex.join(command)


def _without_seed(config: Configuration) -> dict[str, Any]:
    """A configuration without the seed, which is not part of what was found."""
    return {name: value for name, value in asdict(config).items() if name != "seed"}


def _spread(values: list[dict[str, float]]) -> dict[str, dict[str, Any]] | None:
    """Mean, standard deviation over the seeds (n - 1; None for one seed) and every value, of each metric.

    A value that is not finite makes the mean and the deviation of its metric not finite too.
    """
    if not all(values):
        return None
    spread = {}
    for metric in values[0]:
        column = [value[metric] for value in values]
        finite = all(map(math.isfinite, column))
        std = None if len(column) == 1 else statistics.stdev(column) if finite else math.nan
        spread[metric] = {"mean": statistics.fmean(column), "std": std, "values": column}
    return spread
