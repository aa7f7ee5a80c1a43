"""Scales stock prices to values that a model can learn from, and back.

Shape suffixes: N sequences, T time steps (days).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ae.splits import Split

if TYPE_CHECKING:
    from ae.units import Units


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """The statistics of N sequences: `normalise` removes them, `restore` puts them back."""

    minimum_N: NDArray[np.float64]
    """Smallest price, in dollars."""
    maximum_N: NDArray[np.float64]
    """Largest price, in dollars."""
    mean_N: NDArray[np.float64]
    """Mean of y = (x - minimum) / maximum, no unit."""

    @classmethod
    def from_info(cls, info: pd.DataFrame) -> Scale:
        """The scale of a split's sequences, from its `info`."""
        return cls(**{f"{name}_N": info[name].to_numpy(np.float64) for name in ("minimum", "maximum", "mean")})


def normalise(prices_NT: NDArray[np.float64], *, seen: int | None = None) -> tuple[NDArray[np.float32], Scale]:
    """Scale each sequence by its own statistics: y = (x - minimum) / maximum, then z = y / (2 * mean of y).

    Args:
        prices_NT: finite prices above 0.
        seen: number of first days that the statistics come from, so that later days cannot leak into earlier ones;
            None uses all T days.

    Returns:
        z (float32) and the scale for `restore`. Over the seen days, z has minimum 0 and mean 1/2. A later day is
        infinite if float32 cannot hold its value.

    Raises:
        ValueError: if `seen` is not from 2 to T, a price is not finite and above 0, or a sequence is constant over the
            seen days.
    """
    days = prices_NT.shape[1]
    seen = days if seen is None else seen
    if not 2 <= seen <= days:
        raise ValueError(f"seen must be from 2 to T = {days} days, got {seen}")
    if not (np.isfinite(prices_NT) & (prices_NT > 0)).all():
        raise ValueError("prices_NT must be finite and > 0")
    minimum_N, maximum_N = prices_NT[:, :seen].min(axis=1), prices_NT[:, :seen].max(axis=1)
    if not (minimum_N < maximum_N).all():
        raise ValueError(f"sequence {int((minimum_N >= maximum_N).argmax())} is constant over its {seen} seen days")
    with np.errstate(over="ignore"):
        y_NT = (prices_NT - minimum_N[:, None]) / maximum_N[:, None]
        mean_N = y_NT[:, :seen].mean(axis=1)
        values_NT = (y_NT / (2 * mean_N[:, None])).astype(np.float32)
    return values_NT, Scale(minimum_N=minimum_N, maximum_N=maximum_N, mean_N=mean_N)


def restore(values_NT: NDArray[np.float32], scale: Scale) -> NDArray[np.float64]:
    """Prices from normalised values, to float32 accuracy: the inverse of `normalise`."""
    y_NT = values_NT.astype(np.float64) * (2 * scale.mean_N[:, None])
    return y_NT * scale.maximum_N[:, None] + scale.minimum_N[:, None]


def units(facts: Mapping[str, Any]) -> Units:
    """Prices in dollars; each sequence is normalised by its own."""
    from ae.units import PriceUnits

    return PriceUnits()


def prices_of(split: Split) -> NDArray[np.float64]:
    """The prices (N, T) of a split, in dollars."""
    assert split.info is not None
    return restore(split.inputs_NTF[:, :, 0], Scale.from_info(split.info))


def moving(prices_NT: NDArray[np.float64]) -> NDArray[np.bool_]:
    """True for each sequence (N,) that is not constant."""
    return prices_NT.min(axis=1) < prices_NT.max(axis=1)
