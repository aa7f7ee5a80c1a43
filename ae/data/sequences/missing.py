"""Missing values: filled in the input, left out of the loss, counted.

Shape suffixes: N sequences, F features, S time steps of all sequences together.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ae.data.sequences.raw import Raw
from ae.errors import UserError
from ae.words import counted, listed

STEPS = 1_000_000
"""Steps that are filled at once, unless one sequence has more."""
LARGEST = 1e30
"""Largest size of a value; numbers of the model, float32, end at 3e38."""

log = logging.getLogger(__name__)


def fill(raw: Raw, source: str) -> Raw:
    """The sequences with every missing value replaced by the one before it, the first ones by the next.

    A feature that a whole sequence lacks stays NaN; `ae.data.sequences.scaling` puts the training mean there.

    Args:
        raw: whole sequences, one after another; their values are filled in place if they can be.
        source: names the data in messages.

    Raises:
        UserError: if a value is infinite, or too large to be scaled.
    """
    found = filled(raw, source, in_place=True)
    if found.observed_SF is not None:
        count = int((~found.observed_SF).sum())
        what = f"{counted(count, 'missing value')} ({count / found.observed_SF.size:.2g} of all)"
        log.warning("%s: %s filled from the step before, and left out of the loss", source, what)
    return found


def filled(raw: Raw, source: str, before: int = 0, *, in_place: bool = False) -> Raw:
    """As `fill`, and nothing is said.

    Args:
        raw: whole sequences, one after another.
        source: names the data in messages.
        before: steps of the first sequence that are not in `raw`.
        in_place: change the values of `raw`, unless they are read-only.
    """
    _refuse_huge(raw, source, before)
    rows = range(0, len(raw.values_SF), STEPS)
    if not any(np.isnan(raw.values_SF[first : first + STEPS]).any() for first in rows):
        return raw
    values_SF = raw.values_SF if in_place and raw.values_SF.flags.writeable else raw.values_SF.copy()
    observed_SF = np.isnan(values_SF)
    features = np.flatnonzero(observed_SF.any(axis=0))
    np.logical_not(observed_SF, out=observed_SF)
    parts_N = (raw.lengths_N.cumsum() - 1) // STEPS
    for part in np.unique(parts_N):  # in parts, as the numbers of steps take more memory than the values
        where = np.flatnonzero(parts_N == part)
        steps = slice(raw.starts_N[where[0]], raw.starts_N[where[-1]] + raw.lengths_N[where[-1]])
        sequence_S = np.repeat(where, raw.lengths_N[where])
        for feature in features:
            values_SF[steps, feature] = _filled(values_SF[steps, feature], sequence_S)
    return replace(raw, values_SF=values_SF, observed_SF=observed_SF)


def drop_empty(raw: Raw, source: str) -> Raw:
    """The sequences, or windows, that have a value; the others are named.

    Raises:
        UserError: if none has one.
    """
    if raw.observed_SF is None:
        return raw
    before_S = np.concatenate([[0], raw.observed_SF.any(axis=1).cumsum()])
    has_N = before_S[raw.starts_N + raw.lengths_N] > before_S[raw.starts_N]
    if not has_N.any():
        raise UserError(f"{source}: every value is missing; a sequence needs a number")
    if not has_N.all():
        names = list(dict.fromkeys(str(name) for name in raw.names_N[~has_N]))
        what = f"{counted(int((~has_N).sum()), 'sequence')} without any value dropped"
        log.warning("%s: %s: %s", source, what, listed(names))
    return raw.take(has_N)


def drop_short(raw: Raw, source: str) -> Raw:
    """The sequences of two steps or more, which have a next step; the others are counted.

    Raises:
        UserError: if there is none.
    """
    has_next_N = raw.lengths_N > 1
    if not has_next_N.any():
        raise UserError(f"{source}: --predict needs sequences of two steps or more")
    if short := int((~has_next_N).sum()):
        log.warning("%s: %s of one step dropped, as it has no next step", source, counted(short, "sequence"))
    return raw.take(has_next_N)


def _refuse_huge(raw: Raw, source: str, before: int) -> None:
    low, high = np.fmin.reduce(raw.values_SF, axis=None), np.fmax.reduce(raw.values_SF, axis=None)
    if low < -LARGEST or high > LARGEST:
        step, feature = np.argwhere(np.abs(raw.values_SF) > LARGEST)[0]
        at = int(np.searchsorted(raw.starts_N, step, side="right")) - 1
        number = step - raw.starts_N[at] + 1 + (before if at == 0 else 0)
        where = f"step {number} of sequence {raw.names_N[at]}, {raw.columns[feature]}"
        rule = f"a value must lie within {LARGEST:g} of 0, or be missing"
        raise UserError(f"{source}: {where}: {rule}, got {raw.values_SF[step, feature]:g}")


def _filled(values_S: NDArray[np.floating[Any]], sequence_S: NDArray[np.int64]) -> NDArray[np.floating[Any]]:
    here_S, end = np.arange(len(values_S)), len(values_S) - 1
    is_there_S = ~np.isnan(values_S)
    last_S = np.maximum.accumulate(np.where(is_there_S, here_S, 0))
    next_S = np.minimum.accumulate(np.where(is_there_S, here_S, end)[::-1])[::-1]
    found_S = np.where(sequence_S[next_S] == sequence_S, values_S[next_S], np.nan)
    from_last_S = is_there_S[last_S] & (sequence_S[last_S] == sequence_S)
    return np.where(from_last_S, values_S[last_S], found_S).astype(values_S.dtype)
