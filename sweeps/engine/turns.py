"""Who trains now: at most so many trials at once, under any scheduler."""

from __future__ import annotations

import errno
import re
from collections import Counter
from typing import Any

from ray.tune import PlacementGroupFactory
from ray.tune.execution.tune_controller import TuneController
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from sweeps.engine.failure import last_line, machine_died
from sweeps.records.ledger import PAUSED, Ledger

MACHINES = 10
"""Machines that a trial may lose before that counts as its failure: it may be what kills them."""
OUT_OF_MEMORY = re.compile(r"OutOfMemoryError|CUDA error: out of memory|_ALLOC_FAILED")
"""In the error of torch, or of cuBLAS or cuDNN, where the memory of a GPU is at an end."""


def name_of(trial: Trial) -> str:
    """The name of a trial in every table."""
    return str(trial.config["run"]["trial"])


class Turns(FIFOScheduler):
    """Runs every trial to its last epoch; subclasses pause or stop some.

    Ray's own limit, max_concurrent_trials, counts paused trials as running: none would take a paused one's place.

    Args:
        ledger: is told who pauses.
        slots: trials that train at once.
    """

    def __init__(self, ledger: Ledger, slots: int) -> None:
        super().__init__()
        self.ledger, self.slots = ledger, slots
        self.busy: set[str] = set()
        self.exhausted = False
        """Whether no trial will come that was not here before; the searcher says so."""
        self.retaken: set[str] = set()
        """Trials whose process was lost as it took them over: once, they come again."""
        self.machines: Counter[str] = Counter()
        """How many machines each trial has lost."""

    @property
    def free(self) -> bool:
        """Whether there is room for one more trial."""
        return len(self.busy) < self.slots

    @property
    def drained(self) -> bool:
        """Whether nobody trains, and nobody will come."""
        return self.exhausted and not self.busy

    @property
    def over(self) -> bool:
        """Whether no trial will train any more; until then the searcher is asked, as one may have to come again."""
        return self.drained and not self.ledger.names(PAUSED)

    def promotion(self) -> str | None:
        """The trial that is to go on before any new one, or None; it may be one of an earlier session."""
        return None

    def promote(self, name: str) -> None:
        """Let a trial go on that `promotion` named."""

    def waits(self, name: str) -> bool:
        """Whether a trial of an earlier session is not to go on before it is promoted."""
        return False

    def decide(self, controller: TuneController, trial: Trial, result: dict[str, Any]) -> str:
        """What becomes of a trial after a report: CONTINUE, PAUSE or STOP."""
        return str(TrialScheduler.CONTINUE)

    def pick(self, controller: TuneController) -> Trial | None:
        """The paused trial that is to train again, if any; Tune starts new ones by itself."""
        return None

    def on_trial_add(self, tune_controller: TuneController, trial: Trial) -> None:
        """A trial was suggested, or comes back after a fault."""
        self.busy.add(name_of(trial))
        self._tell(trial)

    def on_trial_result(self, tune_controller: TuneController, trial: Trial, result: dict[str, Any]) -> str:
        """Decide, and keep count."""
        decision = self.decide(tune_controller, trial, result)
        if decision == TrialScheduler.PAUSE:
            self.busy.discard(name_of(trial))
            self.ledger.pause(name_of(trial))
        return decision

    def on_trial_complete(self, tune_controller: TuneController, trial: Trial, result: dict[str, Any]) -> None:
        """A running trial ended."""
        self.busy.discard(name_of(trial))

    def on_trial_error(self, tune_controller: TuneController, trial: Trial) -> None:
        """A trial failed.

        Tune lets it try again once, and adds it again as it does; it is ERROR here then, and RUNNING or PENDING where
        Tune gives it up. A machine that is lost, which spot ones are, does not count. Where Tune had counted it, as the
        trial had failed before, or where the trial had not begun to train, the searcher brings it again, as another of
        Tune's: a process that is lost as it takes a trial over fails it twice, for the process and for the task, and
        the second time it is pending (`_actor_task_failed`, `_process_trial_failure`).
        """
        name = name_of(trial)
        self.busy.discard(name)
        if trial.status == Trial.PENDING and name not in self.retaken:
            self.retaken.add(name)
            self._again(name)
        elif machine_died(trial.error_file):
            self.machines[name] += 1
            if self.machines[name] <= MACHINES and trial.status == Trial.ERROR:
                trial.run_metadata.num_failures -= 1
            elif self.machines[name] <= MACHINES:
                self._again(name)
        elif trial.status == Trial.ERROR and OUT_OF_MEMORY.search(last_line(trial.error_file)):
            self._make_room(trial)

    def _again(self, name: str) -> None:
        """The searcher is to bring a trial again that Tune gives up."""
        self.ledger.again.add(name)
        self.exhausted = False

    def stop(self, controller: TuneController, trial: Trial) -> None:
        """End a paused trial.

        Raises:
            OSError: if a table could not say so; Tune keeps what a callback raises here to itself.
        """
        controller.stop_trial(trial)
        if not trial.is_finished():
            raise OSError(errno.EIO, f"the end of trial {name_of(trial)} could not be written", self.ledger.folder)

    def _make_room(self, trial: Trial) -> None:
        """Twice the share of a GPU for a trial that ran out of its memory: fewer beside it as it tries again."""
        needs = dict(trial.placement_group_factory.required_resources)
        share = needs.get("GPU", 0.0)
        if 0 < share < 1:
            needs["GPU"] = min(1.0, 2 * share)
            trial.update_resources(PlacementGroupFactory([needs]))
            entry = self.ledger.entries[name_of(trial)]
            entry.retried = f"ran out of GPU memory once, and was tried again with {needs['GPU']:g} of a GPU"

    def on_trial_remove(self, tune_controller: TuneController, trial: Trial) -> None:
        """A waiting or paused trial ended."""
        self.busy.discard(name_of(trial))

    def choose_trial_to_run(self, tune_controller: TuneController) -> Trial | None:
        """A paused trial, if there is room."""
        trial = self.pick(tune_controller) if self.free else None
        if trial:
            self.busy.add(name_of(trial))
            self._tell(trial)
        return trial

    def _tell(self, trial: Trial) -> None:
        """Let the trial know how much of it is in the tables."""
        entry = self.ledger.entries.get(name_of(trial))
        trial.config["run"]["known"] = entry.epoch if entry else 0


class RayTurns(Turns):
    """One of Ray's own schedulers.

    Args:
        inner: the scheduler.
        ledger: is told who pauses.
        slots: trials that train at once.
    """

    def __init__(self, inner: TrialScheduler, ledger: Ledger, slots: int) -> None:
        super().__init__(ledger, slots)
        self.inner = inner

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """As Tune says."""
        return bool(self.inner.set_search_properties(metric, mode, **spec))

    def decide(self, controller: TuneController, trial: Trial, result: dict[str, Any]) -> str:
        """As the scheduler says."""
        return str(self.inner.on_trial_result(controller, trial, result))

    def pick(self, controller: TuneController) -> Trial | None:
        """A paused trial that the scheduler chooses; those that it forgot end, once nothing else is left."""
        trial = self.inner.choose_trial_to_run(controller)
        if trial and trial.status == Trial.PAUSED:
            return trial
        left = [trial for trial in controller.get_live_trials() if not trial.is_finished()]  # it has failed ones too
        if self.drained and all(trial.status == Trial.PAUSED for trial in left):
            for forgotten in left:
                self.stop(controller, forgotten)
        return None

    def on_trial_add(self, tune_controller: TuneController, trial: Trial) -> None:
        """As Tune says."""
        super().on_trial_add(tune_controller, trial)
        self.inner.on_trial_add(tune_controller, trial)

    def on_trial_complete(self, tune_controller: TuneController, trial: Trial, result: dict[str, Any]) -> None:
        """As Tune says."""
        super().on_trial_complete(tune_controller, trial, result)
        self.inner.on_trial_complete(tune_controller, trial, result)

    def on_trial_error(self, tune_controller: TuneController, trial: Trial) -> None:
        """As Tune says."""
        super().on_trial_error(tune_controller, trial)
        self.inner.on_trial_error(tune_controller, trial)

    def on_trial_remove(self, tune_controller: TuneController, trial: Trial) -> None:
        """As Tune says."""
        super().on_trial_remove(tune_controller, trial)
        self.inner.on_trial_remove(tune_controller, trial)
