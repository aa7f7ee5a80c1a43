"""The trials of a search as Optuna's samplers see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from ae.configuration import Configuration
from ae.task import Objective
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import DIVERGED, FAILED, FINISHED, TrialRecord
from sweeps.search.distributions import Searched

Curve = Sequence[tuple[int, float]]
"""Epochs, ascending, and the objective's best value up to each."""


class View:
    """Optuna trials made from the record of a search, those of an older sweep first.

    A sampler sees a trial's best value so far, by which trials are ranked, never the value of its last report.

    For samplers that learn from pruned trials (TPE), a trial that has reported is PRUNED at its last report, and
    COMPLETE once it has finished. Otherwise it would be RUNNING, and teach nothing, for as long as it is paused.

    For samplers that learn from complete trials alone (GP, CMA-ES), budgets must not mix: a short trial would be
    compared with one that has trained ten times as long. Every trial is judged at the highest rung that it reached,
    ranked within that rung, behind all that reached a higher one, and its value is its rank. A diverged trial ranks
    last: without a value, the samplers would draw near it again.

    Args:
        log: the sweep.
        searched: the search space.
        joint: whether the sampler learns from complete trials alone.
        levels: the rungs' epochs and the last epoch, ascending.
    """

    def __init__(self, log: SweepLog, searched: Searched, joint: bool, levels: Sequence[int]) -> None:
        self.log, self.searched, self.joint, self.levels = log, searched, joint, levels
        self.made: dict[str, tuple[tuple[str, int], FrozenTrial]] = {}
        """Trials by name, with the status and epoch at which they were made."""

    def trials(self) -> list[FrozenTrial]:
        """All trials as of now; their numbers are their places."""
        trials = self._ranked() if self.joint else [*self._known(), *self._own()]
        for number, trial in enumerate(trials):
            trial.number = trial._trial_id = number
        return trials

    def _known(self) -> list[FrozenTrial]:
        return [
            make_trial(known.config, self.searched, known.status, known.curve, best_of(known.curve), {})
            for known in self.log.known
        ]

    def _own(self) -> list[FrozenTrial]:
        trials = []
        for record in self.log.search.records.values():
            state, (made, trial) = (self._status(record), record.epoch), self.made.get(record.name, (None, None))
            if made != state:
                curve = best_curve(record.reports)
                trial = make_trial(record.config, self.searched, state[0], curve, record.best, record.attrs)
                self.made[record.name] = state, trial
            trials.append(trial)
        return [trial for trial in trials if trial]

    def _status(self, record: TrialRecord) -> str:
        """Its status; FAILED, which teaches nothing, if it was tried by hand and the sampler could not draw it.

        Its value may be due to what the sampler does not vary, or cannot reach.
        """
        return FAILED if record.tried and not self.log.plan.can_draw(record.config) else record.status

    def _ranked(self) -> list[FrozenTrial]:
        """Every trial with its rank as its value; those that no rung has judged yet are RUNNING."""
        records = self.log.search.records.values()
        rows: list[tuple[Configuration, str, Curve, dict[str, Any]]] = []
        rows += [(known.config, known.status, known.curve, {}) for known in self.log.known]
        rows += [(record.config, self._status(record), best_curve(record.reports), record.attrs) for record in records]
        places = rank([(status, curve) for _, status, curve, _ in rows], self.levels, self.log.search.objective)
        sign = -1 if self.log.search.objective.mode == "max" else 1
        trials = []
        for (config, status, _, attrs), place in zip(rows, places, strict=True):
            shown = FAILED if status == FAILED else FINISHED if place is not None else ""
            value = None if place is None else float(sign * place)
            trials.append(make_trial(config, self.searched, shown, (), value, attrs))
        return trials


def rank(trials: Sequence[tuple[str, Curve]], levels: Sequence[int], objective: Objective) -> list[int | None]:
    """The place of each trial, 0 for the best; None for one that no level has judged, and for one that failed.

    Args:
        trials: status and curve of each.
        levels: epochs at which trials are compared, ascending.
        objective: what is best.
    """
    sign = -1 if objective.mode == "max" else 1
    keys: dict[int, tuple[int, float]] = {}
    for number, (status, curve) in enumerate(trials):
        reached = [place for place, level in enumerate(levels, 1) if curve and curve[-1][0] >= level]
        if status == DIVERGED:
            keys[number] = (1, 0.0)  # after every other
        elif reached and status != FAILED:
            at_level = [value for epoch, value in curve if epoch <= levels[reached[-1] - 1]] or [curve[0][1]]
            keys[number] = (-reached[-1], sign * at_level[-1])
    order = sorted(keys, key=keys.__getitem__)
    places = {number: place for place, number in enumerate(order)}
    return [places.get(number) for number in range(len(trials))]


def best_curve(reports: Sequence[Any]) -> list[tuple[int, float]]:
    """The best value so far at each report of a trial."""
    return [(report.epoch, report.best) for report in reports if report.best is not None]


def best_of(curve: Curve) -> float | None:
    """The best value of a whole curve."""
    return curve[-1][1] if curve else None


def make_trial(
    config: Configuration,
    searched: Searched,
    status: str,
    curve: Curve,
    best: float | None,
    attrs: Mapping[str, Any],
) -> FrozenTrial:
    """An Optuna trial.

    Args:
        config: gives the hyperparameters, but for those outside the space or whose conditions it does not meet.
        searched: the search space.
        status: FINISHED is COMPLETE, FAILED is FAIL, DIVERGED is PRUNED and infeasible, which ranks it last; any other
            is PRUNED if there is a curve, else RUNNING.
        curve: intermediate values.
        best: value of a finished trial.
        attrs: the sampler's system attributes, unchanged.
    """
    distributions = searched.held_by(config)
    params = {name: getattr(config, name) for name in distributions}
    params = {name: value for name, value in params.items() if _is_within(value, distributions[name])}
    if status == FINISHED and best is not None:
        state = TrialState.COMPLETE
    elif status == FAILED:
        state = TrialState.FAIL
    else:
        state = TrialState.PRUNED if curve or status == DIVERGED else TrialState.RUNNING
    return optuna.trial.create_trial(
        state=state,
        value=best if state == TrialState.COMPLETE else None,
        params=params,
        distributions={name: distributions[name] for name in params},
        system_attrs=dict(attrs),
        intermediate_values=dict(curve),
        constraints={"diverged": 1.0} if status == DIVERGED else None,
    )


def _is_within(value: object, distribution: BaseDistribution) -> bool:
    try:
        return distribution._contains(distribution.to_internal_repr(value))
    except ValueError:  # not one of the choices
        return False
