"""What an older sweep found, told to a new one's sampler."""

from __future__ import annotations

import os

import optuna
from optuna.trial import FrozenTrial, TrialState

from sweeps.config.plan import Plan
from sweeps.config.space import Space
from sweeps.search import journal
from sweeps.search.samplers import JOINT
from sweeps.storage.folder import Unusable

OLDER = "warm_start"
"""User attribute of a trial that an older sweep made: the folder of that sweep."""
TOLD = (TrialState.COMPLETE, TrialState.PRUNED)


def warm_start(study: optuna.Study, plan: Plan) -> str:
    """Add the trials of `plan.warm_start` to a study that has none of its own yet; returns what was taken, in words.

    What an earlier session added before it was killed is not added again.

    Of each trial the hyperparameters that the new space has, within its ranges, are taken; a trial of which none is
    left is not. Samplers that model all hyperparameters together get the trials that have every one: what one trial
    lacks they would draw at random from then on. Its epochs are those of its own sweep: the values are compared as they
    are.

    Raises:
        Unusable: if there is no study, or it is of another task.
    """
    older = older_study(plan)
    already, taken, missing = len(study.get_trials(deepcopy=False)), 0, set(plan.space)
    least = len(plan.space) if plan.sampler in JOINT else 1
    for trial in older.get_trials(deepcopy=False, states=TOLD):
        params = fitting(trial, plan.space)
        if len(params) < least:
            continue
        missing -= set(params)
        if taken >= already:
            study.add_trial(_copy(trial, params, plan))
        taken += 1
    told = f"warm start: {taken} of {len(older.trials)} trials of {plan.warm_start} are known to the sampler"
    if plan.sampler in JOINT and taken < len(older.trials):
        return f"{told}; {plan.sampler} takes those that have every hyperparameter of this search, within its range"
    return f"{told}; none of them says anything on {', '.join(sorted(missing))}" if missing else told


def older_study(plan: Plan) -> optuna.Study:
    """The study of `plan.warm_start`, an older sweep of the same task.

    Raises:
        Unusable: if there is none in the folder, or it is of another task.
    """
    folder = plan.warm_start
    assert folder is not None
    path = folder / journal.STUDY
    if not os.path.isfile(path):  # False for a name too long
        raise Unusable(f"--warm-start {folder}: not the results folder of a sweep: it has no {journal.STUDY}")
    try:
        older = journal.study(folder)
    except (OSError, *journal.DAMAGED) as error:
        raise Unusable(f"--warm-start {path}: not an Optuna study: {error}") from None
    task = older.study_name.partition("/")[0]
    if task != plan.task.name:
        raise Unusable(f"--warm-start {folder}: must be a sweep of the same task, got {task}")
    return older


def fitting(trial: FrozenTrial, space: Space) -> dict[str, object]:
    """The hyperparameters of an older trial that lie in the new space."""
    return {name: value for name, value in trial.params.items() if name in space and _within(value, space[name])}


def _within(value: object, distribution: optuna.distributions.BaseDistribution) -> bool:
    try:
        return distribution._contains(distribution.to_internal_repr(value))
    except ValueError:  # not one of the choices
        return False


def _copy(trial: FrozenTrial, params: dict[str, object], plan: Plan) -> FrozenTrial:
    return optuna.trial.create_trial(
        state=trial.state,
        value=trial.value,
        params=params,
        distributions={name: plan.space[name] for name in params},
        intermediate_values=trial.intermediate_values,
        user_attrs={**trial.user_attrs, OLDER: str(plan.warm_start)},
        constraints=trial.constraints,
    )
