"""A sweep over recorded learning curves: the scheduler is the sweep's own, the time is simulated."""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler

from ae.task import Budget, Objective
from sweeps.config.plan import Plan
from sweeps.engine import session as engine
from sweeps.engine.turns import name_of
from sweeps.records import tables
from sweeps.records.ledger import DIVERGED, FINISHED, RUNNING, STOPPED, Entry, Ledger

Report = dict[str, Any]
"""What a trial reports at a validation, as `sweeps.trial.SweepTrial` does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """Early stopping to try on the recorded curves."""

    scheduler: str
    grace_period: int | None
    """In epochs; None where the scheduler has none."""
    reduction_factor: int | None
    """None where the scheduler has none."""
    workers: int
    """Trials that train at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """The learning curves of a sweep that let every trial train to its last epoch."""

    objective: Objective
    budget: Budget
    curves: dict[str, list[Report]]
    """The reports of each trial, by name, in the order in which the search asked for the trials."""


def read(folder: Path, plan: Plan) -> Recording:
    """The curves in a results folder.

    Raises:
        ValueError: if a trial is missing, or neither reached its last epoch nor diverged.
    """
    last, curves = plan.budget.max_epochs, dict[str, list[Report]]()
    for row in tables.rows(folder / tables.CURVES):
        if row["phase"] == "search":
            curves.setdefault(row["trial"], []).append(report_of(row, last))
    rule = "a replay needs every trial to its last epoch: record with --scheduler none"
    for name, reports in curves.items():
        if not reports[-1]["done"]:
            raise ValueError(f"{folder}: trial {name} ends at epoch {reports[-1]['epoch']} of {last}; {rule}")
    if len(curves) < plan.record.trials:
        raise ValueError(f"{folder}: {len(curves)} of {plan.record.trials} trials have a learning curve; {rule}")
    curves = dict(sorted(curves.items(), key=lambda trial: int(trial[0])))
    return Recording(objective=plan.task.objective, budget=plan.budget, curves=curves)


def report_of(row: dict[str, str], last: int) -> Report:
    """The report that left a row of `curves.csv`."""
    epoch, metrics = int(row["epoch"]), {key: float(row[key]) for key in row if key.startswith("val_")}
    diverged = not math.isfinite(metrics["val_loss"])
    ends = {"diverged": diverged, "done": diverged or epoch >= last}
    return {"epoch": epoch, **metrics, "train_s": float(row["train_s"]), **ends}


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What a sweep under a setting would have cost, and found."""

    setting: Setting
    epochs: int
    """Trained, by all the trials."""
    train_s: float
    """Seconds in training and validation, of all the trials."""
    wall_s: float
    """Seconds from the first trial's start to the last one's end, nothing but training and validation counted."""
    best: float
    """Best validation value of the objective among the trials that a sweep could select."""
    trial: str
    """Whose it is."""


def simulate(recording: Recording, setting: Setting) -> Result:
    """Run the recorded trials under a setting, in simulated time.

    Raises:
        ValueError: if the budget rules the setting out, or every trial diverged.
    """
    simulation = Simulation(recording, setting)
    simulation.run()
    ledger = simulation.ledger
    if not ledger.ranked():
        raise ValueError("no trial can be selected: every one diverged")
    first = ledger.ranked()[0]
    assert first.best is not None
    return Result(
        setting=setting,
        epochs=ledger.epochs,
        train_s=sum(entry.train_s for entry in ledger.entries.values()),
        wall_s=simulation.clock_s,
        best=first.best,
        trial=first.name,
    )


class Simulation:
    """A sweep of the recorded trials under a scheduler; what it trained is in `ledger`, how long it took in `clock_s`.

    It stands where Tune's controller stands, and has what schedulers ask of that one. A report comes when the trial has
    trained for the seconds recorded with it; whatever else takes time in a sweep takes none here. So no new trial waits
    for its process to start; MedianStoppingRule pauses others while one does, and stops more of them later.

    Args:
        recording: the curves.
        setting: the scheduler and the workers.
    """

    def __init__(self, recording: Recording, setting: Setting) -> None:
        objective = recording.objective
        given = {"grace_period": setting.grace_period, "reduction_factor": setting.reduction_factor}
        budget = replace(recording.budget, **{name: value for name, value in given.items() if value is not None})
        self.ledger = Ledger("search", Path(), objective, len(recording.curves), budget.max_epochs)
        self.turns = engine.early_stopping(setting.scheduler, budget, self.ledger, setting.workers)
        self.turns.set_search_properties(f"val_{objective.metric}", objective.mode)
        self.to_come = deque(recording.curves)
        self.reports = {name: iter(reports) for name, reports in recording.curves.items()}
        self.trials: list[Trial] = []
        self.events: list[tuple[float, int, Trial, Report]] = []
        """When the next report of each training trial comes, a heap; the first of two at once was begun first."""
        self.count = itertools.count()
        self.clock_s = 0.0

    def run(self) -> None:
        """Run until no trial trains any more."""
        self._fill()
        while self.events:
            self.clock_s, _, trial, report = heapq.heappop(self.events)
            self._take(trial, report)
            self._fill()

    def get_trials(self) -> list[Trial]:
        """All the trials so far."""
        return self.trials

    def get_live_trials(self) -> set[Trial]:
        """Those that have not ended."""
        return {trial for trial in self.trials if not trial.is_finished()}

    def stop_trial(self, trial: Trial) -> None:
        """End a trial, whatever it does."""
        if trial.is_finished():
            return
        if trial.status == Trial.RUNNING:
            self.turns.on_trial_complete(self, trial, trial.last_result)
        else:
            self.turns.on_trial_remove(self, trial)
        trial.set_status(Trial.TERMINATED)
        entry, report = self.ledger.entries[name_of(trial)], trial.last_result
        entry.status = DIVERGED if report["diverged"] else FINISHED if report["done"] else STOPPED

    def _fill(self) -> None:
        """Let trials train where there is room; Tune asks its searcher first, then the scheduler."""
        while True:
            begun = [self._suggest(), self.turns.choose_trial_to_run(self)]
            for trial in filter(None, begun):
                trial.set_status(Trial.RUNNING)
                self.ledger.entries[name_of(trial)].status = RUNNING
                self._train(trial)
            if not any(begun):
                return

    def _suggest(self) -> Trial | None:
        """The next new trial, by the rule of `StudySearcher.suggest`: if there is room, and nobody to be promoted."""
        self.turns.exhausted = not self.to_come
        if not self.to_come or not self.turns.free or self.turns.promotion():
            return None
        name = self.to_come.popleft()
        trial = Trial("replayed", trial_id=name, config={"run": {"trial": name}}, stub=True)
        self.trials.append(trial)
        self.ledger.entries[name] = Entry(name=name, configuration={})
        self.turns.on_trial_add(self, trial)
        return trial

    def _train(self, trial: Trial) -> None:
        report = next(self.reports[name_of(trial)])
        heapq.heappush(self.events, (self.clock_s + report["train_s"], next(self.count), trial, report))

    def _take(self, trial: Trial, report: Report) -> None:
        """A report has come: the trial ends, or the scheduler decides."""
        entry = self.ledger.entries[name_of(trial)]
        entry.train_s += report["train_s"]
        self.ledger.take(
            entry, report["epoch"], {key: value for key, value in report.items() if key.startswith("val_")}
        )
        result = report | {"best": math.nan if entry.best is None else entry.best}
        decision = TrialScheduler.STOP if report["done"] else self.turns.on_trial_result(self, trial, result)
        trial.update_last_result(result)
        if decision == TrialScheduler.STOP:
            self.stop_trial(trial)
        elif decision == TrialScheduler.PAUSE:
            trial.set_status(Trial.PAUSED)
        else:
            self._train(trial)
