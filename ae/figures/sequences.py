"""The figures of a user's own sequences: what the best model does on the test split.

Shape suffixes: N sequences, T time steps, F features, S forecast steps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ae import baselines, next_steps, scoring
from ae.batches import DeviceSplit
from ae.data.sequences.prepared import Prepared
from ae.figures.codes import code_map
from ae.figures.errors import Group, detection_curves, error_histogram
from ae.figures.images import confusion_matrix
from ae.figures.lines import Shown, forecasts, reconstructions
from ae.figures.series import flagged_series
from ae.model import LSTM_AE
from ae.series import merged
from ae.splits import Split, Splits
from ae.words import counted

MOST = 5_000
"""Test sequences that are drawn; of more, a sample."""
MOST_CODES = 2_000
"""Points in the map of the context vectors."""
DOZEN, FORECASTS = 12, 4
"""Sequences in a figure of reconstructions, and of forecasts."""
PANELS = 2
"""Features of one sequence that are drawn."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """What the figures share."""

    model: LSTM_AE
    splits: Splits
    prepared: Prepared
    tests: list[Split]
    """Test sequences, or a sample of them: all, or the normal and then the abnormal ones."""
    errors: list[NDArray[np.float64]]
    """The errors of each part of `tests`."""
    folder: Path

    @property
    def amount(self) -> str:
        """How many sequences there are in `tests`, in words."""
        parts = (self.splits.test, self.splits.abnormal_test)
        return out_of(sum(map(len, self.tests)), sum(len(part) for part in parts if part is not None), "test sequence")


def draw(model: LSTM_AE, splits: Splits, folder: Path) -> list[Path]:
    """Every figure that this data and model have something to show in, into a folder; returns the files in order."""
    tests = [sample(part) for part in (splits.test, splits.abnormal_test) if part is not None]
    drawn = Drawn(
        model=model,
        splits=splits,
        prepared=Prepared.from_json(splits.prepared),
        tests=tests,
        errors=[scoring.sequence_errors(model, part) for part in tests],
        folder=folder,
    )
    figures = [
        _histogram(drawn),
        _detection(drawn) if splits.abnormal_test is not None else None,
        _confusion(drawn) if model.classify is not None else None,
        *_reconstructions(drawn),
        _forecasts(drawn) if model.predict is not None else None,
        _code_map(drawn),
        _series(drawn) if drawn.prepared.is_series else None,
    ]
    return [path for path in figures if path]


def sample(split: Split, most: int = MOST) -> Split:
    """At most so many of the sequences, evenly spaced: their order is random, or that of time."""
    return split if len(split) <= most else split.take(_evenly(len(split), most))


def _evenly(count: int, most: int) -> NDArray[np.int64]:
    """At most `most` of `count` places, evenly spaced."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)


def out_of(few: int, whole: int, noun: str) -> str:
    """A number of things, in words; if they are a sample, also the number of all."""
    return counted(whole, noun) if few == whole else f"{few:,} of {counted(whole, noun)}"


def _histogram(drawn: Drawn) -> Path:
    splits, parts = drawn.splits, (drawn.splits.validation, drawn.splits.abnormal_validation)
    seen = [scoring.sequence_errors(drawn.model, part) for part in parts if part is not None]
    is_detection = splits.abnormal_test is not None or splits.abnormal_validation is not None
    tests = (splits.test, splits.abnormal_test)
    groups = []
    for name, errors, wholes in (("test", drawn.errors, tests), ("validation", seen, parts)):
        for kind, errors_N, whole in zip(("normal", "abnormal"), errors, wholes, strict=False):
            amount = out_of(len(errors_N), len(whole or ()), "sequence")
            words = f"{kind} {name}: {amount}" if is_detection else f"{name}: {amount}"
            groups.append(Group(words=words, errors_N=errors_N, is_abnormal=kind == "abnormal", is_test=name == "test"))
    return error_histogram(groups, scoring.thresholds_of(*seen), drawn.folder / "errors.png")


def _detection(drawn: Drawn) -> Path:
    """The model beside simple methods."""
    (normal, abnormal), train = drawn.tests, drawn.splits.train
    scores = {"autoencoder": (drawn.errors[0], drawn.errors[1])}
    if baselines.have_one_length(drawn.splits):
        linear, components = baselines.pca(train, drawn.model.context_size)
        scores[f"PCA, {counted(components, 'component')}"] = (linear(normal), linear(abnormal))
        forest = baselines.isolation_forest(train)
        scores["isolation forest"] = (forest(normal), forest(abnormal))
    title = f"{len(normal):,} normal and {len(abnormal):,} abnormal: {drawn.amount}"
    return detection_curves(scores, title, drawn.folder / "detection.png")


def _confusion(drawn: Drawn) -> Path:
    test = drawn.tests[0]
    assert test.labels_N is not None
    assert test.class_names is not None
    predicted_N = np.empty(len(test), dtype=np.int64)
    with torch.inference_mode():
        for where, whole in DeviceSplit(test, "cpu").in_order():
            batch = whole.without_last() if drawn.model.predict is not None else whole  # as the metric accuracy
            logits_BC = drawn.model(batch.inputs_BTF, batch.lengths_B).logits_BC
            assert logits_BC is not None
            predicted_N[where] = logits_BC.argmax(dim=1).numpy()
    path = drawn.folder / "confusion_matrix.png"
    return confusion_matrix(test.labels_N, predicted_N, test.class_names, path, "sequence")


def _reconstructions(drawn: Drawn) -> list[Path]:
    """The dozen worst and the dozen best, of all that are drawn."""
    places = [(part, at) for part in drawn.tests for at in range(len(part))]
    errors_N = np.concatenate(drawn.errors)
    order_N, half = np.argsort(errors_N, kind="stable"), len(errors_N) // 2
    paths = []
    for name, extreme, candidates in (("worst", "largest", order_N[half:][::-1]), ("best", "smallest", order_N[:half])):
        chosen = _apart(drawn, candidates) if drawn.prepared.window else candidates[:DOZEN].tolist()
        shown = [_shown(drawn, *places[each], float(errors_N[each]), by_error=name == "worst") for each in chosen]
        if shown:
            title = f"The {extreme} errors of {drawn.amount}"
            path = drawn.folder / f"{name}_reconstructions.png"
            paths.append(reconstructions(shown, drawn.prepared.columns, title, path))
    return paths


def _apart(drawn: Drawn, candidates: NDArray[np.int64]) -> list[int]:
    """The first dozen candidates that share no step: windows overlap, and the worst ones may be of one place."""
    infos = [part.info for part in drawn.tests if part.info is not None]
    names = np.concatenate([info["name"].to_numpy() for info in infos])[candidates]
    firsts = np.concatenate([info["offset"].to_numpy() for info in infos])[candidates]
    ends = firsts + np.concatenate([part.lengths_N for part in drawn.tests])[candidates]
    is_free, chosen = np.ones(len(candidates), dtype=bool), list[int]()
    while is_free.any() and len(chosen) < DOZEN:
        best = int(is_free.argmax())
        chosen.append(int(candidates[best]))
        is_free &= (names != names[best]) | (firsts >= ends[best]) | (ends <= firsts[best])
    return chosen


def _shown(drawn: Drawn, split: Split, at: int, error: float, by_error: bool) -> Shown:
    """A sequence with its reconstruction, and the features with the largest errors, or those that vary most."""
    inputs_TF, scaler = split.sequence(at), drawn.prepared.scaler
    with torch.inference_mode():
        output_TF = drawn.model(torch.from_numpy(inputs_TF.copy())[None]).reconstruction_BTO[0].numpy()
    given_TF = with_gaps(split, at, drawn.prepared)
    output_TF = scaler.restored(split.unscaled(output_TF, at))
    errors_F = (np.nan_to_num((output_TF - given_TF) / scaler.spread_F, nan=0.0) ** 2).mean(axis=0)
    size_F = errors_F if by_error else inputs_TF.var(axis=0)
    return Shown(
        title=f"{name_of(split, at, drawn.prepared)}: error {error:.3g}",
        index_T=index_of(split, at),
        given_TF=given_TF,
        output_TF=output_TF,
        features=np.argsort(-size_F, kind="stable")[:PANELS].tolist(),
    )


def with_gaps(split: Split, at: int, prepared: Prepared) -> NDArray[np.float64]:
    """A sequence in the data's units, NaN where a value is missing."""
    start = split.starts_N[at]
    steps = slice(start, start + split.lengths_N[at])
    given_TF = prepared.scaler.restored(split.steps_SF[steps])
    return given_TF if split.observed_SF is None else np.where(split.observed_SF[steps], given_TF, np.nan)


def name_of(split: Split, at: int, prepared: Prepared) -> str:
    """What a sequence is called in the data, with its class."""
    assert split.info is not None
    row = split.info.iloc[at]
    first = int(row["offset"])
    steps = f"steps {first:,} to {first + int(split.lengths_N[at]) - 1:,}"
    name = steps if prepared.is_series else f"{row['name']}, {steps}" if prepared.window else str(row["name"])
    return f"{name}, class {row['label']}" if "label" in row else name


def index_of(split: Split, at: int) -> NDArray[Any]:
    """The data's own index of a sequence's steps, evenly spaced between the first and the last; or numbers from 0."""
    assert split.info is not None
    length, row = int(split.lengths_N[at]), split.info.iloc[at]
    if "first" not in row:
        return np.arange(length)
    first, last = row["first"], row["last"]
    if split.info["first"].dtype.kind == "M":
        span = np.linspace(0, (last - first).value, length).astype(np.int64).astype("timedelta64[ns]")
        return np.datetime64(first, "ns") + span
    return np.linspace(first, last, length)


def _forecasts(drawn: Drawn) -> Path | None:
    """The last quarter of a few test sequences; None if all are too short."""
    there = np.flatnonzero(drawn.tests[0].lengths_N >= 4)
    if not len(there):
        return None
    few, prepared = sample(drawn.tests[0].take(there), FORECASTS), drawn.prepared
    hidden_N = few.lengths_N // 4
    forecast_NSF = next_steps.next_steps(drawn.model, next_steps.without_last(few, hidden_N), int(hidden_N.max()))
    shown = []
    for at, hidden in enumerate(hidden_N):
        given_TF = with_gaps(few, at, prepared)
        output_TF = np.full(given_TF.shape, np.nan)
        output_TF[-hidden:] = prepared.scaler.restored(forecast_NSF[at, :hidden])
        features, index_T = [int(few.sequence(at).var(axis=0).argmax())], index_of(few, at)
        title = name_of(few, at, prepared)
        shown.append(Shown(title=title, index_T=index_T, given_TF=given_TF, output_TF=output_TF, features=features))
    return forecasts(shown, prepared.columns, drawn.folder / "forecasts.png")


def _code_map(drawn: Drawn) -> Path:
    total = sum(map(len, drawn.tests))
    where = [_evenly(len(part), max(2, MOST_CODES * len(part) // total)) for part in drawn.tests]
    few = [part.take(each) for part, each in zip(drawn.tests, where, strict=True)]
    labels = [part.labels_N for part in few if part.labels_N is not None]
    return code_map(
        np.concatenate([baselines.codes(drawn.model, part) for part in few]),
        np.concatenate([errors_N[each] for errors_N, each in zip(drawn.errors, where, strict=True)]),
        np.concatenate(labels) if len(labels) == len(few) else None,
        drawn.tests[0].class_names or (),
        drawn.folder / "codes.png",
    )


def _series(drawn: Drawn) -> Path:
    """The test part of one long series."""
    model, splits, prepared = drawn.model, drawn.splits, drawn.prepared
    tests = [part for part in (splits.test, splits.abnormal_test) if part is not None]
    known = merged(model, [_thinned(splits.validation, prepared)], prepared)
    series = merged(model, [_thinned(part, prepared) for part in tests], prepared)
    if model.classify is not None:  # its classes are no anomalies
        series = replace(series, unusual_P=None)
    threshold = float(np.nanquantile(known.errors_P, scoring.QUANTILE))
    return flagged_series(series, threshold, prepared.scaler.spread_F, prepared.columns, drawn.folder / "series.png")


def _thinned(windows: Split, prepared: Prepared) -> Split:
    """At most `MOST` windows: every second or k-th one if they still hold every step, or the first ones."""
    every = max(1, min(-(-len(windows) // MOST), (prepared.window or 0) // (2 * prepared.stride)))
    return windows.take(np.arange(0, len(windows), every)[:MOST])
