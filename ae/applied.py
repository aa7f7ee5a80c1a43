"""A trained model applied to new sequences: errors, codes, classes, reconstructions and forecasts.

Shape suffixes: N sequences, F features, K forecast steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ae import saved
from ae.data.sequences.arrays import unnamed
from ae.data.sequences.blocks import Block, blocks
from ae.data.sequences.options import Options, options_from_json
from ae.data.sequences.prepared import Prepared
from ae.data.sequences.raw import Raw
from ae.data.sequences.stream import Chunk
from ae.errors import UserError
from ae.next_steps import next_steps
from ae.scores import Scores, scores_of
from ae.scoring import QUANTILE, quantile_of
from ae.words import counted, listed

if TYPE_CHECKING:
    from ae.model import LSTM_AE
    from ae.splits import Split


@dataclass(frozen=True, kw_only=True, slots=True)
class Applied:
    """A model of the task `sequences`, with what prepares new data for it."""

    network: LSTM_AE
    prepared: Prepared
    options: Options
    """How the training data was read."""
    thresholds: Mapping[str, float]
    """As `ae.scoring.thresholds` gives them."""
    validation_errors: Mapping[str, Any]
    """As `ae.scoring.thinned` gives them."""

    @classmethod
    def load(cls, folder: Path | str) -> Applied:
        """The model saved in a folder such as the `best/` of a results folder; nothing else is read.

        Raises:
            UserError: if there is none, it is damaged, or it is a model of another task.
        """
        described = saved.describe(folder)
        if "prepared" not in described:
            rule = "it must be a model of the task sequences, which prepares new data as its own"
            raise UserError(f"{folder}: {rule}; this one is of {described['task']}, evaluate.py tests it")
        network = saved.load(folder)
        try:
            found = cls(
                network=network,
                prepared=Prepared.from_json(described["prepared"]),
                options=options_from_json(described.get("options")),
                thresholds={name: _number(value) for name, value in dict(described["thresholds"]).items()},
                validation_errors=dict(described["validation_errors"]),
            )
            found.threshold("quantile")
            found._check()
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            what = f"{error} is missing" if isinstance(error, KeyError) else " ".join(str(error).split())
            raise UserError(f"{Path(folder) / saved.DESCRIPTION}: {what}; the file is damaged") from None
        return found

    def _check(self) -> None:
        """Raise ValueError if the parts do not belong together."""
        features, scaler, heads = self.network.input_size, self.prepared.scaler, self.network.classify
        if len(self.prepared.columns) != features or len(scaler.centre_F) != features:
            raise ValueError(f"it must prepare {features} features, as its model has")
        if not np.isfinite([scaler.centre_F, scaler.spread_F]).all():
            raise ValueError("the scale must be finite")
        if heads is not None and len(self.prepared.classes or ()) != heads.out_features:
            raise ValueError(f"it must name {heads.out_features} classes, as its model has")
        if self.prepared.stride < 1 or not (self.prepared.window is None or self.prepared.window >= 2):
            raise ValueError("a window must be >= 2 steps, and its stride >= 1")

    @property
    def normal(self) -> str | None:
        """The class that is no anomaly: that of --normal, or the only one of the training data; None without either."""
        if self.options.normal is not None:
            return self.options.normal
        classes = self.prepared.classes or ()
        return classes[0] if len(classes) == 1 else None

    def threshold(self, kind: str | float | None = None, quantile: float | None = None) -> float:
        """The reconstruction error above which a sequence is an anomaly.

        Args:
            kind: "quantile", "best-f1", or the threshold itself. None takes best-f1 where the model has it, unless a
                quantile is given.
            quantile: share of the normal validation sequences below the threshold; None means `QUANTILE`.

        Raises:
            UserError: if validation had no abnormal sequences, which best-f1 needs.
        """
        if isinstance(kind, (int, float)):
            return float(kind)
        if kind == "best-f1" and "best_f1" not in self.thresholds:
            raise UserError("--threshold best-f1 needs a model trained with --normal; give quantile or a number")
        if kind == "best-f1" or (kind is None and quantile is None and "best_f1" in self.thresholds):
            return self.thresholds["best_f1"]
        return quantile_of(self.validation_errors, QUANTILE if quantile is None else quantile)

    def blocks(
        self, chunks: Iterable[Chunk], source: str, *, options: Options | None = None, normal: str | None = None
    ) -> Iterator[Block]:
        """Sequences whole, or cut into windows, as the model was trained on them; `ae.data.sequences.blocks` says how.

        Args:
            chunks: as `ae.data.sequences.stream.chunks` gives them.
            source: names them in messages.
            options: how they were read; the window, the stride and the columns may be others than in training.
            normal: the label that gives way to every other label in a window.

        Raises:
            UserError: if the features are not those of the training data, or a value is infinite.
        """
        own = options or self.options
        is_chosen = own.columns is not None and own.columns != self.options.columns
        window, stride = own.window or self.prepared.window, self.prepared.stride
        if own.stride is not None:
            stride = own.stride
        elif window != self.prepared.window:
            stride = max(1, (window or 0) // 4)
        return blocks(
            chunks,
            source,
            window=window,
            stride=stride,
            prepare=lambda raw: self._matched(raw, source, is_chosen),
            usual=normal,
        )

    def _matched(self, raw: Raw, source: str, is_chosen: bool) -> Raw:
        """The sequences with their features in the order of the training data.

        Names are compared where both have some; an array has none, and the user may have chosen other columns.
        """
        wanted, found = self.prepared.columns, raw.columns
        if found == wanted:
            return raw
        rule = f"{source}: the model was trained on {counted(len(wanted), 'feature')}, {listed(wanted)}"
        if len(found) != len(wanted):
            fix = "name them by --columns" if len(found) > len(wanted) else "bring all of them"
            raise UserError(f"{rule}; got {len(found)}, {listed(found)}; {fix}")
        if sorted(found) == sorted(wanted):
            order_F = [found.index(name) for name in wanted]
            return replace(raw, values_SF=raw.values_SF[:, order_F], columns=wanted)
        if is_chosen or unnamed(len(found)) in (found, wanted):
            return replace(raw, columns=wanted)
        others = [name for name in found if name not in wanted]
        raise UserError(
            f"{rule}; got {listed(others)} instead; rename it, or name the columns by --columns in this order"
        )

    def split(self, windows: Raw) -> Split:
        """Sequences, or windows, of a block as the model reads them, without labels, which may be unknown to it."""
        return self.prepared.split(replace(windows, labels_N=None, labels_S=None, unusual_S=None))

    def scores(self, split: Split, *, per_step: bool = False) -> Scores:
        """Errors, codes and class probabilities of sequences.

        Args:
            split: at least one sequence, prepared by `self.prepared.split`.
            per_step: also the errors and the reconstruction of every step.
        """
        return scores_of(self.network, split, self.prepared.scaler, per_step=per_step)

    def forecast(self, split: Split, steps: int) -> NDArray[np.float64]:
        """The next K = `steps` steps of each sequence, (N, K, F), in the data's own units.

        Each forecast step becomes input for the next. A sequence's own scale stays that of its known steps.

        Args:
            split: as for `scores`.
            steps: K, at least 1.

        Raises:
            UserError: if the model has no head for the next step.
        """
        if self.network.predict is None:
            raise UserError("--steps needs a model trained with --predict; train one, or leave the option out")
        return self.prepared.scaler.restored(next_steps(self.network, split, steps))


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
        raise ValueError(f"a threshold cannot be {value!r}")
    return float(value)
