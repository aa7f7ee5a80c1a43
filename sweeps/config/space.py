"""Search spaces as plain data: a list of values, or a range {low, high, log, step}, for each hyperparameter."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import fields, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from ae.configuration import Configuration
from ae.errors import UserError
from ae.words import did_you_mean, nearest
from sweeps.config import synonyms, yaml_file
from sweeps.config.conditions import VALUES, WHEN, Dimension, Space, condition_of, without_condition
from sweeps.config.words import hyperparameter
from sweeps.config.yaml_file import YamlMapping

HYPERPARAMETERS = tuple(field.name for field in fields(Configuration) if field.name not in ("epochs", "seed"))
"""What a search may vary; epochs belong to the budget, and the seed to the sweep."""
RANGE = ("low", "high", "log", "step")
LARGEST_GRID = 100_000
"""Largest number of configurations in a grid: all of them are listed before anything starts."""


def points(space: Space) -> list[dict[str, Any]]:
    """Every configuration of a grid, the last hyperparameter varying fastest, whether or not it meets the conditions.

    Raises:
        UserError: if a hyperparameter is a range, or if there are too many configurations.
    """
    lists = {}
    for name, dimension in space.items():
        plain = without_condition(dimension)
        if isinstance(plain, dict):
            raise UserError(f"{name}: a grid needs a list of values, got a range; use --search optuna for ranges")
        lists[name] = plain
    count = math.prod(map(len, lists.values()))
    if count > LARGEST_GRID:
        raise UserError(f"a grid must have at most {LARGEST_GRID:,} configurations, got {count:,}; use --search optuna")
    return [dict(zip(lists, values, strict=True)) for values in itertools.product(*lists.values())]


def is_single(dimension: Dimension) -> bool:
    """Whether there is only one value to choose."""
    plain = without_condition(dimension)
    if condition_of(dimension):
        return False
    return len(plain) == 1 if isinstance(plain, list) else plain["low"] == plain["high"]


def is_integer(dimension: dict[str, Any]) -> bool:
    """Whether a range has whole numbers only."""
    return all(isinstance(dimension[name], int) for name in ("low", "high", "step") if dimension.get(name) is not None)


def contains(dimension: Dimension, value: Any) -> bool:
    """Whether the dimension has this value."""
    dimension = without_condition(dimension)
    if isinstance(dimension, list):
        return value in dimension
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    low, high, step = dimension["low"], dimension["high"], dimension.get("step")
    if not low <= value <= high or (is_integer(dimension) and value != int(value)):
        return False
    return step is None or _is_reached(low, value, step)


def in_words(dimension: Dimension) -> str:
    """A dimension for a person: '0.001 | 0.01', '32 to 192 in steps of 16', or '0 to 0.5 if layers is 2 | 3'."""
    if condition := condition_of(dimension):
        words = (f"{name} is {' | '.join(map(hyperparameter, values))}" for name, values in condition.items())
        return f"{in_words(without_condition(dimension))} if {' and '.join(words)}"
    if isinstance(dimension, list):
        return " | ".join(map(hyperparameter, dimension))
    log = " (log)" if dimension.get("log") else ""
    steps = f" in steps of {dimension['step']}" if dimension.get("step") not in (None, 1) else ""
    return f"{hyperparameter(dimension['low'])} to {hyperparameter(dimension['high'])}{log}{steps}"


def check(space: Space, base: Configuration) -> None:
    """Try every choice, and both ends of every range, in a configuration.

    Raises:
        UserError: naming the hyperparameter, if one makes no valid configuration.
    """
    for name, dimension in space.items():
        for value in ends_of(dimension):
            replace(base, **{name: value})
        for other, values in condition_of(dimension).items():
            for value in values:
                replace(base, **{other: value})
        _check_condition(name, space)


def _check_condition(name: str, space: Space, where: str = "") -> None:
    """Refuse a condition on what has a condition itself."""
    for other in condition_of(space[name]):
        if condition_of(space.get(other, [])):
            raise UserError(f"{where}{name}: when must name hyperparameters without a condition, got {other}")


def ends_of(dimension: Dimension) -> list[Any]:
    """The values of a list, or the ends of a range."""
    plain = without_condition(dimension)
    return plain if isinstance(plain, list) else [plain["low"], plain["high"]]


def read(source: Path | YamlMapping, base: Configuration) -> Space:
    """A search space from a YAML file.

    Args:
        source: the file, or what stands under `space` in a file of options. It maps each hyperparameter to a list of
            values, to one value, or to a range {low, high, log, step}.
        base: the values are tried in it, so that a bad one is found before anything starts.

    Raises:
        UserError: the file, the line, the hyperparameter, and the rule it breaks.
    """
    if isinstance(source, Path):
        source = yaml_file.read(source, "--space", "lr: {low: 0.0001, high: 0.01}")
    space: dict[str, Dimension] = {}
    for name, entry in source.entries.items():
        space |= parse({name: entry.value()}, base, entry.where)
    for name, entry in source.entries.items():
        _check_condition(name, space, f"{entry.where}: ")
    return space


def parse(content: Mapping[Any, Any], base: Configuration, where: str) -> Space:
    """A search space from plain data, checked.

    Raises:
        UserError: `where`, the hyperparameter, and the rule it breaks.
    """
    space = {}
    for name, entry in content.items():
        if name not in HYPERPARAMETERS:
            raise UserError(f"{where}: {name}: {_no_hyperparameter(name)}")
        try:
            space[name] = _dimension(name, entry)
            check({name: space[name]}, base)
        except (ValueError, TypeError) as error:
            raise UserError(f"{where}: {name}: {error}") from None
    return space


def _no_hyperparameter(name: Any) -> str:
    belongs = {"epochs": "--max-epochs says how many", "seed": "--seed says which"}.get(name)
    meant = nearest(str(name), HYPERPARAMETERS, synonyms.HYPERPARAMETERS)
    hint = f"; {belongs}. They" if belongs else f"{did_you_mean(meant)} They" if meant else "; they"
    return f"not a hyperparameter{hint} are {', '.join(HYPERPARAMETERS)}"


def _dimension(name: str, entry: Any) -> Dimension:
    if isinstance(entry, dict) and WHEN in entry:
        return _conditional(name, entry)
    if isinstance(entry, dict):
        return _range(entry)
    if not isinstance(entry, list):
        return [_value(entry)]
    if not entry:
        raise UserError("a list of values must not be empty")
    values = [_value(value) for value in entry]
    if len(set(values)) < len(values):
        raise UserError(f"a list must name each value once, got {', '.join(map(str, entry))}")
    return values


def _conditional(name: str, entry: Mapping[Any, Any]) -> Dimension:
    """A dimension with a condition: {values: [...], when: {...}}, or a range with `when`."""
    rule = "when must map other hyperparameters to values, as in when: {layers: [2, 3]}"
    when = entry[WHEN]
    if not isinstance(when, dict) or not when:
        raise UserError(f"{rule}, got {when!r}")
    for other in when:
        if other not in HYPERPARAMETERS or other == name:
            raise UserError(f"{rule}, got {other}")
    condition: dict[str, list[Any]] = {}
    for other, values in when.items():
        if isinstance(values, dict):
            raise UserError(f"{rule}, got a range")
        found = _dimension(other, values)
        assert isinstance(found, list)
        condition[other] = found
    rest = {key: value for key, value in entry.items() if key != WHEN}
    plain = _dimension(name, rest[VALUES]) if set(rest) == {VALUES} else _range(rest)
    return {VALUES: plain, WHEN: condition} if isinstance(plain, list) else {**plain, WHEN: condition}


def _range(entry: Mapping[Any, Any]) -> dict[str, Any]:
    if set(entry) - set(RANGE) or not {"low", "high"} <= set(entry):
        raise UserError(f"a range has low, high, and optionally log or step, got {_keys(entry)}")
    low, high, step, log = (_value(entry.get(name)) for name in ("low", "high", "step", "log"))
    if not (log is None or isinstance(log, bool)):
        raise UserError(f"log must be true or false, got {log!r}")
    for name, number in (("low", low), ("high", high), ("step", 1 if step is None else step)):
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise UserError(f"{name} must be a number, got {number!r}")
        if not abs(number) <= 1e300:  # also NaN
            raise UserError(f"{name} must be from -1e300 to 1e300, got {number!r}")
    _check_range(low, high, step, bool(log))
    if not all(isinstance(number, int) for number in (low, high, 1 if step is None else step)):
        low, high = float(low), float(high)
    return {"low": low, "high": high} | ({"step": step} if step is not None else {}) | ({"log": True} if log else {})


def _keys(entry: Mapping[Any, Any]) -> str:
    """The keys of what should be a range, and what they probably mean."""
    got = ", ".join(map(str, entry))
    if set(entry) & {"values", "value", "choices", "choice"}:
        return f"{got}; a list stands alone, as [0.001, 0.01]"
    meant = {key: nearest(str(key), RANGE, synonyms.RANGE) for key in entry if key not in RANGE}
    pairs = [f"{name} for {key}" for key, name in meant.items() if name]
    return got + did_you_mean(" and ".join(pairs))


def _check_range(low: float, high: float, step: float | None, log: bool) -> None:
    if low > high:
        raise UserError(f"low must be <= high, got {low} and {high}")
    if log and step is not None:
        raise UserError("a range has log or step, not both; leave one out")
    if log and low <= 0:
        raise UserError(f"low must be > 0 with log, got {low}")
    if step is not None and step <= 0:
        raise UserError(f"step must be > 0, got {step}")
    if step is not None and not _is_reached(low, high, step):
        raise UserError(f"high must be low plus a whole number of steps, got {low}, {high} and {step}")


def _is_reached(low: float, value: float, step: float) -> bool:
    """Whether a whole number of steps leads there, in decimal: 0.3 is three times 0.1."""
    try:
        return (Decimal(str(value)) - Decimal(str(low))) % Decimal(str(step)) == 0
    except ArithmeticError:
        return False


def _value(value: Any) -> Any:
    """YAML 1.1 reads 1e-4 and none as text; they mean a number and no value."""
    if value is not None and not isinstance(value, int | float | str):
        raise UserError(f"a value must be a number, a word, true, false or none, got a {type(value).__name__}")
    if not isinstance(value, str):
        return value
    if value.lower() == "none":
        return None
    try:
        return float(value)
    except ValueError:
        return value
