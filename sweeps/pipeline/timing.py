"""How long a plan may take on this machine, from a few training steps of its smallest and its largest model."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import replace

import torch

from ae.batches import DeviceSplit
from ae.cache import cache_folder
from ae.configuration import Configuration
from ae.files import write_whole
from ae.splits import Splits
from ae.training import Training
from sweeps.config.cpus import usable_cpus
from sweeps.config.plan import Plan
from sweeps.config.words import span
from sweeps.records.eta import Estimate
from sweeps.records.result import versions
from sweeps.records.sweep_log import SweepLog
from sweeps.records.work import shape_of

TIMINGS = "timings.json"
BATCHES, VALIDATED = 2, 250
"""Batches, and validation sequences, of one timed pass."""
LEAST_S = 0.5
"""Seconds for which passes are timed at least."""
WIDEST = 1024
"""Widest model that is timed; wider ones are estimated from it."""
BESIDE = 1.15
"""How much longer steps take at most while other trials train beside them, as a factor."""
START_S = (5.0, 30.0)
"""Seconds from the start of the command to that of the first trial."""


def expected(plan: Plan, log: SweepLog, splits: Splits) -> str:
    """How long what is left of a sweep may take on this machine, in words.

    Args:
        plan: without a cluster.
        log: of the sweep, empty for a new one.
        splits: the data.
    """
    if plan.resources.device != "cpu" and torch.cuda.is_available():
        return "not estimated: this machine has a GPU, and only CPUs are timed"
    torch.set_num_threads(plan.resources.cpus_per_trial)
    workers = max(1, usable_cpus() // plan.resources.cpus_per_trial)
    workers = min(workers, plan.resources.max_concurrent or workers)
    log.timed = {shape_of(config): _epoch_s(plan, config, splits) for config in extremes(plan)}
    for work in log.work.values():
        work.most_at_once = workers
    low_s = START_S[0] + Estimate(log, is_high=False).total_s()
    high_s = START_S[1] + Estimate(log, is_high=True).total_s() * (BESIDE if workers > 1 else 1.0)
    at_once = f"with {workers} trials at once" if workers > 1 else "with one trial after the other"
    return f"about {span(low_s, high_s)} on this machine {at_once}"


def extremes(plan: Plan) -> list[Configuration]:
    """The configurations of the space whose epochs take the shortest and the longest."""
    ends = {name: _ends(plan, name) for name in ("hidden_size", "batch_size")}
    small, large = ends["hidden_size"]
    most, least = ends["batch_size"][::-1]
    return [
        replace(plan.base, hidden_size=min(hidden, WIDEST), batch_size=batch)
        for hidden, batch in ((small, most), (large, least))
    ]


def _ends(plan: Plan, name: str) -> tuple[int, int]:
    """The smallest and the largest value of a whole hyperparameter."""
    values = plan.values_of(name)
    return int(min(values)), int(max(values))


def _epoch_s(plan: Plan, config: Configuration, splits: Splits) -> float:
    """Seconds of an epoch, with its share of a validation; timed once per machine, shape and version."""
    train, validation = splits.train.head(BATCHES * config.batch_size), splits.validation.head(VALIDATED)
    timings = _read()
    key = _key(plan, config, splits)
    if key not in timings:
        both = DeviceSplit(train, "cpu"), DeviceSplit(validation, "cpu")
        unscheduled = replace(config, schedule="constant")  # a schedule ends, and passes are timed until enough were
        training = Training(plan.task, unscheduled, *both, plan.resources.core)
        timings[key] = [_seconds(training.train_epoch), _seconds(training.validate)]
        with contextlib.suppress(OSError):  # it is timed again then
            cache_folder().mkdir(parents=True, exist_ok=True)
            write_whole(cache_folder() / TIMINGS, json.dumps(timings, indent=1))
    train_s, validate_s = timings[key]
    of_training, of_validation = len(splits.train) / len(train), len(splits.validation) / len(validation)
    return of_training * train_s + of_validation * validate_s / plan.budget.eval_every


def _seconds(run: Callable[[], object]) -> float:
    """Seconds that a call takes when nothing else runs: the shortest of several."""
    times = [_timed(run)]
    while sum(times) < LEAST_S:
        times.append(_timed(run))
    return min(times)


def _timed(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def _key(plan: Plan, config: Configuration, splits: Splits) -> str:
    """What a timing holds for: the machine, the code that runs, and the shapes of model and data."""
    machine = (platform.node(), platform.machine(), os.cpu_count(), plan.resources.cpus_per_trial)
    now = versions()
    code = (now["torch"], now["commit"], plan.resources.core, plan.task.name)
    data = (round(float(splits.train.lengths_N.mean())), splits.train.features, len(splits.validation) >= VALIDATED)
    model = (config.patch, config.layers, config.hidden_size, config.batch_size)
    return " ".join(map(str, (*machine, *code, *data, *model)))


def _read() -> dict[str, list[float]]:
    """The timings so far; none if the file is missing or damaged."""
    try:
        found = json.loads((cache_folder() / TIMINGS).read_bytes())
        return {key: [float(value) for value in found[key]] for key in found if len(found[key]) == 2}
    except (OSError, ValueError, TypeError):
        return {}
