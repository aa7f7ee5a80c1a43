"""What every task must do; a new file in ae/tasks/ is tested here without being named."""

import math
from dataclasses import replace

import pytest
from optuna.samplers import RandomSampler
from optuna.study import create_study

from ae import load, tasks
from ae.batches import DeviceSplit
from ae.configuration import Configuration
from ae.errors import UserError
from ae.saved import save
from ae.training import Training, evaluate, final_metrics
from sweeps.config import space
from sweeps.search.distributions import distributions_of

OPTIONS = {"time_features": 4, "decode": "backward", "patch": 3, "latent_size": 7, "noise": 0.01, "average": 0.5}


@pytest.fixture(params=tasks.names())
def task(request):
    return tasks.find(request.param)


@pytest.fixture
def splits(task):
    return task.load(None, task.options()).subset(64)


def test_it_learns_from_64_sequences(task, splits):
    train = DeviceSplit(splits.train, "cpu")
    training = Training(task, replace(task.base, batch_size=8, epochs=3), train, train)
    before = evaluate(task, training.model, train)["loss"]
    losses = [training.train_epoch() for _ in range(3)]
    assert losses[-1] < losses[0]
    assert evaluate(task, training.model, train)["loss"] < before


def test_its_metrics_name_the_loss_and_the_objective_first_of_all(task, splits):
    metrics = evaluate(task, task.build(task.base, splits.train), DeviceSplit(splits.validation, "cpu"))
    assert next(iter(metrics)) == "loss"
    assert task.objective.metric in metrics
    assert task.objective.mode in ("min", "max")
    assert all(map(math.isfinite, metrics.values()))


def test_its_splits_share_no_sequence_and_have_one_shape(task, splits):
    seen = [{sequence.tobytes() for sequence in split.inputs_NTF} for split in (splits.train, splits.validation)]
    assert not seen[0] & seen[1]
    assert splits.train.inputs_NTF.shape[1:] == splits.test.inputs_NTF.shape[1:]
    assert splits.train.inputs_NTF.dtype == "float32"


def test_its_grid_has_12_points_and_its_space_draws_valid_configurations(task):
    assert len(space.points(task.grid)) == 12
    assert space.parse(task.space, task.base, task.name) == task.space
    study = create_study(sampler=RandomSampler(seed=0))
    drawn = [study.ask(distributions_of(task.space)).params for _ in range(30)]
    assert all(isinstance(replace(task.base, **params), Configuration) for params in drawn)
    clips = {params["clip"] for params in drawn}
    assert None in clips
    assert len(clips) > 1


def test_its_figures_are_written(task, splits, tmp_path):
    paths = task.figures(task.build(task.base, splits.train).eval(), splits, tmp_path)
    assert paths
    assert all(path.stat().st_size > 5000 and path.suffix == ".png" for path in paths)


def test_a_model_with_every_option_is_saved_tested_and_drawn(task, splits, tmp_path):
    train, validation = DeviceSplit(splits.train, "cpu"), DeviceSplit(splits.validation, "cpu")
    training = Training(task, replace(task.base, hidden_size=8, batch_size=16, **OPTIONS), train, validation)
    training.train_epoch()
    metrics = training.validate()
    save(tmp_path / "best", task.name, training.configuration, task.model(splits.train), training.best_weights)
    model = load(tmp_path / "best")
    assert evaluate(task, model, validation) == pytest.approx(metrics, rel=1e-5)
    tested = final_metrics(task, model, splits)
    assert tested.keys() >= metrics.keys()
    assert all(map(math.isfinite, tested.values()))
    assert all(path.stat().st_size > 5000 for path in task.figures(model, splits, tmp_path))
    assert task.facts(model, splits).keys() == task.facts(task.build(task.base, splits.train).eval(), splits).keys()


def test_its_remark_follows_from_its_test_metrics_and_its_baseline(task, splits):
    test = final_metrics(task, task.build(task.base, splits.train).eval(), splits)
    baseline = task.baseline(splits, task.base)
    assert not test.keys() & baseline.keys()
    assert "\n" not in task.remark(test | baseline)


def test_data_that_is_not_there_is_one_line(task, tmp_path):
    with pytest.raises(UserError, match="nowhere") as error:
        task.load(tmp_path / "nowhere", task.options())
    assert "\n" not in str(error.value)


def test_a_wrong_name_prints_the_names_that_exist_the_nearest_first():
    with pytest.raises(UserError, match="no task is called 'mnist-cl'; did you mean mnist-cls") as error:
        tasks.find("mnist-cl")
    assert all(name in str(error.value) for name in tasks.names())
    with pytest.raises(UserError, match=r"did you mean synthetic\? The tasks are synthetic, "):
        tasks.find("sintetic")
