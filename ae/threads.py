"""How many threads train the fastest here and now, found by timing the steps.

Threads wait for one another: more of them are slower, and by far, where another program wants a core, and where a step
is short. The fast core gives the same bits with any number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from time import perf_counter

from torch import Tensor

from ae.model import LSTM_AE

RETRY_STEPS = 32
"""Steps between two tries of the slowest."""


class Threads:
    """Trains each step with the number of threads that was the fastest of late."""

    def __init__(self) -> None:
        self.choices: Sequence[int] = ()
        """One or two numbers to choose from; with none the model keeps its own."""
        self.seconds: dict[int, float] = {}
        """What a sequence takes with each number that was tried; half of it is the last step's."""
        self.steps = 0

    def of(self, batches: Iterable[Tensor], model: LSTM_AE) -> Iterator[Tensor]:
        """The batches, each with the model's threads set; a step is timed until the next batch is asked for."""
        if not self.choices:
            yield from batches
            return
        for batch in batches:
            threads = model.threads = self._next()
            started = perf_counter()
            yield batch
            seconds = (perf_counter() - started) / len(batch)
            self.seconds[threads] = (seconds + self.seconds.get(threads, seconds)) / 2
        model.threads = self._best()

    def _next(self) -> int:
        """The best, but now and then the worst: it may be that no longer."""
        self.steps += 1
        if self.steps % RETRY_STEPS:
            return self._best()
        return max(self.choices, key=lambda threads: self.seconds.get(threads, 0.0))

    def _best(self) -> int:
        """One that was not tried yet comes first."""
        return min(self.choices, key=lambda threads: self.seconds.get(threads, 0.0))
