"""How long a phase may still take."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Mapping
from typing import Any

from sweeps.records.ledger import RUNNING, Entry, Ledger


def seconds_left(ledger: Ledger, gone_s: float) -> float | None:
    """Seconds to the end at the pace so far; None before any report.

    The trials that are furthest, and of those the best, are expected to train the longest; one that trains goes to its
    next rung at least.

    An epoch takes what it took trials of the same hidden size, or of the nearest one, scaled by its square, as an
    LSTM's products are. Trials that nobody knows yet are taken for the mean of those there were.
    """
    places = {entry.name: place for place, entry in enumerate(ledger.ranked())}
    entries = sorted(ledger.trials, key=lambda entry: (-entry.epoch, places.get(entry.name, len(places))))
    epochs, train_s = ledger.epochs, sum(entry.train_s for entry in entries)
    if not epochs or not train_s:
        return None
    epoch_s = _epoch_seconds(entries)
    train_for = ledger.expected or [ledger.max_epochs] * ledger.requested
    begun = {entry.name for entry in entries}
    known = [epoch_s(configuration) for name, configuration in ledger.planned.items() if name not in begun]
    unknown = [train_s / epochs] * max(0, ledger.requested - len(entries) - len(known))
    to_come_s = sum(map(operator.mul, train_for[len(entries) :], [*known, *unknown]))
    open_s = sum(
        max(0, expected - entry.epoch, _to_rung(entry, train_for)) * epoch_s(entry.configuration)
        for entry, expected in zip(entries, train_for, strict=False)
        if entry.open
    )
    return gone_s / train_s * (open_s + to_come_s)


def _to_rung(entry: Entry, rungs: Collection[int]) -> int:
    """Epochs until a trial is judged again; none where it does not train."""
    return min((rung - entry.epoch for rung in rungs if rung > entry.epoch and entry.status == RUNNING), default=0)


def _epoch_seconds(entries: Collection[Entry]) -> Callable[[Mapping[str, Any]], float]:
    """Seconds that an epoch of a configuration takes, from those that were trained."""
    trained: dict[int, tuple[int, float]] = {}
    for entry in entries:
        if entry.epoch:
            epochs, train_s = trained.get(entry.configuration["hidden_size"], (0, 0.0))
            trained[entry.configuration["hidden_size"]] = epochs + entry.epoch, train_s + entry.train_s

    def seconds(configuration: Mapping[str, Any]) -> float:
        size = configuration["hidden_size"]
        nearest = min(trained, key=lambda other: abs(other - size))
        epochs, train_s = trained[nearest]
        return train_s / epochs * float(size / nearest) ** 2

    return seconds
