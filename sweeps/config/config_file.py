"""`--config FILE.yaml`: the options of a command line as keys; and `--print-config`, which writes such a file."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ae.errors import UserError
from ae.words import did_you_mean
from sweeps.config import yaml_file
from sweeps.config.conditions import Dimension
from sweeps.config.parser import Parser
from sweeps.config.plan import Plan
from sweeps.config.values import More, OrNone, truth
from sweeps.config.words import option
from sweeps.config.yaml_file import Entry

NO_KEYS = ("--help", "--list", "--config", "--print-config", "--open")
"""Options that say what to do with a command line."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfigFile:
    """A file with options."""

    path: Path
    entries: Mapping[str, Entry]
    """By option, such as --max-epochs; those that the command line has too are left out."""

    def text(self, name: str) -> str:
        """What the file says for an option, as it is written; empty if it says nothing."""
        return (self.entries[name].text or "") if name in self.entries else ""

    def options(self, parser: Parser, elsewhere: Callable[[str], str | None]) -> dict[str, Any]:
        """The values of its options.

        Args:
            parser: has the options.
            elsewhere: what an option that the parser does not have is, if it is known.

        Raises:
            UserError: the file, the line, and what is wrong.
        """
        found: dict[str, Any] = {}
        for name, entry in self.entries.items():
            if name in NO_KEYS or name not in parser.options or name.startswith("--no-"):
                raise UserError(f"{entry.where}: {_unknown(name, parser, elsewhere)}")
            if name == "--space" and (space := entry.mapping()):
                found["space"] = space
                continue
            try:
                found |= vars(parser.parse(_words(name, entry, parser.options[name])))
            except UserError as error:
                raise UserError(f"{entry.where}: {error}") from None
        return found


def located(error: UserError, file: ConfigFile | None) -> UserError:
    """An error about an option, with the line of the file that says it."""
    for name in re.findall(r"--[a-z][a-z-]*", str(error)):
        if file and name in file.entries and str(file.path) not in str(error):
            return UserError(f"{file.entries[name].where}: {error}")
    return error


def read(path: Path) -> ConfigFile:
    """The options in a file, of which none is checked yet.

    Raises:
        UserError: if it cannot be read, or names an option twice.
    """
    entries: dict[str, Entry] = {}
    for key, entry in yaml_file.read(path, "--config", "max_epochs: 20").entries.items():
        name = option(key.removeprefix("--"))
        if name in entries:
            lines = f"lines {entries[name].line} and {entry.line}"
            raise UserError(f"{entry.where}: {key} is there twice, in {lines}; leave one")
        entries[name] = entry
    return ConfigFile(path=path, entries=entries)


def _unknown(name: str, parser: Parser, elsewhere: Callable[[str], str | None]) -> str:
    if name in NO_KEYS:
        return f"{_key(name)} is for the command line alone; leave it out"
    positive = "--" + name.removeprefix("--no-")
    if name.startswith("--no-") and positive in parser.options:
        return f"write {_key(positive)}: false"
    error = parser.unknown(name)
    hint = None if error.is_certain else elsewhere(_key(name))
    meant = did_you_mean(error.meant and _key(error.meant)) or "; --help shows all of them"
    return hint or f"no option is called {_key(name)}{meant}"


def _key(name: str) -> str:
    return name.removeprefix("--").replace("-", "_")


def _words(name: str, entry: Entry, action: argparse.Action) -> list[str]:
    """The words of a command line that say the same."""
    if action.nargs == 0:
        return _flag(name, entry, action)
    if entry.is_null and isinstance(action.type, OrNone):
        return [f"{name}=none"]
    if isinstance(action, argparse._AppendAction):
        return [f"{name}={_pairs(item) or _one(item, name)}" for item in entry.items or [entry]]
    if entry.items and action.type is str:
        return [f"{name}={','.join(_one(item, name) for item in entry.items)}"]
    return [f"{name}={_one(entry, name)}"]


def _flag(name: str, entry: Entry, action: argparse.Action) -> list[str]:
    try:
        value = truth(_one(entry, name))
    except argparse.ArgumentTypeError as error:
        raise UserError(f"{_key(name)} {error}") from None
    opposite = f"--no-{name[2:]}"
    return [name] if value else [opposite] if opposite in action.option_strings else []


def _one(entry: Entry, name: str) -> str:
    """A single value as it is written."""
    if entry.is_null:
        raise UserError(f"{_key(name)} has no value; give one, or leave the line out")
    if entry.text is None:
        raise UserError(f"{_key(name)} takes one value, got a {'mapping' if entry.items is None else 'list'}")
    return entry.text


def _pairs(entry: Entry) -> str:
    """A mapping as 'lr=0.01 clip=1'; empty if it is none."""
    inner = entry.mapping()
    return " ".join(f"{name}={_one(value, name)}" for name, value in inner.entries.items()) if inner else ""


def text(plan: Plan, given: Mapping[str, Any], parser: Parser) -> str:
    """The plan as a file for --config, from which the same plan follows.

    Args:
        plan: what the command line means.
        given: its options; a path stays as it was typed.
        parser: of the plan's task.
    """
    found = {}
    for name, action in parser.options.items():
        if name in (*NO_KEYS, "--dry-run") or name.startswith("--no-"):
            continue
        value = _setting(action.dest, plan, given)
        if value is None and isinstance(action.type, OrNone):
            value = "none"
        if value is not None:
            found[_key(name)] = value
    content = yaml.safe_dump(found, sort_keys=False, default_flow_style=None, allow_unicode=True, width=math.inf)
    return f"# for python sweeps/run.py --config FILE.yaml\n{content}"


def _setting(name: str, plan: Plan, given: Mapping[str, Any]) -> Any:
    """What the plan has for an option, in the form in which a file says it; None if the file need not say it."""
    if name == "space":
        return {name: _written(dimension) for name, dimension in plan.space.items()}
    if name == "try":
        return [{name: _or_none(value) for name, value in values.items()} for values in plan.tries] or None
    if isinstance(given.get(name), More):
        return f"+{given[name]}"
    if name in ("sampler", "trials") and plan.search == "grid":
        return None
    if name in given:
        return str(given[name]) if isinstance(given[name], Path) else given[name]
    if name == "task":
        return plan.task.reference
    if name == "name":  # the time, unless it was typed
        return None
    holders = [one for one in (plan.options, plan.resources, plan.budget, plan) if hasattr(one, name)]
    value = getattr(holders[0], name) if holders else None
    return str(value) if isinstance(value, Path) else value


def _written(dimension: Dimension) -> Dimension:
    """A dimension whose values a file can say; YAML has no word of its own for none."""
    if isinstance(dimension, list):
        return [_or_none(value) for value in dimension]
    return {key: _written(value) if isinstance(value, list | dict) else value for key, value in dimension.items()}


def _or_none(value: Any) -> Any:
    return "none" if value is None else value
