"""What each sampler finds under ASHA, on a surface that is known: no model is trained."""

from __future__ import annotations

import math
import statistics
import tempfile
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
    "orthogonal, one-cycle, less away from it; after e epochs 0.3 exp(-e / 4) below that.",
    "One worker, and ASHA with the task's rungs: it trains the trial that a rung promotes, else a new one is drawn.",
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


def accuracy(config: Configuration) -> float:
    """What a trial would reach, in the end."""
    lost = 0.02 * math.log(config.lr / 0.004, 5) ** 2 + 0.01 * ((config.hidden_size - 160) / 80) ** 2
    lost += 0.004 * (config.clip != 1.0) + 0.002 * math.log2(config.batch_size / 32)
    lost += 0.01 * (config.init != "orthogonal") + 0.005 * (config.schedule != "one-cycle")
    return 0.99 - lost


def _sweep(sampler: str, seed: int, trials: int) -> list[float]:
    """The accuracies that the trials of one sweep would reach, in the order in which they were drawn."""
    with tempfile.TemporaryDirectory() as made:
        arguments = ["--task", TASK.name, "--search", "optuna", "--sampler", sampler, "--trials", str(trials)]
        arguments += ["--seed", str(seed), "--results", made, "--name", "sweep"]
        return _drive(new_plan(parser(TASK).parse(arguments), arguments))


def _drive(plan: Plan) -> list[float]:
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
        value = reached[name] - 0.3 * math.exp(-epoch / 4)
        facts = {"train_loss": 1 - value, "metrics": {"loss": 1 - value, "accuracy": value}, "train_s": 1.0}
        log.add("reported", phase=SEARCH, trial=name, epoch=epoch, **facts, wall_s=0.0)
        rungs.report(name, epoch, value, diverged=False)
        if epoch == plan.budget.max_epochs:
            log.add("ended", phase=SEARCH, trial=name, status=FINISHED, reason="", wall_s=0.0)
        else:
            log.add("paused", phase=SEARCH, trial=name)
    return list(reached.values())
