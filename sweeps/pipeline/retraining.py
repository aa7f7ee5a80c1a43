"""The best configurations of a search, trained again from scratch over several seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from ray.tune.search import Searcher

from ae.configuration import Configuration
from ae.task import Objective
from sweeps.config.plan import Plan
from sweeps.engine.turns import Turns
from sweeps.records import history, tested
from sweeps.records.ledger import DIVERGED, FINISHED, Ledger
from sweeps.records.outcome import Model, Retrained
from sweeps.storage.checkpoints import Checkpoints


def select(plan: Plan, search: Ledger) -> dict[str, Configuration]:
    """What is retrained, best of the search first, by the name of a configuration's first trial.

    The best `top_k` distinct configurations by their best validation value, and those of which a model has met the test
    split: more trials do not take away an answer.
    """
    names: dict[Configuration, str] = {}
    for entry in search.ranked():
        configuration = Configuration(**entry.configuration)
        names[configuration] = min(names.get(configuration, entry.name), entry.name)  # it stays, whatever is added
    ranked = [(name, configuration) for configuration, name in names.items()]
    met = tested.names(plan.folder)
    return {
        name: configuration
        for place, (name, configuration) in enumerate(ranked)
        if place < plan.top_k or met & runs(plan, {name: configuration}).keys()
    }


def runs(plan: Plan, chosen: Mapping[str, Configuration]) -> dict[str, Configuration]:
    """Every retraining by its name, which says the trial and the seed; those that train the longest first."""
    return {
        f"{name}-seed{seed}": replace(configuration, seed=seed, epochs=plan.retrain_epochs)
        for name, configuration in sorted(chosen.items(), key=lambda item: -item[1].hidden_size)
        for seed in range(plan.seed + 1, plan.seed + 1 + plan.seeds)
    }


def all_runs(plan: Plan, search: Ledger) -> dict[str, Configuration]:
    """Every retraining that the search's trials could get, by its name."""
    return runs(plan, {entry.name: Configuration(**entry.configuration) for entry in search.trials})


def ledger_of(plan: Plan, search: Ledger, runs: Mapping[str, Configuration]) -> Ledger:
    """The ledger of retrainings, as earlier sessions left it; an extended sweep may have selected others before."""
    planned = {name: asdict(configuration) for name, configuration in runs.items()}
    ledger = Ledger(
        "retrain",
        plan.folder,
        plan.task.objective,
        len(runs),
        plan.retrain_epochs,
        time_limit_s=plan.time_limit_s,
        planned=planned,
    )
    history.restore(ledger, planned, others=all_runs(plan, search))
    return ledger


class Runs(Searcher):
    """Hands out the retrainings that have not ended yet, in order.

    Args:
        objective: the validation metric of the reports.
        runs: by name.
        turns: says when there is room.
    """

    def __init__(self, objective: Objective, runs: Mapping[str, Configuration], turns: Turns) -> None:
        super().__init__(metric=f"val_{objective.metric}", mode=objective.mode)
        self.left, self.turns = list(runs.items()), turns
        self.taken: dict[str, tuple[str, Configuration]] = {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next one; None while there is no room, FINISHED at the end."""
        if not self.left:
            return None if self.turns.busy else str(Searcher.FINISHED)
        if not self.turns.free:
            return None
        name, configuration = self.taken[trial_id] = self.left.pop(0)
        return {"run": {"trial": name, "configuration": asdict(configuration)}}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Nothing is learned from it; one whose process was lost before it began comes again."""
        run = self.taken.pop(trial_id, None)  # None where its end was told before, and a later callback failed
        if run and error and run[0] in self.turns.ledger.again:
            self.left.insert(0, run)

    def save(self, checkpoint_path: str) -> None:
        """Nothing: what has ended is in the tables."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing, as nothing was saved."""


def with_model(ledger: Ledger) -> set[str]:
    """The retrainings that came to a model: those that finished, and those that were validated before they diverged."""
    return {entry.name for entry in ledger.trials if entry.status in (FINISHED, DIVERGED) and entry.best_epoch}


def states(plan: Plan, runs: Mapping[str, Configuration], ledger: Ledger) -> dict[str, dict[str, Any]]:
    """The last state of every one of these that came to a model; missing where no checkpoint goes as far as its best.

    Raises:
        OSError: if the checkpoints cannot be read.
    """
    checkpoints = Checkpoints(plan.checkpoints)
    found = {name: checkpoints.load(name).state for name in with_model(ledger) & runs.keys()}
    return {name: state for name, state in found.items() if state and state["epoch"] >= ledger.entries[name].best_epoch}


def models(
    plan: Plan, chosen: Mapping[str, Configuration], states: Mapping[str, Mapping[str, Any]], ledger: Ledger
) -> list[Retrained]:
    """The best-validation model of every retraining that left a state, by configuration, best first.

    A model that an earlier session tested has its test metrics.
    """
    found = []
    lost = ledger.names(DIVERGED)
    for trial, configuration in chosen.items():
        kept, retrainings = [], runs(plan, {trial: configuration})
        for name, run in retrainings.items():
            if name in states:
                best = states[name]["best"]
                model = Model(
                    name=name,
                    seed=run.seed,
                    epoch=best["epoch"],
                    weights=best["weights"],
                    validation=best["metrics"],
                )
                model.test = tested.recall(plan.folder, model)
                kept.append(model)
        if kept:
            retrained, diverged = replace(configuration, epochs=plan.retrain_epochs), len(lost & retrainings.keys())
            found.append(Retrained(configuration=retrained, trial=trial, models=kept, diverged=diverged))
    return sorted(found, key=lambda one: one.order(plan.task.objective))
