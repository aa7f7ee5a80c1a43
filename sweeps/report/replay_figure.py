"""The chart of a replay: regret against cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator

from ae.figures import GREY, write
from ae.task import Task
from ae.words import counted
from sweeps.config.choices import SCHEDULERS

SIZE = 8.0
"""Size of a mark with the smallest reduction factor, in points."""
MARKERS = dict(zip(SCHEDULERS, ("o", "s", "D", "^", "P"), strict=True))
COSTS = {"epochs_percent": "epochs spent, % of the full grid", "wall_s": "predicted wall time, s"}


def draw(frame: pd.DataFrame, task: Task, path: Path) -> Path:
    """Regret against epochs (above) and wall time (below): one panel per number of workers, one mark per setting.

    Args:
        frame: as `sweeps.pipeline.replay.compared` makes it.
        task: of the sweep.
        path: of the PNG file, which is returned.
    """
    counts, graces = frame["workers"].unique(), sorted(frame["grace_period"].dropna().unique())
    colours = dict(zip(graces, colormaps["viridis"](np.linspace(0, 0.85, len(graces))), strict=True))
    factors = sorted(frame["reduction_factor"].dropna().unique())
    sizes = {factor: SIZE + 4 * place for place, factor in enumerate(factors)}
    figure = Figure(figsize=(1.6 + 3.1 * max(2, len(counts)), 6.6))
    panels = figure.subplots(len(COSTS), len(counts), sharey=True, sharex="row", squeeze=False)
    for line, (cost, label) in zip(panels, COSTS.items(), strict=True):
        for axes, workers in zip(line, counts, strict=True):
            _marks(axes, frame[frame["workers"] == workers], cost, colours, sizes)
            axes.set(xlabel=label, title=counted(workers, "worker"))
            _scale(axes, frame, cost)
        line[0].set_ylabel(f"regret, validation {task.objective.metric}")
    marks = [Line2D([], [], ls="", marker=MARKERS[name], **_mark(GREY), label=name) for name in _names(frame)]
    marks.append(Line2D([], [], ls="", marker="o", color=GREY, ms=SIZE, label="filled: the sweep's own"))
    if len(sizes) > 1:
        marks += [
            Line2D([], [], ls="", marker="o", **_mark(GREY, size), label=f"reduction factor {factor}")
            for factor, size in sizes.items()
        ]
    shades = [Line2D([], [], lw=6, color=colours[grace], label=f"grace period {grace}") for grace in graces]
    figure.legend(handles=marks + shades, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=4, fontsize=9)
    figure.suptitle(f"{task.name}; regret 0: the best value of the full grid was found", fontsize=12)
    figure.tight_layout()
    return write(figure, path)


def _names(frame: pd.DataFrame) -> list[str]:
    return [str(name) for name in frame["scheduler"].unique()]


def _mark(colour: Any, size: float = SIZE) -> dict[str, Any]:
    """Hollow, so that settings with equal results are seen through one another."""
    return {"color": colour, "ms": size, "mew": 2, "mfc": "none"}


def _marks(axes: Axes, rows: pd.DataFrame, cost: str, colours: dict[int, Any], sizes: dict[int, float]) -> None:
    for row in rows.to_dict("records"):
        colour = colours.get(row["grace_period"], GREY)
        mark = _mark(colour, sizes.get(row["reduction_factor"], SIZE)) | (
            {"mfc": colour, "zorder": 3} if row["own"] else {}
        )
        axes.plot(row[cost], row["regret"], MARKERS[row["scheduler"]], **mark, clip_on=False)


def _scale(axes: Axes, frame: pd.DataFrame, cost: str) -> None:
    """Percentages from 0, seconds on a logarithmic axis; symlog for regret that spans more than a factor of 10."""
    axes.grid(alpha=0.25)
    if cost == "wall_s":
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("")
    else:
        axes.set_xlim(0, 105)
    regret = frame["regret"].abs()
    if regret.max() > 10 * regret[regret > 0].min():
        axes.set_yscale("symlog", linthresh=regret[regret > 0].min())
    elif not regret.any():
        axes.set(ylim=(-1, 1), yticks=[0])
