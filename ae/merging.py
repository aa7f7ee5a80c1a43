"""Overlapping windows merged per time step, and flagged steps merged into intervals, block by block.

Shape suffixes: N windows, R rows of a block: the time steps in it, S time steps of all windows together, V values that
are merged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class StepMeans:
    """Means over the windows that cover a step; a NaN is left out.

    A block's rows that are not final come again at the beginning of the next block, with the sums that they have.
    """

    def __init__(self, values: int) -> None:
        """Begin without rows.

        Args:
            values: V, merged per step.
        """
        self.sums_RV = np.zeros((0, values))
        self.counts_RV = np.zeros((0, values))

    def begin(self, rows: int) -> None:
        """Begin a block of so many rows, the rows that were left included."""
        more = ((0, rows - len(self.sums_RV)), (0, 0))
        self.sums_RV, self.counts_RV = np.pad(self.sums_RV, more), np.pad(self.counts_RV, more)

    def add(self, rows_S: NDArray[np.int64], values_SV: Floats) -> None:
        """Add what windows say about their steps.

        Args:
            rows_S: the row of each step.
            values_SV: NaN where there is none.
        """
        if not len(rows_S):
            return
        first, end = int(rows_S.min()), int(rows_S.max()) + 1
        for at in range(values_SV.shape[1]):
            is_known_S = ~np.isnan(values_SV[:, at])
            there = rows_S[is_known_S] - first
            self.sums_RV[first:end, at] += np.bincount(there, values_SV[is_known_S, at], minlength=end - first)
            self.counts_RV[first:end, at] += np.bincount(there, minlength=end - first)

    def take(self, rows: int) -> Floats:
        """The means of the first rows, which are final, (R, V); NaN where no window had a value. The others stay."""
        sums_RV, counts_RV = self.sums_RV[:rows], self.counts_RV[:rows]
        self.sums_RV, self.counts_RV = self.sums_RV[rows:].copy(), self.counts_RV[rows:].copy()
        return np.divide(sums_RV, counts_RV, out=np.full(sums_RV.shape, np.nan), where=counts_RV > 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """Adjacent steps of one sequence whose score is above the threshold."""

    name: str
    number: int
    """Which sequence it is in."""
    first: int
    """Steps are counted from 0."""
    last: int
    start: Any
    """The index of the first step, in the data's own terms."""
    end: Any
    score: float
    """The largest of its steps."""
    error: float
    """The largest of one step."""
    worst: Any
    """The index of that step."""

    def severity(self, threshold: float) -> float:
        """The score as a multiple of the threshold; the score itself if that is 0."""
        return self.score / threshold if threshold > 0 else self.score

    def __len__(self) -> int:
        return self.last - self.first + 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Steps:
    """Consecutive steps of some sequences."""

    names_R: NDArray[np.object_]
    numbers_R: NDArray[np.int64]
    """Which sequence each step is of."""
    steps_R: NDArray[np.int64]
    """From 0 in each sequence."""
    index_R: NDArray[Any]
    """In the data's own terms."""
    scores_R: Floats
    """The mean error of the windows that cover a step."""
    errors_R: Floats
    """The error at the step itself, the mean over these windows."""

    def flagged(self, threshold: float) -> Iterator[Interval]:
        """The intervals whose scores are above a threshold, in order."""
        is_next_R = (np.diff(self.numbers_R) == 0) & (np.diff(self.steps_R) == 1)
        errors_R = np.where(np.isnan(self.errors_R), -1.0, self.errors_R)
        for first, end in intervals(self.scores_R > threshold, is_next_R):
            worst = first + int(errors_R[first:end].argmax())
            yield Interval(
                name=str(self.names_R[first]),
                number=int(self.numbers_R[first]),
                first=int(self.steps_R[first]),
                last=int(self.steps_R[end - 1]),
                start=self.index_R[first],
                end=self.index_R[end - 1],
                score=float(self.scores_R[first:end].max()),
                error=float(errors_R[worst]),
                worst=self.index_R[worst],
            )


def rows_of(starts_N: NDArray[np.int64], lengths_N: NDArray[np.int64]) -> NDArray[np.int64]:
    """The row of every step of windows that begin at some rows, one window after another, (S,)."""
    ends_N = lengths_N.cumsum()
    return np.arange(int(ends_N[-1])) + np.repeat(starts_N + lengths_N - ends_N, lengths_N)


def intervals(flagged_R: NDArray[np.bool_], is_next_R: NDArray[np.bool_] | None = None) -> list[tuple[int, int]]:
    """Adjacent flagged rows as intervals: the first row of each, and the first one after it.

    Args:
        flagged_R: one row per step.
        is_next_R: whether a row is the step after that of the row before it, for all rows but the first; None if all
            are.
    """
    goes_on_R = flagged_R[1:] & flagged_R[:-1] & (True if is_next_R is None else is_next_R)
    firsts = np.flatnonzero(flagged_R & ~np.concatenate([[False], goes_on_R]))
    lasts = np.flatnonzero(flagged_R & ~np.concatenate([goes_on_R, [False]]))
    return list(zip(firsts.tolist(), (lasts + 1).tolist(), strict=True))


def joined(found: list[Interval], more: Iterator[Interval]) -> list[Interval]:
    """Intervals followed by those of the next block, whose first one may continue the last one."""
    for interval in more:
        before = found[-1] if found else None
        if before and before.number == interval.number and before.last + 1 == interval.first:
            worst = max(before, interval, key=lambda one: one.error)
            found[-1] = replace(
                before,
                last=interval.last,
                end=interval.end,
                score=max(before.score, interval.score),
                error=worst.error,
                worst=worst.worst,
            )
        else:
            found.append(interval)
    return found
