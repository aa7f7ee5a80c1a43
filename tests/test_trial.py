"""A trial in this process, with no Ray started."""

import math

import pytest
from ray import tune

from sweeps.trial import SweepTrial


def config(**changes):
    configuration = {"hidden_size": 8, "batch_size": 32, "epochs": 4, **changes}
    return {"run": {"trial": "0000", "configuration": configuration}}


@pytest.fixture
def new_trial(mnist):
    def new(config):
        data = {"train": mnist.train, "validation": mnist.validation}
        rest = {"task": "mnist-cls", "eval_every": 2, "threads": 1, "device": "cpu", "core": "auto"}
        return tune.with_parameters(SweepTrial, **data, **rest)(config)

    return new


def test_it_reports_every_validation_and_ends_at_its_last_epoch(new_trial):
    trial = new_trial(config(epochs=5))
    reports = [trial.train(), trial.train(), trial.train()]
    assert [report["epoch"] for report in reports] == [2, 4, 5]
    assert [report["done"] for report in reports] == [False, False, True]
    assert reports[-1]["best"] == max(report["val_accuracy"] for report in reports)
    assert all(report["train_s"] > 0 for report in reports)


def test_a_restored_trial_scores_like_one_never_stopped(new_trial, tmp_path):
    whole, first, second = (new_trial(config()) for _ in range(3))
    whole.train()
    first.train()
    second.restore(first.save(str(tmp_path)))
    assert second.train()["val_loss"] == whole.train()["val_loss"]


def test_a_reused_actor_starts_the_next_trial_afresh(new_trial):
    reused, fresh = new_trial(config(lr=0.01)), new_trial(config(hidden_size=12))
    reused.train()
    assert reused.reset_config(config(hidden_size=12))
    assert reused.train()["val_loss"] == fresh.train()["val_loss"]


def test_a_diverged_trial_ends_and_ranks_nothing(new_trial):
    report = new_trial(config(lr=1e30, clip=None)).train()
    assert report["diverged"]
    assert report["done"]
    assert report["epoch"] == 1
    assert math.isnan(report["val_accuracy"])
    assert math.isnan(report["best"])
