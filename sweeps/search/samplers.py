"""Which sampler draws the next trial, and what it sees of those before."""

from __future__ import annotations

import copy
from collections.abc import Callable, Container

import numpy as np
import optuna
from optuna.samplers import BaseSampler
from optuna.study import StudyDirection
from optuna.study._constrained_optimization import _CONSTRAINTS_KEY
from optuna.trial import FrozenTrial, TrialState

SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {
    "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=True),
    "gp": lambda seed: optuna.samplers.GPSampler(seed=seed),
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
    "cmaes": lambda seed: optuna.samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False),
}
JOINT = ("gp", "cmaes")
"""Samplers that model all hyperparameters together, and learn from COMPLETE trials alone."""


class Seen(optuna.Study):
    """A study as its sampler is to see it: a trial that has reported is pruned where it stands.

    ASHA lets a trial wait at its rung until the search is over. To Optuna it is RUNNING all that time: a sampler would
    learn nothing of it before the end, or, by TPE's "constant liar", that it is a bad one. Optuna's own Hyperband shows
    its samplers a study of the same kind.

    Attributes:
        stands: the state in which such trials are shown; COMPLETE gives them their last value, and diverged ones, which
            are PRUNED and infeasible, the worst of all, as a sampler that reads COMPLETE trials would go there again.
    """

    stands = TrialState.PRUNED

    def _get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        trials = [self._shown(trial) for trial in super()._get_trials(deepcopy, use_cache=use_cache)]
        if self.stands == TrialState.COMPLETE:
            trials = self._with_diverged(trials)
        return [trial for trial in trials if states is None or trial.state in states]

    def _shown(self, trial: FrozenTrial) -> FrozenTrial:
        reported = trial.state in (TrialState.RUNNING, TrialState.PRUNED) and trial.intermediate_values
        if not reported or trial.constraints or trial.state == self.stands:
            return trial
        trial = copy.copy(trial)
        trial.state = self.stands
        if self.stands == TrialState.COMPLETE:
            trial.value = trial.intermediate_values[max(trial.intermediate_values)]
        return trial

    def _with_diverged(self, trials: list[FrozenTrial]) -> list[FrozenTrial]:
        values = [trial.value for trial in trials if trial.state == TrialState.COMPLETE and trial.value is not None]
        if not values:
            return trials
        worst = max(values) if self.direction == StudyDirection.MINIMIZE else min(values)
        return [_scored(trial, worst) if trial.constraints else trial for trial in trials]


def _scored(trial: FrozenTrial, value: float) -> FrozenTrial:
    """A diverged trial as if it had come to that value."""
    trial = copy.copy(trial)
    trial.state, trial.value = TrialState.COMPLETE, value
    kept = {name: entry for name, entry in trial.system_attrs.items() if not name.startswith(_CONSTRAINTS_KEY)}
    trial.system_attrs = kept
    return trial


def seen(study: optuna.Study, kind: str, seed: int, number: int) -> Seen:
    """The study as the sampler of that kind is to see it when it draws a trial.

    Its draws depend on the sweep's seed and the trial's number alone: a resumed sweep draws the same.
    """
    sampler = SAMPLERS[kind](int(np.random.SeedSequence([seed, number]).generate_state(1)[0]))
    shown = Seen(study.study_name, study._storage, sampler)
    shown.stands = TrialState.COMPLETE if kind in JOINT else TrialState.PRUNED
    return shown
