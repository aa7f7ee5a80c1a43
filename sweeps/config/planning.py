"""The plan that a command line means, of a new sweep or of one that goes on."""

from __future__ import annotations

import argparse
import os
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from ae import tasks
from ae.task import Budget, Task
from sweeps.config import defaults
from sweeps.config import space as spaces
from sweeps.config.arguments import More, Parser, named_task, parser
from sweeps.config.plan import SEARCHES, Plan
from sweeps.storage import folder
from sweeps.storage.filesystem import absolute, join
from sweeps.storage.folder import Record

SMOKE = {"trials": 8, "top_k": 2, "seeds": 2}
SMOKE_BUDGET = Budget(max_epochs=3, eval_every=1, grace_period=1, reduction_factor=2)
"""What --smoke takes where the user says nothing."""
AS_TYPED = ("search", "scheduler", "seed", "data", "storage", "warm_start")
"""Options that are fields of a plan, beside the free ones."""
FREE = (
    *("cpus_per_trial", "gpus_per_trial", "max_concurrent", "device", "core"),
    *("address", "autoscale", "dashboard", "track", "verbose"),
)
"""Options, and fields of a plan, that a later session may change: where the trials run, not what they are."""
GROW = ("trials", "top_k", "seeds")
"""Options, and fields of a plan and of its record, to which a later session may add."""


def make_plan(
    options: argparse.Namespace,
    arguments: Sequence[str],
    resumed: Path | None = None,
    began_with: Mapping[str, Any] | None = None,
) -> Plan:
    """The plan that the options mean.

    Args:
        options: what the parser made of the arguments.
        arguments: as typed.
        resumed: the results folder to go on with; None for a new one.
        began_with: the defaults of its record.

    Raises:
        ValueError: one line on what is wrong with them.
    """
    if options.task is None:
        raise ValueError(f"--task is missing; the tasks are {', '.join(tasks.names())}")
    task = defaults.put_into(tasks.find(options.task), began_with or {})
    for name, number in _more(options).items():
        raise ValueError(f"{_option(name)} +{number} goes with --resume; leave the + out")
    if options.data and not resumed and not os.path.exists(options.data):  # False for a name too long
        raise ValueError(f"--data {options.data}: there is no such file or folder")
    dimensions = _space(options, task)
    smoke = SMOKE if options.smoke else {}
    trials = options.trials if options.trials is not None else smoke.get("trials", task.trials)
    if options.search == "grid":
        trials = len(spaces.points(dimensions))
    name = _name(options)
    record = _record(options, arguments, task, name, trials)
    usual_subset = task.smoke_subset if options.smoke else task.subset
    return Plan(
        **{option: getattr(options, option) for option in (*AS_TYPED, *FREE)},
        task=task,
        sampler=options.sampler or "tpe",
        space=dimensions,
        trials=trials,
        budget=_budget(options, SMOKE_BUDGET if options.smoke else task.budget),
        top_k=options.top_k if options.top_k is not None else min(trials, smoke.get("top_k", task.budget.top_k)),
        seeds=options.seeds if options.seeds is not None else smoke.get("seeds", task.budget.seeds),
        options=task.options(**{one.name: getattr(options, one.name) for one in fields(task.options)}),
        subset=usual_subset if options.subset is None else options.subset,
        folder=resumed or options.results / task.name / name,
        resume=resumed is not None,
        time_limit_s=options.time_limit,
        record=record,
        space_file=options.space,
    )


def _record(options: argparse.Namespace, arguments: Sequence[str], task: Task, name: str, trials: int) -> Record:
    """What a later session needs to know of a new sweep; the options' paths become absolute."""
    record = Record(arguments=list(arguments), trials=trials, fixed=_fix(options, name), defaults=defaults.of(task))
    if not options.storage:
        return record
    return replace(record, place=join(options.storage, task.name, name), session=uuid.uuid4().hex)


def _fix(options: argparse.Namespace, name: str) -> list[str]:
    """Make the paths absolute; returns the options that say the same from any folder, at any time."""
    fixed = ["--name", name, "--results", str(options.results.absolute())]
    if options.data:
        options.data = options.data.absolute()
        fixed += ["--data", str(options.data)]
    if options.warm_start:
        options.warm_start = options.warm_start.absolute()
        fixed += ["--warm-start", str(options.warm_start)]
    if options.storage:
        options.storage = absolute(options.storage)
        fixed += ["--storage", options.storage]
    return fixed


def _space(options: argparse.Namespace, task: Task) -> spaces.Space:
    """What the search varies, once the options that say so agree."""
    if options.search not in SEARCHES:
        raise ValueError(f"--search must be one of {', '.join(SEARCHES)}, got {options.search!r}")
    if options.search == "grid" and (options.trials is not None or options.sampler is not None):
        raise ValueError("--trials and --sampler go with --search optuna; a grid runs all of its configurations")
    if options.space:
        return spaces.read(options.space, task.base)
    return spaces.grid(task.grid) if options.search == "grid" else task.space


def _name(options: argparse.Namespace) -> str:
    name = str(options.name or time.strftime("%Y-%m-%d-%H%M%S"))
    if Path(name).name != name or name.startswith(".") or len(name) > 100:
        raise ValueError(
            f"--name must be one folder name of at most 100 characters, not starting with '.', got {name!r}"
        )
    if "://" in (options.storage or "") and any(mark in name for mark in "?#%"):
        raise ValueError(f"--name must be without ?, # and % where --storage is a URI, got {name!r}")
    return name


def _budget(options: argparse.Namespace, budget: Budget) -> Budget:
    """The task's budget with what the user set; what was left out is cut down to --max-epochs, where that was set."""
    names = ("max_epochs", "eval_every", "grace_period", "reduction_factor", "retrain_epochs")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    most = given.get("max_epochs", budget.max_epochs)
    if most < budget.max_epochs:
        given.setdefault("retrain_epochs", None)
    if most >= 1:
        given = {name: min(most, getattr(budget, name)) for name in ("eval_every", "grace_period")} | given
    try:
        return replace(budget, **given)
    except ValueError as error:
        message = str(error)
        for name in names:
            message = message.replace(name, _option(name))
        raise ValueError(message) from None


def _refuse_changed(before: Plan, after: Plan) -> None:
    """ValueError, naming the option, unless they differ only in what a later session may change."""
    free = (*FREE, "time_limit_s", "record", "space_file", "found")
    for one, other in ((before.budget, after.budget), (before.options, after.options), (before, after)):
        for name in (field.name for field in fields(one) if field.name not in free):
            if getattr(one, name) != getattr(other, name):
                raise _cannot_change(name)


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _more(options: argparse.Namespace) -> dict[str, int]:
    """What the user typed with a +, by the option's name."""
    return {name: int(getattr(options, name)) for name in GROW if isinstance(getattr(options, name), More)}


def _cannot_change(name: str) -> ValueError:
    more = "; +N adds some" if name in GROW else "; begin a new one"
    return ValueError(f"{_option(name)} cannot change in a sweep that is resumed{more}")


def _check_typed(options: argparse.Namespace) -> None:
    """ValueError for trials and names that no sweep goes on with."""
    if options.trials is not None and not isinstance(options.trials, More) and not options.or_resume:
        raise ValueError(f"--trials {options.trials}: a resumed sweep keeps its trials; +{options.trials} adds some")
    if options.name is not None and not options.or_resume:
        raise ValueError(f"--name {options.name}: a resumed sweep keeps its name; leave the option out")
    for name, number in _more(options).items():
        if number < 1:
            raise ValueError(f"{_option(name)} +{number} must add at least 1")


def _has(options: argparse.Namespace, before: Plan, record: Record) -> dict[str, Any]:
    """How many trials, configurations and seeds a sweep has; ValueError where the user typed another number."""
    has: dict[str, Any] = {}
    for name in GROW:
        began, typed = getattr(before, name), getattr(options, name)
        has[name] = getattr(record, name) or began
        as_it_began = options.or_resume and typed == began  # the command that began it, submitted again
        if not isinstance(typed, More) and typed not in (None, has[name]) and not as_it_began:
            raise _cannot_change(name)
    return has


def resumed_plan(options: argparse.Namespace, arguments: Sequence[str]) -> Plan:
    """The plan of the sweep that --resume names, with the trials, configurations and seeds that +N adds.

    Args:
        options: what the parser made of the arguments; `resume` is a results folder.
        arguments: as typed; those of --or-resume are the ones that began the sweep.

    Raises:
        ValueError: if there is no such sweep, or the options would make another one of it.
    """
    place = Path(options.resume)
    record = found = folder.read(place)
    if record.place:
        record = replace(record, session=uuid.uuid4().hex)
    begun = [*record.arguments, *record.fixed, *(["--data", record.data] if record.data else [])]
    if (place / folder.SPACE).exists():
        begun += ["--space", str(place / folder.SPACE)]
    own = Parser(add_help=False, allow_abbrev=False)
    own.add_argument("--resume")
    rest = own.parse_known_args(arguments)[1]
    _check_typed(options)
    whole = parser(named_task(begun))
    first = whole.parse(begun)
    for name in ("task", "smoke"):  # before what follows from them
        left_out = (None,) if options.or_resume else (None, False)
        if getattr(options, name) not in (*left_out, getattr(first, name)):
            raise _cannot_change(name)
    before = make_plan(first, record.arguments, place, record.defaults)
    has, more = _has(options, before, record), _more(options)
    later = whole.parse([*record.fixed, *rest] if options.or_resume else [*begun, *rest])
    for name in GROW:
        setattr(later, name, getattr(first, name))
    if not later.address and options.autoscale is None:
        later.autoscale = None  # it was the cluster's
    plan = make_plan(later, record.arguments, place, record.defaults)
    if record.data_sha256 and plan.data != before.data:  # the hash says whether it is the same
        before, record = replace(before, data=plan.data), replace(record, data=str(plan.data))
    _refuse_changed(before, plan)
    if "trials" in more and plan.search == "grid":
        raise ValueError(f"--trials +{more['trials']} goes with --search optuna; this sweep is a grid")
    counts = {name: has[name] + more.get(name, 0) for name in GROW}
    added = {name: counts[name] - getattr(before, name) for name in GROW}
    record = replace(record, **{name: counts[name] for name in more}, finished=record.finished and not more)
    return replace(plan, **counts, added=added, record=record, found=found)
