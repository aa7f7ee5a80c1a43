"""What the Optuna study says of trials, however they end."""

import math

import optuna
import pytest
from optuna.trial import TrialState
from ray.tune.search import Searcher

from ae import tasks
from ae.configuration import Configuration
from sweeps import study

TASK = tasks.find("mnist-cls")


@pytest.fixture
def new_searcher(tmp_path):
    def new(sampler="random", points=None, space=TASK.space):
        record = study.create(tmp_path, "test", TASK.objective, study.SAMPLERS[sampler](0))
        return study.StudySearcher(record, space, points, Configuration(epochs=10), TASK.objective)

    return new


def report(epoch, accuracy, **more):
    return {"epoch": epoch, "val_accuracy": accuracy, "best": accuracy, "diverged": False, **more}


def test_every_end_has_its_state(new_searcher):
    searcher = new_searcher()
    ends = {"whole": report(10, 0.9), "stopped": report(5, 0.6), "nan": report(3, math.nan, diverged=True)}
    for name, last in ends.items():
        searcher.suggest(name)
        searcher.on_trial_result(name, last)
        searcher.on_trial_complete(name, last)
    searcher.suggest("failed")
    searcher.on_trial_complete("failed", error=True)
    states = [trial.state for trial in searcher.study.trials]
    assert states == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.PRUNED, TrialState.FAIL]
    assert searcher.study.best_value == 0.9
    assert searcher.study.trials[1].intermediate_values == {5: 0.6}
    assert searcher.study.trials[2].user_attrs["diverged"]


@pytest.mark.parametrize("sampler", study.SAMPLERS)
def test_no_sampler_is_poisoned_by_diverged_trials(new_searcher, sampler):
    searcher = new_searcher(sampler)
    for index in range(16):
        run = searcher.suggest(str(index))["run"]
        configuration = Configuration(**run["configuration"])
        diverged = configuration.lr > 5e-3
        last = report(10, math.nan if diverged else 0.9 - configuration.lr, diverged=diverged)
        searcher.on_trial_result(str(index), last)
        searcher.on_trial_complete(str(index), last)
    states = {trial.state for trial in searcher.study.trials}
    assert TrialState.RUNNING not in states
    assert TrialState.COMPLETE in states


def test_a_grid_is_suggested_in_order_and_ends(new_searcher):
    points = [{"lr": 0.01, "clip": None}, {"lr": 0.001, "clip": 1.0}]
    distributions = {
        "lr": optuna.distributions.CategoricalDistribution((0.01, 0.001)),
        "clip": optuna.distributions.CategoricalDistribution((None, 1.0)),
    }
    searcher = new_searcher(points=points, space=distributions)
    suggested = [searcher.suggest(name)["run"]["configuration"] for name in "ab"]
    assert [{"lr": c["lr"], "clip": c["clip"]} for c in suggested] == points
    assert searcher.suggest("c") == Searcher.FINISHED


def test_the_study_outlives_the_process_that_wrote_it(new_searcher, tmp_path):
    searcher = new_searcher()
    searcher.suggest("a")
    searcher.on_trial_complete("a", report(10, 0.7))
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(tmp_path / "study.log")))
    assert optuna.load_study(study_name="test", storage=storage).best_value == 0.7
