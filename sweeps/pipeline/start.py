"""From a command line to a plan with its data, and on to the sweep."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import shlex
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rich.console import Console

from ae import tasks
from ae.errors import UserError
from ae.splits import Splits
from sweeps.config.arguments import parser
from sweeps.config.command_line import parse
from sweeps.config.config_file import located, text
from sweeps.config.description import describe
from sweeps.config.new_plan import new_plan
from sweeps.config.plan import LEAST_BUDGET_S, Plan
from sweeps.config.plan_file import load
from sweeps.config.resume import resumed_plan
from sweeps.config.words import duration
from sweeps.engine.signals import heed_signals
from sweeps.pipeline.data import DataReader, with_hash
from sweeps.pipeline.open_page import live_page
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import FAILED
from sweeps.storage.crash import report_bug
from sweeps.storage.fetch import exists, fetch, refuse_existing
from sweeps.storage.filesystem import absolute, check_storage, join
from sweeps.storage.folder import PLAN
from sweeps.tracking.display import say
from sweeps.tracking.steps import Step


def start(arguments: Sequence[str]) -> int:
    """Carry out a command line of the main job; returns the exit status.

    Raises:
        UserError: if it cannot be carried out; nothing was started then.
    """
    options = parse(arguments)
    try:
        return _start(options, arguments)
    except UserError as error:
        raise located(error, getattr(options, "config", None)) from None


def _start(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Carry out the options."""
    began, given = time.monotonic(), vars(options)
    if given.pop("list", False):
        for name in tasks.names():
            print(f"{name:<16} {tasks.find(name).description}")
        return 0
    console = Console()
    before = _plan_to_resume(options, console)
    data = DataReader(Console(quiet=True) if given.get("print_config") else console)
    plan = resumed_plan(before, options, arguments) if before else new_plan(options, arguments, data.read)
    if given.get("print_config"):
        print(text(plan, given, parser(plan.task)), end="")
        return 0
    _check_encoding(*arguments, str(plan.folder.absolute()))
    if before and _is_done(before, plan):
        more = (
            ", --trials +N searches further" if plan.search == "optuna" else ", --space MORE.yaml adds configurations"
        )
        more += ", --target none searches on" if plan.target is not None else ""
        more += ", a longer --time-budget continues it" if SweepLog.read(plan).ran_out_of_time else ""
        print(f"{plan.folder} is finished: sweeps/show.py shows it; --seeds +N or --top-k +K retrains more{more}")
        return 0
    if before:
        _check_time_left(plan)
    if plan.warm_start and not before:
        from sweeps.search.warm_start import read_older  # imports optuna

        read_older(plan)
    if given.get("dry_run"):
        print(describe(plan))
        print(f"{'time':<11} {expected_time(plan, bool(before))}")
        return 0
    if plan.storage:
        with Step(console, f"looking at the storage {plan.storage}"):
            check_storage(plan.storage)
            if not before:
                refuse_existing(plan.place)
    splits = data.splits(plan, bool(before), given.get("subset"))
    plan = with_hash(plan, bool(before))
    page = live_page(plan.folder, partial(say, console)) if given.get("open") else contextlib.nullcontext()
    with page:
        return _sweep(plan, before, splits, began)


def expected_time(plan: Plan, resumed: bool) -> str:
    """How long the sweep may take, in words, or why nobody knows."""
    if plan.resources.address:
        return f"not estimated for the cluster at {plan.resources.address}"
    try:
        splits = DataReader(Console(quiet=True)).splits(plan, resumed)
        log = SweepLog.read(plan) if resumed else SweepLog(plan)

        from sweeps.pipeline.timing import expected  # imports torch

        return expected(plan, log, splits)
    except UserError as error:
        return f"not estimated: {error}"


def _sweep(plan: Plan, before: Plan | None, splits: Splits, began: float) -> int:
    """Run the sweep, and say in one line why it cannot go on if something outside it fails."""
    console = Console()
    try:
        with Step(console, "loading PyTorch, Ray and Optuna"):
            import torch

            from sweeps.pipeline.sweep import run_sweep  # imports ray, which --help, --list and --dry-run do without

        heed_signals()
        torch.set_num_threads(1)  # for the test and the figures: two threads that wait for each other are slower
        return run_sweep(plan, before, splits, console, began)
    except OSError as error:
        return _cut_off(plan, error)
    except UserError:
        raise
    except KeyboardInterrupt:  # while Ray starts, or a second one
        if (plan.folder / PLAN).exists():
            print(f"Resume with: python sweeps/run.py --resume {shlex.quote(str(plan.folder))}", file=sys.stderr)
        raise
    except Exception as error:
        return report_bug(error, plan.folder, "the sweep")


def _cut_off(plan: Plan, error: OSError) -> int:
    """Say in one line that results cannot be written: the disk is full, or the folder became read-only."""
    line = f"error: {error.filename or plan.folder}: {error.strerror or error}"
    if error.errno != errno.EBUSY:  # then the storage belongs to another process
        resume = f"python sweeps/run.py --resume {shlex.quote(str(plan.folder))}"
        line += f"; what was written is kept: fix that, then {resume}"
    print(line, file=sys.stderr)
    return 1


def _check_encoding(*texts: str) -> None:
    """Refuse what Ray cannot take: it passes paths and the command line on as UTF-8.

    Raises:
        UserError: naming the first one.
    """
    for typed in texts:
        try:
            typed.encode()
        except UnicodeEncodeError:
            raise UserError(f"{typed}: is not UTF-8; rename it, or give a link with another name") from None


def _plan_to_resume(options: argparse.Namespace, console: Console) -> Plan | None:
    """The plan of the sweep that a command line resumes; None for a new sweep."""
    given = vars(options)
    place = str(given.get("resume") or (given.get("or_resume") and given.get("storage")))
    if "://" in place:
        say(console, f"looking for the sweep in {place}")
    try:
        folder = _folder_to_resume(options)
        return load(folder) if folder else None
    except UserError as error:
        text = str(error)
        raise UserError(text if text.startswith("--") else f"--resume {text}") from None


def _folder_to_resume(options: argparse.Namespace) -> Path | None:
    """Its results folder, fetched from the storage if need be; None for a new sweep."""
    given = vars(options)
    results = given.get("results", Path("results"))
    if "resume" in given and given.get("or_resume"):
        raise UserError("--resume and --or-resume do not go together; leave one of them out")
    if "resume" in given:
        return fetch(given["resume"], results)
    if not given.get("or_resume"):
        return None
    if not given.get("name"):
        raise UserError("--or-resume goes with --name, which names the sweep; give --name")
    folder = results / str(given.get("task")) / given["name"]
    if os.path.isfile(folder / PLAN):  # False for a name that is too long
        return fetch(str(folder), results)
    if not given.get("storage"):
        return None
    place = join(absolute(given["storage"]), str(given.get("task")), given["name"])
    return fetch(place, results) if exists(place) else None


def _is_done(before: Plan, plan: Plan) -> bool:
    """Whether a sweep has nothing left to do; a retraining that failed is tried once more."""
    found = SweepLog.read(before)
    failed = any(record.status == FAILED for record in found.retraining.trials)
    has_more_time = found.ran_out_of_time and plan.time_limits != before.time_limits
    return found.is_finished and not failed and not has_more_time and plan.commands == before.commands


def _check_time_left(plan: Plan) -> None:
    """Refuse to resume a sweep whose time budget is used up.

    Raises:
        UserError: if it is, and there is something to train.
    """
    budget_s = plan.resources.time_budget_s
    if budget_s is None:
        return
    found = SweepLog.read(plan)
    least_s = max(LEAST_BUDGET_S, 2 * found.start_s)  # a session ends about as slowly as it starts
    if found.has_more_to_train and budget_s - found.spent_s < least_s:
        taken = f"the sweep has taken {duration(found.spent_s)} in earlier sessions"
        rule = f"another one needs at least {duration(least_s)}"
        raise UserError(f"--time-budget {duration(budget_s)}: {taken}, {rule}; give more, or none for no limit")
