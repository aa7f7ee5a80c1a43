"""From sequences in a file to a split that a model reads; the same for training and for new data.

Shape suffixes: N sequences, F features, S time steps of all sequences together.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ae.data.sequences.raw import Raw
from ae.data.sequences.scaling import Scaler, own_scale
from ae.splits import Split

STEPS = 100_000
"""Steps of several sequences that are gathered at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """What turns data into sequences as a model was trained on; saved with the model as JSON."""

    columns: tuple[str, ...]
    """The names of the features, in order."""
    scaler: Scaler
    window: int | None
    """Steps of a window; None for sequences that stay whole."""
    stride: int
    is_series: bool
    """Whether the training data was one long series."""
    classes: tuple[str, ...] | None
    """The classes of the labels; None if the data has none."""

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        return {
            "columns": list(self.columns),
            "scaler": self.scaler.to_json(),
            "window": self.window,
            "stride": self.stride,
            "is_series": self.is_series,
            "classes": None if self.classes is None else list(self.classes),
        }

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Prepared:
        """What `to_json` described.

        Raises:
            ValueError: if a part is missing or of another kind.
        """
        try:
            return cls(
                columns=tuple(map(str, facts["columns"])),
                scaler=Scaler.from_json(facts["scaler"]),
                window=None if facts["window"] is None else int(facts["window"]),
                stride=int(facts["stride"]),
                is_series=bool(facts["is_series"]),
                classes=None if facts["classes"] is None else tuple(map(str, facts["classes"])),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"what prepares the data is incomplete: {error}") from None

    def split(self, raw: Raw) -> Split:
        """Sequences, or windows, as a split: scaled, in their order, with a copy of their own steps alone."""
        first_B, last_B, _ = _blocks(raw)
        steps_SF = np.empty((int((last_B - first_B).sum()), len(self.columns)), dtype=np.float32)
        done = 0
        for few in _portions(last_B - first_B):  # so that their values are in memory once, and scaled
            part_SF = _kept(raw.values_SF, first_B[few], last_B[few])
            self.scaler.scaled(part_SF, steps_SF[done : done + len(part_SF)])
            done += len(part_SF)
        raw = compact(replace(raw, values_SF=raw.values_SF[:, :0]))
        centre_NF, spread_NF = None, None
        if self.scaler.kind == "per-sequence":
            centre_NF, spread_NF = own_scale(steps_SF, raw.starts_N, raw.lengths_N)
        return Split(
            steps_SF=steps_SF,
            starts_N=raw.starts_N,
            lengths_N=raw.lengths_N,
            observed_SF=raw.observed_SF,
            unusual_S=raw.unusual_S,
            centre_NF=centre_NF,
            spread_NF=spread_NF,
            labels_N=self._codes(raw),
            class_names=self.classes if raw.labels_N is not None else None,
            info=_info(raw),
        )

    def _codes(self, raw: Raw) -> NDArray[np.int64] | None:
        """The number of each sequence's class."""
        if raw.labels_N is None or self.classes is None:
            return None
        codes = {name: code for code, name in enumerate(self.classes)}
        return np.array([codes[label] for label in raw.labels_N], dtype=np.int64)


def compact(raw: Raw) -> Raw:
    """The same sequences with their own steps alone: one after another, or where they overlap, in the data's order."""
    first_B, last_B, block_N = _blocks(raw)
    sizes_B = last_B - first_B
    begins_B = sizes_B.cumsum() - sizes_B

    def kept(values_S: NDArray[Any] | None) -> NDArray[Any] | None:
        return None if values_S is None else _kept(values_S, first_B, last_B)

    return replace(
        raw,
        values_SF=_kept(raw.values_SF, first_B, last_B),
        observed_SF=kept(raw.observed_SF),
        labels_S=kept(raw.labels_S),
        unusual_S=kept(raw.unusual_S),
        index_S=kept(raw.index_S),
        starts_N=begins_B[block_N] + raw.starts_N - first_B[block_N],
    )


def _kept(values_S: NDArray[Any], first_B: NDArray[np.int64], last_B: NDArray[np.int64]) -> NDArray[Any]:
    """The steps of some blocks, one after another; those of one block are not copied."""
    blocks = [values_S[first:last] for first, last in zip(first_B, last_B, strict=True)]
    return blocks[0] if len(blocks) == 1 else np.concatenate([values_S[:0], *blocks])


def _portions(sizes_B: NDArray[np.int64]) -> Iterator[slice]:
    """The blocks in groups of some `STEPS` steps; a longer block is a group of its own."""
    group_B = sizes_B.cumsum() // STEPS
    borders = np.flatnonzero(np.diff(group_B, prepend=-1, append=group_B[-1:] + 1))
    for first, last in itertools.pairwise(borders.tolist()):
        yield slice(first, last)


def _blocks(raw: Raw) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """First and last step of every block that is kept, and the block of each sequence.

    A block is one sequence, or where sequences overlap, all that follow each other without a gap.
    """
    order_N = np.argsort(raw.starts_N, kind="stable")
    starts_N, ends_N = raw.starts_N[order_N], (raw.starts_N + raw.lengths_N)[order_N]
    if not (starts_N[1:] < ends_N[:-1]).any():
        return raw.starts_N, raw.starts_N + raw.lengths_N, np.arange(len(raw))
    reach_N = np.maximum.accumulate(ends_N)
    is_first_N = np.concatenate([[True], starts_N[1:] > reach_N[:-1]])
    at_B = np.flatnonzero(is_first_N)
    block_N = np.empty(len(raw), dtype=np.int64)
    block_N[order_N] = is_first_N.cumsum() - 1
    return starts_N[at_B], reach_N[np.append(at_B[1:], len(raw)) - 1], block_N


def _info(raw: Raw) -> pd.DataFrame:
    """One row per sequence: name, offset in it, label, and the index of the first and the last step."""
    facts: dict[str, Any] = {"name": raw.names_N, "offset": 0 if raw.offsets_N is None else raw.offsets_N}
    if raw.labels_N is not None:
        facts["label"] = raw.labels_N
    if raw.index_S is not None:
        facts["first"] = raw.index_S[raw.starts_N]
        facts["last"] = raw.index_S[raw.starts_N + raw.lengths_N - 1]
    return pd.DataFrame(facts)
