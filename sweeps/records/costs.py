"""How many seconds an epoch takes: as measured in this sweep, or scaled from the nearest shape that was."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterable, Mapping

from sweeps.records.work import Shape

GROWTH = (1.25, 1.75)
"""Least and largest power of the hidden size that the seconds per epoch grow with; those of results/reference are
0.95 to 2.3, mostly 1.3 to 1.7."""
SIMULATED = 500
"""Most runs that are put on workers one by one; of more, only the sum and the longest count."""


class Costs:
    """Seconds per epoch of every shape, at the low or the high end of what is plausible.

    Args:
        measured: seconds per epoch of some shapes, at least one.
        factor: how much longer epochs will take than was measured.
        is_high: whether this is the high end.
    """

    def __init__(self, measured: Mapping[Shape, float], factor: float, is_high: bool) -> None:
        self.measured, self.factor, self.choose = measured, factor, max if is_high else min
        self.known: dict[Shape, float] = {}

    def epoch_s(self, shape: Shape) -> float:
        """Seconds per epoch of a shape."""
        if shape not in self.known:
            self.known[shape] = self.factor * (self.measured.get(shape) or self._scaled(shape))
        return self.known[shape]

    def _scaled(self, shape: Shape) -> float:
        hidden, batch = shape[:2]
        alike = [one for one in self.measured if one[1:] == shape[1:]]
        smaller = max((one for one in alike if one.hidden_size < hidden), default=None)
        larger = min((one for one in alike if one.hidden_size > hidden), default=None)
        if smaller and larger:
            share = math.log(hidden / smaller[0]) / math.log(larger[0] / smaller[0])
            return float(self.measured[smaller] ** (1 - share) * self.measured[larger] ** share)
        near = min(self.measured, key=lambda one: _distance(one, shape))
        growth = self.choose((hidden / near[0]) ** power for power in GROWTH)
        steps = self.choose(1.0, near[1] / batch)  # a step of half the batch takes half as long, or as long
        steps *= self.choose(1.0, near.patch / shape.patch)
        return self.measured[near] * growth * steps * shape.layers / near.layers

    def mean_s(self, shapes: Counter[Shape]) -> float:
        """Mean seconds per epoch of some trials, counted by shape."""
        return sum(self.epoch_s(shape) * count for shape, count in shapes.items()) / max(1, shapes.total())

    def largest_s(self, shapes: Iterable[Shape]) -> float:
        """Seconds per epoch of the shape that takes the longest."""
        return max(map(self.epoch_s, shapes), default=0.0)


def _distance(one: Shape, other: Shape) -> float:
    """How far apart two shapes are; the hidden size matters most."""
    weights = (4.0, 1.0, 1.0, 4.0)
    return sum(weight * abs(math.log(a / b)) for weight, a, b in zip(weights, one, other, strict=True))


def makespan(running_s: Iterable[float], to_come: Iterable[tuple[float, int]], workers: int) -> float:
    """Seconds until the last run is done, each begun in this order by the first worker that is free.

    Args:
        running_s: seconds that each running one still takes.
        to_come: seconds and number of the others, in the order in which they begin.
        workers: runs at once.
    """
    free = sorted(running_s)
    free = [0.0] * (workers - len(free)) + free
    heapq.heapify(free)
    to_come = list(to_come)
    if sum(count for _, count in to_come) > SIMULATED:
        total = sum(free) + sum(seconds * count for seconds, count in to_come)
        return total / len(free) + max(seconds for seconds, _ in to_come)
    for seconds, count in to_come:
        for _ in range(count):
            heapq.heapreplace(free, free[0] + seconds)
    return max(free)
