"""Schedulers replayed over the learning curves of a sweep: what each would have cost, and found."""

from __future__ import annotations

import itertools
import logging
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from ae.errors import UserError
from sweeps.config.choices import SCHEDULERS
from sweeps.config.plan import Plan
from sweeps.config.words import SMOKE
from sweeps.records.status import SweepStatus, read_status
from sweeps.report import replay_figure, replay_table
from sweeps.report.guard import output_file
from sweeps.scheduling.seeds import judged_by_seeds
from sweeps.scheduling.simulation import TO_THE_END, Recording, Result, Setting, recording_of, simulate
from sweeps.storage.folder import FIGURES


def replay(
    folder: Path,
    *,
    schedulers: Sequence[str],
    grace_periods: Sequence[int] | None,
    reduction_factors: Sequence[int] | None,
    workers: Sequence[int],
    patience: int | None,
    output: Path | None,
    check: Path | None,
    console: Console,
) -> None:
    """Replay a recorded sweep under every combination of settings; or, with `check`, predict a real sweep.

    Writes `replay.csv` and `figures/replay.png`, and prints the table. Where each trial has several seeds, it prints
    what fewer of them would have found, too, and writes that to `replay_seeds.csv`.

    Args:
        folder: results folder of a sweep in which every trial trained to its last epoch.
        schedulers: to replay.
        grace_periods: in epochs; None means 1, 2 and 4 times the sweep's own.
        reduction_factors: None means the sweep's own.
        workers: numbers of trials at once.
        patience: reports without an improvement after which a trial ends, under every setting; None for no such rule.
        output: folder for the table and the figure; None means the results folder.
        check: results folder of a real sweep of the same trials. Only its comparison with its replay is printed.
        console: where to.

    Raises:
        UserError: if the sweep or the settings cannot be replayed, or the results cannot be written.
    """
    logging.getLogger("ray").setLevel(logging.CRITICAL)  # its schedulers tell of every bracket
    status = read_status(folder)
    plan, recording = status.plan, recording_of(status.plan, status.log)
    if check:
        _print_check(plan, recording, check, workers, console)
        return
    settings = _settings(plan, schedulers, grace_periods, reduction_factors, workers)
    asked = [replace(setting, patience=patience) for setting in settings]
    full, metric = simulate(recording, TO_THE_END), recording.objective.metric
    frame = compared([simulate(recording, setting) for setting in asked], full, plan)
    paths = _write(frame, plan, output or folder)
    console.print(
        _to_the_end(full, metric, patience), replay_table.replayed(frame, metric), replay_table.LEGEND, highlight=False
    )
    if recording.seeds > 1:
        by_seeds = with_fewer_seeds(recording, full, asked)
        console.print(replay_table.by_seeds(by_seeds, recording.seeds), replay_table.SEEDS_LEGEND, highlight=False)
        paths.append(_write_table(by_seeds, (output or folder) / "replay_seeds.csv"))
    notes = [f"note: {SMOKE}"] if plan.smoke else []
    console.print("\n".join([*notes, *map(str, paths)]), soft_wrap=True, highlight=False, markup=False)


def _to_the_end(full: Result, metric: str, patience: int | None) -> str:
    """What training every trial to its last epoch costs and finds."""
    return (
        f"Every trial to its last epoch: {full.epochs} epochs, {full.wall_s:.1f} s on one worker, "
        f"best validation {metric} {full.best:.4g} (trial {full.trial})"
    ) + (f"; the settings below with --patience {patience}" if patience else "")


def _print_check(plan: Plan, recording: Recording, check: Path, workers: Sequence[int], console: Console) -> None:
    """Print a real sweep of the same trials beside its replay."""
    real = read_status(check)
    _check_same(plan, real)
    title = f"{real.plan.scheduler}, {real.plan.folder}"
    console.print(replay_table.checked(title, predictions(recording, real, workers)))


def with_fewer_seeds(recording: Recording, full: Result, asked: Sequence[Setting]) -> pd.DataFrame:
    """What the mean of 1, 2, ... of the recorded seeds would have found, one row per scheduler and number of seeds.

    Args:
        recording: of trials with several seeds.
        full: every trial with all its seeds to its last epoch: what costs are compared with.
        asked: settings; the first one of each scheduler is taken, and `TO_THE_END` before them.
    """
    first, rows = {TO_THE_END.scheduler: TO_THE_END}, []
    for setting in asked:
        first.setdefault(setting.scheduler, setting)
    for judged in judged_by_seeds(recording, first.values()):
        epochs = statistics.fmean(result.epochs for result in judged.results)
        rows.append(
            {
                **_columns(judged.setting),
                "seeds": judged.seeds,
                "choices": len(judged.results),
                "epochs": epochs,
                "epochs_percent": 100 * epochs / full.epochs,
                "wall_s": statistics.fmean(result.wall_s for result in judged.results),
                "found_percent": 100 * statistics.fmean(regret <= 0 for regret in judged.regrets),
                "regret": statistics.fmean(judged.regrets),
                "regret_worst": max(judged.regrets),
            }
        )
    return pd.DataFrame(rows).astype({"grace_period": "Int64", "reduction_factor": "Int64"})


def _settings(
    plan: Plan,
    schedulers: Sequence[str],
    grace_periods: Sequence[int] | None,
    reduction_factors: Sequence[int] | None,
    workers: Sequence[int],
) -> list[Setting]:
    """Every combination of what was asked for, once."""
    own = plan.budget.grace_period
    usual = [own * times for times in (1, 2, 4) if own * times <= plan.budget.max_epochs]
    factors = reduction_factors or [plan.budget.reduction_factor]
    combinations = itertools.product(workers, schedulers, grace_periods or usual, factors)
    return list(dict.fromkeys(setting_of(name, grace, factor, count) for count, name, grace, factor in combinations))


def setting_of(scheduler: str, grace_period: int, reduction_factor: int, workers: int) -> Setting:
    """A setting; what its scheduler does not have is None."""
    choice = SCHEDULERS[scheduler]
    return Setting(
        scheduler=scheduler,
        grace_period=grace_period if choice.grace_period else None,
        reduction_factor=reduction_factor if choice.reduction_factor else None,
        workers=workers,
    )


def _columns(setting: Setting) -> dict[str, Any]:
    """What tells a setting from others, in every table."""
    names = ("workers", "scheduler", "grace_period", "reduction_factor", *(["patience"] if setting.patience else []))
    return {name: getattr(setting, name) for name in names}


def compared(results: Sequence[Result], full: Result, plan: Plan) -> pd.DataFrame:
    """One row per setting: its cost and regret, compared with `full`, every trial trained to its last epoch on one
    worker.

    "own" marks ASHA, the default scheduler, with the sweep's own grace period and reduction factor. Regret is how much
    worse the best value is than the best of all trials, in the objective's unit. It is negative if a trial was stopped
    whose value was better before it diverged.
    """
    budget, rows = plan.budget, []
    for result in results:
        setting = result.setting
        own = (setting.scheduler, setting.grace_period, setting.reduction_factor, setting.patience)
        more, less = (full, result) if plan.task.objective.mode == "max" else (result, full)
        rows.append(
            {
                **_columns(setting),
                "epochs": result.epochs,
                "epochs_percent": 100 * result.epochs / full.epochs,
                "wall_s": result.wall_s,
                "speedup": full.wall_s / result.wall_s,
                "best": result.best,
                "regret": more.best - less.best,
                "trial": result.trial,
                "same_trial": result.trial == full.trial,
                "own": own == ("asha", budget.grace_period, budget.reduction_factor, plan.patience),
            }
        )
    return pd.DataFrame(rows).astype({"grace_period": "Int64", "reduction_factor": "Int64"})


def _write(frame: pd.DataFrame, plan: Plan, folder: Path) -> list[Path]:
    """Write the table and the figure; returns their paths."""
    table, figure = _write_table(frame, folder / "replay.csv"), folder / FIGURES / "replay.png"
    with output_file(figure):
        replay_figure.draw(frame, plan.task, figure)
    return [table, figure]


def _write_table(frame: pd.DataFrame, path: Path) -> Path:
    """Write a table; returns its path."""
    with output_file(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        frame.to_csv(path, index=False)
    return path


def predictions(
    recording: Recording, real: SweepStatus, workers: Sequence[int]
) -> Iterator[tuple[int, str, float, float]]:
    """The number of workers, the quantity, its predicted value, and the one that a real sweep measured."""
    plan, search = real.plan, real.search
    best = search.ranked()[0].best or 0.0
    measured = {
        "epochs": search.epochs,
        f"best val {search.objective.metric}": best,
        "training, s": sum(record.train_s for record in search.trials),
        "wall time, s": search.elapsed_s,
    }
    for count in workers:
        setting = setting_of(plan.scheduler, plan.budget.grace_period, plan.budget.reduction_factor, count)
        result = simulate(recording, replace(setting, patience=plan.patience))
        predicted = (result.epochs, result.best, result.train_s, result.wall_s)
        for (name, value), prediction in zip(measured.items(), predicted, strict=True):
            yield count, name, prediction, value


def _check_same(recorded: Plan, real: SweepStatus) -> None:
    """See that a real sweep can be compared with its replay.

    Raises:
        UserError: if it has other trials or validations than the recording, or its search has not ended or found
            nothing.
    """
    folder, search, given = real.plan.folder, real.search, _given(real.plan)
    for name, value in _given(recorded).items():
        if given[name] != value:
            raise UserError(f"--check {folder}: its {name} must be the same as that of {recorded.folder}")
    if not search.is_complete:
        raise UserError(f"--check {folder}: {search.ended} of {search.requested} trials have ended; --resume it first")
    if search.closed:
        raise UserError(f"--check {folder}: its search ended early, which a replay does not know: {search.closed}")
    if not search.ranked():
        raise UserError(f"--check {folder}: all of its trials failed or diverged")


def _given(plan: Plan) -> dict[str, Any]:
    """What a replay takes from the recording, and a sweep that is compared with it must share."""
    names = ("space", "added_spaces", "tries", "base", "trials", "subset", "data", "options")
    same = {name: getattr(plan, name) for name in names}
    return {
        "task": plan.task.name,
        **same,
        "eval_every": plan.budget.eval_every,
        "seeds_per_trial": plan.seeds_per_trial,
    }
