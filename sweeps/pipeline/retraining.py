"""What is retrained: written down before it begins, and again in a later session."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict

from ae.configuration import Configuration
from sweeps.pipeline.time_budget import TimeBudget
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import FAILED, RETRAIN, STOPPED


def planned_runs(log: SweepLog, budget: TimeBudget, chosen: Mapping[str, Configuration]) -> dict[str, Configuration]:
    """The retrainings that there is time for, recorded; an earlier session may have decided which.

    Args:
        log: of the sweep.
        budget: says what there is time for.
        chosen: the selected configurations, best first.
    """
    if log.fewer:
        return dict(log.retraining.planned)
    runs, fewer = budget.affordable(chosen)
    if fewer or dict(log.retraining.planned) != runs:
        facts = {"fewer": fewer, "limits": log.plan.time_limits} if fewer else {}
        log.add("retraining", runs=[{"trial": name, "config": asdict(run)} for name, run in runs.items()], **facts)
    return runs


def reopen(log: SweepLog, lost: Collection[str]) -> Collection[str]:
    """Train again what failed, what lost its model, and what was ended within another time budget; their names.

    Args:
        log: of the sweep.
        lost: retrainings whose model is gone.
    """
    retraining = log.retraining
    why = {} if retraining.closed else dict.fromkeys(retraining.names(STOPPED), "there is time again")
    why |= dict.fromkeys(retraining.names(FAILED), "it failed") | dict.fromkeys(lost, "its model is gone")
    for name, reason in sorted(why.items()):
        log.add("reopened", phase=RETRAIN, trial=name, reason=reason)
    return why
