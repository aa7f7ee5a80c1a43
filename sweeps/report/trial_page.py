"""The page of one trial, or of one retraining: what it was, how it went, and what is left of it."""

from __future__ import annotations

import difflib
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ae.errors import UserError
from sweeps.config.plan import Plan
from sweeps.config.words import duration, option, settings
from sweeps.records.events import read_events
from sweeps.records.progress import folded
from sweeps.records.ranking import Column, drawn, fitting
from sweeps.records.sparkline import BARS, PLAIN_BARS, knows_blocks, span, sparkline
from sweeps.records.status import SweepStatus, read_status
from sweeps.records.trials import FAILED, TrialLog, TrialRecord
from sweeps.storage.checkpoints import Checkpoints
from sweeps.storage.filesystem import STORAGE_ERRORS, join, reason
from sweeps.storage.ray_files import error_files

NEAREST = 5
"""Names that are told for one that is wrong."""
WIDEST_CURVE = 100
"""Width of a curve, in characters."""
EVENTS = {
    "asked": "began",
    "repeated": "trained epoch {epoch} again after a fault",
    "paused": "paused",
    "promoted": "promoted: it trains past its rung",
    "resumed": "resumed",
    "retried": "tried again: {reason}",
    "reopened": "to be trained again: {reason}",
    "ended": "{status}: {reason}",
    "tested": "tested",
    "interrupted": "interrupted: the session ended",
}
"""What an event of a trial means, in words."""


def show_trial(folder: Path, name: str, console: Console) -> None:
    """Print the page of one trial.

    Args:
        folder: the results folder.
        name: of the trial, such as 0003, or of a retraining, such as 0003-seed1.
        console: where to.

    Raises:
        UserError: if the folder is not that of a sweep, or it has no such trial.
    """
    status = read_status(folder)
    record, log = _find(status, name)
    console.print(Group(*_head(status, record, log, console)))
    config = record.config
    given = " ".join(f"{one}={_typed(getattr(config, one))}" for one in status.plan.stated)
    command = command_alone(status.plan, given, str(config.epochs), str(config.seed), log.seeds_per_trial)
    for line in (f"Train it alone: {command}", *_left(status.plan, record)):
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    if record.reports:
        console.print(Group(Text(), *_curve(record, log, console)))
    console.print(Group(Text(), *_events(folder, record)))


def _find(status: SweepStatus, name: str) -> tuple[TrialRecord, TrialLog]:
    """The trial of that name, and the log of its phase.

    Raises:
        UserError: if there is none; it lists the nearest names.
    """
    search, retrainings = status.search, status.log.retrainings
    whole = name.zfill(4) if name.isdecimal() else name
    if whole in search.records:
        return search.records[whole], search
    if whole in retrainings:
        return retrainings[whole], status.retraining
    names = [*search.records, *retrainings]
    if not names:
        raise UserError(f"--trial {name}: no trial of {status.plan.folder} has started")
    if name.isdecimal():
        nearest = sorted(search.records, key=lambda other: abs(int(other) - int(name)))[:NEAREST]
    else:
        nearest = difflib.get_close_matches(name, names, n=NEAREST) or names[:NEAREST]
    near = ", ".join(sorted(nearest))
    raise UserError(f"--trial {name}: {status.plan.folder} has no such trial; the nearest are {near}")


def _head(status: SweepStatus, record: TrialRecord, log: TrialLog, console: Console) -> list[RenderableType]:
    """What it is, how far it came, how good it became."""
    plan, width, metric = status.plan, console.width, log.objective.metric
    now = record.status_when(not status.is_running)
    title = [
        f"{plan.task.name}/{plan.name}",
        f"trial {record.name}: {now}",
        *([record.outcome] if record.outcome else []),
    ]
    best = f"best {metric} {record.best:.4g} at epoch {record.best_epoch}" if record.best_epoch else "no validation yet"
    took = f"{duration(record.train_s)} in training and validation"
    names = [*plan.stated, "seed"]
    varied = [name for name in names if name in plan.varied]
    configuration = f"configuration{', given with --try' if record.tried else ''}:"
    lines = [
        Text(folded(title, width), style="bold"),
        Text(folded([f"epoch {record.epoch} of {log.max_epochs}", best, took], width)),
        Text(folded([configuration, *(settings(record.config, [name]) for name in names)], width)),
        Text(folded(["varied in this sweep:", *varied], width), style="dim"),
    ]
    if record.best_per_seed:
        each = [f"{value:.4g}" for value in record.best_per_seed]
        told = f"{metric} is the mean of {log.seeds_per_trial} seeds, at epoch {record.best_epoch}:"
        lines.insert(2, Text(folded([told, *each], width)))
    if record.warning:
        lines.append(Text(folded([f"warning: {record.warning}"], width)))
    if record.retried:
        lines.append(Text(folded([f"tried again: {record.retried}"], width)))
    return list(lines)


def _typed(value: Any) -> str:
    """A hyperparameter as --try takes it."""
    return "none" if value is None else str(value)


def command_alone(plan: Plan, given: str, epochs: str, seed: str, seeds_per_trial: int) -> str:
    """The command of a sweep of one configuration, as a shell takes it.

    Args:
        plan: of the sweep.
        given: its hyperparameters, as --try takes them.
        epochs: that it trains.
        seed: its first seed.
        seeds_per_trial: its seeds.
    """
    command = ["python", "sweeps/run.py", "--task", plan.task.reference]
    command += ["--data", str(plan.data)] if plan.data else []
    for one in fields(plan.options):
        if (value := getattr(plan.options, one.name)) != one.default:
            command += [option(one.name), *([] if value is True else [str(value)])]
    command += ["--subset", str(plan.subset)] if plan.subset else []
    command += ["--max-epochs", epochs, "--eval-every", str(plan.budget.eval_every)]
    command += ["--seed", seed, "--scheduler", "none"]
    command += ["--search", "optuna", "--trials", "1", "--try", given, "--seeds", "1"]
    command += ["--seeds-per-trial", str(seeds_per_trial)] if seeds_per_trial > 1 else []
    return shlex.join(command)


def _left(plan: Plan, record: TrialRecord) -> list[str]:
    """Its checkpoints and its errors, as far as the place where they are kept can be read."""
    try:
        epochs = Checkpoints(plan.checkpoints).epochs(record.name)
        errors = error_files(plan.place, record.name)
    except STORAGE_ERRORS as error:
        return [f"checkpoints and errors: {plan.place} cannot be read: {reason(error)}"]
    where = join(plan.checkpoints, record.name)
    lines = [
        f"checkpoints: of epochs {', '.join(map(str, epochs))}, in {where}" if epochs else "checkpoints: none left"
    ]
    if record.status == FAILED:
        lines.append(f"error: {record.reason}")
    return [*lines, *(f"traceback: {path}" for path in errors)]


def _curve(record: TrialRecord, log: TrialLog, console: Console) -> list[RenderableType]:
    """The learning curve of the objective as a line, and every validation in a table, the best one marked."""
    metric, reports = log.objective.metric, record.reports
    curve = {report.epoch: report.metrics[metric] for report in reports}
    scale, is_error = span([curve]), log.objective.mode == "min"
    bars = BARS if knows_blocks(console) else PLAIN_BARS
    width = min(console.width, WIDEST_CURVE, log.max_epochs)
    line = sparkline(curve, log.max_epochs, width, bars, scale, log=is_error)
    heights = f"from {scale[0]:.4g} to {scale[1]:.4g}" if scale else "no finite value"
    shown, _ = fitting(_reports(record, log), console.width)
    best = next((place for place, report in enumerate(reports) if report.epoch == record.best_epoch), None)
    return [Text(f"validation {metric}, {heights}"), Text(line), Text(), drawn(shown, best)]


def _reports(record: TrialRecord, log: TrialLog) -> list[Column]:
    """The columns of the table of validations."""
    metric, reports = log.objective.metric, record.reports
    others = [name for name in reports[0].metrics if name != metric]
    return [
        Column(0, "epoch", [str(report.epoch) for report in reports]),
        Column(1, f"val {metric}", [f"{report.metrics[metric]:.5g}" for report in reports]),
        *(
            Column(4 + place, f"val {name}", [f"{report.metrics[name]:.5g}" for report in reports])
            for place, name in enumerate(others)
        ),
        Column(2, "train loss", [f"{report.train_loss:.5g}" for report in reports]),
        Column(3, "seconds", [f"{report.train_s:.1f}" for report in reports]),
    ]


def _events(folder: Path, record: TrialRecord) -> list[RenderableType]:
    """What happened to it, in order, with the time since it began; validations in a row are one line."""
    events = [event for _, event in read_events(folder) if event.get("trial") == record.name]
    began = float(events[0]["time"])
    table = Table.grid(padding=(0, 2))
    for first, last in _in_a_row(events):
        words = _words(first, last)
        table.add_row(f"+{duration(float(last['time']) - began)}", words)
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(began))
    return [Text(f"events, since {when}"), table]


def _in_a_row(events: Sequence[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """The first and the last of every run of validations; any other event by itself."""
    runs: list[tuple[Mapping[str, Any], Mapping[str, Any]]] = []
    for event in events:
        if runs and event["event"] == runs[-1][1]["event"] == "reported":
            runs[-1] = runs[-1][0], event
        else:
            runs.append((event, event))
    return runs


def _words(first: Mapping[str, Any], last: Mapping[str, Any]) -> str:
    kind = str(last["event"])
    if kind != "reported":
        return EVENTS.get(kind, kind).format_map(last)
    if first is last:
        return f"validated at epoch {last['epoch']}"
    return f"validated from epoch {first['epoch']} to {last['epoch']}"
