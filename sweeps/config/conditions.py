"""Dimensions of a search space that only some configurations have: dropout between layers, where there are several.

A dimension with a condition is a range with the key `when`, or {values: [...], when: {...}}. `when` maps other
hyperparameters to the values with which a configuration has this one. One that does not meet it has the base's value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ae.configuration import Configuration

Dimension = list[Any] | dict[str, Any]
Space = Mapping[str, Dimension]
Condition = Mapping[str, list[Any]]

WHEN, VALUES = "when", "values"


def condition_of(dimension: Dimension) -> Condition:
    """The values that other hyperparameters must have; empty if every configuration has this one."""
    return {} if isinstance(dimension, list) else dimension.get(WHEN, {})


def without_condition(dimension: Dimension) -> Dimension:
    """The list or the range of a dimension."""
    if isinstance(dimension, list):
        return dimension
    if VALUES in dimension:
        values: list[Any] = dimension[VALUES]
        return values
    return {name: value for name, value in dimension.items() if name != WHEN}


def is_active(dimension: Dimension, config: Configuration) -> bool:
    """Whether a configuration meets the condition."""
    return all(getattr(config, name) in values for name, values in condition_of(dimension).items())


def placed(point: Mapping[str, Any], space: Space, base: Configuration) -> Configuration:
    """The base with the values of a point, except those whose conditions it does not meet."""
    config = replace(base, **point)
    idle = [name for name in point if name in space and not is_active(space[name], config)]
    return replace(config, **{name: getattr(base, name) for name in idle}) if idle else config


def plain_space(space: Space, base: Configuration) -> Space:
    """The space without conditions; a dimension that had one holds the base's value too."""
    return {name: _with_idle(dimension, getattr(base, name)) for name, dimension in space.items()}


def _with_idle(dimension: Dimension, value: Any) -> Dimension:
    plain = without_condition(dimension)
    if not condition_of(dimension):
        return plain
    if isinstance(plain, list):
        return list(dict.fromkeys([*plain, value]))
    ends = {"low": min(plain["low"], value), "high": max(plain["high"], value)}
    return {**{name: one for name, one in plain.items() if name not in ("log", "step")}, **ends}
