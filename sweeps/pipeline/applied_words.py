"""What applying a model found, in words.

Shape suffixes: N windows, or whole sequences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ae.data.sequences.blocks import Block
from ae.data.sequences.raw import Raw
from ae.data.table_cells import MISSING
from ae.merging import Interval
from ae.scores import Scores
from ae.scoring import detection
from ae.words import counted, listed

SHOWN = 10
"""Intervals that are printed, the most severe first."""
NORMAL, ABNORMAL = ("0", "false", "normal"), ("1", "true", "anomaly", "abnormal", "outlier")
"""Labels whose meaning is clear, in small letters."""

DETECTION = {"ROC area": "roc_auc", "precision": "precision", "recall": "recall", "F1": "f1"}
"""Metrics of `ae.scoring.detection` by the names that are printed."""


@dataclass(kw_only=True, slots=True)
class Tally:
    """Counts over all sequences."""

    threshold: float
    normal: str | None
    """The class that is no anomaly, if it is known."""
    is_cut: bool
    """Whether sequences are cut into windows."""
    count: int = 0
    flagged: int = 0
    steps: int = 0
    missing: int = 0
    shortest: int = 0
    longest: int = 0
    hits: int | None = None
    """Right classes; None for a model without a head for them."""
    empty: list[str] = field(default_factory=list)
    """Names of sequences without any value."""
    errors: list[NDArray[np.float64]] = field(default_factory=list)
    labels: list[NDArray[np.object_]] = field(default_factory=list)
    """The labels of the sequences in `errors`: those that have a label and an error."""

    @property
    def noun(self) -> str:
        """What is counted."""
        return "window" if self.is_cut else "sequence"

    def add(self, windows: Raw, scores: Scores, classes: Sequence[str] | None) -> None:
        """Count more sequences."""
        lengths_N, errors_N = windows.lengths_N, scores.errors_N
        self.shortest = min(self.shortest or int(lengths_N.min()), int(lengths_N.min()))
        self.longest = max(self.longest, int(lengths_N.max()))
        self.count += len(windows)
        self.flagged += int((errors_N > self.threshold).sum())
        self.empty += [str(name) for name in windows.names_N[np.isnan(errors_N)]]
        if windows.labels_N is None:
            return
        is_known_N = ~np.isnan(errors_N) & ~np.isin(windows.labels_N.astype(str), MISSING)
        self.errors.append(errors_N[is_known_N])
        self.labels.append(windows.labels_N[is_known_N])
        if scores.probabilities_NC is not None and classes:
            chosen_N = np.array(classes, dtype=object)[scores.probabilities_NC[is_known_N].argmax(axis=1)]
            self.hits = (self.hits or 0) + int((chosen_N == windows.labels_N[is_known_N]).sum())

    def add_rows(self, block: Block) -> None:
        """Count the steps of a block that are final."""
        self.steps += block.final
        if block.windows.observed_SF is not None:
            self.missing += int((~block.windows.observed_SF[: block.final]).sum())


def closing_words(tally: Tally, intervals: Sequence[Interval], files: Sequence[Path]) -> str:
    """What was found, and where it is written."""
    lengths = f"{tally.shortest:,}" if tally.shortest == tally.longest else f"{tally.shortest:,} to {tally.longest:,}"
    inside = f", cut from {tally.steps:,}" if tally.is_cut else ""
    share = f"{tally.flagged / tally.count:.1%}".replace("%", " %")
    lines = [
        f"{counted(tally.count, tally.noun)} of {lengths} steps{inside}",
        f"anomalies: {tally.flagged:,} ({share}), with an error above {tally.threshold:.4g}",
    ]
    if tally.missing:
        lines.append(f"{counted(tally.missing, 'missing value')}: filled in the input, left out of the errors")
    if tally.empty:
        named = listed(list(dict.fromkeys(tally.empty)))
        lines.append(f"{counted(len(tally.empty), tally.noun)} without any value, so without an error: {named}")
    lines += [*_compared(tally), *(_told(intervals, tally.threshold) if tally.is_cut else [])]
    lines.append(f"written: {', '.join(map(str, files))}")
    return "\n".join(lines)


def _compared(tally: Tally) -> list[str]:
    """How right it is, if the data has labels."""
    labels = np.concatenate(tally.labels) if tally.labels else np.array([], dtype=object)
    if not len(labels):
        return []
    lines = []
    if tally.hits is not None:
        lines.append(f"accuracy {tally.hits / len(labels):.4f} of {counted(len(labels), 'label')}")
    lowered = {str(label).lower() for label in set(labels)}
    normal = tally.normal
    if normal is None and tally.hits is None and lowered <= {*NORMAL, *ABNORMAL}:
        normal = next((label for label in set(labels) if str(label).lower() in NORMAL), None)
    if normal is None:
        return lines
    is_normal_N, errors_N = labels == normal, np.concatenate(tally.errors)
    if is_normal_N.all() or not is_normal_N.any():
        which = "is" if is_normal_N.all() else "is not"
        return [*lines, f"every label {which} {normal}: no ROC area, precision and recall"]
    found = detection(errors_N[is_normal_N], errors_N[~is_normal_N], {"quantile": tally.threshold})
    each = ", ".join(f"{name} {found[key]:.4f}" for name, key in DETECTION.items())
    return [*lines, f"all but label {normal} as anomalies: {each}"]


def _told(intervals: Sequence[Interval], threshold: float) -> list[str]:
    """The most severe intervals as a table."""
    if not intervals:
        return ["no step is flagged"]
    shown = sorted(intervals, key=lambda one: -one.score)[:SHOWN]
    rows = [["start", "end", "steps", "severity", "worst"]]
    rows += [
        [f"{one.start}", f"{one.end}", f"{len(one):,}", f"{one.severity(threshold):.3g}", f"{one.worst}"]
        for one in shown
    ]
    if len({one.number for one in intervals}) > 1:
        rows = [[name, *row] for name, row in zip(["sequence", *(one.name for one in shown)], rows, strict=True)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    most = ", the most severe" if len(intervals) > SHOWN else ""
    table = ["  ".join(["", *map(str.rjust, row, widths)]) for row in rows]
    return [f"{counted(len(intervals), 'interval')} of flagged steps{most}:", *table]
