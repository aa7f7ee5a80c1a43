"""A whole sweep: search, selection, retraining, the test split, the report."""

from __future__ import annotations

import contextlib
import errno
import socket
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial

from rich.console import Console

from ae.configuration import Configuration
from ae.errors import UserError
from ae.model import LSTM_AE
from ae.saved import save
from ae.splits import Splits
from ae.training import final_metrics
from ae.words import counted
from sweeps.config import plan_file
from sweeps.config.plan import Plan
from sweeps.config.words import seeds_each
from sweeps.engine.nodes import check_nodes
from sweeps.engine.phase import Phase, Source
from sweeps.engine.room import Room
from sweeps.engine.session import ray_session
from sweeps.engine.workers import Workers
from sweeps.pipeline import selection
from sweeps.pipeline.retraining import planned_runs, reopen
from sweeps.pipeline.time_budget import TimeBudget
from sweeps.records.eta import time_left
from sweeps.records.result import Model, SweepResult
from sweeps.records.sweep_log import SweepLog
from sweeps.records.tables import Tables, write_tables
from sweeps.records.trials import ENDED, RETRAIN, SEARCH
from sweeps.report.guard import attempt
from sweeps.report.page import closing_words, write_report
from sweeps.scheduling.base import Scheduler, make_scheduler
from sweeps.search.importance import importances
from sweeps.search.journal import StudyJournal, write_study
from sweeps.search.suggestions import suggestions_of
from sweeps.search.warm_start import warm_start
from sweeps.storage import folder
from sweeps.storage.checkpoints import Checkpoints
from sweeps.storage.mirror import Mirror
from sweeps.tracking.display import Display, say
from sweeps.tracking.followers import Follower, check_tracker, followers_of
from sweeps.tracking.mirror_follower import MirrorFollower
from sweeps.tracking.steps import Step

SUCCESS, FAILURE, INTERRUPTED = 0, 1, 130


def run_sweep(plan: Plan, before: Plan | None, splits: Splits, console: Console, began: float) -> int:
    """Carry out a plan, or resume it, and write its results folder; returns the exit status.

    A Ctrl-C keeps and reports all that was finished, and gives 130; a sweep in which nothing could be selected or
    retrained gives 1. `--resume` continues with what has not ended.

    Args:
        plan: what to do.
        before: the plan that the results folder has; None for a new sweep.
        splits: the data.
        console: for progress and the closing words.
        began: when the command started, by the monotonic clock.

    Raises:
        UserError: if the cluster is not there, has no room for a trial, or has a machine that does not see the results,
            or if the results folder cannot be used.
        OSError: if results cannot be written any more; what was written is kept.
    """
    check_tracker(plan)
    address = plan.resources.address
    with contextlib.ExitStack() as stack:
        with Step(console, f"joining the Ray cluster at {address}" if address else "starting Ray"):
            dashboard = stack.enter_context(ray_session(plan))
            room = Room.now(plan)
            device = room.device()
            check_nodes(room)
        if dashboard:
            say(console, f"Ray dashboard: {dashboard}")
        if not before:
            folder.make(plan.folder, plan_file.text(plan))
        with folder.locked(plan.folder):
            if before and plan_file.text(plan_file.load(plan.folder)) != plan_file.text(before):
                raise UserError(f"{plan.folder} was resumed by another process; try again")
            status = _Sweep(plan, room, splits, device, console, began).run(before)
        with Step(console, "stopping Ray", only_live=True):
            stack.close()
    return status


class _Sweep:
    """One session of a sweep; its results folder is locked by this process.

    Args:
        plan: what to do.
        room: what the cluster has for it.
        splits: the data.
        device: what the trials run on, in words.
        console: for progress and the closing words.
        began: when the command started, by the monotonic clock.
    """

    def __init__(self, plan: Plan, room: Room, splits: Splits, device: str, console: Console, began: float) -> None:
        self.plan, self.room, self.splits, self.console, self.began = plan, room, splits, console, began
        self.log, self.session = SweepLog.read(plan), uuid.uuid4().hex
        self.checkpoints, self.budget = Checkpoints(plan.checkpoints), TimeBudget(plan, self.log)
        self.mirror: Mirror | None = None
        earlier_s = self.log.search.recorded_s + self.log.retraining.recorded_s
        self.result = SweepResult(plan=plan, log=self.log, source=splits.source, device=device, earlier_s=earlier_s)

    def run(self, before: Plan | None) -> int:
        """Search, retrain, test and report; returns the exit status."""
        plan, log, result = self.plan, self.log, self.result
        with contextlib.ExitStack() as stack:
            if plan.storage:
                self.mirror = stack.enter_context(Mirror(plan.folder, plan.place, self.checkpoints, self.session))
            if before and plan != before:  # not before the storage belongs to this session
                plan_file.write(plan)
            self.checkpoints.claim(self.session)
            log.open()
            facts = {"host": socket.gethostname(), "device": result.device, "versions": result.versions}
            start_s = round(time.monotonic() - self.began, 3)
            log.add("session_begun", session=self.session, start_s=start_s, **facts)
            log.flush()
            write_tables(log)
            self._work()
            result.total_s = round(result.wall_s, 3)
            if result.interrupted:
                self._end("interrupted")
                write_tables(log)
            self._report()
            if not result.interrupted and not result.tested:
                self._end("failed")
            if self.mirror:
                with Step(self.console, f"copying the results to {plan.storage}", only_live=True):
                    stack.close()
        if result.interrupted:
            return INTERRUPTED
        if result.tested:
            self._end("finished")
        return SUCCESS if result.retrained else FAILURE

    def _end(self, status: str) -> None:
        """Record how this session ends; the storage is the first to know that a sweep is finished."""
        log = self.log
        wall_s = {phase.phase: round(phase.elapsed_s, 3) for phase in (log.search, log.retraining)}
        log.add("session_ended", status=status, wall_s=wall_s, total_s=self.result.total_s)
        if self.mirror and status == "finished" and log.file:
            self.mirror.finish("".join(log.file.waiting))
        log.flush()

    def _work(self) -> None:
        """All that trains and tests, up to a Ctrl-C."""
        result, log = self.result, self.log
        try:
            train, validation = self.splits.train, self.splits.validation
            workers = Workers.with_data(self.room, train, validation, self.session)
            self._search(workers)
            if not result.interrupted and log.search.ranked():
                self._retrain(workers)
            if result.retrained and not log.tests:
                self._keep_best()  # whatever becomes of the test; a tested model stays until then
            if not result.interrupted and result.retrained:
                with self._step("test, then report") as step:
                    self._test(step)
        except KeyboardInterrupt:
            result.interrupted = True
        if result.interrupted and log.search.records:
            with self._step("collecting what is finished"):
                result.retrained = selection.collected(self.plan, log)
        if result.retrained:
            self._keep_best()

    def _search(self, workers: Workers) -> None:
        plan, log, search = self.plan, self.log, self.log.search
        if plan.warm_start and not log.known and not search.records:
            say(self.console, warm_start(plan, log))
        if search.is_complete:
            write_study(plan, log)
        else:
            most = self.room.max_concurrent
            scheduler = make_scheduler(plan.scheduler, plan.budget, plan.task.objective, most)
            trials = f"{counted(plan.trials, 'trial')} ({plan.search}){seeds_each(plan.seeds_per_trial)}"
            what = f"{trials}, results in {plan.folder}"
            own = [StudyJournal(plan, log)]
            phase = self._phase(SEARCH, scheduler, suggestions_of(plan, log), f"search, {what}", own)
            with phase:
                self.result.interrupted = workers.run(phase)
        self._drop(sorted(self.checkpoints.trials() & search.names(*ENDED)))  # what a killed session left
        self.result.interrupted |= not search.is_complete

    def _retrain(self, workers: Workers) -> None:
        """Train the selected configurations from scratch, once per seed; `Retrained.order` says which of them wins."""
        plan, log, result = self.plan, self.log, self.result
        with self._step("selecting the best, then retraining"):
            chosen = selection.select(plan, log)
            runs = planned_runs(log, self.budget, chosen)
            states = selection.load_states(plan, log, runs)
        for name in reopen(log, selection.with_model(log.retraining.trials) - set(states)):
            states.pop(name, None)
        if not log.retraining.is_complete:
            what = f"{counted(len(chosen), 'configuration')} from scratch, {counted(plan.seeds, 'seed')} each"
            what = log.fewer or what
            source = selection.PlannedTrials(runs, log)
            phase = self._phase(RETRAIN, Scheduler(self.room.max_concurrent), source, f"retraining {what}")
            with phase:
                result.interrupted = workers.run(phase)
            with self._step("reading the retrained models"):
                states |= selection.load_states(plan, log, set(runs) - set(states))
        result.interrupted |= not log.retraining.is_complete
        if missing := sorted(selection.with_model(log.retraining.trials) - set(states)):
            what = f"the last checkpoint of {', '.join(missing)} could not be written or read"
            why = [log.retrainings[name].warning for name in missing if log.retrainings[name].warning]
            raise OSError(errno.EIO, "; ".join([what, *why[:1]]), plan.checkpoints)
        result.retrained = selection.models(plan, log, chosen, states)

    def _phase(
        self, name: str, scheduler: Scheduler, source: Source, title: str, own: Sequence[Follower] = ()
    ) -> Phase:
        """One phase with all its followers."""
        plan, log = self.plan, self.log
        trials = log.phase(name)
        display = Display(log, name, f"{plan.task.name}: {title}", self.console)
        told = followers_of(plan, trials, partial(time_left, log))
        followers: list[Follower] = [display, Tables(log, name), *own, *told]
        if self.mirror:
            followers.append(MirrorFollower(self.mirror))
        drop = self._drop if name == SEARCH else lambda names: None
        limit_s, look = plan.resources.time_limit_s, self.budget.check
        return Phase(name, log, scheduler, source, followers, drop, limit_s, display.tell, look)

    def _step(self, title: str) -> Step:
        """What is done between the phases, said to the person who started the sweep."""
        return Step(self.console, f"{self.plan.task.name}/{self.plan.name}: {title}")

    def _drop(self, names: Sequence[str]) -> None:
        """Remove checkpoints; those in a storage stay until its copy of the events says that the trials have ended."""
        if self.mirror:
            self.mirror.ended += names
        else:
            self.checkpoints.drop(names)

    def _test(self, step: Step) -> None:
        """Test each retrained model on the test split: once, whatever the number of sessions."""
        task, log = self.plan.task, self.log
        models = [(one.config, model) for one in self.result.retrained for model in one.models]
        for number, (config, model) in enumerate(models, 1):
            if not model.test:
                step.now(f"model {number} of {len(models)}")
                model.test = final_metrics(task, self._network(config, model), self.splits)
                facts = {"epoch": model.epoch, "validation": model.validation, "test": model.test}
                log.add("tested", trial=model.name, **facts)
                log.flush()

    def _network(self, config: Configuration, model: Model) -> LSTM_AE:
        """A retrained model, ready to evaluate."""
        network = self.plan.task.build(config, self.splits.train)
        network.load_state_dict(model.weights)
        return network.eval()

    def _keep_best(self) -> None:
        """Write the winner's model with the best validation into `best/`, with its test metrics once it has any."""
        plan, winner = self.plan, self.result.retrained[0]
        model = winner.best_model(plan.task.objective)
        facts = {"epoch": model.epoch, "validation": model.validation, **({"test": model.test} if model.test else {})}
        save(
            plan.folder / folder.BEST,
            plan.task.reference,
            replace(winner.config, seed=model.seed),
            plan.task.model(self.splits.train),
            model.weights,
            **facts,
            **plan.task.facts(self._network(winner.config, model), self.splits),
            data=str(plan.data) if plan.data else None,
            data_sha256=plan.data_sha256 or None,
            options=asdict(plan.options),
            subset=plan.subset,
            class_names=self.splits.train.class_names,
        )

    def _report(self) -> None:
        """Write what a person reads; a figure that cannot be drawn does not end the sweep."""
        plan, log, result = self.plan, self.log, self.result
        with self._step("report") as step:
            if result.tested:
                step.now("the baseline")
                best = result.retrained[0].config
                result.baseline = attempt(result, "the baseline", lambda: plan.task.baseline(self.splits, best), {})
            if log.search.records:
                step.now("the importances of the hyperparameters")
                none: tuple[dict[str, float], int] = ({}, 0)
                result.importance = attempt(result, "the importances", lambda: importances(plan, log.search), none)
                write_report(result, self.splits, step.now)
        say(self.console, closing_words(result))
