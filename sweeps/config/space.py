"""Search spaces as data: a task's grid, or a YAML file that a user brings."""

from __future__ import annotations

import itertools
import math
import warnings
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

LARGEST_GRID = 100_000
"""Most configurations of a grid: the list of them is made before anything starts."""


def grid(values: Mapping[str, Sequence[Any]]) -> Space:
    """The space whose every hyperparameter is a list of values."""
    return {name: CategoricalDistribution(tuple(choices)) for name, choices in values.items()}


def points(space: Space) -> list[dict[str, Any]]:
    """Every configuration of a grid, the last hyperparameter varying fastest.

    Raises:
        ValueError: if a hyperparameter is a range, which a grid cannot walk through, or if there are too many.
    """
    for name, distribution in space.items():
        if not isinstance(distribution, CategoricalDistribution):
            raise ValueError(f"{name}: a grid needs a list of values, got a range; use --search optuna for ranges")
    choices = [distribution.choices for distribution in space.values()]
    count = math.prod(map(len, choices))
    if count > LARGEST_GRID:
        raise ValueError(
            f"a grid must have at most {LARGEST_GRID:,} configurations, got {count:,}; use --search optuna"
        )
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
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except OSError as error:
        raise ValueError(f"--space {path}: cannot be read: {error.strerror}") from None
    except Exception as error:  # yaml lets a dozen kinds through, such as KeyError for '!!bool x'; each means the same
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{path}: cannot be read as YAML: {reason}") from None
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


class _Loader(yaml.SafeLoader):
    """YAML of plain values, which refuses a key that is there twice; PyYAML would take the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        again = [key for key in keys if keys.count(key) > 1]
        if again:
            raise yaml.YAMLError(f"{again[0]!r} is there twice, line {node.start_mark.line + 1} on; leave one")
        return super().construct_mapping(node, deep)


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
    low, high, step = (_value(entry.get(name)) for name in ("low", "high", "step"))
    log = _value(entry.get("log", False))
    if not isinstance(log, bool):
        raise ValueError(f"log must be true or false, got {log!r}")
    for name, number in (("low", low), ("high", high), ("step", 1 if step is None else step)):
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise ValueError(f"{name} must be a number, got {number!r}")
    try:
        return _range(low, high, log, step)
    except ArithmeticError:
        raise ValueError("low, high or step is too large or too small to count with") from None


def _range(low: float, high: float, log: bool, step: float | None) -> BaseDistribution:
    if low > high:
        raise ValueError(f"low must be <= high, got {low} and {high}")
    if log and step is not None:
        raise ValueError("a range has log or step, not both; leave one out")
    if log and low <= 0:
        raise ValueError(f"low must be > 0 with log, got {low}")
    with warnings.catch_warnings():  # Optuna would go on with a lower high where step does not lead to it
        warnings.filterwarnings("error", message=".*not divisible")
        try:
            if all(isinstance(number, int) for number in (low, high, 1 if step is None else step)):
                return IntDistribution(low, high, log=log, step=1 if step is None else step)
            return FloatDistribution(float(low), float(high), log=log, step=step)
        except UserWarning:
            raise ValueError(f"high must be low and so many times step, got {low}, {high} and {step}") from None


def _value(value: Any) -> Any:
    """YAML 1.1 reads 1e-4 and none as text; they mean a number and no value."""
    if value is not None and not isinstance(value, int | float | str):
        raise ValueError(f"a value must be a number, a word, true, false or none, got a {type(value).__name__}")
    if not isinstance(value, str):
        return value
    if value.lower() == "none":
        return None
    try:
        return float(value)
    except ValueError:
        return value
