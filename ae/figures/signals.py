"""Pictures of signals with one feature, and of their reconstructions.

Every function writes one PNG file and returns its path.
Shape suffixes: N signals, T time steps.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ae.figures import BLUE, ORANGE, FigureData, plain, write
from ae.words import counted


def example_signals(signals_NT: NDArray[Any], path: Path, count: int = 3) -> Path:
    """The first signals of a split, one axis each."""
    count = min(count, len(signals_NT))
    figure = Figure(figsize=(8.0, 1.5 * count + 0.6))
    rows = figure.subplots(count, 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for index, axes in enumerate(rows):
        axes.plot(signals_NT[index], ".-", color=BLUE, ms=4, lw=1)
        axes.set_ylabel("value")
        axes.grid(alpha=0.25)
    rows[0].set_title(f"{counted(count, 'example signal')} of the training split")
    rows[-1].set_xlabel("time step")
    figure.tight_layout()
    title = f"{counted(count, 'example signal')} of the training split"
    return write(figure, path, _data(title, [f"training signal {at + 1}" for at in range(count)], signals_NT))


def signal_pairs(signals_NT: NDArray[Any], reconstructed_NT: NDArray[Any], path: Path, count: int = 2) -> Path:
    """The first signals of a split with their reconstructions, one axis each, with its MSE."""
    count = min(count, len(signals_NT))
    figure = Figure(figsize=(8.0, 2.3 * count + 0.4))
    rows = figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0]
    for index, axes in enumerate(rows):
        mse = float(np.mean((signals_NT[index] - reconstructed_NT[index]) ** 2))
        axes.plot(signals_NT[index], ".-", color=BLUE, ms=4, lw=1, label="test signal")
        axes.plot(reconstructed_NT[index], ".--", color=ORANGE, ms=4, lw=1, label="reconstructed")
        axes.set(ylabel="value", title=f"test signal {index + 1}: MSE {mse:#.2g}")
        axes.grid(alpha=0.25)
    rows[-1].set_xlabel("time step")
    handles = rows[0].get_legend_handles_labels()
    figure.legend(*handles, loc="upper center", bbox_to_anchor=(0.5, 0.0), fontsize=9, ncols=2)
    figure.tight_layout()
    errors = [float(np.mean((signals_NT[at] - reconstructed_NT[at]) ** 2)) for at in range(count)]
    titles = [f"test signal {at + 1}: MSE {mse:#.2g}" for at, mse in enumerate(errors)]
    title = f"{counted(count, 'test signal')} with {'its' if count == 1 else 'their'} reconstruction{'s'[: count - 1]}"
    return write(figure, path, _data(title, titles, signals_NT, reconstructed_NT))


def _data(
    title: str, titles: list[str], signals_NT: NDArray[Any], reconstructed_NT: NDArray[Any] | None = None
) -> FigureData:
    items = [
        {
            "title": name,
            "index": list(range(signals_NT.shape[1])),
            "panels": [
                {
                    "name": "value",
                    "given": plain(signals_NT[at]),
                    "output": None if reconstructed_NT is None else plain(reconstructed_NT[at]),
                }
            ],
        }
        for at, name in enumerate(titles)
    ]
    alt = f"{title}: {', '.join(titles)}."
    return FigureData(kind="lines", title=title, alt=alt, content={"items": items, "what": "reconstruction"})
