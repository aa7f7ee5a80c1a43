"""A trained model applied to new sequences, however many there are: the tables that it writes, and what it says.

Shape suffixes: N windows (or whole sequences), K forecast steps, F features, R rows of a block: the time steps in it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console

from ae.applied import Applied
from ae.data.sequences.blocks import Block
from ae.data.sequences.options import Options
from ae.data.sequences.raw import Raw
from ae.data.sequences.stream import chunks, column_names
from ae.errors import UserError
from ae.merging import Interval, StepMeans, Steps, joined, rows_of
from ae.scores import Scores
from sweeps.config.cpus import usable_cpus
from sweeps.pipeline.applied_tables import Table, TableFile, Wide, beside, check_output
from sweeps.pipeline.applied_words import Tally, closing_words
from sweeps.pipeline.places import model_folder
from sweeps.tracking.display import say
from sweeps.tracking.steps import Step

STEPS = 400_000
"""Time steps of all windows together that are scored at once."""
PROGRESS_S = 10.0
"""Seconds between two lines of progress, where there is no live display."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What to apply to what."""

    folder: Path
    """A results folder, or a saved model."""
    data: Path
    output: Path
    reading: dict[str, Any]
    """Options of the task `sequences` that differ from those of the training."""
    normal: str | None = None
    """The class that is no anomaly; None means that of the training."""
    threshold: str | float | None = None
    quantile: float | None = None
    steps: int | None = None
    """To forecast; None means one if the model can, else none."""
    per_step: bool = False


def apply(request: Request, console: Console) -> None:
    """Write what the model says about each sequence, and say what was found.

    Raises:
        UserError: if there is no model, the data cannot be read or is not what the model was trained on, or the output
            cannot be written; an older output stays then.
    """
    check_output(request.output, request.data)
    model = Applied.load(model_folder(request.folder))
    _check_quantile(request)
    threshold = model.threshold(request.threshold, request.quantile)
    if request.steps and model.network.predict is None:
        raise UserError("--steps needs a model trained with --predict; leave it out, or train one")
    options = _options(model, request)
    torch.set_num_threads(usable_cpus())
    with ExitStack() as stack:
        step = stack.enter_context(Step(console, f"applying the model to {request.data}"))
        run = _Run(model, request, options, threshold, stack)
        told = time.monotonic()
        for windows in run.work():
            if step.live or time.monotonic() - told > PROGRESS_S:
                step.now(f"{windows:,} {run.tally.noun}s")
                told = time.monotonic()
        run.finish()
    say(console, closing_words(run.tally, run.intervals, [request.output, *run.others]))


def _check_quantile(request: Request) -> None:
    if request.quantile is not None and request.threshold not in (None, "quantile"):
        raise UserError(f"--quantile goes with --threshold quantile, not with {request.threshold}; leave one out")


def _options(model: Applied, request: Request) -> Options:
    """How the new data is read: as the training data was, except for what is given.

    Labels and groups need not be there, and a series stays a series.
    """
    given = request.reading
    known: dict[str, Any] = {"test_data": None}
    there = column_names(request.data) if os.path.exists(request.data) else None
    if there is None:  # an array, which has no columns to name
        known |= dict.fromkeys(("id_column", "time_column", "columns", "label_column", "group_column"))
        known |= {"layout": None} if model.options.layout == "long" else {}
    else:
        lowered = {name.strip().lower() for name in there}
        may_lack = ("label_column", "group_column", *(("id_column",) if request.data.is_dir() else ()))
        saved = {name: getattr(model.options, name) for name in may_lack}
        known |= {name: None for name, column in saved.items() if column and column.strip().lower() not in lowered}
        known |= {"layout": None} if "id_column" in known and model.options.layout == "long" else {}
    if "layout" in given and given["layout"] != "long":
        known["id_column"] = None
    elif "id_column" in given:
        known["layout"] = "long"
    elif model.options.layout is None and model.prepared.is_series:
        known["layout"] = "series"
    return replace(model.options, **(known | given))


class _Run:
    """One pass over the data."""

    def __init__(self, model: Applied, request: Request, options: Options, threshold: float, stack: ExitStack) -> None:
        self.model, self.request, self.options, self.threshold, self.stack = model, request, options, threshold, stack
        steps = request.steps
        self.steps = (1 if model.network.predict is not None else 0) if steps is None else steps
        self.table = stack.enter_context(TableFile(request.output))
        self.step_table: TableFile | None = None
        if request.per_step:
            self.step_table = stack.enter_context(TableFile(beside(request.output, "steps")))
        self.is_cut = bool(options.window or model.prepared.window)
        self.needs_steps = self.is_cut or self.step_table is not None
        self.means = StepMeans(2 + len(model.prepared.columns))
        self.intervals: list[Interval] = []
        self.others: list[Path] = []
        normal = request.normal if request.normal is not None else model.normal
        self.tally = Tally(threshold=threshold, normal=normal, is_cut=self.is_cut)

    def work(self) -> Iterator[int]:
        """Score all sequences; gives how many there are so far."""
        source = str(self.request.data)
        parts = chunks(self.request.data, self.options)
        for block in self.model.blocks(parts, source, options=self.options, normal=self.tally.normal):
            if self.needs_steps:
                self.means.begin(len(block.windows.values_SF))
            for where in _portions(block.windows):
                self._score(block, where)
                yield self.tally.count
            self.tally.add_rows(block)
            if self.needs_steps:
                self._finish_steps(block)

    def finish(self) -> None:
        """Write the intervals."""
        if self.is_cut:
            table = self.stack.enter_context(TableFile(self.request.output.with_suffix(".intervals.csv")))
            table.add(_interval_table(self.intervals, self.threshold))
            self.others.append(table.path)
        if self.step_table:
            self.others.append(self.step_table.path)

    def _score(self, block: Block, where: NDArray[np.int64]) -> None:
        windows = block.windows.take(where)
        split = self.model.split(windows)
        scores = self.model.scores(split, per_step=self.needs_steps)
        table = self._window_table(windows, scores)
        if self.steps:
            table |= self._forecast(split, block.is_last_N[where])
        self.table.add(table)
        self.tally.add(windows, scores, self.model.prepared.classes)
        if scores.step_errors_S is not None and scores.reconstruction_SF is not None:
            errors_S = np.repeat(scores.errors_N, windows.lengths_N)
            merged = np.column_stack([errors_S, scores.step_errors_S, scores.reconstruction_SF])
            self.means.add(rows_of(windows.starts_N, windows.lengths_N), merged)

    def _window_table(self, windows: Raw, scores: Scores) -> dict[str, NDArray[Any] | Wide]:
        """One row per window, or whole sequence."""
        table: dict[str, NDArray[Any] | Wide] = {"name": windows.names_N}
        ends_N = windows.starts_N + windows.lengths_N - 1
        assert windows.offsets_N is not None
        if self.is_cut:
            table["first_step"] = windows.offsets_N
        if windows.index_S is not None:
            table |= {"first": windows.index_S[windows.starts_N], "last": windows.index_S[ends_N]}
        table |= {"steps": windows.lengths_N, "error": scores.errors_N, "worst_error": scores.worst_N}
        table["worst_step"] = np.where(scores.worst_at_N < 0, -1, scores.worst_at_N + windows.offsets_N)
        if windows.index_S is not None:
            table["worst"] = windows.index_S[windows.starts_N + np.maximum(scores.worst_at_N, 0)]
        table["anomaly"] = scores.errors_N > self.threshold
        if windows.labels_N is not None:
            table["label"] = windows.labels_N
        if scores.probabilities_NC is not None:
            names_C = np.array([*(self.model.prepared.classes or ())], dtype=object)
            known_NC = np.nan_to_num(scores.probabilities_NC, nan=-1.0)
            is_known_N = known_NC[:, 0] >= 0
            table["class"] = np.where(is_known_N, names_C[known_NC.argmax(axis=1)], "")
            table["probability"] = np.where(is_known_N, known_NC.max(axis=1), np.nan)
        units = scores.codes_NH.shape[1]
        table["z"] = Wide(values=scores.codes_NH, names=[f"z_{unit}" for unit in range(1, units + 1)])
        return table

    def _forecast(self, split: Any, is_last_N: NDArray[np.bool_]) -> dict[str, Wide]:
        """The next steps after the last window of each sequence; NaN for the other windows."""
        columns = self.model.prepared.columns
        forecast_NKF = np.full((len(split), self.steps, len(columns)), np.nan)
        if is_last_N.any():
            forecast_NKF[is_last_N] = self.model.forecast(split.take(np.flatnonzero(is_last_N)), self.steps)
        return {"forecast": wide(forecast_NKF, "forecast", columns)}

    def _finish_steps(self, block: Block) -> None:
        """The steps that no later window covers: into the table of steps, and flagged ones into intervals."""
        rows_R, windows = np.arange(block.final), block.windows
        piece_R = np.searchsorted(block.starts_P, rows_R, side="right") - 1
        steps_R = rows_R - block.starts_P[piece_R] + block.offsets_P[piece_R]
        means_RV = self.means.take(block.final)
        steps = Steps(
            names_R=block.names_P[piece_R],
            numbers_R=block.numbers_P[piece_R],
            steps_R=steps_R,
            index_R=steps_R if windows.index_S is None else windows.index_S[: block.final],
            scores_R=means_RV[:, 0],
            errors_R=means_RV[:, 1],
        )
        if self.is_cut:
            self.intervals = joined(self.intervals, steps.flagged(self.threshold))
        if self.step_table and block.final:
            self.step_table.add(self._step_table(block, steps, means_RV[:, 2:]))

    def _step_table(self, block: Block, steps: Steps, output_RF: NDArray[np.float64]) -> Table:
        windows, columns = block.windows, self.model.prepared.columns
        values_RF = windows.values_SF[: block.final].astype(np.float64)
        if windows.observed_SF is not None:
            values_RF[~windows.observed_SF[: block.final]] = np.nan
        table: dict[str, NDArray[Any] | Wide] = {"name": steps.names_R, "step": steps.steps_R}
        if windows.index_S is not None:
            table["index"] = steps.index_R
        if self.is_cut:
            table |= {"score": steps.scores_R, "anomaly": steps.scores_R > self.threshold}
        table["error"] = steps.errors_R
        each = {"value": values_RF, "reconstruction": output_RF, "difference": values_RF - output_RF}
        return table | {name: Wide(values=array_RF, names=by_feature(name, columns)) for name, array_RF in each.items()}


def wide(values_NKF: NDArray[np.float64], name: str, columns: tuple[str, ...]) -> Wide:
    """Forecast steps, with a name for each value: 'forecast_2', or 'forecast_2_speed' of several features."""
    names = [f"{name}_{step}" for step in range(1, values_NKF.shape[1] + 1)]
    return Wide(values=values_NKF, names=[full for one in names for full in by_feature(one, columns)])


def by_feature(name: str, columns: tuple[str, ...]) -> list[str]:
    """A name for each feature; of one feature, the name itself."""
    return [f"{name}_{column}" for column in columns] if len(columns) > 1 else [name]


def _interval_table(intervals: list[Interval], threshold: float) -> Table:
    def column(name: str, kind: Any = None) -> NDArray[Any]:
        return np.array([getattr(one, name) for one in intervals], dtype=kind)

    return {
        "name": column("name", object),
        "start": column("start"),
        "end": column("end"),
        "first_step": column("first", np.int64),
        "steps": np.array([len(one) for one in intervals], dtype=np.int64),
        "severity": np.array([one.severity(threshold) for one in intervals], dtype=np.float64),
        "score": column("score", np.float64),
        "worst": column("worst"),
        "worst_error": column("error", np.float64),
    }


def _portions(windows: Raw) -> Iterator[NDArray[np.int64]]:
    """The windows in portions that fit into the memory."""
    ends_N = windows.lengths_N.cumsum()
    first = 0
    while first < len(windows):
        before = int(ends_N[first - 1]) if first else 0
        end = max(first + 1, int(np.searchsorted(ends_N, before + STEPS, side="right")))
        yield np.arange(first, min(end, len(windows)))
        first = end
