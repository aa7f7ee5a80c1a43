"""The tasks: every file in this folder defines one, called TASK, and the file's name is its name."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import replace
from difflib import SequenceMatcher

from ae.errors import UserError
from ae.task import Task
from ae.words import did_you_mean, nearest


def names() -> list[str]:
    """The names of all tasks, sorted, as on the command line."""
    return sorted(m.name.replace("_", "-") for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


def find(name: str) -> Task:
    """The task with this name.

    Raises:
        UserError: if there is none; the message lists the existing names, the most similar first.
    """
    if name not in names():
        by_similarity = sorted(names(), key=lambda other: -SequenceMatcher(None, str(name), other).ratio())
        hint = did_you_mean(nearest(str(name), names()))
        rest = f"{hint} The tasks" if hint else "; the tasks"
        raise UserError(f"no task is called {name!r}{rest} are {', '.join(by_similarity)}")
    module = importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
    if not hasattr(module, "TASK"):
        raise UserError(f"{module.__file__} defines no TASK; define it, or start the file's name with _")
    return replace(module.TASK, name=name)
