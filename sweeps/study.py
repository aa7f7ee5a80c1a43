"""Where trials come from: an Optuna study, for a grid and for a sampler alike."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import optuna
from optuna.samplers import BaseSampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from ray.tune.search import Searcher

from ae.configuration import Configuration
from ae.task import Objective
from sweeps.space import Space

SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {
    "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=True),
    "gp": lambda seed: optuna.samplers.GPSampler(seed=seed),
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
    "cmaes": lambda seed: optuna.samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False),
}
CONSTRAINED = (optuna.samplers.TPESampler, optuna.samplers.GPSampler)
"""Samplers that learn from infeasible trials; the others pass over them."""


def create(folder: Path, name: str, objective: Objective, sampler: BaseSampler | None = None) -> optuna.Study:
    """A new study in `folder/study.log`, which optuna-dashboard opens as it is."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = JournalStorage(JournalFileBackend(str(folder / "study.log")))
    direction = "maximize" if objective.mode == "max" else "minimize"
    return optuna.create_study(storage=storage, study_name=name, direction=direction, sampler=sampler)


class StudySearcher(Searcher):
    """Asks the study for each trial's hyperparameters and tells it how the trial ended.

    A trial that trained to its last epoch is COMPLETE with its best value, one stopped early is PRUNED, a diverged one
    is PRUNED and infeasible, which ranks it last, and a failed one is FAIL. Ray's own OptunaSearch calls stopped
    trials COMPLETE and leaves diverged ones RUNNING for ever.

    Args:
        study: holds every trial.
        space: what the sampler varies.
        points: the configurations of a grid, in order; None lets the sampler choose.
        base: the configuration that hyperparameters are put into; its `epochs` make a trial complete.
        objective: the validation metric of the reports.
    """

    def __init__(
        self,
        study: optuna.Study,
        space: Space,
        points: list[dict[str, Any]] | None,
        base: Configuration,
        objective: Objective,
    ) -> None:
        super().__init__(metric=f"val_{objective.metric}", mode=objective.mode)
        self.study, self.space, self.points, self.base = study, dict(space), points, base
        self.trials: dict[str, optuna.Trial] = {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str:
        """The next trial's number and configuration, or FINISHED at the end of a grid."""
        if self.points is not None:
            if len(self.trials) == len(self.points):
                return str(Searcher.FINISHED)
            self.study.enqueue_trial(self.points[len(self.trials)])
        trial = self.trials[trial_id] = self.study.ask(self.space)
        configuration = replace(self.base, **trial.params)
        return {"run": {"trial": f"{trial.number:04d}", "configuration": asdict(configuration)}}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Hand a validation to the study as an intermediate value, its step the epoch."""
        value = result[self.metric]
        if math.isfinite(value):
            self.trials[trial_id].report(value, step=result["epoch"])

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Tell the study the trial's end state."""
        trial = self.trials[trial_id]
        if error or result is None:
            self.study.tell(trial, state=TrialState.FAIL)
        elif result["diverged"]:
            trial.set_user_attr("diverged", True)
            if isinstance(self.study.sampler, CONSTRAINED):
                trial.set_constraint("diverged", 1.0)
            self.study.tell(trial, state=TrialState.PRUNED)
        elif result["epoch"] < self.base.epochs:
            self.study.tell(trial, state=TrialState.PRUNED)
        else:
            self.study.tell(trial, result["best"])

    def save(self, checkpoint_path: str) -> None:
        """Write the sampler's and the trials' state, as Tune asks."""
        Path(checkpoint_path).write_bytes(pickle.dumps((self.study.sampler, self.trials)))

    def restore(self, checkpoint_path: str) -> None:
        """Read what `save` wrote."""
        self.study.sampler, self.trials = pickle.loads(Path(checkpoint_path).read_bytes())
