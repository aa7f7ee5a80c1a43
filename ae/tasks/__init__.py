"""The tasks: every file in this folder that defines TASK is one, under the file's name."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import replace

from ae.task import Task


def names() -> list[str]:
    """Names of all the tasks, sorted, as typed on the command line."""
    return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__))


def find(name: str) -> Task:
    """The task of that name.

    Raises:
        ValueError: if there is none; the message lists those that exist.
    """
    if name not in names():
        raise ValueError(f"no task is called {name!r}; the tasks are {', '.join(names())}")
    module = importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
    return replace(module.TASK, name=name)
