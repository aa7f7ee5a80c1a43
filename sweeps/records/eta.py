"""How long a sweep may still take: a range that narrows while it trains.

`tests/test_eta.py` holds it against the sweeps of results/reference.
"""

from __future__ import annotations

import math
import operator
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from ae.configuration import Configuration
from sweeps.records.costs import Costs, makespan
from sweeps.records.halving import HalvingSearch
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import RETRAIN, SEARCH, TrialLog, TrialRecord
from sweeps.records.work import Shape, Work, shape_of

PACE = (0.9, 1.2)
"""How much longer than measured epochs may take in the rest of the sweep, at least and at most: machines are shared."""
REPORT_S = (4.0, 20.0)
"""Seconds that the report takes; at most as long as the start of the session, if that is more."""
TEST_EPOCHS = (0.02, 0.12)
"""The test of a model takes as long as this share of an epoch of training."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TimeLeft:
    """What a sweep may still take until its report is written, in seconds."""

    low_s: float
    high_s: float


def time_left(log: SweepLog, now: float | None = None) -> TimeLeft | None:
    """What a whole sweep may still take: search, retraining, test and report. None while nothing tells.

    It reads running sums, and looks at the trials that train, not at all there are.

    Args:
        log: of the sweep.
        now: seconds since 1970; None for this moment.
    """
    if not can_tell(log):
        return None
    low_s, high_s = (Estimate(log, is_high, now).total_s() for is_high in (False, True))
    most_s = math.inf
    if log.plan.resources.time_budget_s:
        most_s = max(0.0, log.plan.resources.time_budget_s - log.taken_s(now))
    return TimeLeft(low_s=min(low_s, most_s), high_s=min(max(low_s, high_s), most_s))


def can_tell(log: SweepLog) -> bool:
    """Whether there is an estimate: an epoch was timed, and a trial has started."""
    works = log.work.values()
    return any(work.most_at_once for work in works) and (bool(log.timed) or any(work.pace for work in works))


class Estimate:
    """One end of the range.

    Args:
        log: of a sweep about which `can_tell`.
        is_high: whether it is the high end.
        now: seconds since 1970; None for this moment.
    """

    def __init__(self, log: SweepLog, is_high: bool, now: float | None = None) -> None:
        self.log, self.is_high, self.now = log, is_high, time.time() if now is None else now
        self.search, self.retraining = works = log.work[SEARCH].snapshot(), log.work[RETRAIN].snapshot()
        self.workers = max(work.most_at_once for work in works)
        self.begin_s = max(work.begin_s for work in works)
        drift = (self.retraining if self.retraining.pace else self.search).drift
        recent = (max if is_high else min)(drift, (1 + drift) / 2)
        timed = log.timed | {shape: pace.epoch_s for work in works for shape, pace in work.pace.items()}
        factor, seeds = PACE[is_high] * recent, log.plan.seeds_per_trial
        self.costs = Costs(timed, factor, is_high)
        """An epoch of one seed: a retraining has one."""
        self.trial_costs = Costs(timed, factor * seeds, is_high)
        """An epoch of a trial of the search, with all its seeds."""
        self.shapes: Counter[Shape] = +self.search.asked or +self.search.to_come or Counter(timed.keys())
        self.largest_s = self.costs.largest_s([*self.shapes, *self.search.to_come])
        trains = any(stretch.training or stretch.waiting for stretch in self.search.stretches)
        self.is_selected = bool(log.retraining.requested) and not trains and not log.search.to_come
        """Whether it is known what is retrained; a search that was resumed may select others."""
        self.search_s = self._search_s()
        """Seconds to the end of the search."""

    def total_s(self) -> float:
        """Seconds to the end of the sweep."""
        return self.search_s + self.retraining_s() + self.report_s()

    def _search_s(self) -> float:
        plan, log, work = self.log.plan, self.log.search, self.search
        if log.closed:
            return self.next_reports_s(SEARCH)
        if len(work.stretches) > 1:
            running = (log.records[name] for name in work.running)
            done_s = sum(self._since_s(work, record, plan.budget.eval_every, self.trial_costs) for record in running)
            rest = HalvingSearch(
                work=work,
                requested=log.requested,
                reduction_factor=plan.budget.reduction_factor,
                costs=self.trial_costs,
                is_high=self.is_high,
            )
            return rest.seconds(self.workers, done_s)
        return self._flat_s(log, work, self.trial_costs)

    def _flat_s(self, log: TrialLog, work: Work, costs: Costs) -> float:
        """Seconds to the end of a phase in which every trial trains to its last epoch."""
        stretch, epoch_s = work.stretches[0], costs.epoch_s
        running = [log.records[name] for name in work.running]
        whole_s = [(stretch.end - record.epoch) * epoch_s(shape_of(record.config)) for record in running]
        left_s = [
            max(0.0, seconds - self._since_s(work, record, stretch.end, costs))
            for record, seconds in zip(running, whole_s, strict=True)
        ]
        waiting = stretch.training - len(running)  # for their turn, since a session ended
        waiting_s = sum(count * epoch_s(shape) for shape, count in stretch.ahead.items()) - sum(whole_s)
        to_come = [(stretch.end * epoch_s(shape), count) for shape, count in sorted(work.to_come.items(), reverse=True)]
        unknown = log.to_come - work.to_come.total()
        to_come += [(waiting_s / max(1, waiting), waiting), (stretch.end * costs.mean_s(self.shapes), unknown)]
        return makespan(left_s, [(seconds, count) for seconds, count in to_come if count > 0], self.workers)

    def next_reports_s(self, phase: str) -> float:
        """Seconds until every trial of a phase that trains now has reported once more."""
        costs, work = (self.trial_costs, self.search) if phase == SEARCH else (self.costs, self.retraining)
        every, records = self.log.plan.budget.eval_every, self.log.phase(phase).records
        running = [records[name] for name in work.running]
        whole_s = (every * costs.epoch_s(shape_of(record.config)) for record in running)
        since_s = (self._since_s(work, record, every, costs) for record in running)
        return max(map(operator.sub, whole_s, since_s), default=0.0)

    def _since_s(self, work: Work, record: TrialRecord, most: int, costs: Costs) -> float:
        """Seconds that a trial has trained since its last report; what it takes for `most` epochs at the most."""
        since_s = max(0.0, self.now - work.running[record.name])
        return min(since_s, most * costs.epoch_s(shape_of(record.config)))

    def retraining_s(self) -> float:
        """Seconds that the retraining takes: what was selected, or before that what the plan has."""
        plan, log = self.log.plan, self.log.retraining
        if log.closed:
            return self.next_reports_s(RETRAIN)
        if self.is_selected:
            return (0.0 if self.retraining.pace else self.begin_s) + self._flat_s(log, self.retraining, self.costs)
        each_s = (plan.retrain_epochs * epoch_s for epoch_s in sorted(self._selected_s(plan.top_k), reverse=True))
        return self.begin_s + makespan((), [(one_s, plan.seeds) for one_s in each_s], self.workers)

    def runs_s(self, runs: Mapping[str, Configuration]) -> float:
        """Seconds that these retrainings take; what they have trained in earlier sessions is not to come."""
        done = {name: record.epoch for name, record in self.log.retrainings.items() if not record.is_lost}
        each_s = [(run.epochs - done.get(name, 0)) * self.costs.epoch_s(shape_of(run)) for name, run in runs.items()]
        return self.begin_s + makespan((), [(one_s, 1) for one_s in each_s], self.workers)

    def _selected_s(self, top_k: int) -> list[float]:
        """Seconds per epoch of each selected configuration; the high end allows for larger ones to win yet."""
        leaders = [record for _, _, record in self.search.ranking[:top_k]]
        each_s = [self.costs.epoch_s(shape_of(record.config)) for record in leaders]
        each_s = each_s or [self.costs.mean_s(self.shapes)]
        if self.is_high and self.search_s:
            share = self.search_s / (self.search_s + self.log.search.elapsed_s)
            each_s = [one + share * max(0.0, self.largest_s - one) for one in each_s]
        return [each_s[place % len(each_s)] for place in range(top_k)]

    def report_s(self, models: int | None = None) -> float:
        """Seconds that the test and the report take.

        Args:
            models: to test; None for those that the plan, or its selection, has.
        """
        planned = self.log.plan.top_k * self.log.plan.seeds
        expected = self.log.retraining.requested if self.is_selected else planned
        untested = max(0, (expected if models is None else models) - len(self.log.tests))
        report_s = max(REPORT_S[True], self.log.start_s) if self.is_high else REPORT_S[False]
        return report_s + untested * TEST_EPOCHS[self.is_high] * self.largest_s
