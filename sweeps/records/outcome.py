"""What a sweep found, and the same as the fixed keys of `summary.json`."""

from __future__ import annotations

import importlib.metadata
import math
import platform
import statistics
import subprocess
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from ae.configuration import Configuration
from ae.task import Objective
from sweeps.config.plan import Plan
from sweeps.records.ledger import DIVERGED, FAILED, FINISHED, STOPPED, Ledger

PACKAGES = ("torch", "torchvision", "ray", "optuna", "numpy", "pandas")


@dataclass(kw_only=True)
class Model:
    """One retrained model, its weights those of its best-validation epoch."""

    name: str
    """Of its retraining, in every table."""
    seed: int
    epoch: int
    weights: dict[str, Tensor]
    validation: dict[str, float]
    test: dict[str, float] = field(default_factory=dict)
    """Empty until the test split was met."""


@dataclass(kw_only=True)
class Retrained:
    """A selected configuration and the models that came of it, one a seed; a run that failed left none."""

    configuration: Configuration
    """With the epochs of the retraining."""
    trial: str
    """Name of the search's trial that it was chosen for."""
    models: list[Model]
    diverged: int = 0
    """Retrainings of it that diverged, those included that left no model."""

    @property
    def tested(self) -> bool:
        """Whether every one of its models has met the test split."""
        return all(model.test for model in self.models)

    def order(self, objective: Objective) -> tuple[int, float]:
        """Sorts the best first: by retrainings that diverged, then by mean validation value.

        One that failed, or has not ended yet, says nothing of its configuration.
        """
        mean = statistics.fmean(model.validation[objective.metric] for model in self.models)
        return self.diverged, -mean if objective.mode == "max" else mean

    def kept(self, objective: Objective) -> Model:
        """The model of the best validation value: the one that is saved."""
        choose = max if objective.mode == "max" else min
        return choose(self.models, key=lambda model: model.validation[objective.metric])

    def summary(self) -> dict[str, Any]:
        """The entry of `retrained`: configuration, and mean, standard deviation and every value a metric."""
        return {
            "config": _config(asdict(self.configuration)),
            "val": _spread([model.validation for model in self.models]),
            "test": _spread([model.test for model in self.models]),
        }


@dataclass(kw_only=True)
class Outcome:
    """A sweep so far."""

    plan: Plan
    source: str
    """Where the data is from."""
    search: Ledger
    device: str = "none: nothing was started"
    """What the trials ran on, in words."""
    retraining: Ledger | None = None
    retrained: list[Retrained] = field(default_factory=list)
    """Best first, by validation; of an interrupted sweep those that were tested come before the others."""
    baseline: dict[str, float] = field(default_factory=dict)
    """What the task's baseline gets on the test split; empty until the best has met it."""
    interrupted: bool = False
    started: float = field(default_factory=time.monotonic)

    @property
    def wall_s(self) -> float:
        """Seconds that the whole sweep has taken: this session, and both phases of earlier ones."""
        phases = [self.search, self.retraining] if self.retraining else [self.search]
        return time.monotonic() - self.started + sum(ledger.before_s for ledger in phases)

    @property
    def tested(self) -> bool:
        """Whether the best has met the test split."""
        return bool(self.retrained) and self.retrained[0].tested

    def summary(self) -> dict[str, Any]:
        """`summary.json`: the keys are fixed."""
        plan, search = self.plan, self.search
        retrained = [one.summary() for one in self.retrained]
        return {
            "task": plan.task.name,
            "name": plan.name,
            "command": plan.command,
            "seed": plan.seed,
            "versions": versions(),
            "device": self.device,
            "objective": {"metric": plan.task.objective.metric, "mode": plan.task.objective.mode},
            "search": {
                "kind": plan.search,
                "requested": search.requested,
                "finished": search.count(FINISHED),
                "stopped_early": search.count(STOPPED),
                "diverged": search.count(DIVERGED),
                "failed": search.count(FAILED),
                "epochs_trained": search.epochs,
                "epochs_possible": search.requested * search.max_epochs,
                "wall_s": round(search.wall_s, 3),
            },
            "best": self._best(),
            "retrained": retrained,
            "test": retrained[0]["test"] if retrained else None,
            "wall_s": round(self.wall_s, 3),
        }

    def _best(self) -> dict[str, Any] | None:
        """The winner of the retraining, or of the search where there was none, with its validation in the search."""
        ranked = self.search.ranked()
        if not ranked:
            return None
        entry = ranked[0]
        if self.retrained:
            wanted = self.retrained[0].configuration
            entry = next(e for e in ranked if replace(Configuration(**e.configuration), epochs=wanted.epochs) == wanted)
        return {"config": _config(entry.configuration), "val": entry.best_metrics}


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


def _config(configuration: dict[str, Any]) -> dict[str, Any]:
    """A configuration without the seed, which is not part of what was found."""
    return {name: value for name, value in configuration.items() if name != "seed"}


def _spread(values: list[dict[str, float]]) -> dict[str, dict[str, Any]] | None:
    """Mean, standard deviation over the seeds (n - 1; None for one seed) and every value, of each metric.

    A value that is not finite makes the mean and the deviation of its metric so too.
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
