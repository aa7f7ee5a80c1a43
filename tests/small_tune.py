"""Tune's controller without processes: it calls what Tune calls, in Tune's order, for trials whose curves are known."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler

from sweeps.engine.phase import Phase
from sweeps.engine.tune_side import TuneCallback, TuneScheduler, TuneSearcher

FAILS = math.inf
"""A value at which a trial fails instead of reporting."""


class StubTrial(Trial):
    """One of Tune's trials without a run: where its errors are, the test says."""

    error_file = None

    def __init__(self, run: dict[str, Any]) -> None:
        super().__init__("any", config=run, stub=True)


def new_trial(name: str) -> StubTrial:
    """A trial of Tune's with that name."""
    return StubTrial({"run": {"trial": name}})


def result_of(epoch: int, value: float, ends: bool = False, **changes: Any) -> dict[str, Any]:
    """What a trial reports to Tune; the objective is the accuracy."""
    facts = {"epoch": epoch, "train_loss": 0.25, "val_loss": 0.5, "val_accuracy": value, "train_s": 1.0}
    return {**facts, "warning": "", "ends": ends, "pid": 12, **changes}


class SmallTune:
    """Runs the trials of a phase, one report per `step`.

    Args:
        phase: entered already.
        curve: the objective at each epoch of a trial of that name; NaN diverges, FAILS fails.
        train_s: seconds that an epoch takes, as it reports.
    """

    def __init__(self, phase: Phase, curve: Callable[[str], Sequence[float]], train_s: float = 1.0) -> None:
        self.phase, self.curve, self.train_s = phase, curve, train_s
        self.searcher, self.scheduler, self.callback = TuneSearcher(phase), TuneScheduler(phase), TuneCallback(phase)
        self.running: dict[str, Trial] = {}
        self.decisions: list[tuple[str, int, str]] = []
        """Trial, its last epoch, and what was decided."""

    def fill(self) -> None:
        """Start trials while there is room; the searcher is asked first, as Tune does."""
        while True:
            suggested = self.searcher.suggest("any")
            if isinstance(suggested, dict):
                trial = StubTrial(suggested)
                self.scheduler.on_trial_add(self, trial)
                self._start(trial)
            chosen = self.scheduler.choose_trial_to_run(self)
            if chosen:
                self._start(chosen)
            if not isinstance(suggested, dict) and not chosen:
                break
        self.callback.on_step_end(0, [])

    def step(self, name: str) -> None:
        """A running trial reports its next epoch, or fails; then the workers are filled again."""
        trial, epoch = self.running[name], self.phase.trials.records[name].epoch + 1
        value = self.curve(name)[epoch - 1]
        ends = math.isnan(value) or epoch >= self.phase.trials.max_epochs
        if value == FAILS:
            self.scheduler.on_trial_error(self, trial)
            self._leave(name, epoch, "FAIL", Trial.ERROR)
            self.callback.on_trial_error(0, [], trial)
        elif ends:
            self.callback.on_trial_result(0, [], trial, result_of(epoch, value, ends=True, train_s=self.train_s))
            self._complete(name, epoch, "END")
        else:
            decision = self.scheduler.on_trial_result(self, trial, result_of(epoch, value, train_s=self.train_s))
            self.callback.on_trial_result(0, [], trial, result_of(epoch, value, train_s=self.train_s))
            if decision == TrialScheduler.STOP:
                self._complete(name, epoch, decision)
            elif decision == TrialScheduler.PAUSE:
                self._leave(name, epoch, decision, Trial.PAUSED)
            else:
                self.decisions.append((name, epoch, decision))
        self.fill()

    def stop_trial(self, trial: Trial) -> None:
        """End a paused trial, as the scheduler asks for."""
        self.scheduler.on_trial_remove(self, trial)
        self.callback.on_trial_complete(0, [], trial)
        trial.set_status(Trial.TERMINATED)

    def _start(self, trial: Trial) -> None:
        name = trial.config["run"]["trial"]
        self.running[name] = trial
        trial.set_status(Trial.RUNNING)
        self.callback.on_trial_start(0, [], trial)
        self.decisions.append((name, trial.config["run"]["known"], "START"))

    def _complete(self, name: str, epoch: int, decision: str) -> None:
        trial = self.running[name]
        self.scheduler.on_trial_complete(self, trial, {})
        self._leave(name, epoch, decision, Trial.TERMINATED)
        self.callback.on_trial_complete(0, [], trial)

    def _leave(self, name: str, epoch: int, decision: str, status: str) -> None:
        self.running.pop(name).set_status(status)
        self.decisions.append((name, epoch, decision))
