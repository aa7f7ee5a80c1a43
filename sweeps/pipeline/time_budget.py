"""--time-budget: the search and the retraining end early enough for what follows them."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice

from ae.configuration import Configuration
from ae.words import counted
from sweeps.config.plan import Plan
from sweeps.config.words import duration
from sweeps.engine.phase import Phase
from sweeps.pipeline.selection import retrainings
from sweeps.records.eta import PACE, Estimate, can_tell
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import SEARCH, TrialRecord

SHARE = 0.5
"""Most of the budget that the search leaves to retraining, test and report."""
LOOK_S = 1.0
"""Seconds between two estimates of what follows."""


class TimeBudget:
    """Ends the phases of a session in time; without a budget it does nothing.

    The search ends when what is left of the budget is what retraining, test and report take, or half of the budget if
    they take more. The retraining is cut to what fits: fewer configurations first, then fewer seeds. If not even one
    run fits, as many as train at once begin, and end when their time is over. If not even a report of one fits, none is
    trained. A trial ends at a report, so the time to the next one counts.

    Args:
        plan: has the budget.
        log: of the sweep.
    """

    def __init__(self, plan: Plan, log: SweepLog) -> None:
        self.plan, self.log, self.seconds = plan, log, plan.resources.time_budget_s
        self.next_look = -math.inf
        """When to look again, in seconds since 1970."""
        self.after_s = 0.0
        """Seconds that what follows the phase takes, as of the last look."""

    def check(self, phase: Phase, record: TrialRecord | None = None) -> None:
        """Finish a phase whose time is over.

        Args:
            phase: that runs.
            record: of a trial that has just reported; it trains to its next report unless the phase is finished now.
        """
        is_due = record or time.time() >= self.next_look
        if self.seconds is None or phase.trials.closed or not is_due:
            return
        needed_s = 0.0 if phase.name == SEARCH else -math.inf  # a retraining that has begun leaves a model
        if can_tell(self.log) and self.log.work[phase.name].ranking:
            needed_s = self._needed_s(phase, record)
        if self._left_s() <= needed_s:
            phase.finish(self.why, self.plan.time_limits)

    def _needed_s(self, phase: Phase, record: TrialRecord | None) -> float:
        """Seconds from now to the end of the sweep if the phase ends at the next reports."""
        training_s = PACE[True] * record.reports[-1].train_s if record else 0.0
        if time.time() >= self.next_look:
            self.next_look = time.time() + LOOK_S
            estimate = Estimate(self.log, is_high=True)
            self.after_s = self._after_s(phase, estimate)
            training_s = max(training_s, estimate.next_reports_s(phase.name))
        return training_s + self.after_s

    def _after_s(self, phase: Phase, estimate: Estimate) -> float:
        """Seconds from the end of a phase to that of the sweep."""
        if phase.name == SEARCH:
            return min(estimate.retraining_s() + estimate.report_s(), SHARE * (self.seconds or 0.0))
        return estimate.report_s(len(self.log.retraining.records))

    @property
    def why(self) -> str:
        """Why something ended, in words."""
        return f"the time budget of {duration(self.seconds or 0.0)} ran out"

    def affordable(self, chosen: Mapping[str, Configuration]) -> tuple[dict[str, Configuration], str]:
        """The retrainings that there is time for, and in words what was left out; nothing without a budget.

        Args:
            chosen: the selected configurations, best first.
        """
        runs = retrainings(self.plan, chosen)
        if self.seconds is None:
            return runs, ""
        low, high, left_s = Estimate(self.log, is_high=False), Estimate(self.log, is_high=True), self._left_s()
        for configurations, seeds in self._choices(len(chosen), high.workers):
            fewer = retrainings(self.plan, dict(islice(chosen.items(), configurations)), seeds)
            expected_s = (low.runs_s(fewer) + high.runs_s(fewer)) / 2
            if expected_s + high.report_s(len(fewer)) <= left_s:
                break
        else:
            if self._first_report_s(fewer) > left_s:
                return {}, f"none of {counted(len(chosen), 'configuration')}: {self.why}"
        if len(fewer) == len(runs):
            return runs, ""
        of_all = f"{configurations} of {counted(len(chosen), 'configuration')}"
        return fewer, f"{of_all}, {seeds} of {counted(self.plan.seeds, 'seed')} each: {self.why}"

    def _choices(self, configurations: int, workers: int) -> Iterator[tuple[int, int]]:
        """Numbers of configurations and seeds, those that take the longest first; the last one is what is tried."""
        most = self.plan.seeds
        yield from ((number, most) for number in range(configurations, 0, -1))
        yield from ((1, number) for number in range(most - 1, 0, -1))
        yield 1, min(most, workers)  # beside each other they take no longer than one

    def _first_report_s(self, runs: Mapping[str, Configuration]) -> float:
        """Seconds to the end of the sweep if these retrainings end at their first report: at least."""
        every = self.plan.budget.eval_every
        estimate = Estimate(self.log, is_high=False)
        return estimate.runs_s({name: replace(run, epochs=every) for name, run in runs.items()}) + estimate.report_s(1)

    def _left_s(self) -> float:
        return (self.seconds or math.inf) - self.log.taken_s()
