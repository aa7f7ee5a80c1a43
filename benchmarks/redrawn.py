"""Grids drawn anew from the curves of several seeds: how often each setting of ASHA finds the best configuration."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import tables
from ae.configuration import Configuration
from settings import Settings
from sweeps.config.plan import Plan
from sweeps.config.plan_file import load
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import Report
from sweeps.scheduling.simulation import Recording, Result, Setting, recording_of, simulate

KEPT = Path(__file__).parents[1] / "results" / "reference" / "mnist-cls"
Kind = tuple[float, int]
"""Step size and width of a trial."""
WORKERS = (1, 2, 8)
CHOICES = ((1, 2), (2, 2), (3, 2), (4, 2), (5, 2), (3, 3), (4, 3), (5, 3))
"""Grace periods and reduction factors."""
REMARKS = (
    "Every trial of the full grid of mnist-cls gets a curve drawn at random from the whole ones that the sweeps in "
    "results/reference/mnist-cls trained of its step size and width, with clipping or without, in both phases.",
    "found: of the grids drawn, those in which ASHA's best trial has the step size and width of the grid's best.",
    "regret: by how much ASHA's best accuracy is below the grid's, mean and largest over the grids.",
)


def run(settings: Settings) -> None:
    """The same grids under each choice and number of workers; a row a choice."""
    recording, curves = recording_of(*_kept("full")), _curves()
    kinds = {name: _kind(config) for name, config in recording.configs.items()}
    random = np.random.default_rng(0)
    grids = [_drawn(recording, kinds, curves, random) for _ in range(settings.grids)]
    every = Setting(scheduler="none", grace_period=None, reduction_factor=None, workers=1)
    whole = [simulate(grid, every) for grid in grids]
    found: list[dict[str, Any]] = []
    for grace, factor in CHOICES:
        row: dict[str, Any] = {"grace period": grace, "factor": factor}
        for workers in WORKERS:
            setting = Setting(scheduler="asha", grace_period=grace, reduction_factor=factor, workers=workers)
            row |= _judged(whole, [simulate(grid, setting) for grid in grids], kinds)
        found.append(row)
        print(f"redrawn: {row}", flush=True)
    used = {f"lr {lr}, hidden {hidden}": len(drawn) for (lr, hidden), drawn in curves.items()}
    tables.save(settings.folder, "redrawn", found, raw={"grids": settings.grids, "curves": used}, remarks=REMARKS)


def _kept(name: str) -> tuple[Plan, SweepLog]:
    """The plan and the record of a sweep that is kept."""
    plan = load(KEPT / name)
    return plan, SweepLog.read(plan)


def _kind(config: Configuration) -> Kind:
    return config.lr, config.hidden_size


def _curves() -> dict[Kind, list[list[Report]]]:
    """The whole curves that were trained of each step size and width."""
    curves = defaultdict(list)
    for name in ("full", "asha"):
        plan, log = _kept(name)
        for record in (*log.search.trials, *log.retrainings.values()):
            if record.epoch >= plan.budget.max_epochs or record.has_diverged:
                curves[_kind(record.config)].append(record.reports)
    return curves


def _drawn(
    recording: Recording,
    kinds: Mapping[str, Kind],
    curves: Mapping[Kind, list[list[Report]]],
    random: np.random.Generator,
) -> Recording:
    def draw(trial: str) -> list[Report]:
        pool = curves[kinds[trial]]
        return pool[random.integers(len(pool))]

    return replace(recording, curves={trial: draw(trial) for trial in recording.curves})


def _judged(whole: list[Result], results: list[Result], kinds: Mapping[str, Kind]) -> dict[str, Any]:
    """Columns of one number of workers."""
    regrets = [full.best - result.best for full, result in zip(whole, results, strict=True)]
    same = [kinds[full.trial] == kinds[result.trial] for full, result in zip(whole, results, strict=True)]
    spent = [100 * result.epochs / full.epochs for full, result in zip(whole, results, strict=True)]
    workers = results[0].setting.workers
    suffix = f", {workers} worker{'s' * (workers > 1)}"
    return {
        f"epochs, %{suffix}": f"{statistics.fmean(spent):.0f}",
        f"found{suffix}": f"{100 * statistics.fmean(same):.0f} %",
        f"regret{suffix}": f"{statistics.fmean(regrets):.4f}, {max(regrets):.4f}",
    }
