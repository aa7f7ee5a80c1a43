"""Replay schedulers over the learning curves of a sweep that ran with --scheduler none: what each would cost and find.

The recorded trials run again in simulated time under the sweep's own schedulers, on any number of workers. A table is
printed and written to replay.csv, a picture to figures/replay.png, both in the results folder.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ae.task import Objective
from ae.words import counted
from sweeps.config.arguments import Parser, exit_status
from sweeps.config.plan import Plan
from sweeps.config.schedulers import SCHEDULERS
from sweeps.pipeline.snapshot import read
from sweeps.report import replay_figure
from sweeps.scheduling import simulation
from sweeps.scheduling.simulation import Recording, Result, Setting, simulate

EPILOG = """\
example:
  python sweeps/run.py --task mnist-cls --scheduler none --name full      every trial to its last epoch, once
  python sweeps/replay.py results/mnist-cls/full                          every scheduler on it, in seconds
  python sweeps/replay.py results/mnist-cls/full --check results/mnist-cls/asha --workers 2

Exit status: 0 done, 2 bad input.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status, 2 for a recording or settings that cannot be replayed."""
    options = command_line().parse(arguments)
    return exit_status(lambda: replay(options, Console()))


def replay(options: argparse.Namespace, console: Console) -> None:
    """Replay the recording under the settings, or check the replay against a real sweep.

    Raises:
        ValueError: if it is no recording, or the settings cannot be replayed.
        OSError: if the results cannot be written.
    """
    plan = read(options.folder).plan
    recording = simulation.read(options.folder, plan)
    if options.check:
        console.print(checked(recording, plan, options.check, options.workers))
        return
    results = [simulate(recording, setting) for setting in settings(options, plan)]
    full = simulate(recording, Setting(scheduler="none", grace_period=None, reduction_factor=None, workers=1))
    frame = compared(results, full, plan)
    output = options.output or options.folder
    output.mkdir(parents=True, exist_ok=True)
    frame.to_csv(output / "replay.csv", index=False)
    picture = replay_figure.draw(frame, plan.task, output / "figures" / "replay.png")
    show(frame, full, recording.objective, console)
    console.print(f"{output / 'replay.csv'}\n{picture}", soft_wrap=True, highlight=False, markup=False)


def command_line() -> Parser:
    """The options; what is left out is settled when the recorded sweep is known."""
    own = Parser(
        prog="python sweeps/replay.py",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    own.add_argument("folder", type=Path, metavar="RESULTS_DIR", help="a results folder, results/TASK/NAME")
    own.add_argument(
        "--scheduler",
        type=names,
        default=[name for name in SCHEDULERS if name != "none"],
        metavar="NAMES",
        help=f"of {', '.join(SCHEDULERS)}, separated by commas (default: all but none)",
    )
    own.add_argument(
        "--grace-period", type=numbers, metavar="LIST", help="in epochs (default: 1, 2 and 4 times the sweep's own)"
    )
    own.add_argument("--reduction-factor", type=numbers, metavar="LIST", help="default: the sweep's own")
    own.add_argument("--workers", type=numbers, default=[1, 2, 8, 64], metavar="LIST", help="default: 1,2,8,64")
    own.add_argument(
        "--output", type=Path, metavar="DIR", help="where the table and the figure go (default: RESULTS_DIR)"
    )
    own.add_argument(
        "--check", type=Path, metavar="DIR", help="a real sweep of the same trials: only compare it with its replay"
    )
    return own


def names(text: str) -> list[str]:
    """Schedulers, separated by commas."""
    for name in text.split(","):
        if name not in SCHEDULERS:
            raise argparse.ArgumentTypeError(f"must be of {', '.join(SCHEDULERS)}, separated by commas, got {name!r}")
    return text.split(",")


def numbers(text: str) -> list[int]:
    """Whole numbers from 1, separated by commas."""
    if not all(part.isdecimal() and int(part) for part in text.split(",")):
        raise argparse.ArgumentTypeError(f"must be whole numbers >= 1, separated by commas, got {text!r}")
    return [int(part) for part in text.split(",")]


def settings(options: argparse.Namespace, plan: Plan) -> list[Setting]:
    """Every combination that the options ask for, once."""
    own = plan.budget.grace_period
    usual = [own * times for times in (1, 2, 4) if own * times <= plan.budget.max_epochs]
    factors = options.reduction_factor or [plan.budget.reduction_factor]
    found = (
        Setting(
            scheduler=scheduler,
            grace_period=grace if SCHEDULERS[scheduler].grace_period else None,
            reduction_factor=factor if SCHEDULERS[scheduler].reduction_factor else None,
            workers=workers,
        )
        for workers, scheduler, grace, factor in itertools.product(
            options.workers, options.scheduler, options.grace_period or usual, factors
        )
    )
    return list(dict.fromkeys(found))


def compared(results: list[Result], full: Result, plan: Plan) -> pd.DataFrame:
    """A row a setting: cost and regret beside every trial trained to its end, on one worker.

    "own" marks ASHA, the usual scheduler, with the sweep's own grace period and reduction factor. Regret is by how much
    the best value is worse than the best of all, in the objective's unit; below 0, a trial was stopped that scored
    before it diverged.
    """
    budget, rows = plan.budget, []
    for result in results:
        one = result.setting
        own = (one.scheduler, one.grace_period, one.reduction_factor)
        more, less = (full, result) if plan.task.objective.mode == "max" else (result, full)
        rows.append(
            {
                "workers": one.workers,
                "scheduler": one.scheduler,
                "grace_period": one.grace_period,
                "reduction_factor": one.reduction_factor,
                "epochs": result.epochs,
                "epochs_percent": 100 * result.epochs / full.epochs,
                "wall_s": result.wall_s,
                "speedup": full.wall_s / result.wall_s,
                "best": result.best,
                "regret": more.best - less.best,
                "trial": result.trial,
                "same_trial": result.trial == full.trial,
                "own": own == ("asha", budget.grace_period, budget.reduction_factor),
            }
        )
    return pd.DataFrame(rows).astype({"grace_period": "Int64", "reduction_factor": "Int64"})


def show(frame: pd.DataFrame, full: Result, objective: Objective, console: Console) -> None:
    """Print the settings, a block for each number of workers."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=0)
    for name in ("", "grace\nperiod", "factor", "epochs", "%", "wall, s", "speed-\nup"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    for name in (f"best val\n{objective.metric}", "regret", "trial"):
        table.add_column(name, justify="right", no_wrap=True)
    for _, block in frame.groupby("workers", sort=False):
        table.add_row(f"[bold]{counted(block['workers'].iloc[0], 'worker')}")
        for row in block.to_dict("records"):
            table.add_row(*cells({str(name): value for name, value in row.items()}))
        table.add_section()
    console.print(
        f"Every trial to its end: {full.epochs} epochs, {full.wall_s:.1f} s on one worker, "
        f"best validation {objective.metric} {full.best:.4g} (trial {full.trial})",
        table,
        "* asha with the sweep's own grace period and reduction factor; %, speed-up and regret against every trial to "
        "its end on one worker",
        highlight=False,
    )


def cells(row: dict[str, Any]) -> tuple[str, ...]:
    """A setting's line of the table."""
    return (
        f"  {row['scheduler']}{' *' if row['own'] else ''}",
        *("" if pd.isna(row[name]) else str(row[name]) for name in ("grace_period", "reduction_factor")),
        str(row["epochs"]),
        f"{row['epochs_percent']:.0f}",
        f"{row['wall_s']:.1f}",
        f"{row['speedup']:.1f}",
        f"{row['best']:.4g}",
        f"{row['regret']:.2g}" if row["regret"] else "0",
        row["trial"],
    )


def checked(recording: Recording, plan: Plan, folder: Path, workers: list[int]) -> Table:
    """What a real sweep of the recorded trials cost, beside the replay of its scheduler.

    Raises:
        ValueError: if the sweep is of other trials or validations, or its search has not ended or found nothing.
    """
    found = read(folder)
    real, search, ranked = found.plan, found.search, found.search.ranked()
    given = _given(real)
    for name, value in _given(plan).items():
        if given[name] != value:
            raise ValueError(f"--check {folder}: its {name} must be the same as that of {plan.folder}")
    if search.ended < search.requested:
        raise ValueError(f"--check {folder}: {search.ended} of {search.requested} trials have ended; --resume it first")
    if not ranked:
        raise ValueError(f"--check {folder}: all of its trials failed or diverged")
    measured = {
        "epochs": search.epochs,
        f"best val {real.task.objective.metric}": ranked[0].best or 0.0,
        "training, s": sum(entry.train_s for entry in search.trials),
        "wall time, s": search.wall_s,
    }
    grace, factor = real.budget.grace_period, real.budget.reduction_factor
    table = Table("workers", "", "predicted", "measured", "difference", title=escape(f"{real.scheduler}, {folder}"))
    for count in workers:
        setting = Setting(scheduler=real.scheduler, grace_period=grace, reduction_factor=factor, workers=count)
        result = simulate(recording, setting)
        predicted = (result.epochs, result.best, result.train_s, result.wall_s)
        for (name, value), guess in zip(measured.items(), predicted, strict=True):
            difference = f"{100 * (guess / value - 1):+.1f} %" if value else "-"
            table.add_row(str(count), name, f"{guess:.6g}", f"{value:.6g}", difference)
    return table


def _given(plan: Plan) -> dict[str, Any]:
    """What a replay takes from the recording, so that a sweep must have the same to be compared with it."""
    same = {name: getattr(plan, name) for name in ("space", "base", "trials", "subset", "data", "options")}
    return {"task": plan.task.name, **same, "eval_every": plan.budget.eval_every}


if __name__ == "__main__":
    sys.exit(main())
