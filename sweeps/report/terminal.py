"""The page that `show.py` prints: how far a sweep is, its best trials, their learning curves."""

from __future__ import annotations

import math
import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ae.configuration import Configuration
from ae.words import counted
from sweeps.config.plan import Plan
from sweeps.config.words import duration, seeds_each, settings, spread
from sweeps.records.progress import bar, best, counts, early_end
from sweeps.records.status import SweepStatus, read_status
from sweeps.records.trials import DIVERGED, FINISHED, INTERRUPTED, SEARCH, TrialLog

BARS, PLAIN_BARS = "▁▂▃▄▅▆▇█", "_.-=+*#@"
"""The heights of a sparkline, lowest first; the second for terminals that know only ASCII."""
WIDTH = 24
"""Largest width of a sparkline, in characters."""
ROOMY = 100
"""Width of a terminal, in characters, from which on there is room for sparklines."""
SPLITS = {"val": "in validation", "test": "on the test split"}


def show(folder: Path, watch_s: float | None, lines: int, console: Console) -> None:
    """Print a sweep's page once, or refresh it until no process runs the sweep any more.

    Args:
        folder: the results folder.
        watch_s: seconds between two refreshes; None prints once.
        lines: trials in the table.
        console: where to.

    Raises:
        UserError: if the folder is not that of a sweep.
    """
    status = _read(folder)
    if watch_s is None:
        console.print(page(status, lines, console))
        return
    with Live(page(status, lines, console), console=console, auto_refresh=False) as live:
        while status.is_running:
            time.sleep(watch_s)
            status = _read(folder)
            live.update(page(status, lines, console), refresh=True)


def _read(folder: Path) -> SweepStatus:
    """A sweep as of now; open trials of a sweep that no process runs count as interrupted."""
    status = read_status(folder)
    if not status.is_running:
        for record in (*status.search.trials, *status.retraining.trials):
            record.status = INTERRUPTED if record.is_open else record.status
    return status


def page(status: SweepStatus, lines: int, console: Console) -> Group:
    """Everything that is shown.

    Args:
        status: of the sweep.
        lines: trials in the table.
        console: the terminal, for its width and encoding.
    """
    plan, parts = status.plan, list[RenderableType]()
    kind = f"grid of {plan.trials}"
    if plan.search == "optuna":
        kind = f"{counted(plan.trials, 'trial')} by Optuna ({plan.sampler})"
    title = (f"{plan.task.name}/{plan.name}", "bold")
    parts.append(Text.assemble(title, f"  {kind}{seeds_each(plan.seeds_per_trial)}, {plan.scheduler}; ", state(status)))
    parts += phase(status.search, status.is_running)
    parts.append(Text(f"  {best(status.search, plan.varied)}", style="green"))
    if status.retraining.records:
        parts += phase(status.retraining, status.is_running)
        if status.summary and status.test and status.is_finished:  # an extended sweep still has its old summary
            parts += answers(status.summary["retrained"], plan)
        else:
            parts.append(Text(f"  {best(status.retraining, plan.varied)}", style="green"))
    if status.search.records:
        parts += [Text(), ranking(status, lines, console)]
    return Group(*parts)


def state(status: SweepStatus) -> str:
    """Whether the sweep is running, how it ended, and how to resume it."""
    search, retraining = status.search, status.retraining
    if status.is_running:
        last = "no event yet" if status.quiet_s is None else f"last event {duration(status.quiet_s)} ago"
        return f"running, {last}"
    if status.is_finished:
        return "finished"
    if search.is_complete and not search.ranked():
        return "ended: no trial can be selected"
    if retraining.records and retraining.is_complete and not _left_a_model(retraining):
        return "ended: no retraining left a model"
    ended = status.log.ended_as or "not running"
    return f"{ended}; resume with --resume {shlex.quote(str(status.plan.folder))}"


def _left_a_model(retraining: TrialLog) -> bool:
    """Whether a retraining finished, or was validated before it diverged."""
    return any(record.status in (FINISHED, DIVERGED) and record.best_epoch for record in retraining.trials)


def answers(retrained: Sequence[dict[str, Any]], plan: Plan) -> list[RenderableType]:
    """One line per retrained configuration, best first, with its mean metric over the seeds."""
    metric, lines = plan.task.objective.metric, list[RenderableType]()
    for place, one in enumerate(retrained):
        config = settings(Configuration(**one["config"]), plan.varied)
        values = ", ".join(f"{name} {spread(one[key] and one[key][metric])}" for key, name in SPLITS.items())
        lines.append(Text(f"  {place + 1}. {config}: {metric} {values}", style="" if place else "green"))
    return lines


def phase(log: TrialLog, is_running: bool) -> list[RenderableType]:
    """How far a phase is: its counts, its time once it is complete, its bar while it runs."""
    name = "search" if log.phase == SEARCH else "retraining"
    took = f", {duration(log.elapsed_s)}" if log.is_complete else ""
    lines: list[RenderableType] = [Text(f"{name}: {counts(log)}{took}")]
    if is_running and not log.is_complete:
        lines.append(bar(log))
    if early := early_end(log):
        lines.append(Text(f"  {early}"))
    return lines


def ranking(status: SweepStatus, lines: int, console: Console) -> Table:
    """The search's trials, best first, then those that cannot be selected; with sparklines if there is room."""
    log, metric = status.search, status.search.objective.metric
    records = log.listed()
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("trial", "status", "epoch", f"best {metric}"):
        table.add_column(column, no_wrap=True)
    if is_roomy := console.width >= ROOMY:
        table.add_column("curve", no_wrap=True)
    table.add_column("configuration")
    curves = {
        record.name: {report.epoch: report.metrics[metric] for report in record.reports} for record in records[:lines]
    }
    bars = BARS if console.encoding.lower().startswith("utf") else PLAIN_BARS
    drawn = sparklines(curves, log.max_epochs, bars, log=log.objective.mode == "min")
    for record in records[:lines]:
        value = "-" if record.best is None else f"{record.best:.4g}"
        curve = [drawn[record.name]] if is_roomy else []
        config = settings(record.config, status.plan.varied)
        table.add_row(record.name, record.status, f"{record.epoch}/{log.max_epochs}", value, *curve, config)
    if len(records) > lines:
        table.caption = f"and {len(records) - lines} more; --trials N shows N"
        table.caption_justify = "left"
    return table


def sparklines(curves: Mapping[str, Mapping[int, float]], last: int, bars: str, log: bool) -> dict[str, str]:
    """Curves as text, all on one scale.

    Args:
        curves: the values of each trial by epoch; a value that is not finite leaves a gap.
        last: the epoch that fills the width.
        bars: one character per height, lowest first.
        log: whether the scale is logarithmic if the values span more than a factor of 20.
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
        for epoch, value in sorted(curve.items()):  # each report fills the columns up to its epoch
            place = math.ceil(epoch / last * width)
            line = line[: place - 1].ljust(place, mark(value))
        drawn[name] = line
    return drawn
