"""The command line of the main job: what was typed, and under it what a file of options says."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

from ae import tasks
from ae.errors import UserError
from ae.task import Task
from ae.words import plain
from sweeps.config import config_file, synonyms
from sweeps.config.arguments import PROG, parser
from sweeps.config.parser import Parser, UnknownOption
from sweeps.config.plan_file import load
from sweeps.config.space import HYPERPARAMETERS
from sweeps.config.values import path, place


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options of a command line, and under them those of its --config, which becomes a `ConfigFile`.

    Raises:
        UserError: one line on the first that is wrong.
    """
    first = _first_look(arguments)
    file = config_file.read(first.config[-1]) if first.config else None
    said = {name: file.text(name) if file else "" for name in ("--task", "--resume")}
    task = _task(first.task or said["--task"], first.resume or said["--resume"])
    line = parser(task)
    try:
        typed = vars(line.parse(arguments))
    except UnknownOption as error:
        hint = None if error.is_certain else _elsewhere(error.typed, task)
        raise (UserError(hint) if hint else error) from None
    if not file:
        return argparse.Namespace(**typed)
    found = file.options(line, lambda name: _elsewhere(name, task))
    for name, other in (("resume", "or_resume"), ("or_resume", "resume")):
        if name in typed:
            found.pop(other, None)
    rest = {name: entry for name, entry in file.entries.items() if line.options[name].dest not in typed}
    return argparse.Namespace(**{**found, **typed, "config": replace(file, entries=rest)})


def _elsewhere(typed: str, task: Task | None) -> str | None:
    """What an option is, if it belongs to another task, or is a hyperparameter."""
    name = plain(typed)
    owners = [
        other for other in tasks.names() if name in {plain(one.name) for one in fields(tasks.find(other).options)}
    ]
    if owners:
        this = f"; {task.name} does not have it" if task else "; give --task"
        return f"{typed} is an option of the task{'s' if owners[1:] else ''} {', '.join(owners)}{this}"
    known = {plain(one): one for one in HYPERPARAMETERS} | synonyms.HYPERPARAMETERS
    if name not in known:
        return None
    example = f"'{known[name]}: [VALUE, VALUE]'"
    return f"{typed.lstrip('-')} is a hyperparameter, not an option; put it into a search space (--space) as {example}"


def named_task(arguments: Sequence[str]) -> Task | None:
    """The task that a command line names, by --task or by the folder it resumes; the parser adds its options."""
    first = _first_look(arguments)
    return _task(first.task, first.resume)


def _first_look(arguments: Sequence[str]) -> argparse.Namespace:
    """The options that decide which others there are."""
    only = Parser(prog=PROG, add_help=False)
    only.add_argument("--task", default="")
    only.add_argument("--resume", default="", type=place)
    only.add_argument("--config", action="append", type=path)
    first = only.parse_known_args(arguments)[0]
    if len(first.config or ()) > 1:
        raise UserError(f"--config must be one file, got {' and '.join(map(str, first.config))}")
    return first


def _task(name: str, folder: str) -> Task | None:
    if name in tasks.names() or name.endswith(".py"):
        return tasks.find(name)
    try:
        return load(Path(folder)).task if folder else None
    except UserError:  # what is wrong with the folder is said when it is resumed
        return None
