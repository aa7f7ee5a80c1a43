"""Charts of a sweep: learning curves, parallel coordinates.

Every function that takes a path writes one PNG file there and returns the path.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

from ae.figures import BLUE, GREY, ORANGE, write
from ae.task import Objective
from ae.words import counted
from sweeps.config.words import hyperparameter, over_seeds, settings
from sweeps.records.trials import DIVERGED, FAILED, STOPPED, TrialLog, TrialRecord

MARKS = {
    STOPPED: ("x", GREY, "stopped early"),
    DIVERGED: ("v", "#b3261e", "diverged"),
    FAILED: ("s", "#b3261e", "failed"),
}
PALE = "#b8bec8"
CLOSE = 0.95
"""On an axis whose largest share is above this one, the distance from 1 is what counts."""
SHARES = (0.1, 0.5, 0.8, 0.9, 0.95, 0.97, 0.98, 0.985, 0.99, 0.995, 0.998, 0.999)
"""Marked on an axis of shares."""
MARKED_REPORTS = 30
"""Each report of a curve is marked up to this many; longer curves are drawn by their running median."""
COLOURS = (
    *(BLUE, ORANGE, "#2a9d5b", "#8e5bb5", "#b5892e", "#d62b70"),
    *("#1fa8b8", "#7a5230", "#8fae1b", "#e08fc0", "#4a4a8c", "#f2b705"),
)
"""Colours of the trials that are told apart, the best one first."""


def learning_curves(curves: pd.DataFrame, log: TrialLog, top: int, varied: list[str], path: Path) -> Path:
    """Validation loss, and the objective if it is another metric, against epochs: one line per trial, stops marked.

    Args:
        curves: the reports of the search, as `sweeps.records.tables.curves` has them.
        log: the search. If it has no more ranked trials than COLOURS, all of them are told apart.
        top: so many of the best are told apart in any case, with thicker lines.
        varied: hyperparameters that the legend names.
        path: of the PNG file.
    """
    ranked = log.ranked()
    ranked = ranked if len(ranked) <= len(COLOURS) else ranked[: min(top, len(COLOURS))]
    metrics = list(dict.fromkeys(["val_loss", f"val_{log.objective.metric}"]))
    figure = Figure(figsize=(7.2 * len(metrics), 4.6))
    statuses = {record.name: record.status for record in log.trials}
    others, window = curves[~curves["trial"].isin([record.name for record in ranked])], _window(curves)
    for axes, metric in zip(figure.subplots(1, len(metrics), squeeze=False)[0], metrics, strict=True):
        shown = _ranked(axes, curves, ranked, metric, window, top, varied)
        _ends(axes, pd.concat([*shown, others]).sort_index(), metric, statuses)
        _others(axes, others, metric, "." if window == 1 else "")
        name = metric.removeprefix("val_")
        axes.set(xlabel="epoch", ylabel=f"validation {name}")
        axes.set_title(f"Validation {name}{over_seeds(log.seeds_per_trial)}{_smoothing(window)}")
        _finish(axes, curves[metric], "min" if name == "loss" else log.objective.mode)
    axes = figure.axes[0]
    figure.legend(*axes.get_legend_handles_labels(), loc="upper center", bbox_to_anchor=(0.5, 0.0), fontsize=9, ncols=2)
    figure.tight_layout()
    return write(figure, path)


def _ranked(
    axes: Axes,
    curves: pd.DataFrame,
    ranked: list[TrialRecord],
    metric: str,
    window: int,
    top: int,
    varied: list[str],
) -> list[pd.DataFrame]:
    """The trials that are told apart, one colour each; returns their rows with the values that were drawn."""
    rows_of = {record.name: curves[curves["trial"] == record.name] for record in ranked}
    shown: list[pd.DataFrame] = []
    for place, (record, (name, rows)) in enumerate(zip(ranked, rows_of.items(), strict=True)):
        width = 2.0 if place < top else 1.2
        look = {"color": COLOURS[place], "lw": width, "zorder": width + 1}
        if any(_covered(rows, rows_of[better.name], metric) for better in ranked[:place]):
            look |= {"ls": (0, (2, 3)), "zorder": 4, "lw": width + 0.6}
        label = f"{place + 1}. trial {name}: {settings(record.config, varied)}"
        line = _smoothed(axes, rows["epoch"], rows[metric], window, ".", **look, label=label)
        shown.append(rows.assign(**{metric: line}))
    return shown


def _window(curves: pd.DataFrame) -> int:
    """Width of the running median that tells curves apart, in reports; 1 if every report can be drawn."""
    most = int(curves["trial"].value_counts().max())
    return max(5, most // 30) if most > MARKED_REPORTS else 1


def _smoothing(window: int) -> str:
    return f"\nrunning median of {window} reports; pale: every report" if window > 1 else ""


def _smoothed(
    axes: Axes, epochs: pd.Series[Any], values: pd.Series[Any], window: int, marker: str, **look: Any
) -> pd.Series[Any]:
    """A line through every report; a pale one under the running median if its window has more than one report.

    Returns:
        The values that the line, or that of the median, goes through.
    """
    if window == 1:
        axes.plot(epochs, values, marker=marker, **look)
        return values
    medians = values.rolling(window, center=True, min_periods=1).median()
    axes.plot(epochs, values, color=look["color"], lw=0.5, alpha=0.45)
    axes.plot(epochs, medians, **look)
    return medians


def _covered(rows: pd.DataFrame, by: pd.DataFrame, metric: str) -> bool:
    """Whether a curve lies under another one that is as long, for example because clipping never acts."""
    values = rows[metric].to_numpy()
    return np.array_equal(values, by[metric].to_numpy()[: len(values)], equal_nan=True)


def _ends(axes: Axes, curves: pd.DataFrame, metric: str, statuses: Mapping[str, str]) -> None:
    """Mark the end of each line of a trial that did not finish: the last finite value of the curves as drawn."""
    last = curves[np.isfinite(curves[metric])].groupby("trial").tail(1)
    for status, (marker, colour, label) in sorted(MARKS.items()):
        if status in statuses.values():
            rows = last[last["trial"].map(statuses) == status]
            axes.plot(rows["epoch"], rows[metric], marker, color=colour, ms=7, zorder=2, label=label)


def _diverged(curves: pd.DataFrame) -> dict[str, str]:
    """The status of the trials whose last report is not finite."""
    last = curves.groupby("trial").tail(1)
    return dict.fromkeys(last.loc[~np.isfinite(last["val_loss"]), "trial"], DIVERGED)


def _others(axes: Axes, curves: pd.DataFrame, metric: str, marker: str) -> None:
    """The trials that are not told apart, as one collection of lines: there may be thousands."""
    if curves.empty:
        return
    lines = [rows[["epoch", metric]].to_numpy() for _, rows in curves.groupby("trial")]
    axes.add_collection(LineCollection(lines, colors=PALE, linewidths=1.0, zorder=1))
    axes.plot(curves["epoch"], curves[metric], marker, ls="", color=PALE, zorder=1)
    axes.plot([], [], color=PALE, marker=marker, label="other trials")


def _finish(axes: Axes, values: pd.Series[Any], mode: str) -> None:
    """Whole epochs, a grid, and the metric's scale."""
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.25)
    scale(axes, values, mode)


def scale(axes: Axes, values: pd.Series[Any], mode: str) -> None:
    """Make the axis logarithmic if values to minimise span more than a factor of 10, logit for shares close to 1."""
    finite = values[np.isfinite(values)]
    if mode == "min" and _spans(finite[finite > 0]):
        axes.set_yscale("log")
    if mode == "max" and len(finite) and finite.min() > 0 and CLOSE < finite.max() < 1:
        axes.set_yscale("logit")
        axes.yaxis.set_major_locator(FixedLocator(SHARES))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_locator(NullLocator())


def _spans(values: pd.Series[Any]) -> bool:
    """Whether positive values differ by more than a factor of 10."""
    return bool(len(values) and values.min() > 0 and values.max() > 10 * values.min())


def parallel_coordinates(ranked: list[TrialRecord], varied: list[str], objective: Objective, path: Path) -> Path | None:
    """One line per trial through its hyperparameters to its best value; better trials are darker.

    Args:
        ranked: the trials that can be selected, best first.
        varied: hyperparameters, one axis each.
        objective: of the sweep.
        path: of the PNG file.

    Returns:
        The path; None if there is no trial to draw.
    """
    order = [record for record in reversed(ranked) if np.isfinite(record.best or 0.0)]  # the best is drawn last, on top
    if not order:
        return None
    best, stopped = [record.best or 0.0 for record in order], sum(record.status == STOPPED for record in order)
    is_logarithmic = _spans(pd.Series(best))
    figure = Figure(figsize=(2.2 * (len(varied) + 1), 4.6))
    axes = figure.subplots()
    _lines(axes, order, varied, np.log(best) if is_logarithmic else np.asarray(best))
    for height, value in {0.0: min(best), float(max(best) > min(best)): max(best)}.items():
        axes.text(len(varied) + 0.04, height, f"{value:.4g}", ha="left", va="center", fontsize=8, bbox=_PAPER)
    for position in range(len(varied) + 1):
        axes.axvline(position, color=GREY, lw=0.8, zorder=0)
    last = f"best validation\n{objective.metric}{', log scale' if is_logarithmic else ''}"
    axes.set_xticks(range(len(varied) + 1), [*varied, last])
    told = [counted(len(order), "trial"), *([f"{stopped} stopped early"] if stopped else [])]
    axes.set(yticks=[], xlim=(-0.4, len(varied) + 0.4), ylim=(-0.05, 1.05))
    axes.set_title(f"{', '.join(told)}{over_seeds(len(order[0].best_per_seed))}: the better, the darker")
    axes.spines[:].set_visible(False)
    scale = ScalarMappable(Normalize(1, max(2, len(order))), colormaps["viridis"])
    ticks = MaxNLocator(integer=True)
    figure.colorbar(scale, ax=axes, label="rank (1 is best)", ticks=ticks).ax.invert_yaxis()
    return write(figure, path)


def _lines(axes: Axes, order: list[TrialRecord], varied: list[str], values: NDArray[np.float64]) -> None:
    """The lines of the trials, worst first, with the labels of the hyperparameters' axes."""
    shades = np.linspace(1.0, 0.05, len(order))[::-1]
    places = {name: _places([getattr(record.config, name) for record in order]) for name in varied}
    last = (values - values.min()) / (np.ptp(values) or 1.0)
    heights = np.array([*(places[name][0] for name in varied), last])
    offsets = np.random.default_rng(0).uniform(-0.012, 0.012, size=heights.shape)  # equal choices stay apart
    lines = [np.column_stack([range(len(heights)), column]) for column in (heights + offsets).T]
    axes.add_collection(LineCollection(lines, colors=colormaps["viridis_r"](shades), linewidths=1.2 + 1.3 * shades))
    for position, name in enumerate(varied):
        for height, label in places[name][1]:
            axes.text(position - 0.04, height, label, ha="right", va="center", fontsize=8, bbox=_PAPER)


_PAPER = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.0}


def _places(values: list[Any]) -> tuple[list[float], list[tuple[float, str]]]:
    """Heights in [0, 1] of one hyperparameter's values, and the labels of its axis."""
    numbers = [value for value in values if isinstance(value, int | float)]
    if len(set(map(str, values))) <= 6 or len(numbers) < len(values):
        distinct = sorted(set(values), key=lambda value: (value is None, isinstance(value, str), value or 0))
        height = {value: rank / max(1, len(distinct) - 1) for rank, value in enumerate(distinct)}
        return [height[value] for value in values], [(height[value], hyperparameter(value)) for value in distinct]
    low, high = min(numbers), max(numbers)
    scale = np.log if low > 0 and high > 8 * low else np.asarray
    bottom, top = scale(low), scale(high)
    heights = [float((scale(value) - bottom) / (top - bottom)) for value in values]
    return heights, [(0.0, hyperparameter(low)), (1.0, hyperparameter(high))]


def retraining_curves(curves: pd.DataFrame, objective: Objective, path: Path) -> Path:
    """Training and validation loss, and the objective if it is another metric, of the winner: one shade per seed.

    Args:
        curves: the reports of its retrainings.
        objective: of the sweep.
        path: of the PNG file.
    """
    metrics, seeds = list(dict.fromkeys(["loss", objective.metric])), list(curves.groupby("trial"))
    window, lines = _window(curves), curves.copy()
    figure = Figure(figsize=(7.2 * len(metrics), 4.2))
    for axes, metric in zip(figure.subplots(1, len(metrics), squeeze=False)[0], metrics, strict=True):
        drawn = {f"train_{metric}": ("training", "Blues"), f"val_{metric}": ("validation", "Oranges")}
        # In training, only the loss is measured.
        drawn = {column: look for column, look in drawn.items() if column in curves}
        for column, (name, shades) in drawn.items():
            for (trial, rows), shade in zip(seeds, np.linspace(0.9, 0.45, len(seeds)), strict=True):
                label, colour = f"{name}, seed {str(trial).rpartition('-seed')[2]}", colormaps[shades](shade)
                look = {"color": colour, "lw": 1.2, "label": label}
                lines.loc[rows.index, column] = _smoothed(axes, rows["epoch"], rows[column], window, ".", **look)
        _ends(axes, lines, f"val_{metric}", _diverged(curves))
        axes.set(xlabel="epoch", ylabel=metric)
        axes.set_title(f"The winner retrained, {counted(len(seeds), 'seed')}: {metric}{_smoothing(window)}")
        _finish(axes, pd.concat([curves[column] for column in drawn]), "min" if metric == "loss" else objective.mode)
    handles = figure.axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc="upper center", bbox_to_anchor=(0.5, 0.0), fontsize=9, ncols=2)
    figure.tight_layout()
    return write(figure, path)
