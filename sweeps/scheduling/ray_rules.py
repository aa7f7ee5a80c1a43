"""Ray's own schedulers behind this package's base class, with the same signal and the same limit on running trials."""

from __future__ import annotations

from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler

from ae.task import Objective
from sweeps.scheduling.base import Decision, Scheduler

DECISIONS = {
    TrialScheduler.CONTINUE: Decision.CONTINUE,
    TrialScheduler.PAUSE: Decision.PAUSE,
    TrialScheduler.STOP: Decision.STOP,
}


class RayRule(Scheduler):
    """One of Ray's schedulers. It sees stand-ins for Tune's trials, and this object where it expects Tune's controller.

    Args:
        rule: the scheduler, its time attribute "epoch".
        objective: what is best.
        max_concurrent: trials that may train at once.
    """

    def __init__(self, rule: TrialScheduler, objective: Objective, max_concurrent: int) -> None:
        super().__init__(max_concurrent)
        self.rule = rule
        self.rule.set_search_properties("best", objective.mode)
        self.stand_ins: dict[str, Trial] = {}
        self.removed: set[str] = set()
        """Trials reported to the rule as failed; they are added again when they return."""

    def get_trials(self) -> list[Trial]:
        """All trials so far, for the rule."""
        return list(self.stand_ins.values())

    def get_live_trials(self) -> set[Trial]:
        """Those that have not ended, for the rule."""
        return {trial for trial in self.stand_ins.values() if not trial.is_finished()}

    def stop_trial(self, trial: Trial) -> None:
        """The rule ends a paused trial."""
        if not trial.is_finished():
            self.rule.on_trial_remove(self, trial)
            trial.set_status(Trial.TERMINATED)
            self.paused.discard(trial.trial_id)
            self.to_stop.append(trial.trial_id)

    def on_start(self, trial: str) -> None:
        """Tell the rule about a new trial, or one that returns after a failure."""
        super().on_start(trial)
        if trial not in self.stand_ins:
            self.stand_ins[trial] = Trial("stand-in", trial_id=trial, stub=True)
            self.rule.on_trial_add(self, self.stand_ins[trial])
        elif trial in self.removed:
            self.rule.on_trial_add(self, self.stand_ins[trial])
        self.removed.discard(trial)
        self.stand_ins[trial].set_status(Trial.RUNNING)

    def on_result(self, trial: str, epoch: int, best: float) -> Decision:
        """Let the rule decide; it sees the best value so far, like every scheduler here."""
        stand_in = self.stand_ins[trial]
        result = {"epoch": epoch, "best": best, "training_iteration": epoch}
        decision = DECISIONS[self.rule.on_trial_result(self, stand_in, result)]
        stand_in.update_last_result(result)
        if decision == Decision.PAUSE:
            stand_in.set_status(Trial.PAUSED)
            self.running.discard(trial)
            self.paused.add(trial)
        return decision

    def on_end(self, trial: str, epoch: int, best: float, *, diverged: bool = False, failed: bool = False) -> None:
        """Tell the rule how a trial ended, unless the rule ended it."""
        super().on_end(trial, epoch, best, diverged=diverged, failed=failed)
        stand_in = self.stand_ins[trial]
        if stand_in.is_finished():
            return
        if failed:
            self.rule.on_trial_error(self, stand_in)
        elif diverged or stand_in.status == Trial.PAUSED:  # a rule knows only the good reports of a diverged trial
            self.rule.on_trial_remove(self, stand_in)
        else:
            stand_in.update_last_result({"epoch": epoch, "best": best, "training_iteration": epoch})
            self.rule.on_trial_complete(self, stand_in, stand_in.last_result)
        stand_in.set_status(Trial.ERROR if failed else Trial.TERMINATED)

    def on_lost(self, trial: str) -> None:
        """Report a lost process to the rule as a failure; the trial is added again when it returns."""
        super().on_lost(trial)
        if trial in self.stand_ins and trial not in self.removed:
            self.rule.on_trial_error(self, self.stand_ins[trial])
            self.removed.add(trial)

    def next_to_resume(self) -> str | None:
        """The paused trial that the rule chooses."""
        chosen = self.rule.choose_trial_to_run(self)
        return str(chosen.trial_id) if chosen and chosen.status == Trial.PAUSED else None

    def must_wait(self, trial: str) -> bool:
        """Whether a trial of an earlier session is paused, or was stopped before its end was recorded."""
        return super().must_wait(trial) or (trial in self.stand_ins and self.stand_ins[trial].is_finished())
