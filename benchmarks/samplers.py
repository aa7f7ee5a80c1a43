"""What each sampler finds under ASHA, on a surface that is known: no model is trained."""

from __future__ import annotations

import itertools
import math
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import asdict

import tables
from ae import tasks
from ae.configuration import Configuration
from settings import Settings
from sweeps.config.arguments import parser
from sweeps.config.choices import SAMPLERS
from sweeps.config.new_plan import new_plan
from sweeps.config.plan import Plan
from sweeps.config.rungs import rung_epochs
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import FINISHED, SEARCH
from sweeps.scheduling.rungs import Rungs
from sweeps.search.suggestions import suggestions_of

TASK = tasks.find("mnist-cls")
REMARKS = (
    "The surface: an accuracy over the wide space of mnist-cls, 0.99 at lr 0.004, hidden 160, clip 1, batch 32, "
    "orthogonal, one-cycle, less away from it.",
    "Parallel curves are 0.3 exp(-e / 4) below that after e epochs. Crossing curves are 0.3 exp(-e / tau) below it, "
    "tau from 1 epoch at lr 0.02 to 12 at lr 0.0005: fast trials lead at the first rung and end lower.",
    "One worker, and ASHA with the task's rungs: it trains the trial that a rung promotes, else a new one is drawn.",
    "best: the accuracy that the best trial would reach, mean ± standard deviation over the seeds of the sweep.",
    "second half: the same of the second half of the trials, mean; what the sampler has learned from the first.",
)


def run(settings: Settings) -> None:
    """Sweeps of each size with each sampler on both kinds of curves; one row each."""
    rows, raw = [], []
    for curves, trials, sampler in itertools.product(EPOCHS_TO_LEARN, settings.drawn, SAMPLERS):
        reached = [_sweep(sampler, curves, seed, trials) for seed in range(settings.seeds)]
        best, second_half = [max(one) for one in reached], [statistics.fmean(one[trials // 2 :]) for one in reached]
        what = {"curves": curves, "trials": trials, "sampler": sampler}
        found = f"{statistics.fmean(best):.4f} ± {statistics.stdev(best):.4f}"
        rows.append({**what, "best": found, "second half": f"{statistics.fmean(second_half):.4f}"})
        raw.append({**what, "reached": reached})
        print(f"samplers: {curves} curves, {trials} trials, {sampler}: {found}", flush=True)
    tables.save(settings.folder, "samplers", rows, raw=raw, remarks=REMARKS)


def accuracy(config: Configuration) -> float:
    """What a trial would reach, in the end."""
    lost = 0.02 * math.log(config.lr / 0.004, 5) ** 2 + 0.01 * ((config.hidden_size - 160) / 80) ** 2
    lost += 0.004 * (config.clip != 1.0) + 0.002 * math.log2(config.batch_size / 32)
    lost += 0.01 * (config.init != "orthogonal") + 0.005 * (config.schedule != "one-cycle")
    return 0.99 - lost


def _epochs_to_learn(config: Configuration) -> float:
    """The higher the step size, the fewer."""
    return 1 + 11 * min(1.0, max(0.0, math.log(0.02 / config.lr, 40)))


EPOCHS_TO_LEARN: dict[str, Callable[[Configuration], float]] = {
    "parallel": lambda config: 4.0,
    "crossing": _epochs_to_learn,
}
"""The time constant of a trial's learning curve, in epochs."""


def _sweep(sampler: str, curves: str, seed: int, trials: int) -> list[float]:
    """The accuracies that the trials of one sweep would reach, in the order in which they were drawn."""
    with tempfile.TemporaryDirectory() as made:
        arguments = ["--task", TASK.name, "--search", "optuna", "--sampler", sampler, "--trials", str(trials)]
        arguments += ["--seed", str(seed), "--results", made, "--name", "sweep"]
        return _drive(new_plan(parser(TASK).parse(arguments), arguments), EPOCHS_TO_LEARN[curves])


def _drive(plan: Plan, epochs_to_learn: Callable[[Configuration], float]) -> list[float]:
    """ASHA with one worker; the record of the sweep stays in memory."""
    log = SweepLog(plan)
    source = suggestions_of(plan, log)
    rungs = Rungs(TASK.objective, rung_epochs(plan.budget), plan.budget.reduction_factor)
    reached: dict[str, float] = {}
    while (name := rungs.promotable()) or source.has_more:
        if name:
            rungs.promote(name)
        else:
            name, config, attrs = source.ask()
            log.add("asked", phase=SEARCH, trial=name, config=asdict(config), attrs=attrs)
            reached[name] = accuracy(config)
        record = log.search.records[name]
        epoch = next(stop for stop in (*rungs.scores, plan.budget.max_epochs) if stop > record.epoch)
        value = reached[name] - 0.3 * math.exp(-epoch / epochs_to_learn(record.config))
        facts = {"train_loss": 1 - value, "metrics": {"loss": 1 - value, "accuracy": value}, "train_s": 1.0}
        log.add("reported", phase=SEARCH, trial=name, epoch=epoch, **facts, wall_s=0.0)
        rungs.report(name, epoch, value, diverged=False)
        if epoch == plan.budget.max_epochs:
            log.add("ended", phase=SEARCH, trial=name, status=FINISHED, reason="", wall_s=0.0)
        else:
            log.add("paused", phase=SEARCH, trial=name)
    return list(reached.values())
