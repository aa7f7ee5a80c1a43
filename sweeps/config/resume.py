"""The plan of a sweep that is resumed: as it was, with the changes that a later session may make."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from ae import tasks
from ae.errors import UserError
from sweeps.config import points
from sweeps.config import space as spaces
from sweeps.config.arguments import GROWING
from sweeps.config.new_plan import BUDGET, absolute_path, read_tries, resources
from sweeps.config.plan import Plan, Resources
from sweeps.config.plan_file import check_objective
from sweeps.config.values import More
from sweeps.config.words import option
from sweeps.storage.filesystem import absolute

FREE = (
    *(one.name for one in fields(Resources)),
    *("resume", "or_resume", "results", "dry_run", "open", "config", "print_config", "data"),
)
"""Options that may differ from those that began the sweep; the hash says whether data elsewhere is the same."""

SEARCHED = ("space", "try", "target")
"""Options with which --resume adds to what the search tries; --or-resume only repeats them."""


def resumed_plan(before: Plan, options: argparse.Namespace, arguments: Sequence[str]) -> Plan:
    """A sweep's plan with what a later session's command line changes.

    Args:
        before: the plan in the results folder.
        options: what the parser made of the arguments; options that were left out are missing.
        arguments: as typed.

    Raises:
        UserError: if the options would make another sweep of it.
    """
    check_objective(before)
    given = vars(options)
    again = bool(given.get("or_resume") or given.get("config"))  # then options say what the sweep is, as a whole
    if "name" in given and not again:
        raise UserError(f"--name {given['name']}: a resumed sweep keeps its name; leave the option out")
    repeats = given.get("or_resume", False)
    grown = before if repeats else _grown(before, given)
    free = (*FREE, *GROWING, *(() if repeats else SEARCHED))
    for name, value in given.items():
        if name not in free and value != _typed_before(before, name, given):
            raise _cannot_change(name)
    more = _more(before, given, again)
    budget = replace(before.budget, **{name: more[name] for name in ("top_k", "seeds") if name in more})
    used = before.resources
    if not given.get("address", used.address) and "autoscale" not in given:
        used = replace(used, autoscale=None)  # it was the cluster's
    command = ("python", "sweeps/run.py", *arguments)
    return replace(
        grown,
        trials=grown.trials + more.get("trials", before.trials) - before.trials,
        budget=budget,
        task=replace(before.task, budget=budget),
        data=absolute_path(given.get("data")) or before.data,
        resources=resources(given, used),
        commands=(*before.commands, command) if more or grown != before else before.commands,
    )


def _grown(before: Plan, given: dict[str, Any]) -> Plan:
    """The plan with the configurations that a later session adds to the search, and with its target."""
    default = points.with_fixed(before.space, before.base)
    tries = read_tries(given, before.space, before.base)
    tries = tuple(values for values in tries if replace(default, **values) not in before.tried)
    plan = replace(
        before,
        tries=(*before.tries, *tries),
        added_spaces=(*before.added_spaces, *_new_space(before, given)),
        target=given.get("target", before.target),
    )
    return replace(plan, trials=len(plan.points) if plan.search == "grid" else plan.trials + len(tries))


def _new_space(before: Plan, given: dict[str, Any]) -> Sequence[spaces.Space]:
    """The space that a later session adds to a grid, if it adds one."""
    if "space" not in given:
        return ()
    space = spaces.read(given["space"], before.base)
    where = f"--space {given['space']}" if isinstance(given["space"], Path) else "--space"  # or a part of --config
    if space in (before.space, *before.added_spaces):
        return ()
    if before.search != "grid":
        further = f"--trials +N searches it further, a new sweep with --warm-start {before.folder} knows its trials"
        raise UserError(f"{where}: an Optuna search that is resumed keeps its space; {further}")
    if set(points.grid_points(before.space, (space,), before.base)) <= set(before.points):
        raise UserError(f"{where} adds nothing: this sweep has all of its configurations; leave it out")
    return (space,)


def _typed_before(before: Plan, name: str, given: dict[str, Any]) -> Any:
    """What an option must be to mean the sweep that is there, in the form in which it was typed now."""
    typed = given[name]
    if name in BUDGET:
        return before.retrain_epochs if name == "retrain_epochs" else getattr(before.budget, name)
    if name == "task":
        return typed if tasks.find(typed).reference == before.task.reference else None
    if name == "space":
        return typed if spaces.read(typed, before.task.base) == before.space else None
    if name == "try":
        tries, default = read_tries(given, before.space, before.base), points.with_fixed(before.space, before.base)
        return typed if set(points.tried_points(tries, default)) <= set(before.tried) else None
    if name == "storage":
        return typed if before.storage == absolute(typed) else None
    if name == "warm_start":
        return typed if before.warm_start == absolute_path(typed) else None
    return getattr(before.options, name) if hasattr(before.options, name) else getattr(before, name)


def _more(before: Plan, given: dict[str, Any], again: bool) -> dict[str, int]:
    """The new numbers of trials, configurations and seeds, where the user typed +N."""
    more = {}
    for name in (name for name in GROWING if name in given):
        typed, now = given[name], getattr(before, name)
        if isinstance(typed, More):
            if typed < 1:
                raise UserError(f"{option(name)} +{typed} must add at least 1")
            if name == "trials" and before.search == "grid":
                raise UserError(f"--trials +{typed} goes with --search optuna; this sweep is a grid")
            more[name] = now + typed
        elif name == "trials" and not again:
            raise UserError(f"--trials {typed}: a resumed sweep keeps its trials; +{typed} adds some")
        elif typed != now and not (again and typed == before.began[name]):
            raise _cannot_change(name)
    return more


def _cannot_change(name: str) -> UserError:
    more = "; +N adds some" if name in GROWING else "; begin a new one"
    return UserError(f"{option(name)} cannot change in a sweep that is resumed{more}")
