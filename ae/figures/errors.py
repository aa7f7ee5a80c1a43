"""Pictures of reconstruction errors, and of how well they tell anomalies.

Every function writes one PNG file and returns its path. Shape suffixes: N sequences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ae.figures import BLUE, GREY, ORANGE, FigureData, plain, write

BINS = 40
CURVE_POINTS = 300
"""Most points of a curve in the data of a figure."""
WIDE = 10
"""Ratio of the largest to the smallest error from which on the axis is logarithmic."""
THRESHOLDS = {"quantile": ("99 % of the validation errors are below", "--"), "best_f1": ("best F1 on validation", "-")}
"""What a line at a threshold says, and how it looks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """The errors of some sequences."""

    words: str
    errors_N: NDArray[np.float64]
    is_abnormal: bool = False
    is_test: bool = True


def error_histogram(groups: Sequence[Group], thresholds: Mapping[str, float], path: Path) -> Path:
    """The share of each group's sequences by error: the test filled, validation as a line; and the thresholds."""
    edges, is_wide = _edges(np.concatenate([group.errors_N for group in groups]))
    figure = Figure(figsize=(9.0, 4.0))
    axes = figure.subplots()
    for group in groups:
        style: dict[str, Any] = (
            {"histtype": "stepfilled", "alpha": 0.45} if group.is_test else {"histtype": "step", "lw": 1.6}
        )
        share = np.full(len(group.errors_N), 100 / len(group.errors_N))
        colour = ORANGE if group.is_abnormal else BLUE
        axes.hist(
            np.clip(group.errors_N, edges[0], edges[-1]),
            edges.tolist(),
            weights=share,
            color=colour,
            label=group.words,
            **style,
        )
    for name, value in thresholds.items():
        words, line = THRESHOLDS[name]
        axes.axvline(value, color="black", lw=1.2, ls=line, label=f"threshold, {words}: {value:.3g}")
    if is_wide:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(_plain)
        axes.xaxis.set_minor_formatter(_plain)
    axes.set(
        xlabel="mean squared reconstruction error of a sequence, on the model's scale", ylabel="% of the sequences"
    )
    axes.set_title("Reconstruction errors: filled test, lines validation", fontsize=11)
    axes.grid(alpha=0.25)
    figure.legend(loc="upper center", bbox_to_anchor=(0.5, 0.0), fontsize=9, ncols=2)
    figure.tight_layout()
    return write(figure, path, _histogram(groups, thresholds, edges, is_wide))


def _histogram(
    groups: Sequence[Group], thresholds: Mapping[str, float], edges: NDArray[np.float64], is_wide: bool
) -> FigureData:
    clipped = [np.clip(group.errors_N, edges[0], edges[-1]) for group in groups]
    content = {
        "edges": plain(edges),
        "is_wide": is_wide,
        "groups": [
            {
                "words": group.words,
                "shares": plain(100 * np.histogram(errors_N, edges)[0] / max(1, len(errors_N))),
                "is_abnormal": group.is_abnormal,
                "is_test": group.is_test,
            }
            for group, errors_N in zip(groups, clipped, strict=True)
        ],
        "thresholds": [{"words": THRESHOLDS[name][0], "value": plain(value)} for name, value in thresholds.items()],
    }
    medians = "; ".join(f"{group.words}, median {np.median(group.errors_N):.3g}" for group in groups)
    alt = f"Histogram of the reconstruction errors of sequences. {medians}."
    return FigureData(kind="histogram", title="Reconstruction errors of the sequences", alt=alt, content=content)


def _plain(value: float, _: object) -> str:
    """The number at 1, 2 and 5 times a power of ten; other ticks of a logarithmic axis have none."""
    text = f"{value:.6g}"
    return text if text.replace(".", "").strip("0")[:1] in ("1", "2", "5") else ""


def _edges(errors_N: NDArray[np.float64]) -> tuple[NDArray[np.float64], bool]:
    """The edges of the bins, and whether they are spaced by their logarithms."""
    positive_N = errors_N[errors_N > 0]
    if not len(positive_N):
        return np.linspace(0, 1, BINS + 1), False
    smallest, largest = float(positive_N.min()), float(positive_N.max())
    if largest > WIDE * smallest:
        return np.geomspace(smallest, largest, BINS + 1), True
    return np.linspace(0, 1.02 * largest, BINS + 1), False


def detection_curves(scores: Mapping[str, tuple[NDArray[Any], NDArray[Any]]], title: str, path: Path) -> Path:
    """ROC and precision-recall with the areas below them.

    Args:
        scores: of normal and of abnormal test sequences, by the method's name; the first one is the model's.
        title: of the figure.
        path: of the file.
    """
    from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

    figure, methods = Figure(figsize=(9.6, 4.6)), list[dict[str, Any]]()
    left, right = figure.subplots(1, 2)
    styles = ((ORANGE, "-", 2.0), (BLUE, "--", 1.4), (GREY, "-.", 1.4))
    for (name, (normal_N, abnormal_N)), (colour, line, width) in zip(scores.items(), styles, strict=False):
        truth_N, score_N = np.repeat([0, 1], [len(normal_N), len(abnormal_N)]), np.concatenate([normal_N, abnormal_N])
        style: dict[str, Any] = {"color": colour, "ls": line, "lw": width}
        false_alarms, hits, _ = roc_curve(truth_N, score_N)
        roc_area = roc_auc_score(truth_N, score_N)
        left.plot(false_alarms, hits, label=f"{name}: area {roc_area:.3f}", **style)
        precision, recall, _ = precision_recall_curve(truth_N, score_N)
        area = average_precision_score(truth_N, score_N)
        right.step(recall, precision, where="post", label=f"{name}: area {area:.3f}", **style)
        curves = {"roc": _thinned(false_alarms, hits), "precision_recall": _thinned(recall[::-1], precision[::-1])}
        methods.append({"name": name, "roc_area": plain(roc_area), "precision_area": plain(area), **curves})
    left.plot([0, 1], [0, 1], color=GREY, lw=0.8, ls=":", label="by chance: area 0.5")
    share = float(truth_N.mean())
    right.axhline(share, color=GREY, lw=0.8, ls=":", label=f"by chance: area {share:.3f}")
    left.set(xlabel="false alarms: share of the normal sequences", ylabel="found: share of the abnormal sequences")
    right.set(
        xlabel="recall: share of the abnormal sequences found", ylabel="precision: share of the alarms that are right"
    )
    left.set_title("ROC", fontsize=11)
    right.set_title("Precision and recall", fontsize=11)
    for axes in (left, right):
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.03))
        axes.grid(alpha=0.25)
        axes.legend(loc="lower right" if axes is left else "lower left", fontsize=9)
    figure.suptitle(title, fontsize=11)
    figure.tight_layout()
    areas = ", ".join(f"{one['name']} {one['roc_area']:.3f}" for one in methods)
    alt = f"Detection of anomalies, {title}. ROC and precision-recall curves; areas under the ROC curve: {areas}."
    content = {"methods": methods, "chance": plain(share)}
    return write(figure, path, FigureData(kind="detection", title=f"Detection: {title}", alt=alt, content=content))


def _thinned(across: NDArray[np.float64], up: NDArray[np.float64]) -> list[list[float]]:
    """At most `CURVE_POINTS` points of a curve, both ends included."""
    at = np.unique(np.linspace(0, len(across) - 1, min(len(across), CURVE_POINTS)).round().astype(int))
    points: list[list[float]] = plain(np.column_stack([across[at], up[at]]))
    return points
