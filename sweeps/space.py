"""Search spaces as data: a task's grid, or a YAML file that a user brings."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import yaml
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from ae.configuration import Configuration

Space = Mapping[str, BaseDistribution]

HYPERPARAMETERS = tuple(field.name for field in fields(Configuration) if field.name not in ("epochs", "seed"))
"""What a search may vary; epochs belong to the budget, and the seed to the sweep."""


def grid(values: Mapping[str, Sequence[Any]]) -> Space:
    """The space whose every hyperparameter is a list of values."""
    return {name: CategoricalDistribution(tuple(choices)) for name, choices in values.items()}


def points(space: Space) -> list[dict[str, Any]]:
    """Every configuration of a grid, the last hyperparameter varying fastest.

    Raises:
        ValueError: if a hyperparameter is a range, which a grid cannot walk through.
    """
    for name, distribution in space.items():
        if not isinstance(distribution, CategoricalDistribution):
            raise ValueError(f"{name}: a grid needs a list of values, got a range; use --search optuna for ranges")
    choices = [distribution.choices for distribution in space.values()]
    return [dict(zip(space, values, strict=True)) for values in itertools.product(*choices)]


def read(path: Path, base: Configuration) -> Space:
    """A search space from a YAML file.

    Args:
        path: maps each hyperparameter to a list of values, to one value, or to a range {low, high, log, step}.
        base: what the values are tried in, so that a bad one is found before anything starts.

    Raises:
        ValueError: the file, the hyperparameter, and the rule it breaks.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{path}: cannot be read as YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict) or not content:
        raise ValueError(f"{path}: must map hyperparameters to values, such as 'lr: {{low: 0.0001, high: 0.01}}'")
    for name in content:
        if name not in HYPERPARAMETERS:
            raise ValueError(f"{path}: {name}: not a hyperparameter; they are {', '.join(HYPERPARAMETERS)}")
    space = {}
    for name, entry in content.items():
        try:
            space[name] = _distribution(entry)
            check(name, space[name], base)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path}: {name}: {error}") from None
    return space


def check(name: str, distribution: BaseDistribution, base: Configuration) -> None:
    """Raise ValueError if a choice, or an end of a range, makes no valid configuration."""
    if isinstance(distribution, CategoricalDistribution):
        tried: Sequence[Any] = distribution.choices
    else:
        tried = (distribution.low, distribution.high)
    for value in tried:
        replace(base, **{name: value})


def _distribution(entry: Any) -> BaseDistribution:
    if isinstance(entry, list):
        if not entry:
            raise ValueError("a list of values must not be empty")
        values = [_value(value) for value in entry]
        if len(set(values)) < len(values):
            raise ValueError(f"a list must name each value once, got {', '.join(map(str, entry))}")
        return CategoricalDistribution(values)
    if not isinstance(entry, dict):
        return CategoricalDistribution([_value(entry)])
    unknown = set(entry) - {"low", "high", "log", "step"}
    if unknown or not {"low", "high"} <= set(entry):
        raise ValueError(f"a range has low, high, and if wanted log or step, got {', '.join(map(str, entry))}")
    low, high = _value(entry["low"]), _value(entry["high"])
    log, step = entry.get("log", False), entry.get("step")
    if not isinstance(log, bool):
        raise ValueError(f"log must be true or false, got {log!r}")
    if all(isinstance(end, int) for end in (low, high, 1 if step is None else step)):
        return IntDistribution(low, high, log=log, step=1 if step is None else step)
    return FloatDistribution(float(low), float(high), log=log, step=step)


def _value(value: Any) -> Any:
    """YAML 1.1 reads 1e-4 and none as text; they mean a number and no value."""
    if not isinstance(value, str):
        return value
    if value.lower() == "none":
        return None
    try:
        return float(value)
    except ValueError:
        return value
