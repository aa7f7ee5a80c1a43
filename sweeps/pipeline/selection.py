"""Which configurations are retrained, and the models that their retrainings left."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from ae.configuration import Configuration
from sweeps.config.plan import Plan
from sweeps.records.result import Model, Retrained
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import DIVERGED, FINISHED, STOPPED, TrialRecord
from sweeps.storage.checkpoints import Checkpoints


def select(plan: Plan, log: SweepLog) -> dict[str, Configuration]:
    """The configurations to retrain, best of the search first, by the name of their first trial.

    The best `top_k` distinct configurations by their best validation value, and those with a model that was tested:
    adding trials must not remove an answer.
    """
    names: dict[Configuration, str] = {}
    for record in log.search.ranked():
        names[record.config] = min(names.get(record.config, record.name), record.name)  # stays, whatever is added
    return {
        name: config
        for place, (config, name) in enumerate(names.items())
        if place < plan.top_k or log.tests.keys() & retrainings(plan, {name: config}).keys()
    }


def retrainings(plan: Plan, chosen: Mapping[str, Configuration], seeds: int | None = None) -> dict[str, Configuration]:
    """Every retraining by its name, made of the trial and the seed; the largest models come first.

    Their seeds are those that follow the search's.

    Args:
        plan: of the sweep.
        chosen: the configurations.
        seeds: of each; None for those of the plan.
    """
    first = plan.seed + plan.seeds_per_trial
    return {
        f"{name}-seed{seed}": replace(config, seed=seed, epochs=plan.retrain_epochs)
        for name, config in sorted(chosen.items(), key=lambda item: -item[1].hidden_size)
        for seed in range(first, first + (plan.seeds if seeds is None else seeds))
    }


class PlannedTrials:
    """The retrainings that were not started yet, in order.

    Args:
        runs: by name.
        log: says which were started.
    """

    def __init__(self, runs: Mapping[str, Configuration], log: SweepLog) -> None:
        self.runs, self.log = runs, log

    @property
    def has_more(self) -> bool:
        """Whether one is left."""
        return any(name not in self.log.retraining.records for name in self.runs)

    def ask(self) -> tuple[str, Configuration, dict[str, Any]]:
        """The next one: its name, its configuration, and that its event says no more."""
        name = next(name for name in self.runs if name not in self.log.retraining.records)
        return name, self.runs[name], {}


def with_model(records: Collection[TrialRecord]) -> set[str]:
    """The retrainings that left a model: those that finished, or were validated before they diverged or were ended."""
    return {record.name for record in records if record.status in (FINISHED, DIVERGED, STOPPED) and record.best_epoch}


def load_states(plan: Plan, log: SweepLog, names: Collection[str]) -> dict[str, dict[str, Any]]:
    """The last state of each retraining that left a model; missing if no checkpoint goes as far as its best epoch.

    Raises:
        OSError: if the checkpoints cannot be read.
    """
    checkpoints, records = Checkpoints(plan.checkpoints), log.retrainings
    wanted = with_model(records.values()) & set(names)
    found = {name: checkpoints.load(name).state for name in sorted(wanted)}
    return {name: state for name, state in found.items() if state and state["epoch"] >= records[name].best_epoch}


def models(
    plan: Plan, log: SweepLog, chosen: Mapping[str, Configuration], states: Mapping[str, Mapping[str, Any]]
) -> list[Retrained]:
    """The best-validation model of every retraining that left a state, by configuration, best first.

    A model that was tested in an earlier session has its test metrics.
    """
    found = []
    for trial, config in chosen.items():
        runs = retrainings(plan, {trial: config})
        kept = [_model(name, run, states[name], log) for name, run in runs.items() if name in states]
        statuses = [log.retrainings[name].status for name in runs if name in log.retrainings]
        if kept:
            found.append(
                Retrained(
                    config=replace(config, epochs=plan.retrain_epochs),
                    trial=trial,
                    models=kept,
                    finished=statuses.count(FINISHED),
                    diverged=statuses.count(DIVERGED),
                )
            )
    return sorted(found, key=lambda one: one.order(plan.task.objective))


def collected(plan: Plan, log: SweepLog, states: Mapping[str, Mapping[str, Any]] | None = None) -> list[Retrained]:
    """The models of all sessions of an interrupted sweep; if some were tested, the best of them stays the answer.

    Args:
        plan: of the sweep.
        log: its record.
        states: as `load_states` gives them; None loads them.

    Raises:
        OSError: if the checkpoints cannot be read.
    """
    every = {record.name: record.config for record in log.search.ranked()}
    found = models(plan, log, every, load_states(plan, log, retrainings(plan, every)) if states is None else states)
    for one in found:
        one.models = [model for model in one.models if model.test] or one.models
    return sorted(found, key=lambda one: (not one.tested, one.order(plan.task.objective)))


def recorded(plan: Plan, log: SweepLog) -> list[Retrained]:
    """What the last session found, from the record alone: the models have no weights."""
    names = with_model(log.retrainings.values())
    records = [log.retrainings[name] for name in names]
    states = {
        record.name: {"best": {"metrics": record.best_metrics, "epoch": record.best_epoch, "weights": {}}}
        for record in records
    }
    if log.ended_as == "interrupted":
        return collected(plan, log, states)
    return models(plan, log, select(plan, log), states)


def _model(name: str, run: Configuration, state: Mapping[str, Any], log: SweepLog) -> Model:
    best, tested = state["best"], log.tests.get(name)
    known = tested is not None and tested.validation == best["metrics"]
    return Model(
        name=name,
        seed=run.seed,
        epoch=best["epoch"],
        weights=best["weights"],
        validation=best["metrics"],
        test=tested.test if tested and known else {},
    )
