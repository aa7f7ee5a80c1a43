"""How many threads train the fastest here and now, found by timing the steps.

Threads wait for one another: more of them are slower, and by far, where another program wants a core, and where a step
is short. The fast core gives the same bits with any number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from time import perf_counter

from torch import Tensor

from ae.model import LSTM_AE

RETRY = 32
"""Time spent before the slowest is tried again, in what its step took: tries take 3 % of the time at most."""


class Threads:
    """Trains each step with the number of threads that was the fastest of late."""

    def __init__(self) -> None:
        self.choices: Sequence[int] = ()
        """One or two numbers to choose from; with none the model keeps its own."""
        self.seconds: dict[int, float] = {}
        """What a sequence takes with each number that was tried; half of it is the last step's."""
        self.since_s = 0.0
        """Spent since the last try of the slowest."""

    def of(self, batches: Iterable[Tensor], model: LSTM_AE) -> Iterator[Tensor]:
        """The batches, each with the model's threads set; a step is timed until the next batch is asked for."""
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
        """The best, but now and then the slowest: it may be that no longer."""
        slowest = max(self.choices, key=self._known)
        if self.since_s < RETRY * self._known(slowest) * sequences:
            return self._best()
        self.since_s = 0.0
        return slowest

    def _best(self) -> int:
        """One that was not tried yet comes first."""
        return min(self.choices, key=self._known)

    def _known(self, threads: int) -> float:
        return self.seconds.get(threads, 0.0)
