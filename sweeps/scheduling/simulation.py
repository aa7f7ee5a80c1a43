"""A sweep over recorded learning curves: the scheduler is the sweep's own, the time is simulated."""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ae.configuration import Configuration
from ae.errors import UserError
from ae.task import Budget, Objective
from sweeps.config.plan import Plan
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import DIVERGED, FINISHED, PAUSED, RUNNING, SEARCH, STOPPED, Report, TrialLog, TrialRecord
from sweeps.scheduling.base import Decision, make_scheduler
from sweeps.scheduling.queue import TrialQueue
from sweeps.scheduling.stopping import StoppingRules


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """Early stopping to try on the recorded curves."""

    scheduler: str
    grace_period: int | None
    """In epochs; None if the scheduler has none."""
    reduction_factor: int | None
    """None if the scheduler has none."""
    workers: int
    """Trials that train at once."""
    patience: int | None = None
    """Reports without an improvement after which a trial ends; None for no such rule."""


TO_THE_END = Setting(scheduler="none", grace_period=None, reduction_factor=None, workers=1)
"""Every trial to its last epoch on one worker: what other settings are compared with."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """The learning curves of a sweep in which every trial trained to its last epoch."""

    objective: Objective
    budget: Budget
    curves: dict[str, list[Report]]
    """The reports of each trial, by name, in the order in which the search asked for the trials."""
    configs: dict[str, Configuration]
    seeds: int = 1
    """Seeds that each trial trained; its values are the means over them."""


def recording_of(plan: Plan, log: SweepLog) -> Recording:
    """The learning curves of a sweep's search.

    Raises:
        UserError: if a trial is missing, or neither reached its last epoch nor diverged.
    """
    last, records = plan.budget.max_epochs, log.search.records
    options = "--scheduler none, and without --patience and --target"
    rule = f"a replay needs every trial trained to its last epoch; run the sweep with {options}"
    for record in records.values():
        if record.epoch < last and not record.has_diverged:
            raise UserError(f"{plan.folder}: trial {record.name} ends at epoch {record.epoch} of {last}; {rule}")
    if len(records) < plan.trials:
        raise UserError(f"{plan.folder}: {len(records)} of {plan.trials} trials have a learning curve; {rule}")
    return Recording(
        objective=plan.task.objective,
        budget=plan.budget,
        curves={name: list(record.reports) for name, record in records.items()},
        configs={name: record.config for name, record in records.items()},
        seeds=plan.seeds_per_trial,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What a sweep under a setting would have cost, and found."""

    setting: Setting
    epochs: int
    """Trained, by all the trials with all their seeds."""
    train_s: float
    """Seconds in training and validation, of all the trials."""
    wall_s: float
    """Seconds from the first trial's start to the last one's end; only training and validation take time."""
    best: float
    """Best validation value of the objective among the trials that a sweep could select."""
    trial: str
    """The trial that has it."""


def simulate(recording: Recording, setting: Setting) -> Result:
    """Run the recorded trials under a setting, in simulated time.

    Raises:
        UserError: if the setting does not fit the budget, or every trial diverged.
    """
    simulation = Simulation(recording, setting)
    simulation.run()
    log = simulation.log
    if not log.ranked():
        raise UserError("no trial can be selected: every one diverged")
    first = log.ranked()[0]
    assert first.best is not None
    return Result(
        setting=setting,
        epochs=log.epochs,
        train_s=sum(record.train_s for record in log.trials),
        wall_s=simulation.clock_s,
        best=first.best,
        trial=first.name,
    )


class Simulation:
    """A sweep of the recorded trials under a scheduler; what it trained is in `log`, how long it took in `clock_s`.

    A report comes when the trial has trained for the seconds recorded with it; nothing else takes time.

    Args:
        recording: the curves.
        setting: the scheduler and the workers.
    """

    def __init__(self, recording: Recording, setting: Setting) -> None:
        given = {"grace_period": setting.grace_period, "reduction_factor": setting.reduction_factor}
        budget = replace(recording.budget, **{name: value for name, value in given.items() if value is not None})
        objective = recording.objective
        number = len(recording.curves)
        self.log = TrialLog(SEARCH, objective, number, budget.max_epochs, seeds_per_trial=recording.seeds)
        self.rules = StoppingRules(objective=objective, patience=setting.patience)
        self.scheduler = make_scheduler(setting.scheduler, budget, objective, setting.workers)
        self.to_come, self.configs = deque(recording.curves), recording.configs
        self.reports: dict[str, Iterator[Report]] = {name: iter(found) for name, found in recording.curves.items()}
        self.queue = TrialQueue(self.scheduler, (), lambda: bool(self.to_come), self._ask)
        self.events: list[tuple[float, int, str, Report]] = []
        """When the next report of each training trial comes, a heap; at equal times the one that began first."""
        self.count = itertools.count()
        self.clock_s = 0.0

    def run(self) -> None:
        """Run until no trial trains any more."""
        self._fill()
        while self.events:
            self.clock_s, _, trial, report = heapq.heappop(self.events)
            self._take(self.log.records[trial], report)
            self._fill()

    def _ask(self) -> str:
        name = self.to_come.popleft()
        self.log.records[name] = TrialRecord(name=name, config=self.configs[name])
        return name

    def _fill(self) -> None:
        """Start trials while there is room; Tune asks its searcher first, then the scheduler."""
        while True:
            started = self.queue.next()
            if started:
                self._train(started)
            resumed = self.scheduler.next_to_resume() if self.scheduler.has_capacity else None
            if resumed:
                self.queue.promote(resumed)
                self._train(resumed)
            if not (started or resumed):
                return

    def _train(self, trial: str) -> None:
        self.log.records[trial].status = RUNNING
        self.scheduler.on_start(trial)
        self._next_report(trial)

    def _next_report(self, trial: str) -> None:
        report = next(self.reports[trial])
        heapq.heappush(self.events, (self.clock_s + report.train_s, next(self.count), trial, report))

    def _take(self, record: TrialRecord, report: Report) -> None:
        """A report has come: the trial ends, or the scheduler decides."""
        record.add(report, self.log.objective)
        best = math.nan if record.best is None else record.best
        if record.has_diverged or report.epoch >= self.log.max_epochs:
            self._end(record, DIVERGED if record.has_diverged else FINISHED)
            return
        decision = self.scheduler.on_result(record.name, report.epoch, best)
        if decision == Decision.STOP or self.rules.why_stalled(record):
            self._end(record, STOPPED)
        elif decision == Decision.PAUSE:
            record.status = PAUSED
        else:
            self._next_report(record.name)
        for stopped in self.scheduler.to_stop:
            self.log.records[stopped].status = STOPPED
        self.scheduler.to_stop.clear()

    def _end(self, record: TrialRecord, status: str) -> None:
        record.status = status
        best = math.nan if record.best is None else record.best
        self.scheduler.on_end(record.name, record.epoch, best, diverged=record.has_diverged)
