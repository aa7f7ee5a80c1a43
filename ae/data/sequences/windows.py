"""Cuts sequences into windows, without a copy of their steps."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np

from ae.data.sequences.raw import Raw
from ae.errors import UserError
from ae.words import counted

USUAL_WINDOW = 100
"""Steps of a window of one long series, unless the user says otherwise."""
USUAL_WINDOWS = 2000
"""Windows of one long series: as many as there can be up to this number, or more if a quarter of each is new."""

log = logging.getLogger(__name__)


def window_and_stride(raw: Raw, window: int | None, stride: int | None) -> tuple[int | None, int]:
    """Steps of a window and from one to the next; None for a window if the sequences stay whole.

    Raises:
        UserError: if there is a stride, but no window.
    """
    if window is None and raw.is_series:
        window = max(2, min(USUAL_WINDOW, len(raw.values_SF) // 10))
    if stride is not None and window is None:
        raise UserError("--stride goes with --window, or with one long series; give --window, or leave it out")
    usual = min((window or 0) // 4, int(raw.lengths_N.sum()) // USUAL_WINDOWS)
    return window, stride or max(1, usual)


def cut(raw: Raw, window: int | None, stride: int, source: str) -> Raw:
    """Every window of every sequence; the first begins at its first step, steps that fill no window are left out.

    A window's label is that of its steps. If they differ, it is the first that is not the most frequent label of all
    steps: a window with some anomalous steps is anomalous.

    Args:
        raw: sequences.
        window: steps of a window; None keeps the sequences whole.
        stride: steps from one window to the next.
        source: names the data in messages.

    Raises:
        UserError: if no sequence has that many steps.
    """
    if window is None:
        return labelled(raw)
    counts_N = np.maximum(0, (raw.lengths_N - window) // stride + 1)
    if not counts_N.any():
        longest = counted(int(raw.lengths_N.max()), "step")
        raise UserError(f"{source}: --window must be <= the longest sequence, {longest}, got {window:,}")
    if short := int((counts_N == 0).sum()):
        log.warning("%s: %s shorter than a window of %s steps dropped", source, counted(short, "sequence"), window)
    parents = np.repeat(np.arange(len(raw)), counts_N)
    firsts = np.repeat(counts_N.cumsum() - counts_N, counts_N)
    offsets = (np.arange(len(parents)) - firsts) * stride
    windows = raw.take(parents)
    groups_N = windows.groups_N if windows.groups_N is not None or raw.is_series else windows.names_N
    return labelled(
        replace(
            windows,
            starts_N=windows.starts_N + offsets,
            lengths_N=np.full(len(parents), window, dtype=np.int64),
            groups_N=groups_N,
            offsets_N=offsets,
        )
    )


def labelled(raw: Raw, usual: str | None = None) -> Raw:
    """The sequences with the label of their steps, where steps have labels.

    Args:
        raw: sequences, or windows.
        usual: the label that gives way to every other one; None takes the most frequent one.
    """
    if raw.labels_S is None:
        return raw
    labels_S = raw.labels_S
    usual = usual_label(raw) if usual is None else usual
    unusual_S = np.flatnonzero(np.asarray(labels_S != usual))
    first_N = np.searchsorted(unusual_S, raw.starts_N)
    at_N = np.append(unusual_S, len(labels_S))[first_N]
    has_N = at_N < raw.starts_N + raw.lengths_N
    labels_N = np.asarray(np.where(has_N, labels_S[np.minimum(at_N, len(labels_S) - 1)], usual))
    return replace(raw, labels_N=labels_N.astype(object), unusual_S=np.asarray(labels_S != usual))


def usual_label(raw: Raw) -> str | None:
    """The most frequent label of all steps, the first in the alphabet of equal ones; None if steps have no labels."""
    if raw.labels_S is None:
        return None
    names, counts = np.unique(raw.labels_S.astype(str), return_counts=True)
    return str(names[counts.argmax()])
