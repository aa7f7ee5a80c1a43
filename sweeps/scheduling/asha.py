"""Early stopping by asynchronous successive halving, with pauses and promotions, as in the paper."""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Iterable
from itertools import islice
from typing import Any

from ray.tune.execution.tune_controller import TuneController
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler

from ae.task import Objective
from sweeps.engine.turns import Turns, name_of
from sweeps.records.ledger import Ledger


class Rungs:
    """Who has reached which rung, with what value, and who was promoted: all that the decisions depend on, as data.

    A trial is judged at its first report at or past a rung's epoch, by its best value so far. A rung promotes its best
    1 / `reduction_factor`, rounded down, of those that reached it so far. The first of two equal values ranks first. A
    diverged trial takes its place, the last one, in the next rung that it would have reached, and is never promoted. A
    trial that fails, or ended in an earlier session, keeps its places and is promoted no more; in rungs that it did not
    reach it is not counted.

    The order of the reports is all the memory there is: the same reports in the same order make the same rungs.

    Args:
        objective: what is best.
        epochs: of the rungs, ascending, below the last epoch of a trial.
        reduction_factor: one of this many is promoted.
    """

    def __init__(self, objective: Objective, epochs: list[int], reduction_factor: int) -> None:
        self.objective, self.reduction_factor = objective, reduction_factor
        self.scores: dict[int, dict[str, float]] = {epoch: {} for epoch in epochs}
        """Of each rung, the trials in the order of their reports; the higher score is better, -inf diverged."""
        self.ranking: dict[int, list[tuple[float, int, str]]] = {epoch: [] for epoch in epochs}
        """Of each rung, the best first: the score with its sign turned, the place of the report, the trial."""
        self.promoted: dict[int, set[str]] = {epoch: set() for epoch in epochs}
        self.gone: set[str] = set()
        """Trials that cannot go on."""
        self.lost: set[str] = set()
        """Trials that failed or diverged."""

    def report(self, trial: str, epoch: int, best: float, diverged: bool) -> bool:
        """Take in a validation; returns whether the trial has just reached a rung."""
        if diverged:
            self.lost.add(trial)
        score = best if self.objective.mode == "max" else -best
        reached = False
        for rung, scores in self.scores.items():
            if trial in scores:
                self.promoted[rung].add(trial)  # it trains past it
            elif epoch >= rung or diverged:
                scores[trial] = -math.inf if diverged or math.isnan(score) else score
                insort(self.ranking[rung], (-scores[trial], len(scores), trial))
                reached = True
                break
        return reached

    def replay(self, reports: Iterable[tuple[str, int, float, bool]]) -> None:
        """Take in the reports of earlier sessions, as `report` takes them, and decide as it was decided then."""
        for trial, epoch, best, diverged in reports:
            if self.report(trial, epoch, best, diverged) and self.promotion() == trial:
                self.promote(trial)

    def promotion(self) -> str | None:
        """The trial that deserves to go on: of the highest rung that can promote any, its best; or None."""
        found = (self._best(rung, len(self.scores[rung]) // self.reduction_factor) for rung in reversed(self.scores))
        return next(filter(None, found), None)

    def last_chance(self) -> str | None:
        """The best of the highest rung, once no other trial can come: one at least must reach the last epoch.

        Trials that diverged or failed, there or later, leave it to the next best; None where the best has gone on.
        """
        for rung, scores in reversed(self.scores.items()):
            if left := [trial for trial in scores if trial not in self.lost]:
                best = max(left, key=lambda trial: scores[trial])
                return None if best in self.promoted[rung] | self.gone else best
        return None

    def waiting(self, trial: str) -> bool:
        """Whether the trial reached a rung and was not promoted, though it might be."""
        reached = [rung for rung, scores in self.scores.items() if scores.get(trial, -math.inf) > -math.inf]
        return bool(reached) and trial not in self.promoted[reached[-1]]

    def promote(self, trial: str) -> None:
        """Write down that a trial goes on, past the highest rung that it reached."""
        highest = max(rung for rung, scores in self.scores.items() if trial in scores)
        self.promoted[highest].add(trial)

    def _best(self, rung: int, count: int) -> str | None:
        """The best of the first `count` of a rung that is not promoted yet."""
        promoted = self.promoted[rung]
        for turned, _, trial in islice(self.ranking[rung], count):
            if trial not in promoted and trial not in self.gone and turned < math.inf:
                return trial
        return None


class ASHA(Turns):
    """Pauses every trial at every rung, and promotes the best paused one whenever a worker is free.

    Ray's own ASHAScheduler stops a trial that is worse than those before it at its rung: the first ones always go on,
    and none comes back. Here a worker that comes free takes the best trial that a rung can promote, and a new one only
    where there is none (Algorithm 2 of the paper, get_job). When no trial can come any more, the best of the highest
    rung goes on even where the rungs are too thinly peopled to promote one: one trial at least reaches the last epoch.

    Args:
        rungs: with the reports of earlier sessions, if there were any.
        ledger: is told who pauses.
        slots: trials that train at once.

    Source: Li et al. 2018, https://arxiv.org/abs/1810.05934.
    """

    def __init__(self, rungs: Rungs, ledger: Ledger, slots: int) -> None:
        super().__init__(ledger, slots)
        self.rungs = rungs
        self.paused: dict[str, Trial] = {}

    @property
    def over(self) -> bool:
        """Whether nobody trains, nobody comes, and nobody is to be promoted: who waits at a rung waits in vain."""
        return self.drained and self.promotion() is None

    def promotion(self) -> str | None:
        """The best that a rung can promote; when no other trial can come, the best of the highest rung."""
        return self.rungs.promotion() or (self.rungs.last_chance() if self.drained else None)

    def promote(self, name: str) -> None:
        """Write down that a trial goes on."""
        self.rungs.promote(name)

    def waits(self, name: str) -> bool:
        """Whether a trial reached a rung and was not promoted."""
        return self.rungs.waiting(name)

    def on_trial_error(self, tune_controller: TuneController, trial: Trial) -> None:
        """A trial failed: nobody is to wait for it, unless it comes again."""
        super().on_trial_error(tune_controller, trial)
        if name_of(trial) in self.ledger.again:
            self.paused.pop(name_of(trial), None)
            return
        self.rungs.gone.add(name_of(trial))
        self.rungs.lost.add(name_of(trial))

    def on_trial_add(self, tune_controller: TuneController, trial: Trial) -> None:
        """A trial comes; Tune trains at once one whose process was lost as it was to pause, so that is a promotion."""
        super().on_trial_add(tune_controller, trial)
        self.rungs.gone.discard(name_of(trial))
        self.rungs.lost.discard(name_of(trial))
        if self.paused.pop(name_of(trial), None):
            self.promote(name_of(trial))

    def decide(self, controller: TuneController, trial: Trial, result: dict[str, Any]) -> str:
        """Pause at a rung, unless this is the very trial to promote."""
        name = name_of(trial)
        if not self.rungs.report(name, result["epoch"], result["best"], diverged=False):
            return str(TrialScheduler.CONTINUE)
        self.busy.discard(name)
        if self.promotion() == name:
            self.promote(name)
            self.busy.add(name)
            return str(TrialScheduler.CONTINUE)
        self.paused[name] = trial
        return str(TrialScheduler.PAUSE)

    def on_trial_complete(self, tune_controller: TuneController, trial: Trial, result: dict[str, Any]) -> None:
        """A trial reached its last epoch, or diverged."""
        super().on_trial_complete(tune_controller, trial, result)
        if result["diverged"]:
            self.rungs.report(name_of(trial), result["epoch"], result["best"], diverged=True)

    def pick(self, controller: TuneController) -> Trial | None:
        """The paused trial to promote; none of them, for good, once the search is over.

        A trial that is still saving its state is not paused yet: Tune would forget that it was chosen, so it waits.
        """
        saved = {name: trial for name, trial in self.paused.items() if trial.status == Trial.PAUSED}
        name = self.promotion()
        if name in saved:
            self.promote(name)
            return self.paused.pop(name)
        if self.over:
            for trial_name, trial in saved.items():
                self.stop(controller, trial)
                self.paused.pop(trial_name)
        return None
