"""Pictures of images, of their classes and of their reconstructions.

Every function that takes a path writes one PNG file there and returns the path.
Shape suffixes: N images, C classes, R rows and P pixels of an image.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ae.figures import BLUE, write


def confusion_matrix(labels_N: NDArray[Any], predicted_N: NDArray[Any], path: Path) -> Path:
    """Counts of true class (rows) against predicted class (columns); colour marks the errors, off the diagonal."""
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
    """The index of the first sequence of each class, and the class as its title."""
    labels = np.unique(labels_N)
    return [int(np.flatnonzero(labels_N == label)[0]) for label in labels], [str(label) for label in labels]


def image_pairs(
    images_NRP: NDArray[Any], reconstructed_NRP: NDArray[Any], shown: Sequence[int], titles: Sequence[str], path: Path
) -> Path:
    """The shown images above their reconstructions, each with its MSE; pixels are in [0, 1]."""
    figure = Figure(figsize=(max(3.6, 1.1 * len(shown)), 2.7))
    grid = figure.subplots(2, len(shown), squeeze=False)
    for column, (index, title) in enumerate(zip(shown, titles, strict=True)):
        mse = float(np.mean((images_NRP[index] - reconstructed_NRP[index]) ** 2))
        _image(grid[0, column], images_NRP[index], title)
        _image(grid[1, column], reconstructed_NRP[index], f"MSE {mse:#.2g}")
    for row, name in enumerate(("test image", "reconstructed")):
        grid[row, 0].set_ylabel(name, fontsize=9)
    return write(figure, path)


def wrong_images(
    images_NRP: NDArray[Any], labels_N: NDArray[Any], predicted_N: NDArray[Any], path: Path, most: int = 24
) -> Path:
    """The first `most` images that were classified wrongly, with true and predicted class."""
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
