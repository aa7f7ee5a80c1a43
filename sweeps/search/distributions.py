"""Search spaces as Optuna knows them."""

from __future__ import annotations

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from sweeps.config.space import Dimension, Space, is_integer


def distributions_of(space: Space) -> dict[str, BaseDistribution]:
    """A distribution for each hyperparameter of a space."""
    return {name: _distribution(dimension) for name, dimension in space.items()}


def _distribution(dimension: Dimension) -> BaseDistribution:
    if isinstance(dimension, list):
        return CategoricalDistribution(dimension)
    low, high, log, step = (dimension.get(name) for name in ("low", "high", "log", "step"))
    if is_integer(dimension):
        return IntDistribution(low, high, log=bool(log), step=step or 1)
    return FloatDistribution(low, high, log=bool(log), step=step)
