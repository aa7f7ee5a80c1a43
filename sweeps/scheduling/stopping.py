"""The user's own rules, which end a trial or the search whatever the scheduler decides: --patience and --target."""

from __future__ import annotations

from dataclasses import dataclass

from ae.task import Objective
from ae.words import counted
from sweeps.records.trials import TrialRecord

LEAST = 0.001
"""An improvement counts if it is larger than this share of the best value before."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoppingRules:
    """What ends a trial, or the search, in words; empty words where nothing does.

    Everything follows from the reports, so a resumed sweep decides the same.
    """

    objective: Objective
    patience: int | None = None
    """Reports without an improvement after which a trial ends; None for no such rule."""
    target: float | None = None
    """Value of the objective at which the search ends; None for no target."""

    def why_stalled(self, record: TrialRecord) -> str:
        """Why a trial ends, if it has not improved for `patience` reports."""
        if self.patience is None or reports_without_improvement(record, self.objective) < self.patience:
            return ""
        return f"no improvement in {counted(self.patience, 'report')}"

    def reached(self, record: TrialRecord) -> str:
        """The target, if a trial's best value is as good or better."""
        if self.target is None or record.best is None or self.objective.better(self.target, record.best):
            return ""
        return f"the target, {self.objective.metric} {self.target:g}"


def reports_without_improvement(record: TrialRecord, objective: Objective) -> int:
    """How many reports in a row, up to the last one, did not improve on the trial's best value.

    A report improves if its objective is better than the best value by more than LEAST times the best's absolute value;
    it is the best from then on. So small steps add up: the next report is compared with the same best. The first report
    improves. A pause changes nothing: only reports count.
    """
    best, since = None, 0
    for report in record.reports:
        value = report.metrics[objective.metric]
        step = 0.0 if best is None else LEAST * abs(best)
        if objective.better(value + step if objective.mode == "min" else value - step, best):
            best, since = value, 0
        else:
            since += 1
    return since
