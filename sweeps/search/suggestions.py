"""Which configuration a search tries next: the next point of a grid, or what one of Optuna's samplers draws."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import optuna
from optuna.samplers import BaseSampler
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from ae.configuration import Configuration
from sweeps.config.choices import SAMPLERS, SCHEDULERS
from sweeps.config.plan import Plan
from sweeps.config.rungs import rung_epochs
from sweeps.records.names import trial_name
from sweeps.records.sweep_log import SweepLog
from sweeps.search.distributions import Searched
from sweeps.search.view import View, make_trial

TRIED: Mapping[str, Any] = MappingProxyType({"tried": True})
"""What the event of a trial says whose configuration the user gave."""


class GridPoints:
    """The points of a grid that were not started yet, in their order; those tried by hand come first.

    Args:
        plan: gives the grid.
        log: says which were started.
    """

    def __init__(self, plan: Plan, log: SweepLog) -> None:
        self.asked, self.tried = log.search.records, set(plan.tried)
        self.waiting = not_asked(plan.points, log)

    @property
    def has_more(self) -> bool:
        """Whether a configuration is left."""
        return bool(self.waiting)

    def ask(self) -> tuple[str, Configuration, Mapping[str, Any]]:
        """The next trial: its name, its configuration, and what else its event says."""
        point = self.waiting.popleft()
        return trial_name(len(self.asked)), point, TRIED if point in self.tried else {}


class SampledPoints:
    """The configurations tried by hand, then what a sampler draws, given the record of the search.

    A draw depends on that record, the sweep's seed and the trial's number alone: a resumed sweep draws the same.

    Args:
        plan: gives the space, the sampler and the number of trials.
        log: what the sampler learns from.
    """

    def __init__(self, plan: Plan, log: SweepLog) -> None:
        self.plan, self.asked, self.choice = plan, log.search.records, SAMPLERS[plan.sampler]
        self.waiting = not_asked(plan.tried, log)
        self.searched = Searched(plan.space)
        halves = SCHEDULERS[plan.scheduler].halves
        levels = [*(rung_epochs(plan.budget) if halves else []), plan.budget.max_epochs]
        self.view = View(log, self.searched, self.choice.joint, levels)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        direction = "maximize" if plan.task.objective.mode == "max" else "minimize"
        self.storage = InMemoryStorage()
        self.study = optuna.create_study(storage=self.storage, direction=direction)
        self.study_id = self.storage.get_study_id_from_name(self.study.study_name)
        for config in [known.config for known in log.known] + [record.config for record in self.asked.values()]:
            self._count(config)

    @property
    def has_more(self) -> bool:
        """Whether fewer trials were asked for than the plan has."""
        return len(self.asked) < self.plan.trials

    def ask(self) -> tuple[str, Configuration, Mapping[str, Any]]:
        """The next trial: its name, its configuration, and what else its event says: "attrs" are the sampler's."""
        number = len(self.asked)
        if self.waiting:
            config = self.waiting.popleft()
            self._count(config)
            return trial_name(number), config, TRIED
        study = ViewedStudy(self.study.study_name, self.storage, self._sampler(number))
        study.trials_seen = self.view.trials()
        drawn, config = self.searched.draw(study, self.plan.base)
        attrs = self.storage.get_trial(drawn._trial_id).system_attrs if self.choice.joint else {}
        facts = {"attrs": dict(attrs)} if attrs else {}
        return trial_name(number), config, facts

    def _count(self, config: Configuration) -> None:
        """Add a trial that the study did not draw, so that trials have the same numbers there and in the view."""
        trial = make_trial(config, self.searched, "", (), None, {})
        self.storage.create_new_trial(self.study_id, template_trial=trial)

    def _sampler(self, number: int) -> BaseSampler:
        seed = int(np.random.SeedSequence([self.plan.seed, number]).generate_state(1)[0])
        made: BaseSampler = getattr(optuna.samplers, self.choice.cls)(seed=seed, **self.choice.options)
        return made


class ViewedStudy(optuna.Study):
    """A study whose trials are those of a `View`; Optuna's Hyperband shows its samplers a study of the same kind."""

    trials_seen: list[FrozenTrial]

    def _get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        return [trial for trial in self.trials_seen if states is None or trial.state in states]


def not_asked(configs: Iterable[Configuration], log: SweepLog) -> deque[Configuration]:
    """The configurations that no trial of the search has."""
    asked = {record.config for record in log.search.records.values()}
    return deque(config for config in configs if config not in asked)


def suggestions_of(plan: Plan, log: SweepLog) -> GridPoints | SampledPoints:
    """Where the trials of a plan's search come from."""
    return GridPoints(plan, log) if plan.search == "grid" else SampledPoints(plan, log)
