"""The chart of what decides a sweep's objective."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from ae.figures import BLUE, write
from ae.task import Objective
from sweeps.report.charts import PALE


def draw(shares: Mapping[str, float], epoch: int, objective: Objective, path: Path) -> Path | None:
    """One bar per hyperparameter, and one for what combinations explain.

    Args:
        shares: of the objective's variance that each hyperparameter explains by itself, largest first.
        epoch: the last one that all compared trials reached.
        objective: of the sweep.
        path: of the PNG file.

    Returns:
        The path; None if there are no shares.
    """
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
