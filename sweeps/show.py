"""Show a sweep that runs or ran: how far it is, the best trials, their learning curves. Reads only; locks nothing."""

from __future__ import annotations

import argparse
import math
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ae.words import counted
from sweeps.config.arguments import Parser, exit_status
from sweeps.config.plan import Plan
from sweeps.config.words import duration, settings, spread
from sweeps.pipeline import retraining
from sweeps.pipeline.snapshot import Snapshot, read
from sweeps.records import tables
from sweeps.records.ledger import INTERRUPTED, Ledger
from sweeps.tracking.display import bar, best, counts

BARS, PLAIN_BARS = "▁▂▃▄▅▆▇█", "_.-=+*#@"
"""What a curve is drawn with, lowest first; the second where the terminal knows ASCII alone."""
WIDTH = 24
"""Characters of a curve at most."""
ROOMY = 100
"""Characters of a terminal from which on there is room for the curves."""
SPLITS = {"val": "in validation", "test": "on the test split"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status, 2 for a folder that is no sweep's."""
    options = command_line().parse(arguments)
    return exit_status(lambda: show(options, Console()))


def show(options: argparse.Namespace, console: Console) -> None:
    """Show the sweep once, or watch it.

    Raises:
        ValueError: if the folder is no sweep's.
    """
    found = read(options.folder)
    if options.watch is None:
        console.print(page(found, options.trials, console))
    else:
        watch(found, options, console)


def command_line() -> Parser:
    """The options."""
    own = Parser(prog="python sweeps/show.py", description=__doc__, allow_abbrev=False)
    own.add_argument("folder", type=Path, metavar="RESULTS_DIR", help="a results folder, results/TASK/NAME")
    own.add_argument(
        "--watch",
        type=seconds,
        nargs="?",
        const=2.0,
        metavar="S",
        help="every S seconds (2), until it ends",
    )
    own.add_argument("--trials", type=trials, default=10, metavar="N", help="lines of the table (default: 10)")
    return own


def seconds(text: str) -> float:
    """Seconds above 0."""
    try:
        if 0 < float(text) < math.inf:
            return float(text)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"must be seconds > 0, got {text!r}")


def trials(text: str) -> int:
    """A number of trials from 1."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"must be a whole number >= 1, got {text!r}")
    return int(text)


def watch(found: Snapshot, options: argparse.Namespace, console: Console) -> None:
    """Show the sweep again and again, until it is finished, or goes on no more."""
    with Live(page(found, options.trials, console), console=console, auto_refresh=False) as live:
        while found.goes_on and not found.plan.record.finished:
            time.sleep(options.watch)
            found = read(options.folder)
            live.update(page(found, options.trials, console), refresh=True)


def page(found: Snapshot, lines: int, console: Console) -> Group:
    """Everything that is shown.

    Args:
        found: the sweep.
        lines: trials in the table.
        console: the terminal, for its width and encoding.
    """
    plan, parts = found.plan, list[RenderableType]()
    how = f"grid of {plan.trials}"
    if plan.search == "optuna":
        how = f"{counted(plan.trials, 'trial')} by Optuna ({plan.sampler})"
    parts.append(Text.assemble((f"{plan.task.name}/{plan.name}", "bold"), f"  {how}, {plan.scheduler}; ", state(found)))
    parts += [
        *phase("search", found.search, found.goes_on),
        Text(f"  {best(found.search, plan.varied)}", style="green"),
    ]
    if found.retraining.entries:
        parts += phase("retraining", found.retraining, found.goes_on)
        if found.summary and found.test and plan.record.finished:  # an extended sweep has its old summary
            parts += answers(found.summary["retrained"], plan)
        else:
            parts.append(Text(f"  {best(found.retraining, plan.varied)}", style="green"))
    if found.search.entries:
        parts += [Text(), ranking(found, lines, console)]
    return Group(*parts)


def state(found: Snapshot) -> str:
    """Whether the sweep goes on, as far as its folder tells."""
    if found.plan.record.finished:
        return "finished"
    retrained = found.retraining
    if found.summary and found.search.ended == found.search.requested and not found.search.ranked():
        return "ended, as no trial can be selected"
    if retrained.entries and retrained.ended == retrained.requested and not retraining.with_model(retrained):
        return "ended, as no retraining left a model"
    if found.search.names(INTERRUPTED) or retrained.names(INTERRUPTED):  # a session that goes on forgets them first
        what = "interrupted"
    elif found.goes_on:
        return "no report yet" if found.quiet_s is None else f"last report {duration(found.quiet_s)} ago"
    else:
        what = "ended before its test" if found.summary else "not running on this machine"
    return f"{what}; go on with --resume {shlex.quote(str(found.plan.folder))}"


def answers(retrained: Sequence[dict[str, Any]], plan: Plan) -> list[RenderableType]:
    """A line for each retrained configuration, the best first, by its mean validation over the seeds."""
    metric, lines = plan.task.objective.metric, list[RenderableType]()
    for place, one in enumerate(retrained):
        values = ", ".join(f"{name} {spread(one[key] and one[key][metric])}" for key, name in SPLITS.items())
        style = "green" if place == 0 else ""
        lines.append(Text(f"  {place + 1}. {settings(one['config'], plan.varied)}: {metric} {values}", style=style))
    return lines


def phase(name: str, ledger: Ledger, goes_on: bool) -> list[RenderableType]:
    """How far a phase is: its counts, and its bar while it lasts."""
    lines: list[RenderableType] = []
    over = ledger.ended >= ledger.requested
    took = f", {duration(ledger.wall_s)}" if over else ""
    lines.append(Text(f"{name}: {counts(ledger)}{took}"))
    if goes_on and not over:
        lines.append(bar(ledger))
    return lines


def ranking(found: Snapshot, lines: int, console: Console) -> Table:
    """The best trials of the search, then those that cannot be chosen, each with its learning curve where it fits."""
    ledger, metric = found.search, found.plan.task.objective.metric
    entries = ledger.listed()
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("trial", "status", "epoch", f"best {metric}"):
        table.add_column(column, no_wrap=True)
    if roomy := console.width >= ROOMY:
        table.add_column("curve", no_wrap=True)
        drawn = sparklines(found, [entry.name for entry in entries[:lines]], console.encoding)
    table.add_column("configuration")
    for entry in entries[:lines]:
        value = "-" if entry.best is None else f"{entry.best:.4g}"
        curve = [drawn.get(entry.name, "")] if roomy else []
        words = settings(entry.configuration, found.plan.varied)
        table.add_row(entry.name, entry.status, f"{entry.epoch}/{ledger.max_epochs}", value, *curve, words)
    if len(entries) > lines:
        table.caption = f"and {len(entries) - lines} more; --trials shows them"
        table.caption_justify = "left"
    return table


def sparklines(found: Snapshot, names: Sequence[str], encoding: str) -> dict[str, str]:
    """The validation value against epochs of some trials, all to one scale, as high as it is good or bad."""
    metric, curves = f"val_{found.plan.task.objective.metric}", dict[str, dict[int, float]]()
    for row in tables.rows(found.plan.folder / tables.CURVES):
        if row["phase"] == "search" and row["trial"] in names:
            curves.setdefault(row["trial"], {})[int(row["epoch"])] = float(row[metric])
    bars = BARS if encoding.lower().startswith("utf") else PLAIN_BARS
    return sparks(curves, found.search.max_epochs, bars, log=found.plan.task.objective.mode == "min")


def sparks(curves: dict[str, dict[int, float]], last: int, bars: str, log: bool) -> dict[str, str]:
    """Curves as text.

    Args:
        curves: of each trial, its value at each epoch; what is not finite is a gap.
        last: the epoch that fills the width.
        bars: a character for each height, lowest first.
        log: whether the scale is logarithmic where the values span more than a factor of 20.
    """
    values = [value for curve in curves.values() for value in curve.values() if math.isfinite(value)]
    low, high = (min(values), max(values)) if values else (0.0, 0.0)
    scale = math.log if log and low > 0 and high > 20 * low else float
    width = min(WIDTH, last)

    def mark(value: float) -> str:
        if not math.isfinite(value):
            return " "
        height = (scale(value) - scale(low)) / (scale(high) - scale(low)) if high > low else 0.0
        return bars[min(len(bars) - 1, int(height * len(bars)))]

    drawn = {}
    for name, curve in curves.items():
        line = ""
        for epoch, value in sorted(curve.items()):  # up to a report's place, its height
            place = math.ceil(epoch / last * width)
            line = line[: place - 1].ljust(place, mark(value))
        drawn[name] = line
    return drawn


if __name__ == "__main__":
    sys.exit(main())
