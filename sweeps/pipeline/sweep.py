"""A whole sweep: search, selection, retraining, the test split."""

from __future__ import annotations

import contextlib
import errno
import shlex
import sys
from dataclasses import asdict, replace

from rich.console import Console

from ae.configuration import Configuration
from ae.saved import save
from ae.task import Split, Splits
from ae.training import final_metrics
from ae.words import counted
from sweeps.config.plan import Plan
from sweeps.engine import nodes
from sweeps.engine import session as engine
from sweeps.engine.recorder import Recorder
from sweeps.engine.room import Room
from sweeps.engine.session import Workers
from sweeps.engine.turns import Turns
from sweeps.pipeline import retraining
from sweeps.records import history, tables, tested
from sweeps.records.ledger import ENDED, FAILED
from sweeps.records.outcome import Outcome
from sweeps.report import page as report
from sweeps.search import study
from sweeps.search.warm_start import warm_start
from sweeps.storage import folder
from sweeps.storage.checkpoints import Checkpoints, Tidy
from sweeps.storage.mirror import Mirror
from sweeps.tracking import loggers
from sweeps.tracking.display import Display
from sweeps.tracking.prometheus import Metrics

SUCCESS, FAILURE, INTERRUPTED = 0, 1, 130


def run(plan: Plan, splits: Splits, console: Console) -> int:
    """Carry out a plan, or go on with it, and write its results folder; returns the exit status.

    A Ctrl-C keeps all that was finished, reports it, and gives 130; a sweep in which nothing could be selected or
    retrained, or whose results cannot be written any more, gives 1. `--resume` goes on with what was not ended.

    Raises:
        CannotStart: if the cluster is not there, has no room for a trial, or a machine that does not see the results.
        Unusable: if the results folder cannot be made or used.
        ValueError: if what earlier sessions left there cannot be read.
    """
    outcome = Outcome(plan=plan, source=splits.source, search=study.ledger_of(plan))
    loggers.check(plan)
    with engine.session(plan) as dashboard:
        if dashboard:
            words = f"Ray dashboard: {dashboard} (if it asks for a token: ray get-auth-token)"
            console.print(words, soft_wrap=True, highlight=False, markup=False)
        room = Room.of(plan)
        outcome.device = room.device()
        nodes.check(room)
        if not plan.resume:
            folder.make(plan.folder, plan.record, plan.space_file)
        with folder.held(plan.folder):
            if plan.found and plan.found != folder.read(plan.folder):
                raise folder.Unusable(f"{plan.folder} was gone on with by another session meanwhile; run it again")
            try:
                tables.clean(plan.folder)
                with Mirror(plan) if plan.storage else contextlib.nullcontext() as mirror:
                    if plan.resume and plan.record != plan.found:  # not before the storage is this session's
                        plan.record.write(plan.folder)
                    status = _run(outcome, room, splits, console, mirror)
                if outcome.tested and not outcome.interrupted:
                    _finish(plan, mirror)
                return status
            except OSError as error:
                return _cut_off(plan, error)


def _run(outcome: Outcome, room: Room, splits: Splits, console: Console, mirror: Mirror | None) -> int:
    plan = outcome.plan
    try:
        workers = Workers.of(room, splits.train, splits.validation)
        _search(outcome, workers, console, mirror)
        if not outcome.interrupted and outcome.search.ranked():
            _retrain(outcome, workers, console, mirror)
        if outcome.retrained and not (plan.folder / tested.TESTED).exists():
            _keep_best(outcome)  # whatever becomes of the test; a tested model stays until then
        if not outcome.interrupted:
            _test(outcome, splits.test)
    except KeyboardInterrupt:
        outcome.interrupted = True
    if outcome.interrupted and outcome.search.entries:
        _collect(outcome)
    if outcome.retrained:
        _keep_best(outcome)
    if outcome.tested:
        outcome.baseline = plan.task.baseline(splits, outcome.retrained[0].configuration)
    if outcome.search.entries:
        report.write(outcome, splits)
    console.print(report.closing_words(outcome), soft_wrap=True, highlight=False, markup=False)
    if outcome.interrupted:
        return INTERRUPTED
    return SUCCESS if outcome.retrained else FAILURE


def _finish(plan: Plan, mirror: Mirror | None) -> None:
    """Keep on record that nothing is left to do, once the storage has all of it; until then `--resume` goes on."""
    record = replace(plan.record, finished=True)
    if mirror:
        mirror.finish(record)
    record.write(plan.folder)


def _cut_off(plan: Plan, error: OSError) -> int:
    """Say in one line that results cannot be written: a full disk, a folder that became read-only."""
    line = f"error: {error.filename or plan.folder}: {error.strerror or error}"
    if error.errno != errno.EBUSY:  # the storage is another session's
        resume = f"python sweeps/run.py --resume {shlex.quote(str(plan.folder))}"
        line += f"; what was written is kept: mend that, then {resume}"
    print(line, file=sys.stderr)
    return FAILURE


def _search(outcome: Outcome, workers: Workers, console: Console, mirror: Mirror | None) -> None:
    plan, ledger = outcome.plan, study.ledger_of(outcome.plan)
    trials = study.open_(plan)
    if plan.warm_start and not study.own(trials):
        console.print(warm_start(trials, plan), soft_wrap=True, highlight=False, markup=False)
    history.restore(ledger, study.configurations(trials, plan.base))
    study.agree(trials, plan.base, ledger)
    outcome.search = ledger  # whole: what a Ctrl-C left half read is not to be reported
    checkpoints = Checkpoints(plan.checkpoints)
    tidy = Tidy(checkpoints, later=mirror.ended if mirror else None)
    if ledger.ended < ledger.requested:
        turns = engine.early_stopping(plan.scheduler, plan.budget, ledger, workers.room.slots)
        searcher = study.StudySearcher(trials, plan, turns)
        title = f"{plan.task.name}: search, {counted(plan.trials, 'trial')} ({plan.search}), results in {plan.folder}"
        told = [*loggers.of(plan, ledger), Display(ledger, title, plan.varied, console)]
        with Recorder(ledger, told, ended=[searcher.ended, tidy.ended]) as recorder:
            outcome.interrupted = workers.run(
                "search",
                callbacks=[recorder, *Metrics.of(plan, ledger), *([mirror] if mirror else [])],
                searcher=searcher,
                turns=turns,
            )
        study.close(trials, ledger)
    tidy.drop(checkpoints.trials() & ledger.names(*ENDED))  # what a session left that was killed
    outcome.interrupted |= ledger.ended < ledger.requested


def _retrain(outcome: Outcome, workers: Workers, console: Console, mirror: Mirror | None) -> None:
    """Train the selected configurations from scratch, once a seed; `Retrained.order` says which of them wins."""
    plan, objective = outcome.plan, outcome.plan.task.objective
    chosen = retraining.select(plan, outcome.search)
    runs = retraining.runs(plan, chosen)
    ledger = outcome.retraining = retraining.ledger_of(plan, outcome.search, runs)
    states = retraining.states(plan, runs, ledger)
    history.reopen(ledger, retraining.with_model(ledger) - set(states) | ledger.names(FAILED))
    left = {name: run for name, run in runs.items() if name not in ledger.entries or ledger.entries[name].open}
    if left:
        turns = Turns(ledger, workers.room.slots)
        what = counted(len(chosen), "configuration")
        title = f"{plan.task.name}: retraining {what} from scratch, {counted(plan.seeds, 'seed')} each"
        told = [*loggers.of(plan, ledger), Display(ledger, title, plan.varied, console)]
        with Recorder(ledger, told) as recorder:
            outcome.interrupted = workers.run(
                "retrain",
                callbacks=[recorder, *Metrics.of(plan, ledger), *([mirror] if mirror else [])],
                searcher=retraining.Runs(objective, left, turns),
                turns=turns,
            )
        states |= retraining.states(plan, left, ledger)
    outcome.interrupted |= ledger.ended < ledger.requested
    if missing := retraining.with_model(ledger) - set(states):
        what = f"the last checkpoint of {', '.join(sorted(missing))} could not be written or read"
        why = [ledger.entries[name].warning for name in sorted(missing) if ledger.entries[name].warning]
        raise OSError(errno.EIO, "; ".join([what, *why[:1]]), plan.checkpoints)
    outcome.retrained = retraining.models(plan, chosen, states, ledger)


def _test(outcome: Outcome, split: Split) -> None:
    """Meet the test split, once for each retrained model, whatever the sessions."""
    task, folder = outcome.plan.task, outcome.plan.folder
    for retrained in outcome.retrained:
        for model in retrained.models:
            if not model.test:
                network = task.build(retrained.configuration)
                network.load_state_dict(model.weights)
                model.test = final_metrics(task, network.eval(), split)
                tested.keep(folder, model)


def _collect(outcome: Outcome) -> None:
    """Bring together the models of all sessions: of those that were tested, the best stays the answer, as it was."""
    plan, search = outcome.plan, outcome.search
    every = {entry.name: Configuration(**entry.configuration) for entry in search.ranked()}
    runs = retraining.runs(plan, every)
    ledger = retraining.ledger_of(plan, search, runs)
    outcome.retrained = retraining.models(plan, every, retraining.states(plan, runs, ledger), ledger)
    for one in outcome.retrained:
        one.models = [model for model in one.models if model.test] or one.models
    outcome.retrained.sort(key=lambda one: (not one.tested, one.order(plan.task.objective)))
    if ledger.entries and not outcome.retraining:
        ledger.requested = len(ledger.entries)  # whether others come is not known yet
        outcome.retraining = ledger


def _keep_best(outcome: Outcome) -> None:
    """Write the winner's model of best validation into `best/`, with its test metrics once it has any."""
    plan, winner = outcome.plan, outcome.retrained[0]
    model = winner.kept(plan.task.objective)
    facts = {"epoch": model.epoch, "validation": model.validation, **({"test": model.test} if model.test else {})}
    save(
        plan.folder / "best",
        plan.task.name,
        replace(winner.configuration, seed=model.seed),
        model.weights,
        **facts,
        data=str(plan.data.absolute()) if plan.data else None,
        options=asdict(plan.options),
        subset=plan.subset,
    )
