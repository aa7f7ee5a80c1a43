"""Which configurations a search has besides what a sampler draws: the points of its grids, and those tried by hand."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import yaml

from ae.configuration import Configuration
from ae.errors import UserError
from sweeps.config import space as spaces
from sweeps.config.conditions import Dimension, Space, condition_of, is_active, placed


def read_try(text: str, default: Configuration) -> dict[str, Any]:
    """The hyperparameters that one --try names.

    Args:
        text: 'lr=0.003 clip=none', separated by spaces or commas.
        default: the values are tried in it, so that a bad one is found before anything starts.

    Raises:
        UserError: what is wrong, and the rule.
    """
    where, values = f"--try {shlex.quote(text)}", dict[str, Any]()
    for part in text.replace(",", " ").split():
        name, _, value = part.partition("=")
        if not name or not value:
            raise UserError(f"{where}: must be name=value, separated by spaces or commas, got {part!r}")
        if name in values:
            raise UserError(f"{where}: {name} is there twice; leave one")
        try:
            values[name] = yaml.safe_load(value)
        except yaml.YAMLError:
            values[name] = value
    if not values:
        raise UserError(f"{where}: must name hyperparameters, such as 'lr=0.003 hidden_size=96'")
    return point_of(values, default, where)


def point_of(content: Mapping[Any, Any], default: Configuration, where: str) -> dict[str, Any]:
    """Hyperparameters with one value each, from plain data, checked like a search space.

    Raises:
        UserError: `where`, the hyperparameter, and the rule it breaks.
    """
    space = spaces.parse(content, default, where)
    for name, dimension in space.items():
        if not isinstance(dimension, list) or len(dimension) > 1 or isinstance(content[name], dict):
            raise UserError(f"{where}: {name}: must be one value, got {spaces.in_words(dimension)}")
    return {name: spaces.ends_of(dimension)[0] for name, dimension in space.items()}


def check(grids: Iterable[Space], tries: Iterable[Mapping[str, Any]], base: Configuration) -> None:
    """Try every choice, every end of a range and everything that is tried by hand in a configuration.

    Raises:
        UserError: naming the hyperparameter, if one makes no valid configuration.
    """
    for space in grids:
        spaces.check(space, base)
    tried_points(tries, base)


def with_fixed(space: Space, base: Configuration) -> Configuration:
    """The base with the values that a search space fixes: what hyperparameters have that nobody names."""
    return replace(base, **{name: spaces.ends_of(one)[0] for name, one in space.items() if spaces.is_single(one)})


def grid_points(space: Space, more: Sequence[Space], base: Configuration) -> list[Configuration]:
    """The points of a grid and of those that were added to it, each once.

    Those that train the longest come first, so that none of them starts last. A hyperparameter that an added grid does
    not name has the value that the first one fixes, or the base's.
    """
    points = [placed(point, space, base) for point in spaces.points(space)]
    default = with_fixed(space, base)
    points += [placed(point, grid, default) for grid in more for point in spaces.points(grid)]
    return sorted(dict.fromkeys(points), key=lambda point: (-point.hidden_size, point.batch_size))


def tried_points(tries: Iterable[Mapping[str, Any]], default: Configuration) -> list[Configuration]:
    """The configurations that are tried by hand, each once, in their order."""
    return list(dict.fromkeys(replace(default, **values) for values in tries))


def widened(space: Space, more: Sequence[Space], default: Configuration) -> Space:
    """A search space that holds the points of more spaces too: a list takes the values that it lacks, a range none."""
    whole: dict[str, Dimension] = dict(space)
    for name in dict.fromkeys(name for one in more for name in one):
        whole.setdefault(name, [getattr(default, name)])
    for name, dimension in whole.items():
        if isinstance(dimension, list):
            others = [value for one in more for value in spaces.ends_of(one.get(name, [getattr(default, name)]))]
            whole[name] = list(dict.fromkeys([*dimension, *others]))
    return {name: dimension for name, dimension in whole.items() if name in space or len(dimension) > 1}


def values_of(name: str, space: Space, tried: Iterable[Configuration], base: Configuration) -> list[Any]:
    """What a hyperparameter may be: the base's value unless it is searched, a list's values, the ends of a range, and
    what is tried by hand."""
    searched = spaces.ends_of(space[name]) if name in space else [getattr(base, name)]
    idle = [getattr(base, name)] if name in space and condition_of(space[name]) else []
    return list(dict.fromkeys([*searched, *idle, *(getattr(one, name) for one in tried)]))


def can_draw(space: Space, base: Configuration, config: Configuration) -> bool:
    """Whether a search of the space, in this base, could draw a configuration."""
    active = {name: dimension for name, dimension in space.items() if is_active(dimension, config)}
    within = all(spaces.contains(dimension, getattr(config, name)) for name, dimension in active.items())
    return within and replace(config, **{name: getattr(base, name) for name in active}) == base
