"""The data sets of `sequences`, and what is measured on each.

Shape suffixes: N sequences, P places: time steps of a series, T time steps, F features, H width of a code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor

from ae.batches import DeviceSplit
from ae.data.sequences.load import SAMPLE
from ae.data.sequences.options import Options
from ae.merging import intervals
from ae.scoring import QUANTILE, detection_area
from ae.splits import Split, Splits

NEAR = 100
"""Steps from the true anomaly within which the highest score must lie, as the UCR archive has it."""

Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fitted:
    """What a method learned from the training and validation splits; None for what it cannot do."""

    width: int | None = None
    """How wide the code is."""
    errors: Callable[[Split], Values] | None = None
    """The reconstruction error, or another score of abnormality, of each sequence, (N,)."""
    codes: Callable[[Split], NDArray[Any]] | None = None
    """The code of each sequence, (N, H)."""
    classes: Callable[[Split], NDArray[np.int64]] | None = None
    """The class of each sequence, (N,), an index into the training split's `class_names`."""
    epochs: int | None = None
    """Epochs trained."""
    wanted: int | None = None
    """Epochs that the method takes by default."""
    wall_s: float | None = None
    """Seconds that it took, where the caller cannot time it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SequenceSet:
    """A data set, as the command line takes it."""

    name: str
    data: str
    """File in the folder of the data."""
    options: Options
    measure: Callable[[Fitted, Splits], dict[str, float | bool | int] | None]
    """Metrics on the test split; None for a method that cannot do this."""

    def path(self, folder: Path) -> Path:
        """The file; the embedded sample takes its place where it is the same one."""
        return SAMPLE if SAMPLE.name == self.data and not (folder / self.data).exists() else folder / self.data

    def own_options(self, folder: Path) -> Options:
        """The options, with the test file's place."""
        given = {field.name: getattr(self.options, field.name) for field in fields(Options)}
        if self.options.test_data is not None:
            given["test_data"] = str(folder / self.options.test_data)
        return Options(**given)

    def files(self, folder: Path) -> list[Path]:
        """All that it reads."""
        test = self.own_options(folder).test_data
        return [self.path(folder), *([Path(test)] if test else [])]

    def arguments(self, folder: Path) -> list[str]:
        """What the command line says."""
        options = self.own_options(folder)
        arguments = ["--data", str(self.path(folder))]
        for name in ("test_data", "label_column", "normal"):
            if (value := getattr(options, name)) is not None:
                arguments += [f"--{name.replace('_', '-')}", value]
        return [*arguments, *(["--classify"] if options.classify else [])]


def detection(fitted: Fitted, splits: Splits) -> dict[str, float | bool | int] | None:
    """The area under ROC of normal test sequences against all others."""
    if fitted.errors is None or splits.abnormal_test is None:
        return None
    return {"area under ROC": detection_area(fitted.errors(splits.test), fitted.errors(splits.abnormal_test))}


def series(fitted: Fitted, splits: Splits) -> dict[str, float | bool | int] | None:
    """Where the highest score of a series lies, and how many flagged intervals are false.

    Scores of windows become those of steps as in `sweeps/apply.py`: a step has the mean of the windows that hold it; it
    is flagged above the quantile 0.99 of the validation windows; adjacent flagged steps are one interval.

    Returns:
        found: whether the highest score lies within `NEAR` steps of an anomaly of the data.
        false alarms: flagged intervals without a step within `NEAR` steps of an anomaly.
        ahead: the highest score there as a multiple of the highest elsewhere.
    """
    if fitted.errors is None or splits.test.unusual_S is None:
        return None
    scores_P, near_P = _by_step(fitted.errors(splits.test), splits.test)
    threshold = np.quantile(fitted.errors(splits.validation), QUANTILE)
    flagged = intervals(scores_P > threshold)
    return {
        "found": bool(near_P[scores_P.argmax()]),
        "ahead": float(scores_P[near_P].max() / max(scores_P[~near_P].max(), 1e-12)),
        "flagged": any(near_P[first:end].any() for first, end in flagged),
        "false alarms": sum(not near_P[first:end].any() for first, end in flagged),
    }


def _by_step(errors_N: Values, split: Split) -> tuple[Values, NDArray[np.bool_]]:
    """The mean score of each step of a series, and whether it is near an anomaly, (P,)."""
    assert split.info is not None
    assert split.unusual_S is not None
    offsets_N = split.info["offset"].to_numpy(dtype=np.int64)
    ends_N = offsets_N + split.lengths_N
    places = int(ends_N.max()) + 1
    sums_P, counts_P, unusual_P = np.zeros(places), np.zeros(places), np.zeros(places, dtype=bool)
    np.add.at(sums_P, offsets_N, errors_N)
    np.add.at(sums_P, ends_N, -errors_N)
    np.add.at(counts_P, offsets_N, 1)
    np.add.at(counts_P, ends_N, -1)
    for offset, start, length in zip(offsets_N, split.starts_N, split.lengths_N, strict=True):
        unusual_P[offset : offset + length] |= split.unusual_S[start : start + length]
    near_P = np.convolve(unusual_P, np.ones(2 * NEAR + 1), mode="same") > 0.5
    return (sums_P.cumsum() / np.maximum(counts_P.cumsum(), 1))[:-1], near_P[:-1]


def classes(fitted: Fitted, splits: Splits) -> dict[str, float | bool | int] | None:
    """Accuracy of the class head, and of the nearest training sequence by the code."""
    found: dict[str, float | bool | int] = {}
    truth_N = splits.test.labels_N
    if fitted.classes is not None and truth_N is not None:
        found["class head"] = float((fitted.classes(splits.test) == truth_N).mean())
    if fitted.codes is not None:
        nearest = KNeighborsClassifier(n_neighbors=1).fit(fitted.codes(splits.train), splits.train.labels_N)
        found["nearest neighbour"] = float(nearest.score(fitted.codes(splits.test), truth_N))
    return found or None


def sequences_of(split: Split) -> list[Tensor]:
    """Each sequence as a tensor (T, F), scaled as the models see it."""
    found: list[Tensor] = [torch.empty(0)] * len(split)
    for where, batch in DeviceSplit(split, "cpu").in_order():
        places = range(len(split))[where] if isinstance(where, slice) else where.tolist()
        lengths = [batch.inputs_BTF.shape[1]] * len(batch) if batch.lengths_B is None else batch.lengths_B.tolist()
        for at, (place, length) in enumerate(zip(places, lengths, strict=True)):
            found[place] = batch.inputs_BTF[at, :length].clone()
    return found


SETS = (
    SequenceSet(
        name="ecg5000",
        data="ecg5000_train.csv.gz",
        options=Options(label_column="class", normal="1"),
        measure=detection,
    ),
    SequenceSet(
        name="ucr135",
        data="ucr_anomaly_135_train.csv.gz",
        options=Options(test_data="ucr_anomaly_135_test.csv.gz", label_column="is_anomaly"),
        measure=series,
    ),
    SequenceSet(
        name="japanesevowels",
        data="japanesevowels_train.ts.gz",
        options=Options(test_data="japanesevowels_test.ts.gz", classify=True),
        measure=classes,
    ),
)
