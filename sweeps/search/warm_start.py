"""Warm start: the trials of an older sweep, given to a new sweep's sampler."""

from __future__ import annotations

from dataclasses import asdict

from ae.errors import UserError
from sweeps.config.choices import SAMPLERS
from sweeps.config.conditions import is_active
from sweeps.config.plan import Plan
from sweeps.config.plan_file import load
from sweeps.config.space import contains
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import DIVERGED, FAILED, FINISHED, STOPPED
from sweeps.search.view import best_curve


def warm_start(plan: Plan, log: SweepLog) -> str:
    """Add the trials of `plan.warm_start` to the record of a new sweep; returns what was taken, in words.

    A trial is taken with the hyperparameters that lie within the new space, and left out if none does. Samplers that
    model all hyperparameters together take only trials that have all of them within it: otherwise they would draw the
    missing ones at random from then on. Values are compared as they are, whatever the epochs of the older sweep.

    Raises:
        UserError: if there is no such sweep, or it is of another task.
    """
    older = read_older(plan)
    taken, outside = 0, set(plan.space)
    least = len(plan.space) if SAMPLERS[plan.sampler].joint else 1
    for record in older.search.trials:
        values = asdict(record.config)
        active = {name: one for name, one in plan.space.items() if is_active(one, record.config)}
        within = {name for name, dimension in active.items() if contains(dimension, values[name])}
        within |= plan.space.keys() - active.keys()
        if record.status == FAILED or len(within) < least or not record.reports:
            continue
        outside -= within
        taken += 1
        status = record.status if record.status in (FINISHED, DIVERGED) else STOPPED
        curve = [list(point) for point in best_curve(record.reports)]
        log.add("known", trial=record.name, source=str(plan.warm_start), config=values, status=status, curve=curve)
    told = f"warm start: the sampler knows {taken} of the {len(older.search.records)} trials of {plan.warm_start}"
    if SAMPLERS[plan.sampler].joint and taken < len(older.search.records):
        return f"{told}; {plan.sampler} takes those that have every hyperparameter of this search within its range"
    return f"{told}; none of them is within the range of {', '.join(sorted(outside))}" if outside else told


def read_older(plan: Plan) -> SweepLog:
    """The record of `plan.warm_start`, an older sweep of the same task.

    Raises:
        UserError: if there is none in the folder, or it is of another task.
    """
    assert plan.warm_start is not None
    try:
        older = load(plan.warm_start)
        log = SweepLog.read(older)
    except UserError as error:
        raise UserError(f"--warm-start {error}") from None
    if older.task.name != plan.task.name:
        raise UserError(f"--warm-start {plan.warm_start}: must be a sweep of the same task, got {older.task.name}")
    return log
