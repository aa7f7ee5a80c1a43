"""The page that `show.py` prints: how far a sweep is, its best trials, their learning curves."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from ae.configuration import Configuration
from ae.words import counted
from sweeps.config.plan import Plan
from sweeps.config.words import SMOKE, duration, seeds_each, settings, spread
from sweeps.records import progress
from sweeps.records.progress import can_refresh, folded
from sweeps.records.ranking import ranking
from sweeps.records.status import SweepStatus, read_status
from sweeps.records.trials import DIVERGED, FINISHED, RETRAIN, SEARCH, STOPPED, TrialLog

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
    status = read_status(folder)
    if watch_s is not None and status.is_running:
        status = _watch(status, watch_s, lines, console)
    else:
        console.print(page(status, lines, console))
    if not status.is_running and _can_resume(status):
        command = f"Resume with: python sweeps/run.py --resume {shlex.quote(str(status.plan.folder))}"
        console.print(command, soft_wrap=True, highlight=False, markup=False)


def _watch(status: SweepStatus, watch_s: float, lines: int, console: Console) -> SweepStatus:
    """Refresh the page while a process runs the sweep, on a terminal; returns the sweep as it is then."""

    def later() -> SweepStatus:
        time.sleep(watch_s)
        return read_status(status.plan.folder)

    if can_refresh(console):
        with Live(console=console, auto_refresh=False) as live:
            while status.is_running:
                live.update(page(status, lines, console, console.height), refresh=True)
                status = later()
            live.update(page(status, lines, console))
    else:
        while status.is_running:
            status = later()
        console.print(page(status, lines, console))
    return status


def page(status: SweepStatus, lines: int, console: Console, height: int | None = None) -> Group:
    """Everything that is shown.

    Args:
        status: of the sweep.
        lines: trials in the table.
        console: the terminal, for its width and encoding.
        height: lines that there is room for; None for any number.
    """
    plan, width = status.plan, console.width
    name, kind = f"{plan.task.name}/{plan.name}", f"grid of {plan.trials}"
    if plan.search == "optuna":
        kind = f"{counted(plan.trials, 'trial')} by Optuna ({plan.sampler})"
    title = Text(
        folded([f"{name}  {kind}{seeds_each(plan.seeds_per_trial)}", f"{plan.scheduler}; {state(status)}"], width)
    )
    title.stylize("bold", 0, len(name))
    parts: list[RenderableType] = [title, *([Text(SMOKE, style="bold")] if plan.smoke else [])]
    parts += phase(status, status.search, console)
    parts.append(_best(status.search, plan, width))
    if status.retraining.records:
        parts += phase(status, status.retraining, console)
        if status.summary and status.test and status.is_finished:  # an extended sweep still has its old summary
            parts += answers(status.summary["retrained"], plan, width)
        else:
            parts.append(_best(status.retraining, plan, width))
    if status.search.records:
        if height:
            most = Group(*parts, *table(status, lines, console))
            lines = max(1, min(lines, len(status.search.records)) - max(0, _rows(most, console) + 2 - height))
        parts += [Text(), *table(status, lines, console)]
    return Group(*parts)


def state(status: SweepStatus) -> str:
    """Whether the sweep is running, or how it ended."""
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
    return status.log.ended_as or "not running"


def _can_resume(status: SweepStatus) -> bool:
    """Whether a later session finds something to do."""
    return not status.is_finished and not state(status).startswith("ended:")


def _left_a_model(retraining: TrialLog) -> bool:
    """Whether a retraining finished, or was validated before it diverged or was ended."""
    return any(record.status in (FINISHED, DIVERGED, STOPPED) and record.best_epoch for record in retraining.trials)


def answers(retrained: Sequence[dict[str, Any]], plan: Plan, width: int) -> list[RenderableType]:
    """One line per retrained configuration, best first, with its mean metric over the seeds."""
    metric, lines = plan.task.objective.metric, list[RenderableType]()
    for place, one in enumerate(retrained):
        config = settings(Configuration(**one["config"]), plan.varied)
        first, *others = [f"{name} {spread(one[key] and one[key][metric])}" for key, name in SPLITS.items()]
        parts = [*f"  {place + 1}. {config}:".split(", "), f"{metric} {first}", *others]
        lines.append(Text(folded(parts, width), style="" if place else "green"))
    return lines


def phase(status: SweepStatus, log: TrialLog, console: Console) -> list[RenderableType]:
    """How far a phase is: its counts, its time once it is complete; its bar, rungs and trials while it runs."""
    width = console.width
    name, running = "search" if log.phase == SEARCH else "retraining", status.is_running and not log.is_complete
    first, *others = progress.counts(log, is_over=not status.is_running)
    took = [duration(log.elapsed_s)] if log.is_complete else []
    lines: list[RenderableType] = [Text(folded([f"{name}: {first}", *others, *took], width))]
    if running:
        lines.append(progress.bar(log, progress.clock(status.log), console))
        details = (progress.rungs(log, status.plan), progress.training(log))
        lines += [Text(folded(parts, width)) for parts in details if parts]
    if early := progress.early_end(log):
        lines.append(Text(folded([f"  {early}"], width)))
    if log.phase == RETRAIN and (fewer := progress.fewer(status.log)):
        lines.append(Text(folded([f"  {fewer}"], width)))
    return lines


def _best(log: TrialLog, plan: Plan, width: int) -> Text:
    return Text(folded(f"  {progress.best(log, plan.varied)}".split(", "), width), style="green")


def _rows(shown: RenderableType, console: Console) -> int:
    """Its height, in lines."""
    return len(console.render_lines(shown))


def table(status: SweepStatus, lines: int, console: Console) -> list[RenderableType]:
    """The search's trials, best first, then those that cannot be selected; and what is not shown."""
    log, varied = status.search, status.plan.varied
    records = log.listed()
    shown, left_out = ranking(log, records[:lines], varied, console, is_over=not status.is_running)
    notes = []
    if len(records) > lines:
        notes.append(f"and {len(records) - lines} more; --trials N shows N")
    if left_out:
        notes.append(f"a wider terminal also shows: {', '.join(left_out)}")
    return [shown, *(Text(folded(note.split(", "), console.width), style="dim") for note in notes)]
