"""The tasks: every file in this folder defines TASK and is one, under the file's name."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import replace

from ae.errors import UserError
from ae.task import Task


def names() -> list[str]:
    """Names of all the tasks, sorted, as typed on the command line."""
    return sorted(m.name.replace("_", "-") for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


def find(name: str) -> Task:
    """The task of that name.

    Raises:
        UserError: if there is none; the message lists those that exist.
    """
    if name not in names():
        raise UserError(f"no task is called {name!r}; the tasks are {', '.join(names())}")
    module = importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
    if not hasattr(module, "TASK"):
        raise UserError(f"{module.__file__} defines no TASK; shared code goes into a file whose name starts with _")
    return replace(module.TASK, name=name)
