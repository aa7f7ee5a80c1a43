"""What each sampler finds under ASHA, on a surface that is known: no model is trained."""

from __future__ import annotations

import math
import statistics
import tempfile
from typing import Any

import tables
from ae import tasks
from settings import Settings
from sweeps.config.arguments import parser
from sweeps.config.planning import make_plan
from sweeps.engine.turns import Turns
from sweeps.records.ledger import Ledger
from sweeps.scheduling.asha import Rungs
from sweeps.search import study
from sweeps.search.samplers import SAMPLERS

TASK = tasks.find("mnist-cls")
REMARKS = (
    "The surface: an accuracy over the wide space of mnist-cls, 0.99 at lr 0.004, hidden 160, clip 1, batch 32, "
    "orthogonal, one-cycle, less away from it; after e epochs 0.3 exp(-e / 4) below that.",
    "One worker, and ASHA with the task's rungs: whoever a rung promotes goes on, else a new trial is drawn.",
    "best: the accuracy that the best trial would reach, mean ± standard deviation over the seeds of the sweep.",
    "second half: the same of the second half of the trials, mean; what the sampler has learned from the first.",
)


def run(settings: Settings) -> None:
    """Sweeps of each size with each sampler; a row each."""
    rows, raw = [], []
    for trials in settings.drawn:
        for sampler in SAMPLERS:
            reached = [_sweep(sampler, seed, trials) for seed in range(settings.seeds)]
            best, second_half = [max(one) for one in reached], [statistics.fmean(one[trials // 2 :]) for one in reached]
            rows.append(
                {
                    "trials": trials,
                    "sampler": sampler,
                    "best": f"{statistics.fmean(best):.4f} ± {statistics.stdev(best):.4f}",
                    "second half": f"{statistics.fmean(second_half):.4f}",
                }
            )
            raw.append({"trials": trials, "sampler": sampler, "reached": reached})
            print(f"samplers: {trials} trials, {sampler}: {rows[-1]['best']}", flush=True)
    tables.save(settings.folder, "samplers", rows, raw=raw, remarks=REMARKS)


def accuracy(configuration: dict[str, Any]) -> float:
    """What a trial would reach, in the end."""
    lr, hidden_size = configuration["lr"], configuration["hidden_size"]
    lost = 0.02 * math.log(lr / 0.004, 5) ** 2 + 0.01 * ((hidden_size - 160) / 80) ** 2
    lost += 0.004 * (configuration["clip"] != 1.0) + 0.002 * math.log2(configuration["batch_size"] / 32)
    lost += 0.01 * (configuration["init"] != "orthogonal") + 0.005 * (configuration["schedule"] != "one-cycle")
    return 0.99 - lost


def _sweep(sampler: str, seed: int, trials: int) -> list[float]:
    """The accuracies that the trials of one sweep would reach, in the order in which they were drawn."""
    with tempfile.TemporaryDirectory() as made:
        arguments = ["--task", TASK.name, "--search", "optuna", "--sampler", sampler, "--trials", str(trials)]
        arguments += ["--seed", str(seed), "--results", made, "--name", "sweep"]
        plan = make_plan(parser(TASK).parse(arguments), arguments)
        plan.folder.mkdir(parents=True)
        turns = Turns(Ledger("search", plan.folder, TASK.objective, trials, plan.budget.max_epochs), slots=trials + 1)
        searcher = study.StudySearcher(study.open_(plan), plan, turns)
        return _drive(searcher, Rungs(TASK.objective, plan.budget.rungs(), plan.budget.reduction_factor), trials)


def _drive(searcher: study.StudySearcher, rungs: Rungs, trials: int) -> list[float]:
    """ASHA with one worker."""
    stops = [*rungs.scores, searcher.plan.base.epochs]
    reached: dict[str, float] = {}
    at: dict[str, int] = {}
    while (name := rungs.promotion()) or len(reached) < trials:
        if name:
            rungs.promote(name)
        else:
            name = study.name_of(len(reached))
            suggested = searcher.suggest(name)
            assert isinstance(suggested, dict), "there is room for every trial"
            reached[name], at[name] = accuracy(suggested["run"]["configuration"]), 0
        at[name] = next(stop for stop in stops if stop > at[name])
        now = reached[name] - 0.3 * math.exp(-at[name] / 4)
        searcher.on_trial_result(name, {"epoch": at[name], "val_accuracy": now})
        rungs.report(name, at[name], now, diverged=False)
    return list(reached.values())
