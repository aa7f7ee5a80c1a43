"""A plan in words, as --dry-run and the report show it."""

from __future__ import annotations

from dataclasses import asdict

from ae.configuration import Configuration
from ae.words import counted
from sweeps.config.choices import SCHEDULERS
from sweeps.config.cpus import usable_cpus
from sweeps.config.plan import Plan
from sweeps.config.rungs import rung_epochs
from sweeps.config.space import Space, in_words
from sweeps.config.words import duration, hyperparameter, seeds_each, settings


def describe(plan: Plan) -> str:
    """The plan, one line per subject."""
    rows = {
        "task": f"{plan.task.name}: {plan.task.description}",
        "data": _data(plan),
        "search": _search(plan),
        "space": _space(plan.space),
        "fixed": _fixed(plan),
        "budget": _budget(plan),
        "early stop": _early_stopping(plan),
        "objective": _objective(plan),
        "retraining": _retraining(plan),
        "resources": _resources(plan),
        "cluster": _cluster(plan),
        "seed": str(plan.seed),
        "results": f"{plan.folder}, and {plan.place}" if plan.storage else str(plan.folder),
    }
    if plan.added_spaces:
        rows["added"] = " | ".join(map(_space, plan.added_spaces))
    if plan.tries:
        rows["tried first"] = " | ".join(_tried(plan, config) for config in plan.tried)
    if plan.warm_start:
        rows["warm start"] = f"the sampler knows the trials of {plan.warm_start}"
    return "\n".join(f"{name:<11} {row}" for name, row in rows.items())


def _data(plan: Plan) -> str:
    given = asdict(plan.options).items() - asdict(plan.task.options()).items()
    own = "".join(f", {name} {value}" for name, value in sorted(given))
    subset = f", at most {plan.subset:,} training sequences" if plan.subset else ""
    return f"{plan.data or 'what comes with the task'}{own}{subset}"


def _search(plan: Plan) -> str:
    if plan.search == "optuna":
        return f"{counted(plan.trials, 'trial')} chosen by Optuna ({plan.sampler})"
    return f"grid of {counted(plan.trials, 'configuration')}"


def _tried(plan: Plan, config: Configuration) -> str:
    untold = plan.search == "optuna" and not plan.can_draw(config)
    told = " (outside the space: the sampler does not learn from it)" if untold else ""
    return settings(config, list(plan.whole_space)) + told


def _space(space: Space) -> str:
    return "; ".join(f"{name} {in_words(dimension)}" for name, dimension in space.items())


def _fixed(plan: Plan) -> str:
    varied = (*plan.whole_space, "epochs", "seed")
    fixed = {name: value for name, value in plan.base.stated.items() if name not in varied}
    return ", ".join(f"{name} {hyperparameter(value)}" for name, value in fixed.items()) or "nothing"


def _budget(plan: Plan) -> str:
    seeds = plan.seeds_per_trial
    most, expected = (seeds * epochs for epochs in (plan.trials * plan.budget.max_epochs, sum(plan.expected_epochs)))
    about = f", about {expected:,} with early stopping" if expected < most else ""
    each = f"{counted(plan.budget.max_epochs, 'epoch')} per trial, validated every {plan.budget.eval_every}"
    return f"{each}{seeds_each(seeds)}; {counted(most, 'epoch')} at most{about}"


def _early_stopping(plan: Plan) -> str:
    budget, scheduler = plan.budget, SCHEDULERS[plan.scheduler]
    rungs = ", ".join(map(str, rung_epochs(budget)))
    patience = f"; after {counted(plan.patience, 'report')} without an improvement" if plan.patience else ""
    if scheduler.halves and not rungs:
        return f"none: there is no rung below epoch {budget.max_epochs}{patience}"
    rule = scheduler.description.format(rungs=rungs, factor=budget.reduction_factor, grace=budget.grace_period)
    return rule + patience


def _objective(plan: Plan) -> str:
    objective = plan.task.objective
    target = "" if plan.target is None else f"; the search ends once it is {plan.target:g}, or better"
    return f"validation {objective.metric}, {objective.mode}{target}"


def _retraining(plan: Plan) -> str:
    epochs = f"{counted(plan.retrain_epochs, 'epoch')} each, {plan.retrain_epochs * plan.top_k * plan.seeds:,} in all"
    return f"the best {plan.top_k}, {counted(plan.seeds, 'seed')} each: {epochs}; then the test split, once"


def _resources(plan: Plan) -> str:
    used = plan.resources
    gpus = "a fraction of a GPU where there are any" if used.gpus_per_trial is None else used.gpus_per_trial
    concurrent = f"{used.max_concurrent or 'as many as there is room for'} at once"
    budget = f"; {duration(used.time_budget_s)} in all, over all sessions" if used.time_budget_s else ""
    return f"per trial {used.cpus_per_trial} CPU, GPU: {gpus}; device {used.device}; {concurrent}{budget}"


def _cluster(plan: Plan) -> str:
    asked = f", asked for {plan.resources.autoscale} trials at once" if plan.resources.autoscale else ""
    return (plan.resources.address or f"this machine, {counted(usable_cpus(), 'CPU')}") + asked
