"""Search spaces as Optuna knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from ae.configuration import Configuration
from sweeps.config.conditions import Dimension, Space, condition_of, is_active, without_condition
from sweeps.config.space import is_integer


class Searched:
    """A search space whose hyperparameters may have conditions.

    Args:
        space: as the plan has it.
    """

    def __init__(self, space: Space) -> None:
        self.space, self.distributions = space, distributions_of(space)

    def held_by(self, config: Configuration) -> Mapping[str, BaseDistribution]:
        """The distributions of the hyperparameters whose conditions a configuration meets."""
        return {name: one for name, one in self.distributions.items() if is_active(self.space[name], config)}

    def draw(self, study: optuna.Study, base: Configuration) -> tuple[optuna.Trial, Configuration]:
        """What the study's sampler draws: first the hyperparameters that all have, then those whose conditions hold."""
        always = {name: one for name, one in self.distributions.items() if not condition_of(self.space[name])}
        trial = study.ask(always)
        config = replace(base, **trial.params)
        more: dict[str, Any] = {}
        for name, distribution in self.distributions.items():
            if name not in always and is_active(self.space[name], config):
                more[name] = _suggested(trial, name, distribution)
        return trial, replace(config, **more)


def _suggested(trial: optuna.Trial, name: str, distribution: BaseDistribution) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    options: dict[str, Any] = {"step": distribution.step, "log": distribution.log}
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(name, distribution.low, distribution.high, **options)
    return trial.suggest_float(name, distribution.low, distribution.high, **options)


def distributions_of(space: Space) -> dict[str, BaseDistribution]:
    """A distribution for each hyperparameter of a space, whether or not all configurations have it."""
    return {name: _distribution(without_condition(dimension)) for name, dimension in space.items()}


def _distribution(dimension: Dimension) -> BaseDistribution:
    if isinstance(dimension, list):
        return CategoricalDistribution(dimension)
    low, high, log, step = (dimension.get(name) for name in ("low", "high", "log", "step"))
    if is_integer(dimension):
        return IntDistribution(low, high, log=bool(log), step=step or 1)
    return FloatDistribution(low, high, log=bool(log), step=step)
