"""Which sequences train, validate and test; all randomness comes from `SPLIT_SEED`.

Shape suffixes: N sequences.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ae.data.sequences.raw import Raw
from ae.errors import UserError
from ae.splits import SPLIT_SEED

TRAIN, VALIDATION, TEST, NONE, ABNORMAL_VALIDATION, ABNORMAL_TEST = range(6)
"""Parts of the data; NONE is left out. Abnormal sequences neither train a model nor choose one."""
NAMES = {
    TRAIN: "train",
    VALIDATION: "validation",
    TEST: "test",
    ABNORMAL_VALIDATION: "abnormal_validation",
    ABNORMAL_TEST: "abnormal_test",
}
"""The fields of `Splits` that hold them."""


def parts_of(raw: Raw, shares: Sequence[float], source: str) -> NDArray[np.int64]:
    """The part of each sequence, (N,).

    One long series is split by time: blocks in order, and windows that cross a border are left out. Sequences with
    groups are split by group, all others one by one, each class on its own.

    Args:
        raw: sequences, or windows.
        shares: of train, validation and test; 0 for a part that comes from elsewhere.
        source: names the data in messages.

    Raises:
        UserError: if a part with a share would stay empty.
    """
    if raw.is_series:
        parts_N = _by_time(raw, shares)
    elif raw.groups_N is not None:
        parts_N = _by_group(raw.groups_N, shares)
    else:
        parts_N = _one_by_one(raw.labels_N, len(raw), shares)
    for part, name in ((TRAIN, "train"), (VALIDATION, "validate"), (TEST, "test")):
        if shares[part] and not (parts_N == part).any():
            what = "windows" if raw.is_series else "groups" if raw.groups_N is not None else "sequences"
            total = len(set(raw.groups_N)) if raw.groups_N is not None else len(raw)
            raise UserError(f"{source}: too few {what} to {name} on: {total:,}; bring more, or give another --split")
    return parts_N


def parts_around_normal(raw: Raw, normal: str, shares: Sequence[float], source: str) -> NDArray[np.int64]:
    """As `parts_of` for the sequences of the normal class; half of the others for validation, half for the test.

    Where a series is split by time, or sequences by group, an abnormal sequence is in the part of its time or group; if
    that is the training part, it is left out.

    Raises:
        UserError: as `parts_of`, or if no sequence is normal.
    """
    assert raw.labels_N is not None
    is_normal_N = raw.labels_N == normal
    if not is_normal_N.any():
        classes = ", ".join(sorted(set(raw.labels_N))[:5])
        raise UserError(f"{source}: --normal {normal}: no sequence has this class; the classes are {classes}")
    if raw.is_series or raw.groups_N is not None:
        parts_N = parts_of(raw, shares, source)
        moved = {TRAIN: NONE, VALIDATION: ABNORMAL_VALIDATION, TEST: ABNORMAL_TEST, NONE: NONE}
        return np.where(is_normal_N, parts_N, np.vectorize(moved.get)(parts_N))
    parts_N = np.empty(len(raw), dtype=np.int64)
    parts_N[is_normal_N] = parts_of(raw.take(is_normal_N), shares, source)
    halves = (0.0, 0.5, 0.5) if shares[TEST] else (0.0, 1.0, 0.0)
    others = _one_by_one(raw.labels_N[~is_normal_N], int((~is_normal_N).sum()), halves)
    parts_N[~is_normal_N] = np.where(others == VALIDATION, ABNORMAL_VALIDATION, ABNORMAL_TEST)
    return parts_N


def _by_time(raw: Raw, shares: Sequence[float]) -> NDArray[np.int64]:
    borders = np.round(np.cumsum(shares) * len(raw.values_SF)).astype(np.int64)
    first_N = np.searchsorted(borders, raw.starts_N, side="right")
    last_N = np.searchsorted(borders, raw.starts_N + raw.lengths_N - 1, side="right")
    return np.where(first_N == last_N, first_N, NONE)


def _by_group(groups_N: NDArray[np.object_], shares: Sequence[float]) -> NDArray[np.int64]:
    """Groups in a random order, each into the part that lacks most of its share of the sequences."""
    names, codes_N = np.unique(groups_N.astype(str), return_inverse=True)
    sizes = np.bincount(codes_N)
    wanted, part_of = np.array(shares) * len(groups_N), np.empty(len(names), dtype=np.int64)
    for group in np.random.default_rng(SPLIT_SEED).permutation(len(names)):
        part_of[group] = int(np.argmax(np.where(np.array(shares) > 0, wanted / np.maximum(shares, 1e-12), -np.inf)))
        wanted[part_of[group]] -= sizes[group]
    return part_of[codes_N]


def _one_by_one(labels_N: NDArray[np.object_] | None, count: int, shares: Sequence[float]) -> NDArray[np.int64]:
    random = np.random.default_rng(SPLIT_SEED)
    codes_N = np.zeros(count, dtype=np.int64)
    if labels_N is not None:
        codes_N = np.unique(labels_N.astype(str), return_inverse=True)[1]
    parts_N = np.empty(count, dtype=np.int64)
    carried = np.zeros(3)
    for code in range(int(codes_N.max(initial=-1)) + 1):
        members = random.permutation(np.flatnonzero(codes_N == code))
        sizes = _sizes(len(members), np.array(shares), carried)
        parts_N[members] = np.repeat([TRAIN, VALIDATION, TEST], sizes)
    return parts_N


def _sizes(count: int, shares: NDArray[Any], carried: NDArray[Any]) -> NDArray[np.int64]:
    """Whole numbers that sum to `count`; what rounding takes from a part, later classes give back."""
    wanted = shares * count + carried
    sizes = np.maximum(np.floor(wanted), 0).astype(np.int64)
    for _ in range(count - int(sizes.sum())):
        sizes[int(np.argmax(np.where(shares > 0, wanted - sizes, -np.inf)))] += 1
    while sizes.sum() > count:
        sizes[int(np.argmax(np.where(sizes > 0, sizes - wanted, -np.inf)))] -= 1
    carried += shares * count - sizes
    return sizes
