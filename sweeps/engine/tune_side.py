"""The phase as Tune sees it: a scheduler, a searcher and a callback."""

from __future__ import annotations

import errno
import math
import re
from collections import Counter
from dataclasses import asdict
from typing import Any

from ray import tune
from ray.tune import PlacementGroupFactory
from ray.tune.execution.tune_controller import TuneController
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from sweeps.engine.failure import last_line, machine_died
from sweeps.engine.phase import Phase
from sweeps.engine.signals import answer_ctrl_c
from sweeps.records.trials import SEARCH
from sweeps.scheduling.base import Decision

MACHINES = 10
"""Machines that a trial may lose before a loss counts as its failure: the trial may be what kills them."""
OUT_OF_MEMORY = re.compile(r"OutOfMemoryError|CUDA error: out of memory|_ALLOC_FAILED")
"""In the error of torch, cuBLAS or cuDNN when the memory of a GPU is exhausted."""


def name_of(trial: Trial) -> str:
    """The name of a trial in every table."""
    return str(trial.config["run"]["trial"])


class TuneScheduler(FIFOScheduler):
    """Lets the phase's scheduler decide about Tune's trials.

    Args:
        phase: whose trials these are.
    """

    def __init__(self, phase: Phase) -> None:
        super().__init__()
        self.phase, self.scheduler = phase, phase.scheduler
        self.trials: dict[str, Trial] = {}
        self.retaken: set[str] = set()
        """Trials whose process was lost before they began; each is started again once."""
        self.machines: Counter[str] = Counter()
        """How many machines each trial has lost."""

    def on_trial_add(self, tune_controller: TuneController, trial: Trial) -> None:
        """A trial was suggested, or comes back after a fault."""
        name = name_of(trial)
        self.trials[name] = trial
        if name in self.scheduler.paused:  # its process was lost while it paused, and Tune trains it at once
            self.phase.promoted(name)
        self.scheduler.on_start(name)
        self._tell_epoch(trial)

    def on_trial_result(self, tune_controller: TuneController, trial: Trial, result: dict[str, Any]) -> str:
        """Record the report, then decide."""
        name = name_of(trial)
        record = self.phase.report(name, result)
        best = math.nan if record.best is None else record.best
        decision = self.scheduler.on_result(name, result["epoch"], best)
        if self.phase.must_end(record):
            if self.phase.name == SEARCH:
                return str(TrialScheduler.STOP)
            self.phase.paused(name)  # its model is wanted: Tune lets it save its state, then it ends
            return str(TrialScheduler.PAUSE)
        if decision == Decision.PROMOTE:
            self.phase.promoted(name)
        elif decision == Decision.PAUSE:
            self.phase.paused(name)
            return str(TrialScheduler.PAUSE)
        elif decision == Decision.STOP:
            return str(TrialScheduler.STOP)
        return str(TrialScheduler.CONTINUE)

    def on_trial_complete(self, tune_controller: TuneController, trial: Trial, result: dict[str, Any]) -> None:
        """A running trial ended."""
        self._end(trial)

    def on_trial_remove(self, tune_controller: TuneController, trial: Trial) -> None:
        """A waiting or paused trial ended."""
        self._end(trial)

    def on_trial_error(self, tune_controller: TuneController, trial: Trial) -> None:
        """A trial failed.

        Tune retries it once, and adds it again then: its status here is ERROR if Tune retries it, RUNNING or PENDING if
        Tune gives it up. A lost machine, such as a preempted spot machine, does not count as a failure. If Tune gives
        the trial up all the same, because it had failed before or had not begun to train, the searcher suggests it
        again as a new Tune trial. A process that is lost while it takes over a trial fails that trial twice, for the
        process and for the task, the second time as PENDING (`_actor_task_failed`, `_process_trial_failure`).
        """
        name = name_of(trial)
        again = False
        if trial.status == Trial.PENDING and name not in self.retaken:
            self.retaken.add(name)
            again = True
        elif machine_died(trial.error_file):
            self.machines[name] += 1
            if self.machines[name] <= MACHINES and trial.status == Trial.ERROR:
                trial.run_metadata.num_failures -= 1
            again = self.machines[name] <= MACHINES and trial.status != Trial.ERROR
        elif trial.status == Trial.ERROR and OUT_OF_MEMORY.search(last_line(trial.error_file)):
            self._double_gpu_share(trial)
        if again or trial.status == Trial.ERROR:
            self.scheduler.on_lost(name)
        else:
            self._end(trial, failed=True)
        if again:
            self.phase.come_again(name)

    def choose_trial_to_run(self, tune_controller: TuneController) -> Trial | None:
        """A paused trial, if there is room; once the phase is over or closed, trials that do not train end.

        A trial that is still saving its state is not PAUSED yet: Tune would forget that it was chosen, so it waits.
        """
        for name in self.scheduler.to_stop:
            if name in self.trials:
                self._stop(tune_controller, self.trials[name])
            else:  # it has waited since an earlier session, and Tune does not know it
                self.phase.end(name)
        self.scheduler.to_stop.clear()
        if self.phase.trials.closed or self.phase.queue.is_over:
            for trial in [trial for trial in self.trials.values() if trial.status in (Trial.PAUSED, Trial.PENDING)]:
                self._stop(tune_controller, trial)
        if self.phase.trials.closed:
            return None
        promoted = self.scheduler.next_to_resume() if self.scheduler.has_capacity else None
        chosen = self.trials.get(promoted) if promoted else None
        if promoted is None or chosen is None or chosen.status != Trial.PAUSED:
            return None
        self.phase.queue.promote(promoted)
        self.scheduler.on_start(promoted)
        self._tell_epoch(chosen)
        return chosen

    def _end(self, trial: Trial, failed: bool = False) -> None:
        name = name_of(trial)
        record = self.phase.trials.records[name]
        best = math.nan if record.best is None else record.best
        self.scheduler.on_end(name, record.epoch, best, diverged=record.has_diverged, failed=failed)

    def _stop(self, controller: TuneController, trial: Trial) -> None:
        """End a trial that does not train.

        Raises:
            OSError: if its end could not be recorded; Tune swallows what a callback raises here.
        """
        controller.stop_trial(trial)
        if not trial.is_finished():
            folder = str(self.phase.log.plan.folder)
            raise OSError(errno.EIO, f"the end of trial {name_of(trial)} could not be written", folder)

    def _double_gpu_share(self, trial: Trial) -> None:
        """Double the GPU share of a trial that ran out of GPU memory: fewer trials share its GPU next time."""
        needs = dict(trial.placement_group_factory.required_resources)
        share = needs.get("GPU", 0.0)
        if 0 < share < 1:
            needs["GPU"] = min(1.0, 2 * share)
            trial.update_resources(PlacementGroupFactory([needs]))
            reason = f"ran out of GPU memory once, and was tried again with {needs['GPU']:g} of a GPU"
            self.phase.retried(name_of(trial), reason)

    def _tell_epoch(self, trial: Trial) -> None:
        """Tell the trial how much of it the driver has recorded."""
        trial.config["run"]["known"] = self.phase.trials.records[name_of(trial)].epoch


class TuneSearcher(Searcher):
    """Hands the trials of the phase's queue to Tune.

    Args:
        phase: whose trials these are.
    """

    def __init__(self, phase: Phase) -> None:
        objective = phase.trials.objective
        super().__init__(metric=f"val_{objective.metric}", mode=objective.mode)
        self.phase = phase

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next trial's name and configuration; None while there is no room, FINISHED when no trial is left."""
        queue = self.phase.queue
        if queue.is_over:
            return str(Searcher.FINISHED)
        name = queue.next()
        if name is None:
            return None
        trials = self.phase.trials
        configuration = asdict(trials.records[name].config)
        return {"run": {"trial": name, "configuration": configuration, "seeds": trials.seeds_per_trial}}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """The record of the phase has it already."""

    def save(self, checkpoint_path: str) -> None:
        """`--resume` reads the event log: there is nothing to save."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing was saved."""


class TuneCallback(tune.Callback):
    """Tells the phase what Tune does with its trials.

    Args:
        phase: is told.
    """

    def __init__(self, phase: Phase) -> None:
        self.phase, self.is_listening = phase, False

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune saves its callbacks' state; a session resumes from the event log

    def on_step_begin(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """Tune's own handler of a Ctrl-C is there now, and says nothing that a user would see."""
        if not self.is_listening:
            self.is_listening = True
            answer_ctrl_c(self.phase.trials, self.phase.tell)

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """A trial starts for the first time, or continues."""
        self.phase.begin(name_of(trial))

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """Record a trial's last report, which Tune does not pass to the scheduler."""
        if result["ends"]:
            self.phase.report(name_of(trial), result)

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """A trial ended by itself, or was stopped."""
        self.phase.end(name_of(trial))

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """A trial failed; if its process never started, the trial may be started again."""
        self.phase.fail(name_of(trial), trial.error_file)

    def on_step_end(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """Write what happened in this step."""
        self.phase.tick()
