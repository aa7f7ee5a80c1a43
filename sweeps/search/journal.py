"""`study.log`: the search as an Optuna study, derived from the record; optuna-dashboard opens it while it grows."""

from __future__ import annotations

import datetime
import json
import math
import warnings
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend
from optuna.trial import FrozenTrial, TrialState

from ae.files import write_whole
from sweeps.config.plan import Plan
from sweeps.records.result import command_line
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import DIVERGED, FAILED, FINISHED, TrialRecord
from sweeps.search.distributions import Searched
from sweeps.search.view import make_trial
from sweeps.storage.folder import STUDY

STATES = {FINISHED: TrialState.COMPLETE, FAILED: TrialState.FAIL}
"""A trial that ended in another way is PRUNED; a diverged one is infeasible too."""


class BufferedJournal(BaseJournalBackend):
    """Optuna's journal, written once per controller step; its own backend locks and syncs for every operation."""

    def __init__(self) -> None:
        self.logs: list[dict[str, Any]] = []
        self.dropped = 0
        """Number of operations that were read and are no longer kept."""
        self.waiting: list[str] = []

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        """The operations from a number on; earlier ones are dropped, as the only reader asks for each once."""
        del self.logs[: log_number_from - self.dropped]
        self.dropped = log_number_from
        return list(self.logs)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Add operations; `take` hands them on to be written."""
        self.logs += logs
        self.waiting += [json.dumps(log, separators=(",", ":")) + "\n" for log in logs]

    def take(self) -> str:
        """The lines that were not written yet."""
        text = "".join(self.waiting)
        self.waiting.clear()
        return text


class StudyJournal:
    """Writes the search to `study.log`, as one of the followers of its phase; every session rewrites the file.

    A trial that reached its last epoch is COMPLETE with its best value, one that was stopped early is PRUNED, a
    diverged one PRUNED and infeasible, a failed one FAIL. Intermediate values are those of the reports.

    Args:
        plan: of the sweep.
        log: its record.
    """

    def __init__(self, plan: Plan, log: SweepLog) -> None:
        self.plan, self.log, self.path = plan, log, plan.folder / STUDY
        self.backend, self.is_new = BufferedJournal(), True
        self.searched = Searched(plan.whole_space)
        self.ids: dict[str, int] = {}
        """Optuna's trial ids, by trial name."""

    def open(self) -> None:
        """Write what earlier sessions did."""
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        plan, objective = self.plan, self.plan.task.objective
        self.storage = JournalStorage(self.backend)
        direction = "maximize" if objective.mode == "max" else "minimize"
        self.study = optuna.create_study(
            storage=self.storage, study_name=f"{plan.task.name}/{plan.name}", direction=direction
        )
        self.study_id = self.storage.get_study_id_from_name(self.study.study_name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self.study.set_metric_names([f"validation {objective.metric}"])
        facts = {"command": command_line(plan.commands[0]), "scheduler": plan.scheduler, "seed": plan.seed}
        for name, value in facts.items():
            self.study.set_user_attr(name, value)
        for known in self.log.known:
            best = known.curve[-1][1] if known.curve else None
            self._add(make_trial(known.config, self.searched, known.status, known.curve, best, {}))
        for record in self.log.search.records.values():
            self.ids[record.name] = self._add(self._trial(record))
        self.tick()

    def begin(self, record: TrialRecord) -> None:
        """Add a new trial; one that resumes is there already.

        Trials are numbered in the order in which they were asked for; Tune may start them in another one.
        """
        if record.name not in self.ids:
            for asked in islice(self.log.search.records.values(), len(self.ids), None):
                self.ids[asked.name] = self._add(self._trial(asked))

    def report(self, record: TrialRecord) -> None:
        """Add an intermediate value; its step is the epoch."""
        report = record.reports[-1]
        value = report.metrics[self.plan.task.objective.metric]
        if math.isfinite(value):
            self.storage.set_trial_intermediate_value(self.ids[record.name], report.epoch, value)

    def end(self, record: TrialRecord) -> None:
        """Set the trial's state and value, and why it ended."""
        trial_id, state = self.ids[record.name], STATES.get(record.status, TrialState.PRUNED)
        if self.storage.get_trial(trial_id).state.is_finished():  # it failed, and came again
            return
        for name, value in _ended(record).items():
            self.storage.set_trial_user_attr(trial_id, name, value)
        if record.status == DIVERGED:
            optuna.Trial(self.study, trial_id).set_constraint("diverged", 1.0)
        values = [record.best] if state == TrialState.COMPLETE and record.best is not None else None
        self.storage.set_trial_state_values(trial_id, state, values)

    def tick(self) -> None:
        """Write what is new.

        Raises:
            OSError: if it cannot be written.
        """
        if text := self.backend.take():
            if self.is_new:
                write_whole(self.path, text)
            else:
                with self.path.open("a") as file:
                    file.write(text)
            self.is_new = False

    def close(self) -> None:
        """Write the rest."""
        self.tick()

    def _add(self, trial: FrozenTrial) -> int:
        added: int = self.storage.create_new_trial(self.study_id, template_trial=trial)
        return added

    def _trial(self, record: TrialRecord) -> FrozenTrial:
        """An Optuna trial with all that is known of a record, RUNNING until it has ended."""
        metric = self.plan.task.objective.metric
        values = [(report.epoch, report.metrics[metric]) for report in record.reports]
        curve = [(epoch, value) for epoch, value in values if math.isfinite(value)]
        trial = make_trial(record.config, self.searched, record.status, curve, record.best, {})
        if record.is_open or record.status == "interrupted":
            trial.state = TrialState.RUNNING
            trial.datetime_complete = None
        else:
            trial.user_attrs = _ended(record)
        if record.reports:
            first, last = record.reports[0], record.reports[-1]
            trial.datetime_start = datetime.datetime.fromtimestamp(first.time - first.train_s)
            if trial.datetime_complete:
                trial.datetime_complete = datetime.datetime.fromtimestamp(last.time)
        return trial


def write_study(plan: Plan, log: SweepLog) -> Path:
    """Rewrite `study.log` from the record of a sweep; returns its path.

    Raises:
        OSError: if it cannot be written.
    """
    journal = StudyJournal(plan, log)
    journal.open()
    return journal.path


def _ended(record: TrialRecord) -> dict[str, Any]:
    return {
        "status": record.status,
        "reason": record.outcome,
        "epochs": record.epoch,
        "train_s": round(record.train_s, 3),
        **({"tried": True} if record.tried else {}),
    }
