"""Adding a scheduler, a sampler or a tracker takes one file and one line."""

import importlib.util
import inspect

import optuna
import pytest

from sweeps.config.choices import SAMPLERS, SCHEDULERS, TRACKERS


def find(module):
    """A module's spec and source; nothing is imported, as a tracker's package may not be installed."""
    spec = importlib.util.find_spec(module)
    assert spec, f"there is no {module}"
    with open(spec.origin) as file:
        return file.read()


@pytest.mark.parametrize("name", SCHEDULERS)
def test_every_scheduler_has_its_module(name):
    module = importlib.import_module(f"sweeps.scheduling.{name.replace('-', '_')}")
    assert list(inspect.signature(module.make).parameters) == ["budget", "objective", "max_concurrent"]
    assert SCHEDULERS[name].why_stopped


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_is_one_of_optuna_s(name):
    choice = SAMPLERS[name]
    made = getattr(optuna.samplers, choice.cls)(seed=0, **choice.options)
    assert isinstance(made, optuna.samplers.BaseSampler)


@pytest.mark.parametrize("name", TRACKERS)
def test_every_tracker_has_its_module(name):
    source = find(f"sweeps.tracking.{name}_tracker")
    assert "\ndef follower(plan: Plan, log: TrialLog) -> " in source
    assert "\ndef check(plan: Plan) -> None:" in source
