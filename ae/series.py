"""One long series, put together again from its windows.

Shape suffixes: N windows, F features, P places: time steps of the series, S time steps of all windows together, V
values that are merged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ae.data.sequences.prepared import Prepared
from ae.merging import StepMeans, rows_of
from ae.model import LSTM_AE
from ae.scores import scores_of
from ae.splits import Split


@dataclass(frozen=True, kw_only=True, slots=True)
class Merged:
    """What the windows of a part say about each step; NaN where there is no window, or no value."""

    index_P: NDArray[Any]
    """The data's own index of the steps, evenly spaced between the ends of windows; or their numbers, from 0."""
    values_PF: NDArray[np.float64]
    """The data, in its own units."""
    reconstructed_PF: NDArray[np.float64]
    """The mean over all windows that hold the step, in the data's units."""
    errors_P: NDArray[np.float64]
    """The squared error on the model's scale: the mean over the features, and over all windows that hold the step."""
    unusual_P: NDArray[np.bool_] | None
    """True where the data says that a step is an anomaly; None if its steps have no classes."""


def merged(model: LSTM_AE, parts: Sequence[Split], prepared: Prepared) -> Merged:
    """The steps of one series from the first to the last window.

    Args:
        model: on the CPU.
        parts: windows of the series, whose `info` has the offsets; no two windows of a part begin at one step.
        prepared: what undoes the scaling.
    """
    offsets = [_offsets(part) for part in parts]
    first = min(int(each.min()) for each in offsets)
    last = max(int((each + part.lengths_N).max()) for each, part in zip(offsets, parts, strict=True))
    places, features = last - first, parts[0].features
    values_PF = np.full((places, features), np.nan)
    unusual_P = None if parts[0].unusual_S is None else np.zeros(places, dtype=bool)
    means = StepMeans(1 + features)
    means.begin(places)
    for part, offset_N in zip(parts, offsets, strict=True):
        _lay_down(part, offset_N - first, prepared, values_PF, unusual_P)
        found = scores_of(model, part, prepared.scaler, per_step=True)
        assert found.step_errors_S is not None
        assert found.reconstruction_SF is not None
        values_SV = np.column_stack([found.step_errors_S, found.reconstruction_SF])
        means.add(rows_of(offset_N - first, part.lengths_N), values_SV)
    means_PV = means.take(places)
    return Merged(
        index_P=_index(parts, offsets, first, places),
        values_PF=values_PF,
        reconstructed_PF=means_PV[:, 1:],
        errors_P=means_PV[:, 0],
        unusual_P=unusual_P,
    )


def _offsets(part: Split) -> NDArray[np.int64]:
    assert part.info is not None
    return part.info["offset"].to_numpy(dtype=np.int64)


def _lay_down(
    part: Split,
    places_N: NDArray[np.int64],
    prepared: Prepared,
    values_PF: NDArray[np.float64],
    unusual_P: NDArray[np.bool_] | None,
) -> None:
    """Put the data of the windows where they belong."""
    for place, start, length in zip(places_N, part.starts_N, part.lengths_N, strict=True):
        steps, here = slice(start, start + length), slice(place, place + length)
        values_PF[here] = prepared.scaler.restored(part.steps_SF[steps])
        if part.observed_SF is not None:
            values_PF[here][~part.observed_SF[steps]] = np.nan
        if unusual_P is not None and part.unusual_S is not None:
            unusual_P[here] = part.unusual_S[steps]


def _index(parts: Sequence[Split], offsets: Sequence[NDArray[np.int64]], first: int, places: int) -> NDArray[Any]:
    """The index of every place, from those of the first and last steps of all windows."""
    infos = [part.info for part in parts]
    if any(info is None or "first" not in info for info in infos):
        return first + np.arange(places)
    known_places = np.concatenate([*offsets, *(o + part.lengths_N - 1 for o, part in zip(offsets, parts, strict=True))])
    ends = np.concatenate([info[name].to_numpy() for name in ("first", "last") for info in infos if info is not None])
    order = np.argsort(known_places, kind="stable")
    is_time = ends.dtype.kind == "M"
    numbers = ends.astype("datetime64[ns]").astype(np.int64) if is_time else ends.astype(np.float64)
    found_P = np.interp(first + np.arange(places), known_places[order], numbers[order].astype(np.float64))
    return found_P.astype(np.int64).astype("datetime64[ns]") if is_time else found_P
