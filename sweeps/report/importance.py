"""What decides a sweep's objective: the share of its variance that each hyperparameter explains."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from pathlib import Path

import optuna
import pandas as pd
from matplotlib.figure import Figure
from optuna.importance import FanovaImportanceEvaluator, get_param_importances

from ae.figures import BLUE, write
from ae.task import Objective
from sweeps.config.space import Space
from sweeps.records.ledger import Entry
from sweeps.report.charts import PALE

IMPORTANCE_TRIALS = 300
"""Trials that the random forest learns from at most."""


def draw(
    curves: pd.DataFrame, entries: list[Entry], space: Space, varied: list[str], objective: Objective, path: Path
) -> Path | None:
    """How much of the objective's variance each hyperparameter explains by itself; None where it cannot be told."""
    shares, epoch = importances(curves, entries, space, varied, objective)
    if not shares:
        return None
    drawn = {**shares, "in combination": max(0.0, 1 - sum(shares.values()))}
    figure = Figure(figsize=(7.0, 0.9 + 0.45 * len(drawn)))
    axes = figure.subplots()
    bars = axes.barh(list(drawn), [100 * share for share in drawn.values()], color=[BLUE] * len(shares) + [PALE])
    axes.bar_label(bars, fmt="%.0f %%", padding=3)
    axes.invert_yaxis()
    title = f"What decides the best validation {objective.metric} up to epoch {epoch}"
    axes.set(xlabel="share of its variance explained (functional ANOVA), %", xlim=(0, 110), title=title)
    axes.spines[["top", "right"]].set_visible(False)
    return write(figure, path)


def importances(
    curves: pd.DataFrame, entries: list[Entry], space: Space, varied: list[str], objective: Objective
) -> tuple[Mapping[str, float], int]:
    """Share of the objective's variance that each varied hyperparameter explains by itself, and up to what epoch.

    Trials are compared by their best value up to the last epoch that all of them reached, so that early stopping is no
    advantage. Over a whole grid the shares are exact; elsewhere a random forest (fANOVA) estimates them, from
    IMPORTANCE_TRIALS trials drawn at random where there are more: it would take minutes for thousands.

    Source: Hutter et al. 2014, https://proceedings.mlr.press/v32/hutter14.html

    Returns:
        shares, largest first, empty for fewer than 4 comparable trials or equal values; what they lack of 1 is
        explained by combinations. And the epoch.
    """
    usable = {entry.name: entry for entry in entries if entry.best_epoch and not entry.lost}
    rows = curves[curves["trial"].isin(usable)]
    epoch = 0 if rows.empty else int(rows.groupby("trial")["epoch"].max().min())
    reports = rows[rows["epoch"] <= epoch].groupby("trial")[f"val_{objective.metric}"]
    values = reports.max() if objective.mode == "max" else reports.min()
    if len(values) < 4 or values.nunique() < 2 or not varied:
        return {}, epoch
    chosen = [{key: usable[str(name)].configuration[key] for key in varied} for name in values.index]
    table = pd.DataFrame(chosen, dtype=object)  # else None, no clipping, would become NaN
    points = table.map(str)
    whole_grid = len(points.drop_duplicates()) == len(points) == math.prod(points.nunique())
    shares = _exact(points, values) if whole_grid else _estimated(table, values, space)
    return dict(sorted(shares.items(), key=lambda item: -item[1])), epoch


def _exact(points: pd.DataFrame, values: pd.Series[float]) -> dict[str, float]:
    """Variance of the means over each value of a hyperparameter, of the variance of all."""
    values = values.reset_index(drop=True)
    means = {str(name): values.groupby(points[name]).transform("mean") for name in points}
    return {name: float(mean.var(ddof=0) / values.var(ddof=0)) for name, mean in means.items()}


def _estimated(table: pd.DataFrame, values: pd.Series[float], space: Space) -> dict[str, float]:
    table = table.sample(min(len(table), IMPORTANCE_TRIALS), random_state=0).sort_index()
    values = values.iloc[table.index]
    if values.nunique() < 2:
        return {}
    study = optuna.create_study()
    distributions = {name: space[str(name)] for name in table}
    for params, value in zip(table.to_dict("records"), values, strict=True):
        trial = optuna.trial.create_trial(params=params, distributions=distributions, value=float(value))
        study.add_trial(trial)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0), normalize=False)
