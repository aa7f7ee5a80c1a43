"""A recording judged by fewer of its seeds: what a sweep that spends less on each trial would have found."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

from sweeps.records.trials import Report
from sweeps.scheduling.simulation import TO_THE_END, Recording, Result, Setting, Simulation, simulate

MOST_CHOICES = 30
"""Most choices of the seeds for each number of them; up to six seeds these are all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """What sweeps under a setting would have found by the mean of some of the seeds, over several choices of these."""

    setting: Setting
    seeds: int
    results: list[Result]
    """One for each choice of the seeds."""
    regrets: list[float]
    """How much worse the configuration found is than the best, by their best means over all seeds to the last epoch."""


def judged_by_seeds(recording: Recording, settings: Iterable[Setting]) -> Iterator[Judged]:
    """The settings, each with every number of seeds from one to all that were recorded, under every choice of these.

    Where there are more than MOST_CHOICES, so many are drawn at random, the same in each call.
    """
    whole = Simulation(recording, TO_THE_END)
    whole.run()
    log, number = whole.log, recording.seeds
    truth = {record.name: record.best or 0.0 for record in log.trials}
    best, sign = truth[log.ranked()[0].name], 1 if recording.objective.mode == "min" else -1
    for setting in settings:
        for seeds in range(1, number + 1):
            results = [simulate(with_seeds(recording, places), setting) for places in _choices(number, seeds)]
            regrets = [sign * (truth[result.trial] - best) for result in results]
            yield Judged(setting=setting, seeds=seeds, results=results, regrets=regrets)


def _choices(number: int, seeds: int) -> Sequence[Sequence[int]]:
    """Choices of so many seeds, by their places."""
    if math.comb(number, seeds) <= MOST_CHOICES:
        return list(itertools.combinations(range(number), seeds))
    random = Random(0)
    return [random.sample(range(number), seeds) for _ in range(MOST_CHOICES)]


def with_seeds(recording: Recording, places: Sequence[int]) -> Recording:
    """The recording as if its trials had trained only some of their seeds, each in an equal share of the time.

    A trial with a seed that diverged diverges at the same epoch whichever seeds are left: the others were not trained
    on.

    Args:
        recording: of trials with several seeds.
        places: of the seeds that are left; 0 is the first.
    """
    metric, share = recording.objective.metric, len(places) / recording.seeds

    def judged(report: Report) -> Report:
        shorter = report._replace(train_s=share * report.train_s)
        if not math.isfinite(report.metrics[metric]):
            return shorter
        mean = statistics.fmean(report.per_seed[place] for place in places)
        return shorter._replace(metrics=report.metrics | {metric: mean})

    curves = {name: [judged(report) for report in reports] for name, reports in recording.curves.items()}
    return replace(recording, curves=curves, seeds=len(places))
