"""The tasks: every file in this folder defines one, called TASK, and the file's name is its name.

A user's own task is such a file in any other place.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import pkgutil
import sys
import traceback
from dataclasses import replace
from difflib import SequenceMatcher
from pathlib import Path
from types import ModuleType

from ae.errors import UserError
from ae.task import Task
from ae.words import did_you_mean, nearest


def names() -> list[str]:
    """The names of all tasks, sorted, as on the command line."""
    return sorted(m.name.replace("_", "-") for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


def find(name: str) -> Task:
    """The task with this name, or the one that a file such as ./my_task.py defines.

    Raises:
        UserError: if there is none; the message lists the existing names, the most similar first. Or if the file cannot
            be run, naming the line.
    """
    if str(name).endswith(".py"):
        return _own(Path(name).expanduser().absolute())
    if name not in names():
        by_similarity = sorted(names(), key=lambda other: -SequenceMatcher(None, str(name), other).ratio())
        hint = did_you_mean(nearest(str(name), names()))
        rest = f"{hint} The tasks" if hint else "; the tasks"
        raise UserError(f"no task is called {name!r}{rest} are {', '.join(by_similarity)}")
    module = importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
    if not hasattr(module, "TASK"):
        raise UserError(f"{module.__file__} defines no TASK; define it, or start the file's name with _")
    return replace(module.TASK, name=name)


def own_module(task: Task) -> ModuleType | None:
    """The module of a user's own task; None for the tasks in this folder."""
    return sys.modules.get(_module_name(Path(task.file))) if task.file else None


def _own(path: Path) -> Task:
    name = path.stem.replace("_", "-")
    if not path.is_file():
        raise UserError(f"{path}: there is no such file; a task is a name, or a file that defines TASK")
    if name in names():
        raise UserError(f"{path}: a task that comes with the program is called {name}; rename the file")
    if _module_name(path) not in sys.modules:
        _run(path)
    task = getattr(sys.modules[_module_name(path)], "TASK", None)
    if not isinstance(task, Task):
        raise UserError(f"{path}: must define TASK, an ae.task.Task, as the files in ae/tasks/ do; got {task!r}")
    return replace(task, name=name, file=str(path))


def _run(path: Path) -> None:
    """Import a user's file under a name of its own."""
    spec = importlib.util.spec_from_file_location(_module_name(path), path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever the user's code raises
        del sys.modules[spec.name]
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        line = getattr(error, "lineno", None) or (lines or [1])[-1]
        why = error.msg if isinstance(error, SyntaxError) else " ".join(str(error).split())
        raise UserError(f"{path}, line {line}: {type(error).__name__}: {why}") from None


def _module_name(path: Path) -> str:
    return f"{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
