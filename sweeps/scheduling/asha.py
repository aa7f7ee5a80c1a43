"""Early stopping by asynchronous successive halving, with pauses and promotions as in the paper."""

from __future__ import annotations

from ae.task import Budget, Objective
from sweeps.config.rungs import rung_epochs
from sweeps.scheduling.base import Decision, Scheduler
from sweeps.scheduling.rungs import Rungs


def make(budget: Budget, objective: Objective, max_concurrent: int) -> Scheduler:
    """ASHA with the budget's rungs."""
    return ASHA(Rungs(objective, rung_epochs(budget), budget.reduction_factor), max_concurrent)


class ASHA(Scheduler):
    """Pauses every trial at every rung, and promotes the best paused one whenever a worker is free.

    Ray's own ASHAScheduler stops a trial that is worse than those before it at its rung: the first ones always
    continue, and a stopped one never resumes. Here a free worker takes the best trial that a rung can promote, and a
    new one only if there is none (Algorithm 2 of the paper, get_job). When no other trial is left to train, the best of
    the highest rung is promoted even if its rung has too few trials to promote one: at least one trial reaches the last
    epoch.

    Args:
        rungs: with no trials yet.
        max_concurrent: trials that may train at once.

    Source: Li et al. 2018, https://arxiv.org/abs/1810.05934.
    """

    def __init__(self, rungs: Rungs, max_concurrent: int) -> None:
        super().__init__(max_concurrent)
        self.rungs = rungs

    def on_start(self, trial: str) -> None:
        """A trial starts; Tune restarts at once one that lost its process while it paused: that is a promotion."""
        if trial in self.paused:
            self.rungs.promote(trial)
        super().on_start(trial)
        self.rungs.ineligible.discard(trial)
        self.rungs.lost.discard(trial)

    def on_result(self, trial: str, epoch: int, best: float) -> Decision:
        """Pause at a rung, unless this trial is the next to be promoted."""
        if not self.rungs.report(trial, epoch, best, diverged=False):
            return Decision.CONTINUE
        self.running.discard(trial)
        if self.next_to_resume() == trial:
            self.rungs.promote(trial)
            self.running.add(trial)
            return Decision.PROMOTE
        self.paused.add(trial)
        return Decision.PAUSE

    def on_end(self, trial: str, epoch: int, best: float, *, diverged: bool = False, failed: bool = False) -> None:
        """A trial has ended: it cannot be promoted any more."""
        super().on_end(trial, epoch, best, diverged=diverged, failed=failed)
        if diverged:
            self.rungs.report(trial, epoch, float("nan"), diverged=True)
        self.rungs.ineligible.add(trial)
        if failed:
            self.rungs.lost.add(trial)

    def next_to_resume(self) -> str | None:
        """The best trial that a rung can promote; when no other trial is left, the best of the highest rung."""
        return self.rungs.promotable() or (self.rungs.last_chance() if self.is_idle else None)

    def resume(self, trial: str) -> None:
        """Promote a paused trial."""
        super().resume(trial)
        self.rungs.promote(trial)
