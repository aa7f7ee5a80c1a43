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

log = logging.getLogger(__name__)


def fill(raw: Raw, source: str) -> Raw:
    """The sequences with every missing value replaced by the one before it, the first ones by the next.

    A feature that a whole sequence lacks stays NaN; `ae.data.sequences.scaling` puts the training mean there.

    Args:
        raw: whole sequences, one after another.
        source: names the data in messages.

    Raises:
        UserError: if a value is infinite.
    """
    _refuse_infinite(raw, source)
    missing_SF = np.isnan(raw.values_SF)
    count = int(missing_SF.sum())
    if not count:
        return raw
    what = f"{counted(count, 'missing value')} ({count / missing_SF.size:.2g} of all)"
    log.warning("%s: %s filled from the step before, and left out of the loss", source, what)
    values_SF = raw.values_SF.copy()
    sequence_S = np.repeat(np.arange(len(raw)), raw.lengths_N)
    for feature in np.flatnonzero(missing_SF.any(axis=0)):
        values_SF[:, feature] = _filled(values_SF[:, feature], sequence_S)
    return replace(raw, values_SF=values_SF, observed_SF=~missing_SF)


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


def _refuse_infinite(raw: Raw, source: str) -> None:
    infinite_SF = np.isinf(raw.values_SF)
    if infinite_SF.any():
        step, feature = np.argwhere(infinite_SF)[0]
        at = int(np.searchsorted(raw.starts_N, step, side="right")) - 1
        where = f"step {step - raw.starts_N[at] + 1} of {raw.names_N[at]}, {raw.columns[feature]}"
        raise UserError(f"{source}: {where}: the value is infinite; values must be finite, or missing")


def _filled(values_S: NDArray[np.floating[Any]], sequence_S: NDArray[np.int64]) -> NDArray[np.floating[Any]]:
    here_S, end = np.arange(len(values_S)), len(values_S) - 1
    is_there_S = ~np.isnan(values_S)
    last_S = np.maximum.accumulate(np.where(is_there_S, here_S, 0))
    next_S = np.minimum.accumulate(np.where(is_there_S, here_S, end)[::-1])[::-1]
    found_S = np.where(sequence_S[next_S] == sequence_S, values_S[next_S], np.nan)
    from_last_S = is_there_S[last_S] & (sequence_S[last_S] == sequence_S)
    return np.where(from_last_S, values_S[last_S], found_S).astype(values_S.dtype)
