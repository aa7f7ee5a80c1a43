"""Finds how many threads train fastest right now, by timing the training steps.

Threads wait for each other, so more threads are much slower if a step is short or another program uses a core. The fast
core gives the same bits with any number of threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from time import perf_counter

from torch import Tensor

from ae.model import LSTM_AE

RETRY = 32
"""The slowest number is tried again after this many times the duration of its step: at most 3 % of the time."""


class Threads:
    """Sets the number of threads of each training step to the one that was fastest recently."""

    def __init__(self) -> None:
        self.choices: Sequence[int] = ()
        """One or two numbers to choose from; if empty, the model keeps its number."""
        self.seconds: dict[int, float] = {}
        """Time per sequence for each number tried: a moving average in which the last step has weight 1/2."""
        self.since_s = 0.0
        """Seconds of training since the slowest number was last tried."""

    def timed_batches(self, batches: Iterable[Tensor], model: LSTM_AE) -> Iterator[Tensor]:
        """Yield the batches, with `model.threads` set for each; a step lasts until the next batch is requested."""
        if not self.choices:
            yield from batches
            return
        for batch in batches:
            threads = model.threads = self._next(len(batch))
            started = perf_counter()
            yield batch
            took_s = perf_counter() - started
            self.since_s += took_s
            each_s = took_s / len(batch)
            self.seconds[threads] = (each_s + self.seconds.get(threads, each_s)) / 2
        model.threads = self._best()

    def _next(self, sequences: int) -> int:
        """The fastest number, or now and then the slowest: it may have become faster."""
        slowest = max(self.choices, key=self._known)
        if self.since_s < RETRY * self._known(slowest) * sequences:
            return self._best()
        self.since_s = 0.0
        return slowest

    def _best(self) -> int:
        """The fastest number; numbers that were not tried yet come first."""
        return min(self.choices, key=self._known)

    def _known(self, threads: int) -> float:
        return self.seconds.get(threads, 0.0)
