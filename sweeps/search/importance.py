"""What decides a sweep's objective: the share of its variance that each hyperparameter explains."""

from __future__ import annotations

import math
import warnings

import optuna
import pandas as pd

from sweeps.config.conditions import plain_space
from sweeps.config.plan import Plan
from sweeps.config.space import Space
from sweeps.records.trials import TrialLog
from sweeps.search.distributions import distributions_of

IMPORTANCE_TRIALS = 300
"""The random forest learns from this many trials at most: thousands would take minutes."""


def importances(plan: Plan, log: TrialLog) -> tuple[dict[str, float], int]:
    """Share of the objective's variance that each hyperparameter of the search explains, and up to what epoch.

    Trials are compared by their best value up to the last epoch that all of them reached, so that training for longer
    is no advantage. Configurations tried by hand count if the search could have drawn them. Over a whole grid the
    shares are exact; otherwise a random forest estimates them (functional ANOVA), from IMPORTANCE_TRIALS trials drawn
    at random if there are more.

    A hyperparameter that a trial does not have, as its condition is not met, has the base's value there.

    Source: Hutter et al. 2014, https://proceedings.mlr.press/v32/hutter14.html

    Returns:
        The shares, largest first, empty for fewer than 4 comparable trials or equal values; combinations explain the
        rest. And the epoch.
    """
    searched = [name for name in plan.varied if any(name in space for space in (plan.space, *plan.added_spaces))]
    usable = [record for record in log.trials if record.best_epoch and not record.is_lost]
    usable = [record for record in usable if not record.tried or plan.can_draw(record.config)]
    epoch = min((record.epoch for record in usable), default=0)
    best = {
        record.name: [report.best for report in record.reports if report.epoch <= epoch and report.best is not None]
        for record in usable
    }
    usable = [record for record in usable if best[record.name]]
    values = pd.Series([best[record.name][-1] for record in usable], dtype=float)
    if len(values) < 4 or values.nunique() < 2 or not searched:
        return {}, epoch
    chosen = [{name: getattr(record.config, name) for name in searched} for record in usable]
    table = pd.DataFrame(chosen, dtype=object)  # as floats, None (no clipping) would become NaN
    points = table.map(str)
    is_whole_grid = len(points.drop_duplicates()) == len(points) == math.prod(points.nunique())
    space = plain_space(plan.whole_space, plan.base)
    shares = _exact(points, values) if is_whole_grid else _estimated(table, values, space)
    return dict(sorted(shares.items(), key=lambda item: -item[1])), epoch


def _exact(points: pd.DataFrame, values: pd.Series[float]) -> dict[str, float]:
    """For each hyperparameter: the variance of the mean objective per value, divided by the total variance."""
    means = {str(name): values.groupby(points[name]).transform("mean") for name in points}
    return {name: float(mean.var(ddof=0) / values.var(ddof=0)) for name, mean in means.items()}


def _estimated(table: pd.DataFrame, values: pd.Series[float], space: Space) -> dict[str, float]:
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances  # with scikit-learn, over a second

    table = table.sample(min(len(table), IMPORTANCE_TRIALS), random_state=0).sort_index()
    values = values.iloc[table.index]
    if values.nunique() < 2:
        return {}
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # it would tell of the study that is made here
    study, every = optuna.create_study(), distributions_of(space)
    distributions = {name: every[str(name)] for name in table}
    for params, value in zip(table.to_dict("records"), values, strict=True):
        trial = optuna.trial.create_trial(params=params, distributions=distributions, value=float(value))
        study.add_trial(trial)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0), normalize=False)
