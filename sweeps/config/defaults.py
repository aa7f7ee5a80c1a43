"""A task's defaults as a sweep began with them, whatever the code says when it is gone on with or read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from optuna.distributions import distribution_to_json, json_to_distribution

from ae.configuration import Configuration
from ae.task import Budget, Task

PLAIN = ("subset", "smoke_subset", "trials")


def of(task: Task) -> dict[str, Any]:
    """What a command line leaves to the task, as JSON takes it."""
    return {
        "budget": asdict(task.budget),
        "base": asdict(task.base),
        "grid": {name: list(values) for name, values in task.grid.items()},
        "space": {name: distribution_to_json(distribution) for name, distribution in task.space.items()},
        **{name: getattr(task, name) for name in PLAIN},
    }


def put_into(task: Task, found: Mapping[str, Any]) -> Task:
    """The task with the defaults of a record; those of a record without any stay the code's.

    Raises:
        ValueError: if they are not what `of` made.
    """
    if not found:
        return task
    try:
        return replace(
            task,
            budget=Budget(**found["budget"]),
            base=Configuration(**found["base"]),
            grid={name: tuple(values) for name, values in found["grid"].items()},
            space={name: json_to_distribution(text) for name, text in found["space"].items()},
            **{name: found[name] for name in PLAIN},
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"defaults of sweep.json cannot be read: {error}; the file is damaged") from None
