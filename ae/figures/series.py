"""A picture of one long series with the errors of its steps.

Shape suffixes: P time steps of the series, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ae.figures import BLUE, GREY, ORANGE, FigureData, plain, write
from ae.figures.lines import label_time
from ae.merging import intervals
from ae.series import Merged
from ae.words import counted

MOST_STEPS = 4_000
"""Steps in the data of the figure."""
AROUND = 150
"""Steps on either side of the worst interval in the close-up."""
TRUE = "#c0392b"
"""Colour of what the data says is an anomaly."""


def flagged_series(
    series: Merged, threshold: float, spread_F: NDArray[Any], columns: Sequence[str], path: Path
) -> Path:
    """The series, the error of every step with the flagged intervals, and a close-up of the worst of them.

    Args:
        series: its steps.
        threshold: above which a step is flagged.
        spread_F: the scale of each feature; the one that varies most on it is shown.
        columns: the names of the features.
        path: of the file.
    """
    flagged_P = series.errors_P > threshold
    found = intervals(flagged_P)
    figure = Figure(figsize=(10.4, 6.6))
    whole, errors, close = figure.subplots(3, 1, height_ratios=(1.2, 1.0, 1.3))
    close_up = _close_up(series, found)
    feature = int(np.argmax(_nan_std(series.values_PF / spread_F)))
    whole.plot(series.index_P, series.values_PF[:, feature], color=BLUE, lw=0.8, label="data")
    errors.plot(series.index_P, series.errors_P, color=GREY, lw=0.8, label="error")
    errors.axhline(threshold, color="black", lw=1, ls="--", label=f"threshold {threshold:.3g}")
    for axes in (whole, errors):
        _shade(axes, series.index_P, flagged_P, series.unusual_P)
        axes.set_xlim(series.index_P[0], series.index_P[-1])
    worst = int(np.nanargmax(_share(series, close_up, spread_F)))
    _zoom(close, series, close_up, worst, flagged_P)
    whole.set_ylabel(columns[feature], fontsize=9)
    errors.set_ylabel("error of a step", fontsize=9)
    close.set_ylabel(columns[worst], fontsize=9)
    for axes in (whole, errors, close):
        label_time(axes, series.index_P)
    whole.set_title(_title(series, found), fontsize=11)
    close.set_title(
        "Close-up of the largest error" if found else "Close-up of the largest error, not flagged", fontsize=10
    )
    handles = {
        label: handle for axes in figure.axes for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles.keys(), loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=6, fontsize=9)
    figure.tight_layout()
    return write(figure, path, _data(series, found, threshold, columns, feature))


def _data(
    series: Merged, found: list[tuple[int, int]], threshold: float, columns: Sequence[str], feature: int
) -> FigureData:
    """The steps, thinned to `MOST_STEPS`: of the steps that stand for one, the largest error stays."""
    steps = len(series.errors_P)
    every = -(-steps // MOST_STEPS)
    starts = np.arange(0, steps, every)
    largest = [
        start + int(np.nan_to_num(series.errors_P[start : start + every], nan=-1.0).argmax()) for start in starts
    ]
    content = {
        "index": plain(series.index_P[largest]),
        "column": columns[feature],
        "given": plain(series.values_PF[largest, feature]),
        "output": plain(series.reconstructed_PF[largest, feature]),
        "errors": plain(series.errors_P[largest]),
        "threshold": plain(threshold),
        "flagged": [[start // every, (end - 1) // every] for start, end in found],
        "labelled": None
        if series.unusual_P is None
        else [[start // every, (end - 1) // every] for start, end in intervals(series.unusual_P)],
        "every": every,
    }
    title = _title(series, found)
    alt = f"One long series with the error of every step. {title}."
    return FigureData(kind="series", title=title, alt=alt, content=content)


def _title(series: Merged, found: list[tuple[int, int]]) -> str:
    words = f"{len(series.errors_P):,} test steps, {counted(len(found), 'interval')} flagged"
    if series.unusual_P is None:
        return words
    true = intervals(series.unusual_P)
    hits = sum(any(_meet(one, other) for other in found) for one in true)
    alarms = sum(not any(_meet(one, other) for other in true) for one in found)
    of_all = f"{hits:,} of {len(true):,} labelled {'anomaly' if len(true) == 1 else 'anomalies'} found"
    return f"{words}; {of_all}, {counted(alarms, 'false alarm')}"


def _meet(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two intervals share a step, or touch."""
    return one[0] <= other[1] and other[0] <= one[1]


def _close_up(series: Merged, found: list[tuple[int, int]]) -> slice:
    """The steps around the largest error."""
    errors_P = np.nan_to_num(series.errors_P, nan=-1.0)
    worst = int(errors_P.argmax())
    start, end = next((each for each in found if each[0] <= worst < each[1]), (worst, worst + 1))
    return slice(max(0, start - AROUND), min(len(errors_P), end + AROUND))


def _share(series: Merged, where: slice, spread_F: NDArray[Any]) -> NDArray[np.float64]:
    """The largest error of each feature in the close-up."""
    differences_PF = np.abs(series.values_PF - series.reconstructed_PF)[where] / spread_F
    return np.nan_to_num(differences_PF, nan=0.0).max(axis=0)


def _nan_std(values_PF: NDArray[np.float64]) -> NDArray[np.float64]:
    has_F = ~np.isnan(values_PF).all(axis=0)
    return np.where(has_F, np.nanstd(np.where(has_F, values_PF, 0.0), axis=0), 0.0)


def _zoom(axes: Axes, series: Merged, where: slice, feature: int, flagged_P: NDArray[np.bool_]) -> None:
    index_P = series.index_P[where]
    axes.plot(index_P, series.values_PF[where, feature], color=BLUE, lw=1.2, label="data")
    axes.plot(index_P, series.reconstructed_PF[where, feature], color=ORANGE, lw=1.2, ls="--", label="reconstruction")
    unusual_P = None if series.unusual_P is None else series.unusual_P[where]
    _shade(axes, index_P, flagged_P[where], unusual_P)
    axes.set_xlim(index_P[0], index_P[-1])


def _shade(axes: Axes, index_P: Any, flagged_P: NDArray[np.bool_], unusual_P: NDArray[np.bool_] | None) -> None:
    """Flagged steps in the whole height, labelled ones as a bar at the top; either is a pixel wide at least."""
    marks = [(flagged_P, ORANGE, "flagged", 0.0, 0.3)]
    if unusual_P is not None:
        marks.append((unusual_P, TRUE, "labelled anomaly", 0.93, 1.0))
    for mask_P, colour, label, low, alpha in marks:
        if mask_P.any():
            style: dict[str, Any] = {"color": colour, "alpha": alpha, "lw": 1.0, "label": label}
            axes.fill_between(index_P, low, 1, where=mask_P, transform=axes.get_xaxis_transform(), **style)
