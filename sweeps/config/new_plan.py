"""The plan of a new sweep, from its command line and its task's defaults."""

from __future__ import annotations

import argparse
import logging
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from ae import tasks
from ae.configuration import Configuration
from ae.errors import UserError
from ae.splits import Splits
from ae.task import Budget, Task
from sweeps.config import points
from sweeps.config import space as spaces
from sweeps.config.arguments import GROWING
from sweeps.config.choices import SEARCHES, check_choice
from sweeps.config.conditions import without_condition
from sweeps.config.plan import Plan, Resources
from sweeps.config.values import More
from sweeps.config.words import option
from sweeps.storage.filesystem import absolute

log = logging.getLogger(__name__)

SMOKE = {"trials": 8, "top_k": 2, "seeds": 2}
SMOKE_BUDGET = Budget(max_epochs=3, eval_every=1, grace_period=1, reduction_factor=2)
"""What --smoke takes where the user says nothing."""
NEEDS_OPTUNA = {
    "trials": "a grid runs all of its configurations",
    "sampler": "a grid runs all of its configurations",
    "warm_start": "a grid does not learn from older trials",
}
"""Options that a grid does not have, and why."""
BUDGET = ("max_epochs", "eval_every", "grace_period", "reduction_factor", "retrain_epochs", "seeds_per_trial")
"""Options that are fields of a budget."""


Read = Callable[[Task, Path | None, Any], Splits]


def _load(task: Task, data: Path | None, options: Any) -> Splits:
    return task.load(data, options)


def new_plan(options: argparse.Namespace, arguments: Sequence[str], read: Read = _load) -> Plan:
    """The plan that a command line means.

    Args:
        options: what the parser made of the arguments; options that were left out are missing.
        arguments: as typed.
        read: reads the data, for a task whose default budget depends on it.

    Raises:
        UserError: one line on what is wrong with them.
    """
    given = vars(options)
    task, own, data = _task_and_data(given, read)
    smoke = given.get("smoke", False)
    search, space, reason = _search_and_space(given, task)
    tries = read_tries(given, space, task.base)
    counts = _counts(given, task, _grid_size(space, tries, task.base) if search == "grid" else None)
    if search == "optuna" and len(tries) > counts["trials"]:
        raise UserError(f"--trials must be >= the number of --try ({len(tries)}), got {counts['trials']}")
    budget = _budget(given, SMOKE_BUDGET if smoke else task.budget, counts)
    base, name = _base(task, budget, given.get("seed", 0)), _name(given)
    plan = Plan(
        task=replace(task, budget=budget, base=base),
        name=name,
        folder=given.get("results", Path("results")) / task.name / name,
        search=search,
        sampler=given.get("sampler", "tpe"),
        space=space,
        trials=counts["trials"],
        scheduler=given.get("scheduler", "asha"),
        budget=budget,
        base=base,
        seed=base.seed,
        data=data,
        options=own,
        subset=given.get("subset", task.smoke_subset if smoke else task.subset),
        storage=absolute(given["storage"]) if given.get("storage") else given.get("storage"),
        warm_start=absolute_path(given.get("warm_start")),
        smoke=smoke,
        resources=resources(given, Resources()),
        commands=(("python", "sweeps/run.py", *arguments),),
        began=counts,
        tries=tries,
        target=given.get("target"),
        patience=given.get("patience"),
    )
    _check_new_folder(plan)
    if reason:
        log.warning("%s", reason)
    return plan


def _task_and_data(given: dict[str, Any], read: Read) -> tuple[Task, Any, Path | None]:
    """The task with a budget that fits its data, the task's own options, and where the data is."""
    if not given.get("task"):
        raise UserError(f"--task is missing; the tasks are {', '.join(tasks.names())}")
    for name in GROWING:
        if isinstance(given.get(name), More):
            raise UserError(f"{option(name)} +{given[name]} goes with --resume; leave the + out")
    own = task_options(_task(given["task"]), given)
    task = _task(given["task"]).with_options(own)
    data = absolute_path(given.get("data"))
    if data and not os.path.exists(data):  # False for a name that is too long
        raise UserError(f"--data {data}: there is no such file or folder")
    if task.budget_of and not given.get("smoke", False):
        splits = read(task, data, own)
        task = replace(task, budget=task.budget_of(splits.subset(given["subset"]) if "subset" in given else splits))
    return task, own, data


def _task(name: str) -> Task:
    try:
        return tasks.find(name)
    except UserError as error:
        raise UserError(f"--task: {error}") from None


def read_tries(given: dict[str, Any], space: spaces.Space, base: Configuration) -> tuple[dict[str, Any], ...]:
    """What every --try names, each configuration once.

    Raises:
        UserError: if one makes no configuration.
    """
    default = points.with_fixed(space, base)
    found: dict[Configuration, dict[str, Any]] = {}
    for values in (points.read_try(text, default) for text in given.get("try", ())):
        found.setdefault(replace(default, **values), values)
    return tuple(found.values())


def _grid_size(space: spaces.Space, tries: Sequence[dict[str, Any]], base: Configuration) -> int:
    tried = points.tried_points(tries, points.with_fixed(space, base))
    return len({*points.grid_points(space, (), base), *tried})


def _counts(given: dict[str, Any], task: Task, points: int | None) -> dict[str, int]:
    """How many trials, retrained configurations and seeds there are; a grid has one trial per point."""
    usual = {"trials": task.trials, "top_k": task.budget.top_k, "seeds": task.budget.seeds}
    usual |= SMOKE if given.get("smoke") else {}
    trials = given.get("trials", usual["trials"]) if points is None else points
    if trials < 1:
        raise UserError(f"--trials must be >= 1, got {trials}")
    top_k = given.get("top_k", min(trials, usual["top_k"]))
    return {"trials": trials, "top_k": top_k, "seeds": given.get("seeds", usual["seeds"])}


def _base(task: Task, budget: Budget, seed: int) -> Configuration:
    """The task's base configuration with the sweep's epochs and seed."""
    try:
        return replace(task.base, epochs=budget.max_epochs, seed=seed)
    except ValueError:
        raise UserError(f"--seed must be from 0 to 2**32 - 1 - seeds, got {seed}") from None


def task_options(task: Task, given: dict[str, Any]) -> Any:
    """The task's own options, those that were left out at their defaults."""
    names = [one.name for one in fields(task.options)]
    return task.options(**{name: given[name] for name in names if name in given})


def resources(given: dict[str, Any], usual: Resources) -> Resources:
    """Resources with what the user typed."""
    names = [one.name for one in fields(Resources)]
    return replace(usual, **{name: given[name] for name in names if name in given})


def absolute_path(path: Path | None) -> Path | None:
    """A path that means the same in any folder."""
    return path.absolute() if path else None


def _search_and_space(given: dict[str, Any], task: Task) -> tuple[str, spaces.Space, str]:
    """The kind of search, and what it varies, once the options that decide them agree; and why, if it must be told."""
    search = given.get("search")
    check_choice("search", search, SEARCHES)
    if search == "grid" and (wrong := [name for name in ("trials", "sampler") if name in given]):
        fix = f"leave out --search grid, or {option(wrong[0])}"
        raise UserError(f"{option(wrong[0])} goes with --search optuna; a grid runs all of its configurations: {fix}")
    space = spaces.read(given["space"], task.base) if given.get("space") else None
    reason = _needs_optuna(given, space or {}) if search is None else ""
    search = search or ("optuna" if reason else "grid")
    if space is None:
        space = spaces.parse(task.grid if search == "grid" else task.space, task.base, f"task {task.name}")
    return search, space, reason


def _needs_optuna(given: dict[str, Any], space: spaces.Space) -> str:
    """What can only mean a search by Optuna, and why; empty if a grid will do."""
    for name, reason in NEEDS_OPTUNA.items():
        if given.get(name) is not None:
            return f"{option(name)} {given[name]} means --search optuna, since {reason}"
    for name, dimension in space.items():
        if isinstance(without_condition(dimension), dict):
            return f"a range of {name} means --search optuna, since a grid needs lists of values"
    return ""


def _name(given: dict[str, Any]) -> str:
    name = str(given.get("name") or time.strftime("%Y-%m-%d-%H%M%S"))
    if Path(name).name != name or name.startswith(".") or len(name) > 100:
        raise UserError(
            f"--name must be one folder name of at most 100 characters, not starting with '.', got {name!r}"
        )
    if "://" in (given.get("storage") or "") and any(mark in name for mark in "?#%"):
        raise UserError(f"--name must not contain ?, # or % when --storage is a URI, got {name!r}")
    return name


def _budget(given: dict[str, Any], usual: Budget, counts: dict[str, int]) -> Budget:
    """The usual budget with what the user typed; the rest is cut down to --max-epochs, where that was typed."""
    typed = {name: given[name] for name in BUDGET if name in given}
    most = typed.get("max_epochs", usual.max_epochs)
    if most < usual.max_epochs:
        typed.setdefault("retrain_epochs", None)
    if most >= 1:
        typed = {name: min(most, getattr(usual, name)) for name in ("eval_every", "grace_period")} | typed
    try:
        return replace(usual, **typed, top_k=counts["top_k"], seeds=counts["seeds"])
    except ValueError as error:
        names = "|".join((*BUDGET, "top_k", "seeds"))
        raise UserError(re.sub(rf"\b({names})\b", lambda name: option(name[0]), str(error))) from None


def _check_new_folder(plan: Plan) -> None:
    """See that a new sweep can have its results folder.

    Raises:
        UserError: if the folder exists, cannot be made, or holds the storage.
    """
    folder = plan.folder
    try:
        there = folder.exists()
        parent = next(parent for parent in folder.absolute().parents if parent.exists())
    except OSError as error:  # a name too long, or a folder that may not be looked into
        raise UserError(f"{folder} cannot be made: {error.strerror}; give another --results") from None
    if there:
        raise UserError(f"{folder} exists and is never overwritten; give another --name, or --resume {folder}")
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise UserError(f"{folder} cannot be made: no write access to {parent}; give another --results")
    place = Path(os.path.realpath(plan.place.removeprefix("file://")))
    if plan.storage and place.is_relative_to(os.path.realpath(folder)):
        raise UserError(f"--storage {plan.storage} must be outside the results folder; give another, or none")
