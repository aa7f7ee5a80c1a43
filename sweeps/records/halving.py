"""What is left of a search with rungs: how many trials will be promoted, and how long they train."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sweeps.records.costs import Costs
from sweeps.records.work import Stretch, Work, shape_of

SURPLUS = (0.3, 1.0)
"""Promotions beyond one in `reduction_factor`, as a factor of the root of their number. Asynchronous halving of trials
in random order has the first on average, and the second in 9 of 10 cases."""
TAIL = 0.3
"""Share of the longest path of a single trial beside which workers may be idle."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HalvingSearch:
    """The rest of a search with rungs, at the low or the high end."""

    work: Work
    requested: int
    """Trials that the search will have."""
    reduction_factor: int
    """One in this many is promoted."""
    costs: Costs
    is_high: bool

    def seconds(self, workers: int, done_s: float) -> float:
        """Seconds to the end of the search.

        Args:
            workers: trials at once.
            done_s: seconds that trials have trained since their last reports.
        """
        total_s = longest_s = path_s = entering = 0.0
        for place, stretch in enumerate(self.work.stretches):
            entering, epoch_s = self._promoted(place, entering) if place else self._new()
            whole_s = epoch_s * (stretch.end - stretch.begin)
            inside_s = [count * self.costs.epoch_s(shape) for shape, count in stretch.ahead.items() if count]
            total_s += entering * whole_s + sum(inside_s)
            waits = self.is_high or not stretch.waiting  # for a trial that is not at its rung yet
            path_s = max(whole_s + waits * path_s if entering else 0.0, *self._longest_s(stretch))
            longest_s = max(longest_s, path_s)
        least_s = max((total_s - done_s) / workers, longest_s - done_s, 0.0)
        return least_s + TAIL * longest_s * (1 - 1 / workers) if self.is_high else least_s

    def _new(self) -> tuple[float, float]:
        """Trials that will start, and seconds per epoch of each."""
        known = self.work.to_come if self.work.to_come.total() else self.work.asked
        return self.requested - self.work.asked.total(), self.costs.mean_s(known)

    def _promoted(self, place: int, entering: float) -> tuple[float, float]:
        """Trials that will be promoted into a stretch, and seconds per epoch of each.

        Args:
            place: of the stretch.
            entering: trials that will yet come into the one before.
        """
        before, stretch = self.work.stretches[place - 1 : place + 1]
        coming, so_far = before.training + entering, stretch.reached + stretch.training
        arrivals = before.reached + coming
        share = arrivals / self.reduction_factor
        target = max(1.0, share if self.is_high else math.floor(share), so_far + coming / self.reduction_factor)
        target += SURPLUS[self.is_high] * math.sqrt(target) * coming / max(1.0, arrivals)
        leaders = [record for _, _, record in self.work.ranking[: math.ceil(target)]]
        each_s = [self.costs.epoch_s(shape_of(record.config)) for record in leaders if record.epoch < stretch.end]
        mean_s = sum(each_s) / len(each_s) if each_s else self.costs.mean_s(self.work.asked)
        if self.is_high:  # larger ones may come
            largest_s = self.costs.largest_s([*self.work.asked, *self.work.to_come])
            mean_s += max(0.0, largest_s - mean_s) * coming / max(1.0, arrivals)
        return max(0.0, min(stretch.waiting + coming, target - so_far)), mean_s

    def _longest_s(self, stretch: Stretch) -> list[float]:
        """Seconds that the trials in a stretch take to its end: at most, one per shape; and 0."""
        each = ((self.costs.epoch_s(shape), count) for shape, count in stretch.ahead.items())
        return [0.0, *(epoch_s * min(count, stretch.end - stretch.begin) for epoch_s, count in each)]
