"""Figures of a user's own sequences.

Shape suffixes: T time steps, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ae.figures import GREY, ORANGE, write


def reconstructions(
    pairs: Sequence[tuple[NDArray[np.float64], ...]], titles: Sequence[str], columns: Sequence[str], path: Path
) -> Path:
    """Sequences (T, F) and their reconstructions, the feature that varies most, in the data's own units."""
    rows = -(-len(pairs) // 2)
    figure = Figure(figsize=(10.0, 2.4 * rows), layout="constrained")
    axes = figure.subplots(rows, 2, squeeze=False)
    for axis, (given_TF, output_TF), title in zip(axes.flat, pairs, titles, strict=False):
        feature = int(np.argmax(given_TF.std(axis=0) / np.maximum(np.abs(given_TF).max(axis=0), 1e-12)))
        axis.plot(given_TF[:, feature], label="data", color=GREY)
        axis.plot(output_TF[:, feature], label="reconstruction", color=ORANGE, linestyle="--")
        axis.set_title(title, fontsize=10)
        axis.set_ylabel(columns[feature])
    for axis in axes.flat[len(pairs) :]:
        axis.set_axis_off()
    for axis in axes[-1]:
        axis.set_xlabel("time step")
    axes[0, 0].legend()
    return write(figure, path)
