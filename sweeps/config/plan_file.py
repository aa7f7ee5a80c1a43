"""`plan.json`: the resolved plan of a sweep, written once and read by every later session and command."""

from __future__ import annotations

import json
import os
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from ae import tasks
from ae.configuration import Configuration
from ae.errors import UserError
from ae.files import write_whole
from ae.task import Budget, Objective
from ae.words import did_you_mean, nearest
from sweeps.config import points
from sweeps.config import space as spaces
from sweeps.config.plan import Plan, Resources
from sweeps.storage.folder import PLAN

VERSION = 1
"""The version of the format; a file of another one is refused."""
TYPES: dict[str, Any] = {
    **dict.fromkeys(("task", "name", "search", "sampler", "scheduler", "data_sha256"), str),
    **dict.fromkeys(("trials", "seed"), int),
    **dict.fromkeys(("objective", "space", "budget", "base", "options", "began", "resources"), dict),
    **dict.fromkeys(("data", "storage", "warm_start"), str | None),
    **{"subset": int | None, "smoke": bool, "commands": list},
    **{"target": float | int | None, "patience": int | None, "tries": list, "added_spaces": list},
}
SINCE: dict[str, Any] = {"target": None, "patience": None, "tries": [], "added_spaces": []}
"""What a plan without them means: plans that were written before there were such fields."""


def text(plan: Plan) -> str:
    """The content of `plan.json`."""
    return json.dumps({"version": VERSION, **plan.to_json()}, indent=1) + "\n"


def write(plan: Plan) -> None:
    """Write `plan.json` into the plan's results folder, whole.

    Raises:
        OSError: if it cannot be written; what was there stays.
    """
    write_whole(plan.folder / PLAN, text(plan))


def load(folder: Path) -> Plan:
    """The plan of the sweep in a results folder.

    Raises:
        UserError: if there is none, or it cannot be read.
    """
    path = folder / PLAN
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        inside = ", ".join(sorted(str(path.parent) for path in folder.glob(f"*/{PLAN}")))
        rule = f"it has no {PLAN}" + (f", but there are {inside}" if inside else did_you_mean(nearest_folder(folder)))
        raise UserError(f"{folder}: not the results folder of a sweep: {rule}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None
    return parse(content, folder, path)


def nearest_folder(folder: Path) -> str | None:
    """The results folder that one which is not there probably means."""
    if os.path.exists(folder):  # False for a name that is too long
        return None
    try:
        beside = {path.parent.name: str(path.parent) for path in folder.parent.glob(f"*/{PLAN}")}
    except OSError:  # a name that is too long
        return None
    name = nearest(folder.name, beside) if beside else None
    return beside[name] if name else None


def parse(content: bytes, folder: Path, path: Path | str) -> Plan:
    """The plan that a file holds.

    Args:
        content: of the file.
        folder: the plan's results folder.
        path: names the file in errors.

    Raises:
        UserError: if it is damaged or of another version.
    """
    try:
        found = json.loads(content)
        if not isinstance(found, dict):
            raise TypeError("it must be an object")
        if found.get("version") != VERSION:
            raise ValueError(f"its version must be {VERSION}, got {found.get('version')!r}")
        found = SINCE | found
        for name, kind in TYPES.items():
            if name not in found or not isinstance(found[name], kind):
                raise TypeError(f"{name} is missing or of the wrong type")
        return _plan(found, folder)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else error
        raise UserError(f"{path}: cannot be read: {reason}") from None


def check_objective(plan: Plan) -> None:
    """Refuse to continue a sweep that was judged by another metric than the task's code has now.

    Raises:
        UserError: if it was.
    """
    now, then = tasks.find(plan.task.reference).with_options(plan.options).objective, plan.task.objective
    if now != then:
        raise UserError(
            f"{plan.folder / PLAN}: the sweep ranks trials by {then.metric} ({then.mode}), the task {plan.task.name} "
            f"now by {now.metric} ({now.mode}); begin a new sweep"
        )


def _plan(found: dict[str, Any], folder: Path) -> Plan:
    budget, base = _build(Budget, found["budget"]), _build(Configuration, found["base"])
    task = tasks.find(found["task"])
    options = _build(task.options, found["options"])
    objective = _build(Objective, found["objective"])
    task = replace(task.with_options(options), objective=objective, budget=budget, base=base)
    if task.objective.mode not in ("min", "max") or not isinstance(task.objective.metric, str):
        raise ValueError("objective must have a metric, and the mode min or max")
    commands = [command for command in found["commands"] if command and all(isinstance(c, str) for c in command)]
    if not commands or commands != found["commands"]:
        raise TypeError("commands must be lists of text")
    name = found["name"]  # a part of paths in the storage
    if Path(name).name != name or not name or name.startswith("."):
        raise ValueError(f"name must be one folder name, not starting with '.', got {name!r}")
    if not all(isinstance(number, int) for number in found["began"].values()):
        raise TypeError("began must have numbers")
    return Plan(
        task=task,
        folder=folder,
        space=spaces.parse(found["space"], base, "space"),
        budget=budget,
        base=base,
        tries=tuple(points.point_of(values, base, "tries") for values in found["tries"]),
        added_spaces=tuple(spaces.parse(space, base, "added_spaces") for space in found["added_spaces"]),
        data=Path(found["data"]) if found["data"] else None,
        options=options,
        warm_start=Path(found["warm_start"]) if found["warm_start"] else None,
        resources=_build(Resources, found["resources"]),
        commands=tuple(map(tuple, commands)),
        **{
            name: found[name]
            for name in (
                *("name", "search", "sampler", "trials", "scheduler", "seed"),
                *("subset", "storage", "smoke", "began", "data_sha256", "target", "patience"),
            )
        },
    )


def _build(cls: type, found: dict[str, Any]) -> Any:
    """A dataclass from JSON; its own checks see values of the declared types only."""
    types = get_type_hints(cls)
    for one in fields(cls):
        if one.name in found and not _fits(found[one.name], types[one.name]):
            raise TypeError(f"{one.name} cannot be {found[one.name]!r}")
    return cls(**found)


def _fits(value: Any, kind: Any) -> bool:
    allowed = get_args(kind) if get_origin(kind) is not None else (kind,)
    if isinstance(value, bool):
        return bool in allowed
    return isinstance(value, tuple(allowed)) or (float in allowed and isinstance(value, int))
