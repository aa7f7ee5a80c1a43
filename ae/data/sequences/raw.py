"""Sequences as they stand in a user's files, before any split.

Shape suffixes: N sequences, F features, S time steps of all sequences together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ae.words import counted


@dataclass(frozen=True, kw_only=True, slots=True)
class Raw:
    """Some sequences; those of overlapping windows share their steps."""

    values_SF: NDArray[np.floating[Any]]
    """NaN where a value is missing."""
    starts_N: NDArray[np.int64]
    lengths_N: NDArray[np.int64]
    names_N: NDArray[np.object_]
    """How messages and tables call a sequence."""
    columns: tuple[str, ...]
    """The names of the features."""
    observed_SF: NDArray[np.bool_] | None = None
    """False where a value was missing and is filled; None if none was, or before they are filled."""
    labels_N: NDArray[np.object_] | None = None
    """The class of each sequence, as text."""
    labels_S: NDArray[np.object_] | None = None
    """The class of each step, as text, where a sequence has steps of several."""
    unusual_S: NDArray[np.bool_] | None = None
    """True where the class of a step is not the most frequent one of all steps; None if steps have no classes."""
    groups_N: NDArray[np.object_] | None = None
    index_S: NDArray[Any] | None = None
    """The column that orders the steps: times, days or numbers."""
    offsets_N: NDArray[np.int64] | None = None
    """Where a window begins in the sequence that it was cut from; None for whole sequences."""
    is_series: bool = False
    """Whether it is one long series."""
    understood: str = ""
    """What was understood, in words."""

    def __len__(self) -> int:
        return len(self.starts_N)

    def take(self, where_N: NDArray[Any]) -> Raw:
        """Some of the sequences, at indices or where a mask is True; the steps stay."""
        return replace(
            self,
            starts_N=self.starts_N[where_N],
            lengths_N=self.lengths_N[where_N],
            names_N=self.names_N[where_N],
            labels_N=None if self.labels_N is None else self.labels_N[where_N],
            groups_N=None if self.groups_N is None else self.groups_N[where_N],
            offsets_N=None if self.offsets_N is None else self.offsets_N[where_N],
        )


def raw_of(
    sequences: Sequence[NDArray[Any]], *, names: Sequence[str], columns: Sequence[str], understood: str, **more: Any
) -> Raw:
    """Sequences (T, F) of any lengths, one after another."""
    lengths_N = np.array([len(one) for one in sequences], dtype=np.int64)
    return Raw(
        values_SF=np.concatenate(sequences),
        starts_N=np.concatenate([[0], lengths_N.cumsum()[:-1]]).astype(np.int64),
        lengths_N=lengths_N,
        names_N=np.array(names, dtype=object),
        columns=tuple(columns),
        understood=understood,
        **more,
    )


def sizes(lengths: Sequence[int]) -> str:
    """How many sequences there are, and of which lengths, in words."""
    least, most = min(lengths), max(lengths)
    span = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    return f"{counted(len(lengths), 'sequence')} of {span} {'step' if span == '1' else 'steps'}"
