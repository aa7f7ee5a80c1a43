"""Scales values to what a model can learn from, and back.

Shape suffixes: N sequences, F features, S time steps of all sequences together, T steps of one sequence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.floating[Any]]

ROWS = 65_536
"""Steps that are scaled at once."""
LARGEST = 1e38
"""Largest size of a scaled value."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scaler:
    """Scaled = (value - centre) / spread, for each feature; nothing is clipped.

    Outliers widen "minmax" and "standard"; "robust" ignores the outer quarters of the values. A constant feature has
    spread 1, so it becomes 0. "per-sequence" also takes each sequence's own mean and deviation away, after "standard"
    has brought the features to one size.
    """

    kind: str
    """One of `ae.data.sequences.options.SCALES`."""
    centre_F: Values
    spread_F: Values

    @classmethod
    def fit(cls, kind: str, values_SF: Values, observed_SF: NDArray[np.bool_] | None) -> Scaler:
        """The scaler of the training split.

        Args:
            kind: of scaling.
            values_SF: time steps of the training sequences, each once.
            observed_SF: where they are not filled in; None if none is.
        """
        features = values_SF.shape[1]
        if kind == "none":
            return cls(kind=kind, centre_F=np.zeros(features), spread_F=np.ones(features))
        columns = (
            values_SF[:, at] if observed_SF is None else values_SF[observed_SF[:, at], at] for at in range(features)
        )
        pairs = [_centre_and_spread(kind, column) for column in columns]
        centre_F, spread_F = (np.array(each) for each in zip(*pairs, strict=True))
        return cls(kind=kind, centre_F=centre_F, spread_F=spread_F)

    def scaled(self, values_SF: Values, out_SF: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """Values on the model's scale; a missing one is 0, the centre. What no float32 can hold is the largest one.

        Args:
            values_SF: in the data's units.
            out_SF: where they are written; None takes new memory.
        """
        scaled_SF = np.empty(values_SF.shape, dtype=np.float32) if out_SF is None else out_SF
        for first in range(0, len(values_SF), ROWS):  # in parts, so that no second copy of all is made in float64
            rows = slice(first, first + ROWS)
            part_SF = (values_SF[rows] - self.centre_F) / self.spread_F
            scaled_SF[rows] = np.nan_to_num(np.clip(part_SF, -LARGEST, LARGEST, out=part_SF), copy=False, nan=0.0)
        return scaled_SF

    def restored(self, scaled_TF: Values) -> NDArray[np.float64]:
        """The inverse of `scaled`: values in the data's own units, to float32 accuracy."""
        restored_TF: NDArray[np.float64] = scaled_TF.astype(np.float64) * self.spread_F + self.centre_F
        return restored_TF

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        return {"kind": self.kind, "centre": self.centre_F.tolist(), "spread": self.spread_F.tolist()}

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Scaler:
        """The scaler that `to_json` described.

        Raises:
            ValueError: if it is not one.
        """
        try:
            centre_F, spread_F = (np.array(facts[name], dtype=np.float64) for name in ("centre", "spread"))
            if centre_F.ndim != 1 or centre_F.shape != spread_F.shape or not (spread_F > 0).all():
                raise ValueError("each feature needs a centre and a spread > 0")
            return cls(kind=str(facts["kind"]), centre_F=centre_F, spread_F=spread_F)
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a scaler: {error}") from None


def own_scale(steps_SF: NDArray[np.float32], starts_N: Any, lengths_N: Any) -> tuple[NDArray[np.float32], ...]:
    """Mean and deviation of each sequence, (N, F) each; a constant feature has deviation 1.

    Args:
        steps_SF: scaled steps.
        starts_N: where each sequence begins.
        lengths_N: its steps.
    """
    sums_SF = np.concatenate([np.zeros((1, steps_SF.shape[1])), steps_SF.astype(np.float64).cumsum(axis=0)])
    squares_SF = np.concatenate([np.zeros((1, steps_SF.shape[1])), (steps_SF.astype(np.float64) ** 2).cumsum(axis=0)])
    ends_N, counts_N1 = starts_N + lengths_N, lengths_N[:, None]
    mean_NF = (sums_SF[ends_N] - sums_SF[starts_N]) / counts_N1
    variance_NF = (squares_SF[ends_N] - squares_SF[starts_N]) / counts_N1 - mean_NF**2
    deviation_NF = np.sqrt(np.maximum(variance_NF, 0.0))
    deviation_NF[deviation_NF < 1e-4] = 1.0  # on the scale of all sequences, where the deviation is about 1
    return mean_NF.astype(np.float32), deviation_NF.astype(np.float32)


def _centre_and_spread(kind: str, values: Values) -> tuple[float, float]:
    if not len(values):
        return 0.0, 1.0
    if kind == "minmax":
        centre, spread = float(values.min()), float(values.max()) - float(values.min())
    elif kind == "robust":
        quarter, centre, three_quarters = np.quantile(values, [0.25, 0.5, 0.75]).tolist()
        spread = three_quarters - quarter
        spread = spread if spread > 0 else _deviation(values)  # more than half of the values are the same
    else:
        centre, spread = float(values.mean(dtype=np.float64)), _deviation(values)
    is_constant = not spread > 1e-12 * max(1.0, abs(centre))
    return centre, 1.0 if is_constant else spread


def _deviation(values: Values) -> float:
    """The standard deviation, in float64, without a copy of all values."""
    mean = values.mean(dtype=np.float64)
    parts = [values[first : first + ROWS] for first in range(0, len(values), ROWS)]
    return float(np.sqrt(sum(float(((part - mean) ** 2).sum()) for part in parts) / len(values)))
