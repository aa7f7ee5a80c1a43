"""The rungs of asynchronous successive halving."""

from __future__ import annotations

import math
from bisect import insort
from itertools import islice

from ae.task import Objective


class Rungs:
    """Which trials have reached which rung, with what value, and which were promoted.

    A trial is judged at its first report at or past a rung's epoch, by its best value so far. A rung promotes the best
    1 / `reduction_factor`, rounded down, of the trials that have reached it so far. The first of two equal values ranks
    first. A diverged trial takes the last place in the next rung that it would have reached, and is never promoted. A
    trial that failed keeps its places and is never promoted again; rungs that it did not reach do not count it.

    All decisions follow from the order of the reports: the same reports in the same order make the same rungs.

    Args:
        objective: what is best.
        epochs: of the rungs, ascending, below the last epoch of a trial.
        reduction_factor: one of this many is promoted.
    """

    def __init__(self, objective: Objective, epochs: list[int], reduction_factor: int) -> None:
        self.objective, self.reduction_factor = objective, reduction_factor
        self.scores: dict[int, dict[str, float]] = {epoch: {} for epoch in epochs}
        """For each rung, the trials in the order of their reports; a higher score is better, -inf means diverged."""
        self.ranking: dict[int, list[tuple[float, int, str]]] = {epoch: [] for epoch in epochs}
        """For each rung, best first: the negative score, the place of the report, the trial."""
        self.promoted: dict[int, set[str]] = {epoch: set() for epoch in epochs}
        self.ineligible: set[str] = set()
        """Trials that cannot train any more."""
        self.lost: set[str] = set()
        """Trials that failed or diverged."""

    def report(self, trial: str, epoch: int, best: float, diverged: bool) -> bool:
        """Take in a validation; returns whether the trial has just reached a rung."""
        if diverged:
            self.lost.add(trial)
        score = best if self.objective.mode == "max" else -best
        for rung, scores in self.scores.items():
            if trial in scores:
                self.promoted[rung].add(trial)  # it trains past this rung
            elif epoch >= rung or diverged:
                scores[trial] = -math.inf if diverged or math.isnan(score) else score
                insort(self.ranking[rung], (-scores[trial], len(scores), trial))
                return True
        return False

    def promotable(self) -> str | None:
        """The trial to promote: the best one of the highest rung that can promote any; or None."""
        found = (self._best(rung, len(self.scores[rung]) // self.reduction_factor) for rung in reversed(self.scores))
        return next(filter(None, found), None)

    def last_chance(self) -> str | None:
        """The best of the highest rung, for when no other trial is left: at least one must reach the last epoch.

        Trials that diverged or failed are skipped; None if the best of the others was promoted or has ended.
        """
        for rung, scores in reversed(self.scores.items()):
            if left := [trial for trial in scores if trial not in self.lost]:
                best = max(left, key=lambda trial: scores[trial])
                return None if best in self.promoted[rung] | self.ineligible else best
        return None

    def promote(self, trial: str) -> None:
        """Note that a trial trains past the highest rung that it reached."""
        if reached := [rung for rung, scores in self.scores.items() if trial in scores]:
            self.promoted[max(reached)].add(trial)

    def _best(self, rung: int, count: int) -> str | None:
        """The best trial that is not promoted yet, among the first `count` of a rung."""
        promoted = self.promoted[rung]
        for negative, _, trial in islice(self.ranking[rung], count):
            if trial not in promoted and trial not in self.ineligible and negative < math.inf:
                return trial
        return None
