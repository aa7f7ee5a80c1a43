"""Pictures of images, of their classes and of their reconstructions.

Every function that takes a path writes one PNG file there and returns the path.
Shape suffixes: N images, C classes, R rows and P pixels of an image.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ae.figures import BLUE, FigureData, plain, write

FEW_CLASSES, MANY_CLASSES = 10, 64
"""A confusion matrix has zeros up to the first number of classes, and counts and every name up to the second."""
PAIRS_PER_ROW = 10


def confusion_matrix(
    labels_N: NDArray[Any],
    predicted_N: NDArray[Any],
    class_names: Sequence[str],
    path: Path,
    what: str = "image",
) -> Path:
    """Counts of true class (rows) against predicted class (columns); colour marks the errors, off the diagonal.

    Args:
        labels_N: true classes, indices into `class_names`.
        predicted_N: predicted classes.
        class_names: of all classes.
        path: of the file.
        what: one of the things that are classified, in words.
    """
    classes = len(class_names)
    counts_CC = np.zeros((classes, classes), dtype=int)
    np.add.at(counts_CC, (labels_N, predicted_N), 1)
    errors_CC = counts_CC * (1 - np.eye(classes, dtype=int))
    few, many = classes <= FEW_CLASSES, classes > MANY_CLASSES
    side = max(6.0, 0.3 * min(classes, MANY_CLASSES))
    figure = Figure(figsize=(side, 0.9 * side))
    axes = figure.subplots()
    picture = axes.imshow(errors_CC, cmap="Oranges", vmin=0, vmax=max(1, errors_CC.max()))
    for row, column in np.ndindex(classes, classes) if few else () if many else np.argwhere(counts_CC):
        right, dark = row == column, errors_CC[row, column] > 0.6 * errors_CC.max()
        colour = BLUE if right else "white" if dark else "black" if counts_CC[row, column] else "#c9ced6"
        weight = "bold" if right and few else "normal"
        text = str(counts_CC[row, column])
        axes.text(column, row, text, ha="center", va="center", color=colour, weight=weight, fontsize=9 if few else 6)
    accuracy = np.trace(counts_CC) / counts_CC.sum()
    wrong = counts_CC.sum() - np.trace(counts_CC)
    of_all = f"{wrong:,} of {counts_CC.sum():,} test {what}s wrong"
    title = f"The saved model: {100 * accuracy:.2f} % right, {of_all}"
    axes.set_title(title)
    axes.set(xlabel="predicted class", ylabel="true class")
    named = range(0, classes, -(-classes // MANY_CLASSES))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks(named, [class_names[place] for place in named])
        axis.set_tick_params(labelsize=None if few else 8)
    axes.xaxis.set_tick_params(rotation=90 if many else 0)
    figure.colorbar(picture, label=f"wrong {what}s", shrink=0.8, ticks=MaxNLocator(integer=True))
    alt = f"Confusion matrix of true against predicted class. {title}.{_most_confused(errors_CC, class_names)}"
    content = {"counts": counts_CC.tolist(), "classes": list(class_names), "what": what}
    return write(figure, path, FigureData(kind="confusion", title=title, alt=alt, content=content))


def _most_confused(errors_CC: NDArray[np.int64], class_names: Sequence[str]) -> str:
    """The most frequent error, in words; empty without errors."""
    if not errors_CC.any():
        return ""
    true, predicted = divmod(int(errors_CC.argmax()), errors_CC.shape[1])
    return f" Most often, {class_names[true]} is taken for {class_names[predicted]}: {errors_CC.max()} times."


def first_of_each(labels_N: NDArray[Any]) -> list[int]:
    """The index of the first sequence of each class that has one, in the order of the classes."""
    return [int(np.flatnonzero(labels_N == label)[0]) for label in np.unique(labels_N)]


def image_pairs(images_NRP: NDArray[Any], reconstructed_NRP: NDArray[Any], titles: Sequence[str], path: Path) -> Path:
    """Images above their reconstructions, each with its MSE; pixels are in [0, 1]."""
    columns = min(len(titles), PAIRS_PER_ROW)
    rows = -(-len(titles) // columns)
    figure = Figure(figsize=(max(3.6, 1.1 * columns), 2.7 * rows))
    grid = figure.subplots(2 * rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for index, title in enumerate(titles):
        row, column = divmod(index, columns)
        mse = float(np.mean((images_NRP[index] - reconstructed_NRP[index]) ** 2))
        _image(grid[2 * row, column], images_NRP[index], title)
        _image(grid[2 * row + 1, column], reconstructed_NRP[index], f"MSE {mse:#.2g}")
    for row in range(rows):
        grid[2 * row, 0].set_ylabel("test image", fontsize=9)
        grid[2 * row + 1, 0].set_ylabel("reconstructed", fontsize=9)
    errors = [float(np.mean((images_NRP[at] - reconstructed_NRP[at]) ** 2)) for at in range(len(titles))]
    captions = [f"{title}: MSE {mse:#.2g}" for title, mse in zip(titles, errors, strict=True)]
    title = f"{len(titles)} test images with their reconstructions"
    alt = f"{title}, with mean squared errors from {min(errors):#.2g} to {max(errors):#.2g}."
    content: dict[str, Any] = {
        **_pixels(images_NRP[: len(titles)], "given"),
        **_pixels(reconstructed_NRP[: len(titles)], "output"),
    }
    content |= {"captions": captions, "mse": plain(errors)}
    return write(figure, path, FigureData(kind="images", title=title, alt=alt, content=content))


def _pixels(images_NRP: NDArray[Any], name: str) -> dict[str, Any]:
    """Pixels from 0 to 255 as base64 text, row by row, and their shape."""
    bytes_NRP = (np.clip(images_NRP, 0, 1) * 255).round().astype(np.uint8)
    return {"shape": list(images_NRP.shape[1:]), name: base64.b64encode(bytes_NRP.tobytes()).decode()}


def wrong_images(
    images_NRP: NDArray[Any],
    labels_N: NDArray[Any],
    predicted_N: NDArray[Any],
    class_names: Sequence[str],
    path: Path,
    most: int = 24,
) -> Path:
    """The first `most` images that were classified wrongly, with true and predicted class."""
    wrong = np.flatnonzero(labels_N != predicted_N)
    shown = wrong[:most]
    rows = max(1, -(-len(shown) // 8))
    figure = Figure(figsize=(8.8, 1.4 * rows + 0.6))
    title = f"The first {len(shown)} of {len(wrong):,} wrong test images: true class → predicted class"
    figure.suptitle(title)
    for axes in figure.subplots(rows, 8, squeeze=False).flat:
        axes.axis("off")
    for axes, index in zip(figure.axes, shown, strict=False):
        caption = f"{class_names[labels_N[index]]} → {class_names[predicted_N[index]]}"
        _image(axes, images_NRP[index], caption)
    figure.tight_layout()
    captions = [f"{class_names[labels_N[at]]} → {class_names[predicted_N[at]]}" for at in shown]
    content = {"captions": captions, **_pixels(images_NRP[shown], "given")}
    return write(figure, path, FigureData(kind="images", title=title, alt=f"{title}.", content=content))


def _image(axes: Axes, image_RP: NDArray[Any], title: str) -> None:
    axes.axis("on")
    axes.imshow(image_RP, cmap="gray_r", vmin=0, vmax=1)
    axes.set_title(title, fontsize=9)
    axes.set(xticks=[], yticks=[])
