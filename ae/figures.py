"""Pictures of data and of what a model does to it.

Every function that takes a path leaves one PNG file there, and returns the path.
Shape suffixes: N sequences, T time steps, F features, C classes, R rows and P pixels of an image.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ae.words import counted

BLUE, ORANGE, GREY = "#1f6fb2", "#d9730d", "#6b7280"
DPI = 120


def write(figure: Figure, path: Path) -> Path:
    """Save as PNG and return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DPI, bbox_inches="tight")
    return path


def confusion_matrix(labels_N: NDArray[Any], predicted_N: NDArray[Any], path: Path) -> Path:
    """Counts of true class (rows) against predicted class (columns); the diagonal is right, errors stand out."""
    classes = int(max(labels_N.max(), predicted_N.max())) + 1
    counts_CC = np.zeros((classes, classes), dtype=int)
    np.add.at(counts_CC, (labels_N, predicted_N), 1)
    errors_CC = counts_CC * (1 - np.eye(classes, dtype=int))
    figure = Figure(figsize=(6, 5.4))
    axes = figure.subplots()
    picture = axes.imshow(errors_CC, cmap="Oranges", vmin=0, vmax=max(1, errors_CC.max()))
    for row, column in np.ndindex(classes, classes):
        right, dark = row == column, errors_CC[row, column] > 0.6 * errors_CC.max()
        colour = BLUE if right else "white" if dark else "black" if counts_CC[row, column] else "#c9ced6"
        weight = "bold" if right else "normal"
        text = str(counts_CC[row, column])
        axes.text(column, row, text, ha="center", va="center", color=colour, weight=weight, fontsize=9)
    accuracy = np.trace(counts_CC) / counts_CC.sum()
    wrong = counts_CC.sum() - np.trace(counts_CC)
    axes.set_title(f"The saved model: {100 * accuracy:.2f} % right, {wrong:,} of {counts_CC.sum():,} test images wrong")
    axes.set(xlabel="predicted class", ylabel="true class", xticks=range(classes), yticks=range(classes))
    figure.colorbar(picture, label="wrong images", shrink=0.8)
    return write(figure, path)


def first_of_each(labels_N: NDArray[Any]) -> tuple[list[int], list[str]]:
    """Index of the first sequence of each class, and the class as its title."""
    labels = np.unique(labels_N)
    return [int(np.flatnonzero(labels_N == label)[0]) for label in labels], [str(label) for label in labels]


def image_pairs(
    images_NRP: NDArray[Any], reconstructed_NRP: NDArray[Any], shown: Sequence[int], titles: Sequence[str], path: Path
) -> Path:
    """Some images above their reconstructions, with the MSE of each in squared pixel values of [0, 1]."""
    figure = Figure(figsize=(max(3.6, 1.1 * len(shown)), 2.7))
    grid = figure.subplots(2, len(shown), squeeze=False)
    for column, (index, title) in enumerate(zip(shown, titles, strict=True)):
        mse = float(np.mean((images_NRP[index] - reconstructed_NRP[index]) ** 2))
        _image(grid[0, column], images_NRP[index], title)
        _image(grid[1, column], reconstructed_NRP[index], f"MSE {mse:#.2g}")
    for row, name in enumerate(("test image", "reconstructed")):
        grid[row, 0].set_ylabel(name, fontsize=9)
    return write(figure, path)


def signals(signals_NT: NDArray[Any], path: Path, count: int = 3) -> Path:
    """The first signals of a split, an axis each."""
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
    return write(figure, path)


def signal_pairs(signals_NT: NDArray[Any], reconstructed_NT: NDArray[Any], path: Path, count: int = 2) -> Path:
    """The first signals of a split with their reconstructions, an axis each, and the MSE of each."""
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
    return write(figure, path)


def wrong_images(
    images_NRP: NDArray[Any], labels_N: NDArray[Any], predicted_N: NDArray[Any], path: Path, most: int = 24
) -> Path:
    """The first images that were classified wrongly, with true and predicted class."""
    wrong = np.flatnonzero(labels_N != predicted_N)
    shown = wrong[:most]
    rows = max(1, -(-len(shown) // 8))
    figure = Figure(figsize=(8.8, 1.4 * rows + 0.6))
    figure.suptitle(f"The first {len(shown)} of {len(wrong):,} wrong test images: true class → predicted class")
    for axes in figure.subplots(rows, 8, squeeze=False).flat:
        axes.axis("off")
    for axes, index in zip(figure.axes, shown, strict=False):
        axes.axis("on")
        _image(axes, images_NRP[index], f"{labels_N[index]} → {predicted_N[index]}")
    figure.tight_layout()
    return write(figure, path)


def _image(axes: Axes, image_RP: NDArray[Any], title: str) -> None:
    axes.imshow(image_RP, cmap="gray_r", vmin=0, vmax=1)
    axes.set_title(title, fontsize=9)
    axes.set(xticks=[], yticks=[])
