"""Makes sequences that arrive in chunks ready for a model: filled, and cut into windows that cover every step.

Between two chunks the rows of a sequence that goes on are held back: all of them, or those of the last window.

Shape suffixes: N windows (or whole sequences), P sequences, F features, R rows of a block: the time steps in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ae.data.sequences.missing import filled
from ae.data.sequences.raw import Raw
from ae.data.sequences.stream import Chunk, unsorted
from ae.data.sequences.windows import labelled, usual_label
from ae.errors import UserError


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """Some windows, or whole sequences, and the rows that they are made of."""

    windows: Raw
    """With their labels. `offsets_N` counts from the first step of their sequence, across blocks."""
    is_last_N: NDArray[np.bool_]
    """Whether a window is the last one of its sequence."""
    names_P: NDArray[np.object_]
    numbers_P: NDArray[np.int64]
    """The number of each sequence, counted across blocks."""
    starts_P: NDArray[np.int64]
    """The first row of each sequence."""
    offsets_P: NDArray[np.int64]
    """Which step of its sequence that is."""
    final: int
    """Rows that no later window covers; the others come again, at the beginning of the next block."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Held:
    """The end of a sequence that may go on."""

    raw: Raw
    """One sequence, its missing values not filled."""
    number: int
    offset: int = 0
    """Steps of the sequence before it."""
    next_start: int = 0
    """The step at which its next window begins."""
    covered: int = 0
    """Steps up to the end of its last window."""
    before_F: NDArray[np.floating[Any]] | None = None
    """The values of the step before, filled; NaN for a feature without any so far."""


def blocks(
    chunks: Iterable[Chunk],
    source: str,
    *,
    window: int | None = None,
    stride: int = 1,
    prepare: Callable[[Raw], Raw] = lambda raw: raw,
    usual: str | None = None,
) -> Iterator[Block]:
    """Sequences whole, or cut into windows that cover every step.

    Windows begin at the first step and every `stride` steps; if they leave the end out, one more ends at the last step.
    A sequence shorter than a window is one window.

    Args:
        chunks: of a file.
        source: names it in messages.
        window: steps of a window; None keeps sequences whole.
        stride: steps from one window to the next.
        prepare: checks each chunk's sequences, and changes their features.
        usual: the label that gives way to every other label in a window; None takes the most frequent one of the first
            chunk.

    Raises:
        UserError: if a value is infinite, or the rows of a sequence are not together or not in the order of time.
    """
    held: _Held | None = None
    seen: set[str] = set()
    number = 0
    for chunk in chunks:
        raw = replace(prepare(chunk.raw), groups_N=None)
        usual = usual_label(raw) if usual is None else usual
        goes_on = held is not None and raw.names_N[0] == held.raw.names_N[0]
        if chunk.is_open:
            _refuse_repeated(raw.names_N[1 if goes_on else 0 :], seen, source)
        begun = held or _Held(raw=raw, number=number)
        joined = raw if held is None else _joined(held, raw, goes_on, source)
        number = begun.number + len(joined)
        whole = _filled(joined, begun, source)
        block, held = _cut(joined, whole, begun, chunk.is_open, window, stride)
        if block.final or len(block.windows):
            yield replace(block, windows=labelled(block.windows, usual))
    if held:
        block, _ = _cut(held.raw, _filled(held.raw, held, source), held, False, window, stride)
        if block.final or len(block.windows):
            yield replace(block, windows=labelled(block.windows, usual))


def _refuse_repeated(names_N: NDArray[np.object_], seen: set[str], source: str) -> None:
    for name in names_N:
        if name in seen:
            raise UserError(unsorted(source, name))
        seen.add(name)


def _joined(held: _Held, raw: Raw, goes_on: bool, source: str) -> Raw:
    """The held rows and those of the next chunk; the first sequence is the one that was held."""
    before = held.raw
    if before.index_S is not None and raw.index_S is not None:
        if before.index_S.dtype.kind != raw.index_S.dtype.kind:
            raise UserError(f"{source}: the times of {raw.names_N[0]} are of two kinds; write all of them in one way")
        if goes_on and not before.index_S[-1] < raw.index_S[0]:
            raise UserError(unsorted(source, str(raw.names_N[0])))
    lengths_N = np.concatenate([before.lengths_N, raw.lengths_N])
    names_N = np.concatenate([before.names_N, raw.names_N])
    if goes_on:
        lengths_N = np.concatenate([[lengths_N[0] + lengths_N[1]], lengths_N[2:]])
        names_N = names_N[1:]
    return replace(
        raw,
        values_SF=np.concatenate([before.values_SF, raw.values_SF]),
        labels_S=_both(before.labels_S, raw.labels_S),
        index_S=_both(before.index_S, raw.index_S),
        lengths_N=lengths_N,
        names_N=names_N,
        starts_N=lengths_N.cumsum() - lengths_N,
        labels_N=None,
    )


def _both(before_S: NDArray[Any] | None, after_S: NDArray[Any] | None) -> NDArray[Any] | None:
    return None if before_S is None or after_S is None else np.concatenate([before_S, after_S])


def _cut(
    raw: Raw, whole: Raw, begun: _Held, is_open: bool, window: int | None, stride: int
) -> tuple[Block, _Held | None]:
    """The windows of some sequences that are complete, and the rows of the last sequence that must wait.

    Args:
        raw: sequences, of which `begun` says how the first one began.
        whole: the same with missing values filled.
        begun: what was held back.
        is_open: whether the last sequence may go on.
        window: steps of a window; None keeps sequences whole.
        stride: from one window to the next.
    """
    count, last = len(raw), len(raw) - 1
    offsets_P = np.array([begun.offset, *[0] * last], dtype=np.int64)
    totals_P = offsets_P + raw.lengths_N
    begins = [(begun.next_start, begun.covered), *[(0, 0)] * last]
    ends = [*[True] * last, not is_open]
    if window is None:
        each = [np.zeros(int(has_ended), dtype=np.int64) for has_ended in ends]
    else:
        known = zip(begins, totals_P.tolist(), ends, strict=True)
        each = [_windows(*begin, total, has_ended, window, stride) for begin, total, has_ended in known]
    waiting = min(window or len(raw.values_SF), int(raw.lengths_N[-1])) if is_open else 0
    row = len(raw.values_SF) - waiting
    piece_N = np.repeat(np.arange(count), [len(one) for one in each])
    block = Block(
        windows=_placed(whole, piece_N, np.concatenate(each), offsets_P, window),
        is_last_N=(np.diff(piece_N, append=-1) != 0) & ~((piece_N == last) & is_open),
        names_P=whole.names_N,
        numbers_P=begun.number + np.arange(count),
        starts_P=whole.starts_N,
        offsets_P=offsets_P,
        final=row,
    )
    if not is_open:
        return block, None
    next_start, covered = begins[last]
    if window is not None and len(each[last]):
        next_start, covered = int(each[last][-1]) + stride, int(each[last][-1]) + window
    before_F = whole.values_SF[row - 1] if row > raw.starts_N[last] else begun.before_F if count == 1 else None
    held = _Held(
        raw=_rows_from(raw, row),
        number=begun.number + last,
        offset=int(totals_P[last]) - waiting,
        next_start=next_start,
        covered=covered,
        before_F=before_F,
    )
    return block, held


def _placed(
    whole: Raw,
    piece_N: NDArray[np.int64],
    offsets_N: NDArray[np.int64],
    offsets_P: NDArray[np.int64],
    window: int | None,
) -> Raw:
    """The windows that begin at some steps of some sequences, whose rows begin at the steps `offsets_P`."""
    windows, totals_N = whole.take(piece_N), (offsets_P + whole.lengths_N)[piece_N]
    return replace(
        windows,
        starts_N=windows.starts_N + offsets_N - offsets_P[piece_N],
        lengths_N=totals_N if window is None else np.minimum(window, totals_N),
        offsets_N=offsets_N,
    )


def _windows(next_start: int, covered: int, total: int, has_ended: bool, window: int, stride: int) -> NDArray[np.int64]:
    """The steps at which the windows of a sequence begin, from `next_start` on.

    Of a sequence that may go on, a window that would end at its last step so far waits: it may be the last one.
    """
    starts = np.arange(next_start, total - window + (1 if has_ended else 0), stride, dtype=np.int64)
    covered = int(starts[-1]) + window if len(starts) else covered
    if has_ended and covered < total:
        starts = np.append(starts, max(0, total - window))
    return starts


def _rows_from(raw: Raw, row: int) -> Raw:
    """The last sequence from a row on; a copy, so that the rows before it leave the memory."""
    return replace(
        raw,
        values_SF=raw.values_SF[row:].copy(),
        starts_N=np.zeros(1, dtype=np.int64),
        lengths_N=np.array([len(raw.values_SF) - row], dtype=np.int64),
        names_N=raw.names_N[-1:],
        labels_S=None if raw.labels_S is None else raw.labels_S[row:].copy(),
        index_S=None if raw.index_S is None else raw.index_S[row:].copy(),
        labels_N=None,
        groups_N=None,
    )


def _filled(raw: Raw, begun: _Held, source: str) -> Raw:
    """The sequences with missing values filled, in the first one also from the step before its rows."""
    if begun.before_F is None:
        return filled(raw, source, begun.offset)
    start = raw.starts_N[0]
    is_missing_F = np.isnan(raw.values_SF[start]) & ~np.isnan(begun.before_F)
    if not is_missing_F.any():
        return filled(raw, source, begun.offset)
    values_SF = raw.values_SF.copy()
    values_SF[start, is_missing_F] = begun.before_F[is_missing_F]
    found = filled(replace(raw, values_SF=values_SF), source, begun.offset)
    observed_SF = np.ones(values_SF.shape, dtype=bool) if found.observed_SF is None else found.observed_SF
    observed_SF[start, is_missing_F] = False
    return replace(found, observed_SF=observed_SF)
