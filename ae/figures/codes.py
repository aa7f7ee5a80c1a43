"""A map of context vectors.

Shape suffixes: N sequences, H hidden units, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ae.figures import BLUE, GREY, ORANGE, FigureData, plain, write

COLOURS = (BLUE, ORANGE, "#2f9e5a", "#8e44ad", "#c0392b", "#17a2b8", "#b8860b", "#e377c2", GREY, "#1c2430")
"""One per class; with more classes, colour shows the error."""
MARKERS = "os^Dv"


def code_map(
    codes_NH: NDArray[Any],
    errors_N: NDArray[np.float64],
    labels_N: NDArray[np.int64] | None,
    class_names: Sequence[str],
    path: Path,
) -> Path:
    """Context vectors on the two axes of their largest variance, coloured by class, or by error without classes.

    Args:
        codes_NH: context vectors.
        errors_N: reconstruction errors.
        labels_N: classes; None if there are none.
        class_names: of all classes.
        path: of the file.
    """
    places_N2, shares_2 = two_axes(codes_NH)
    figure = Figure(figsize=(7.6, 5.6))
    axes = figure.subplots()
    if labels_N is not None and len(np.unique(labels_N)) <= len(COLOURS):
        _by_class(axes, places_N2, labels_N, class_names)
        colour = "class"
    else:
        positive = errors_N[errors_N > 0]
        is_wide = len(positive) > 1 and positive.max() > 10 * positive.min()
        norm = LogNorm(positive.min(), positive.max()) if is_wide else Normalize(0, max(errors_N.max(), 1e-12))
        order_N = np.argsort(errors_N)  # the large ones on top
        shown_N = np.maximum(errors_N[order_N], positive.min() if len(positive) else 0)
        points = axes.scatter(
            places_N2[order_N, 0], places_N2[order_N, 1], c=shown_N, norm=norm, cmap="viridis", s=14, lw=0
        )
        figure.colorbar(points, label="mean squared reconstruction error")
        colour = "error"
    first, second = (f"component, {100 * share:.0f} % of the variance" for share in shares_2)
    axes.set(xlabel=f"first {first}", ylabel=f"second {second}")
    title = f"Context vectors z of {len(codes_NH):,} test sequences, coloured by {colour}"
    axes.set_title(title, fontsize=11)
    axes.grid(alpha=0.25)
    figure.tight_layout()
    content = {
        "places": plain(places_N2),
        "errors": plain(errors_N),
        "labels": labels_N.tolist() if colour == "class" and labels_N is not None else None,
        "classes": list(class_names),
        "axes": [f"first {first}", f"second {second}"],
    }
    alt = f"{title}, on the two axes of their largest variance: {shares_2[0]:.0%} and {shares_2[1]:.0%} of it."
    return write(figure, path, FigureData(kind="codes", title=title, alt=alt, content=content))


def two_axes(codes_NH: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places (N, 2) on the two principal axes, and the share of the variance along each; 0 where there is no axis."""
    centred_NH = codes_NH.astype(np.float64) - codes_NH.mean(axis=0, dtype=np.float64)
    _, sizes, directions = np.linalg.svd(centred_NH, full_matrices=False)
    places_N2, shares_2 = np.zeros((len(codes_NH), 2)), np.zeros(2)
    axes = min(2, len(sizes))
    places_N2[:, :axes] = centred_NH @ directions[:axes].T
    shares_2[:axes] = sizes[:axes] ** 2 / max(float((sizes**2).sum()), 1e-300)
    return places_N2, shares_2


def _by_class(
    axes: Axes, places_N2: NDArray[np.float64], labels_N: NDArray[np.int64], class_names: Sequence[str]
) -> None:
    labels, counts = np.unique(labels_N, return_counts=True)
    for number, label in enumerate(labels):
        colour, marker = COLOURS[number], MARKERS[number % len(MARKERS)]
        legend = f"{class_names[label]} ({counts[number]:,})"
        first_N, second_N = places_N2[labels_N == label].T
        axes.scatter(first_N, second_N, s=16, lw=0, alpha=0.75, color=colour, marker=marker, label=legend)
    axes.legend(title="class", loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=9)
