"""Pictures of sequences in their own units, with what a model makes of them.

Every function writes one PNG file and returns its path. Shape suffixes: T time steps, F features, S forecast steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ae.figures import BLUE, GREY, ORANGE, FigureData, plain, write

COLUMNS = 3
"""Sequences next to each other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """A sequence and what a model makes of it, in the data's units."""

    title: str
    index_T: NDArray[Any]
    """Numbers, or times."""
    given_TF: NDArray[np.float64]
    """NaN where a value is missing."""
    output_TF: NDArray[np.float64]
    """The reconstruction; or the forecast, NaN before it begins."""
    features: Sequence[int]
    """Which of them to draw."""


def reconstructions(each: Sequence[Shown], columns: Sequence[str], title: str, path: Path) -> Path:
    """Sequences with their reconstructions, a panel per feature."""
    panels = max(len(shown.features) for shown in each)
    rows = -(-len(each) // COLUMNS)
    height = max(1.1, 0.8 * panels)
    gap = 0.7 if each[0].index_T.dtype.kind == "M" else 0.55  # inches; dates take a line more
    figure = Figure(figsize=(10.4, rows * (height + gap) + 0.6))
    grid = figure.add_gridspec(rows, COLUMNS, hspace=gap / height, wspace=0.22)
    for place, shown in enumerate(each):
        inner = grid[place // COLUMNS, place % COLUMNS].subgridspec(panels, 1, hspace=0.12)
        for panel, feature in enumerate(shown.features):
            axes = figure.add_subplot(inner[panel])
            _pair(axes, shown, feature, "reconstruction")
            if panel == 0:
                axes.set_title(shown.title, fontsize=9)
            if len(columns) > 1:
                axes.set_ylim(top=axes.get_ylim()[1] + 0.3 * np.ptp(axes.get_ylim()))
                axes.text(0.01, 0.95, columns[feature], transform=axes.transAxes, fontsize=8, va="top", color="dimgrey")
            label_time(axes, shown.index_T, is_last=panel == len(shown.features) - 1)
    inches = figure.get_figheight()
    figure.suptitle(title, fontsize=11, y=1 - 0.1 / inches)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", bbox_to_anchor=(0.5, -0.2 / inches), fontsize=9, ncols=2)
    figure.subplots_adjust(top=1 - 0.6 / inches, bottom=0.5 / inches, left=0.05, right=0.99)
    return write(figure, path, lines_data(each, columns, title, "reconstruction"))


def forecasts(each: Sequence[Shown], columns: Sequence[str], path: Path) -> Path:
    """Sequences whose end is forecast, with the truth and with persistence, one feature each."""
    figure = Figure(figsize=(10.4, 2.6 * -(-len(each) // 2)))
    grid = figure.subplots(-(-len(each) // 2), 2, squeeze=False)
    for axes in grid.flat[len(each) :]:
        axes.set_axis_off()
    for axes, shown in zip(grid.flat, each, strict=False):
        feature = shown.features[0]
        start = int(np.isnan(shown.output_TF[:, feature]).sum())
        truth_S, forecast_S = (values_TF[start:, feature] for values_TF in (shown.given_TF, shown.output_TF))
        before_T = shown.given_TF[:start, feature]
        known_T = before_T[~np.isnan(before_T)]
        naive = float(known_T[-1]) if len(known_T) else float("nan")
        _pair(axes, shown, feature, "forecast")
        axes.hlines(naive, shown.index_T[start], shown.index_T[-1], color=GREY, ls=":", label="persistence")
        axes.axvline(shown.index_T[start], color=GREY, lw=0.8)
        rmse, naive_rmse = (_rmse(guess, truth_S) for guess in (forecast_S, naive))
        axes.set_title(f"{shown.title}: RMSE {rmse:.3g}, persistence {naive_rmse:.3g}", fontsize=9)
        axes.set_ylabel(columns[feature], fontsize=9)
        label_time(axes, shown.index_T)
    figure.legend(
        *grid[0, 0].get_legend_handles_labels(), loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=3, fontsize=9
    )
    title = "Test sequences: the last quarter, forecast from the steps before it, step by step"
    figure.suptitle(title, fontsize=11)
    figure.tight_layout()
    return write(figure, path, lines_data(each, columns, title, "forecast"))


def lines_data(each: Sequence[Shown], columns: Sequence[str], title: str, what: str) -> FigureData:
    """Sequences with what a model makes of them, as data.

    Args:
        each: the sequences.
        columns: the names of all features.
        title: of the picture.
        what: "reconstruction" or "forecast".
    """
    items = [
        {
            "title": shown.title,
            "index": plain(shown.index_T),
            "panels": [
                {
                    "name": columns[feature],
                    "given": plain(shown.given_TF[:, feature]),
                    "output": plain(shown.output_TF[:, feature]),
                }
                for feature in shown.features
            ],
        }
        for shown in each
    ]
    alt = f"{title}. Each is drawn with its {what}: {'; '.join(shown.title for shown in each)}."
    return FigureData(kind="lines", title=title, alt=alt, content={"items": items, "what": what})


def label_time(axes: Axes, index_T: NDArray[Any], is_last: bool = True) -> None:
    """Few, short marks on the axis of time; none unless it is the last of several axes."""
    axes.tick_params(labelsize=8, labelbottom=is_last)
    axes.grid(alpha=0.25)
    if index_T.dtype.kind == "M":
        locator = AutoDateLocator(minticks=2, maxticks=5)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
        axes.xaxis.get_offset_text().set(size=8, visible=is_last)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=bool((index_T == np.round(index_T)).all())))
    axes.yaxis.set_major_locator(MaxNLocator(3))


def _pair(axes: Axes, shown: Shown, feature: int, what: str) -> None:
    given_T, output_T = shown.given_TF[:, feature], shown.output_TF[:, feature]
    has_gaps = np.isnan(given_T).any()
    marks: dict[str, Any] = {"marker": ".", "ms": 4} if has_gaps else {}
    axes.plot(shown.index_T, given_T, color=BLUE, lw=1.2, label="data", **marks)
    axes.plot(shown.index_T, output_T, color=ORANGE, lw=1.2, ls="--", label=what)


def _rmse(guess: Any, truth_S: NDArray[np.float64]) -> float:
    squares_S = (guess - truth_S) ** 2
    return float(np.sqrt(np.nanmean(squares_S))) if not np.isnan(squares_S).all() else float("nan")
