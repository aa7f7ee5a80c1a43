"""How long a phase may still take."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from sweeps.ledger import RUNNING, Entry, Ledger


def seconds_left(ledger: Ledger, gone_s: float) -> float | None:
    """Seconds to the end at the pace so far; None before any report.

    Trials are expected to train as long as those that ended, and one that trained longer already to its last epoch.

    An epoch takes what it took trials of the same hidden size, or of the nearest one, scaled by its square, as an
    LSTM's products are. Trials that nobody knows yet are taken for the mean of those there were.
    """
    entries = ledger.trials
    epochs, train_s = ledger.epochs, sum(entry.train_s for entry in entries)
    if not epochs or not train_s:
        return None
    ended = [entry.epoch for entry in entries if entry.status != RUNNING]
    usual = sum(ended) / len(ended) if ended else ledger.max_epochs
    epoch_s = _epoch_seconds(entries)
    known = ledger.planned[len(entries) :]
    unknown = max(0, ledger.requested - len(entries) - len(known))
    to_come_s = usual * (sum(map(epoch_s, known)) + unknown * train_s / epochs)
    running = [entry for entry in entries if entry.status == RUNNING]
    ends = {entry.name: usual if entry.epoch < usual else ledger.max_epochs for entry in running}
    running_s = sum((ends[entry.name] - entry.epoch) * epoch_s(entry.configuration) for entry in running)
    return gone_s / train_s * (running_s + to_come_s)


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
