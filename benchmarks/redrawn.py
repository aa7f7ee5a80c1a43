"""Grids drawn anew from the curves of several seeds: how often each setting of ASHA finds the best configuration."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import tables
from settings import Settings
from sweeps.pipeline.snapshot import plan_of
from sweeps.records.tables import CURVES, TRIALS, rows
from sweeps.scheduling.simulation import Recording, Report, Result, Setting, read, report_of, simulate

KEPT = Path(__file__).parents[1] / "results" / "reference" / "mnist-cls"
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
    recording, kinds, curves = read(KEPT / "full", plan_of(KEPT / "full")), _kinds("full"), _curves()
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


def _kinds(sweep: str, phase: str = "search") -> dict[str, tuple[str, str]]:
    """Step size and width of every trial, by name."""
    found = rows(KEPT / sweep / TRIALS)
    return {row["trial"]: (row["lr"], row["hidden_size"]) for row in found if row["phase"] == phase}


def _curves() -> dict[tuple[str, str], list[list[Report]]]:
    """The whole curves that were trained of each step size and width."""
    last = plan_of(KEPT / "full").budget.max_epochs
    curves = defaultdict(list)
    for sweep in ("full", "asha"):
        trials: dict[tuple[str, str], list[Report]] = defaultdict(list)
        for row in rows(KEPT / sweep / CURVES):
            trials[row["phase"], row["trial"]].append(report_of(row, last))
        for (phase, trial), reports in trials.items():
            if reports[-1]["done"]:
                curves[_kinds(sweep, phase)[trial]].append(reports)
    return curves


def _drawn(recording: Recording, kinds: Any, curves: Any, random: np.random.Generator) -> Recording:
    def draw(trial: str) -> list[Report]:
        pool: list[list[Report]] = curves[kinds[trial]]
        return pool[random.integers(len(pool))]

    return replace(recording, curves={trial: draw(trial) for trial in recording.curves})


def _judged(whole: list[Result], results: list[Result], kinds: dict[str, tuple[str, str]]) -> dict[str, Any]:
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
