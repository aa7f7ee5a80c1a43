"""A whole sweep: search, selection, retraining, the test split."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ray import tune
from rich.console import Console

from ae.configuration import Configuration
from ae.saved import save
from ae.task import Split, Splits
from ae.training import final_metrics
from sweeps import engine, report, study
from sweeps.display import Display
from sweeps.ledger import FINISHED, Ledger
from sweeps.outcome import Model, Outcome, Retrained
from sweeps.plan import Plan
from sweeps.trial import read_checkpoint

SUCCESS, FAILURE, INTERRUPTED = 0, 1, 130


def run(plan: Plan, splits: Splits, console: Console) -> int:
    """Carry out a plan and write its results folder; returns the exit status.

    A Ctrl-C keeps all that was finished, reports it, and gives 130; a sweep in which nothing could be selected or
    retrained gives 1.

    Raises:
        CannotStart: if the cluster is not there or has no room for a trial, or the results folder cannot be made.
    """
    search = Ledger("search", plan.folder, plan.task.objective, plan.trials, plan.budget.max_epochs)
    outcome = Outcome(plan=plan, source=splits.source, search=search)
    try:
        with engine.session(plan):
            trainable = engine.trainable(plan, splits.train, splits.validation)
            outcome.device = engine.device(plan)
            _make(plan.folder)
            _search(outcome, trainable, console)
            if not outcome.interrupted and outcome.search.ranked():
                _retrain(outcome, trainable, console)
        if outcome.retrained:
            _keep_best(outcome)
        if outcome.retrained and not outcome.interrupted:
            _test(outcome, splits.test)
            _keep_best(outcome)
    except KeyboardInterrupt:
        outcome.interrupted = True
    if outcome.search.entries:
        report.write(outcome, splits)
    console.print(report.closing_words(outcome), soft_wrap=True, highlight=False, markup=False)
    if outcome.interrupted:
        return INTERRUPTED
    return SUCCESS if outcome.retrained else FAILURE


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise engine.CannotStart(
            f"{folder} cannot be made: {error.strerror}; give another --results or --name"
        ) from None


def _search(outcome: Outcome, trainable: Any, console: Console) -> None:
    plan, objective = outcome.plan, outcome.plan.task.objective
    ledger = outcome.search
    points = plan.points
    sampler = study.SAMPLERS[plan.sampler](plan.seed) if points is None else None
    record = study.create(plan.folder, f"{plan.task.name}/{plan.name}", objective, sampler)
    searcher = study.StudySearcher(record, plan.space, points, plan.base, objective)
    title = f"{plan.task.name}: search, {plan.trials} trials ({plan.search}), results in {plan.folder}"
    with ledger, Display(ledger, title, plan.varied, console) as display:
        engine.run(
            trainable,
            folder=plan.folder / "ray" / "search",
            plan=plan,
            callbacks=[ledger, display],
            search_alg=searcher,
            num_samples=plan.trials,
            scheduler=engine.scheduler(plan),
        )
    outcome.interrupted = ledger.ended < ledger.requested


def select(search: Ledger, top_k: int) -> list[Configuration]:
    """The best distinct configurations by their best validation value, best first."""
    distinct = dict.fromkeys(Configuration(**entry.configuration) for entry in search.ranked())
    return list(distinct)[:top_k]


def _retrain(outcome: Outcome, trainable: Any, console: Console) -> None:
    """Train the selected configurations from scratch, once a seed; the one with the best mean validation value wins."""
    plan, objective = outcome.plan, outcome.plan.task.objective
    chosen = select(outcome.search, plan.top_k)
    seeds = range(plan.seed + 1, plan.seed + 1 + plan.seeds)
    runs = {
        f"top{rank}-seed{seed}": replace(configuration, seed=seed, epochs=plan.retrain_epochs)
        for rank, configuration in enumerate(chosen, start=1)
        for seed in seeds
    }
    params = [{"trial": name, "configuration": asdict(configuration)} for name, configuration in runs.items()]
    ledger = outcome.retraining = Ledger("retrain", plan.folder, objective, len(runs), plan.retrain_epochs)
    title = f"{plan.task.name}: retraining the best {len(chosen)} from scratch, {plan.seeds} seeds each"
    with ledger, Display(ledger, title, plan.varied, console) as display:
        results = engine.run(
            trainable,
            folder=plan.folder / "ray" / "retrain",
            plan=plan,
            callbacks=[ledger, display],
            param_space={"run": tune.grid_search(params)},
        )
    outcome.interrupted = ledger.ended < ledger.requested
    models = _models(results, runs, {entry.name for entry in ledger.entries.values() if entry.status == FINISHED})
    for rank, configuration in enumerate(chosen, start=1):
        found = [models[f"top{rank}-seed{seed}"] for seed in seeds if f"top{rank}-seed{seed}" in models]
        if found:
            outcome.retrained.append(Retrained(configuration=configuration, rank=rank, models=found))
    outcome.retrained.sort(key=lambda one: one.order(objective))


def _models(results: tune.ResultGrid, runs: dict[str, Configuration], finished: set[str]) -> dict[str, Model]:
    """The best-validation model of each finished run, by the run's name."""
    models = {}
    for result in results:
        name = Path(result.path).name.removeprefix("trial-")  # a run that never started has no config
        if name in finished and result.checkpoint:
            with result.checkpoint.as_directory() as folder:
                best = read_checkpoint(folder)["best"]
            models[name] = Model(
                seed=runs[name].seed, epoch=best["epoch"], weights=best["weights"], validation=best["metrics"]
            )
    return models


def _test(outcome: Outcome, split: Split) -> None:
    """Meet the test split, once for each retrained model."""
    task = outcome.plan.task
    for retrained in outcome.retrained:
        for model in retrained.models:
            network = task.build(retrained.configuration)
            network.load_state_dict(model.weights)
            model.test = final_metrics(task, network.eval(), split)


def _keep_best(outcome: Outcome) -> None:
    """Write the winner's model of best validation into `best/`, with its test metrics once it has any."""
    plan, winner = outcome.plan, outcome.retrained[0]
    model = winner.kept(plan.task.objective)
    facts = {"epoch": model.epoch, "validation": model.validation, **({"test": model.test} if model.test else {})}
    save(
        plan.folder / "best",
        plan.task.name,
        replace(winner.configuration, seed=model.seed, epochs=plan.retrain_epochs),
        model.weights,
        **facts,
        data=str(plan.data.absolute()) if plan.data else None,
        options=asdict(plan.options),
        subset=plan.subset,
    )
