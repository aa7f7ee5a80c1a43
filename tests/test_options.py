"""Every option of a configuration trains, resumes exactly, is saved and loaded; what is skipped and rolled back."""

import math
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

from ae import Configuration, load, tasks
from ae.batches import Batch, DeviceSplit
from ae.errors import UserError
from ae.mixing import mixed
from ae.optimizer import warm_up_and_cosine
from ae.saved import save
from ae.seeds import SeededTraining
from ae.splits import Split
from ae.training import Training, evaluate

TASK = tasks.find("synthetic-smooth")
SEQUENCES = tasks.find("sequences")
BASE = Configuration(hidden_size=12, batch_size=8, lr=0.01, epochs=4)
OPTIONS = {
    "time features": {"time_features": 8},
    "backward": {"decode": "backward"},
    "patch": {"patch": 4},
    "latent": {"latent_size": 5},
    "layers": {"layers": 2, "dropout": 0.1},
    "noise": {"noise": 0.05},
    "mix": {"mix": 0.5},
    "weight decay": {"weight_decay": 0.1},
    "average": {"average": 0.9},
    "cosine": {"schedule": "cosine"},
    "together": {
        **{"time_features": 4, "decode": "backward", "patch": 3, "latent_size": 20, "noise": 0.01, "mix": 1.0},
        **{"weight_decay": 0.01, "average": 0.5, "schedule": "cosine", "init": "orthogonal"},
    },
}
every_option = pytest.mark.parametrize("changes", OPTIONS.values(), ids=OPTIONS)


@pytest.fixture(scope="module")
def splits():
    return TASK.load(None, TASK.options()).subset(64)


@pytest.fixture(scope="module")
def ragged():
    lengths = np.random.default_rng(0).integers(1, 12, 64)
    starts = lengths.cumsum() - lengths
    steps = np.random.default_rng(1).random((int(lengths.sum()), 2), dtype=np.float32)
    return Split(steps_SF=steps, starts_N=starts, lengths_N=lengths)


def new_training(split, task=TASK, **changes):
    on_device = DeviceSplit(split, "cpu")
    return Training(task, replace(BASE, **changes), on_device, on_device)


@pytest.fixture(params=["one vector", "as on a GPU"])
def weights(request, monkeypatch):
    """The weights as one vector, or each by itself, as on a GPU, which must not be waited for."""
    if request.param == "as on a GPU":
        monkeypatch.setattr("ae.optimizer.as_one", lambda model: list(model.parameters()))


@every_option
@pytest.mark.parametrize("kind", ["one length", "mixed lengths"])
def test_an_option_improves_resumes_exactly_and_its_model_is_saved_and_loaded(changes, kind, splits, ragged, tmp_path):
    task, split = (SEQUENCES, ragged) if kind == "mixed lengths" else (TASK, splits.train)
    whole, first, second = (new_training(split, task, **changes) for _ in range(3))
    before = whole.validate()["loss"]
    for training in (whole, first):
        training.train_epoch()
        training.validate()
    torch.save(first.state_dict(), tmp_path / "state.pt")
    torch.rand(3)  # whatever else draws random numbers
    second.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    for _ in range(2):
        assert second.train_epoch() == whole.train_epoch()
        metrics = whole.validate()
        assert second.validate() == metrics
    assert min(metrics["loss"], whole.best_metrics["loss"]) < before
    save(tmp_path, task.name, whole.configuration, task.model(split), whole.best_weights)
    assert evaluate(task, load(tmp_path), DeviceSplit(split, "cpu"))["loss"] == pytest.approx(
        whole.best_metrics["loss"], rel=1e-5
    )


def test_what_an_option_draws_leaves_the_random_numbers_of_others_alone(splits):
    training = new_training(splits.train, noise=0.1, mix=0.5)
    torch.manual_seed(3)
    wanted = torch.rand(4)
    torch.manual_seed(3)
    training.train_epoch()
    assert torch.equal(torch.rand(4), wanted)


def test_a_mixed_sequence_is_a_convex_combination_of_three_of_its_length():
    torch.manual_seed(0)
    lengths = torch.tensor([3, 5, 5, 3, 5, 2, 5, 3])
    real = torch.arange(5) < lengths[:, None]
    real[1, 0] = False  # missing in the data
    inputs = torch.rand(8, 5, 1) * real[:, :, None]
    batch = Batch(inputs, torch.arange(8), lengths, real[:, :, None])
    seen = []
    for _ in range(200):
        found = mixed(batch, 0.5)
        assert found.labels_B is None
        assert torch.equal(found.lengths_B, lengths)
        assert torch.equal(found.inputs_BTF[5], inputs[5]) or torch.allclose(found.inputs_BTF[5], inputs[5])
        for length in (3, 5):
            same = lengths == length
            assert (found.inputs_BTF[same] <= inputs[same].amax(dim=0) + 1e-6).all()
            assert (found.inputs_BTF[same] >= inputs[same].amin(dim=0) - 1e-6).all()
        assert not (found.real_BTF & (torch.arange(5) >= lengths[:, None])[:, :, None]).any()
        assert found.real_BTF[[0, 3, 5, 7]].squeeze(2).equal(real[[0, 3, 5, 7]])
        seen.append(bool(found.real_BTF[2, 0]))
    assert len(set(seen)) == 2, "what is missing in one of the three is missing in the mixture"
    means = torch.stack([mixed(Batch(torch.eye(4)[:, :, None]), 0.5).inputs_BTF[0, :, 0] for _ in range(2000)]).mean(0)
    torch.testing.assert_close(means, torch.tensor([0.5, 1 / 6, 1 / 6, 1 / 6]), atol=0.05, rtol=0)


def test_a_model_that_classifies_cannot_mix(mnist):
    with pytest.raises(UserError, match=r"mix must be 0 for a model that classifies: labels do not mix; got 0\.5"):
        new_training(mnist.train, tasks.find("mnist-cls"), mix=0.5)


@pytest.mark.usefixtures("weights")
def test_weight_decay_shrinks_the_matrices_as_adamw_does_and_no_biases(splits):
    training = new_training(splits.train, weight_decay=0.3, batch_size=64)
    plain, decayed = new_training(splits.train, batch_size=64), training.model.state_dict()
    before = deepcopy(plain.model.state_dict())
    plain.train_epoch()
    training.train_epoch()
    for name, weights in plain.model.state_dict().items():
        lost = 0.01 * 0.3 * before[name] if weights.ndim > 1 else torch.zeros_like(weights)
        torch.testing.assert_close(weights - decayed[name], lost, atol=1e-6, rtol=1e-4)


def test_the_average_of_the_weights_is_evaluated_and_training_goes_on_from_the_weights(splits):
    training, plain = (new_training(splits.train, average=decay) for decay in (0.999, 0.0))
    for _ in range(2):
        assert training.train_epoch() == plain.train_epoch()
        assert training.validate() != plain.validate()
    for name, weights in plain.model.state_dict().items():
        assert torch.equal(training.model.state_dict()[name], weights)
        assert not torch.equal(training.best_weights[name], weights)


def test_the_cosine_rises_for_a_twentieth_and_falls_to_nothing():
    shares = [warm_up_and_cosine(step, 400) for step in range(401)]
    assert shares[:20] == pytest.approx([(step + 1) / 20 for step in range(20)])
    assert max(shares) == 1
    assert shares[210] == pytest.approx(0.5)
    assert shares[20:] == sorted(shares[20:], reverse=True)
    assert shares[400] == pytest.approx(0)


class Spiked:
    """A loss that some calls make enormous, or not a number."""

    def __init__(self, task, factors):
        self.measure, self.factors, self.calls = task.measure, factors, 0

    def __call__(self, model, batch):
        found = self.measure(model, batch)
        if model.training:
            self.calls += 1
            factor = self.factors.get(self.calls, 1.0)
            found = {**found, "loss": found["loss"] * factor}
        return found


@pytest.mark.usefixtures("weights")
@pytest.mark.parametrize("clip", [1.0, None])
@pytest.mark.parametrize("factor", [1e6, math.inf, math.nan])
def test_a_step_whose_gradient_is_far_larger_than_usual_is_skipped(splits, clip, factor):
    spiked = replace(TASK, measure=Spiked(TASK, {100: factor}))
    training, calm = new_training(splits.train, spiked, clip=clip), new_training(splits.train, clip=clip)
    for _ in range(12):  # 8 steps each
        training.train_epoch()
        calm.train_epoch()
    assert torch.equal(training.weights[0], calm.weights[0])
    assert training.train_epoch() < 2 * calm.train_epoch() or factor == 1e6
    assert (training.skipped, calm.skipped) == (1, 0)
    assert (training.weights[0] - calm.weights[0]).abs().max() < 0.1
    restored = new_training(splits.train, clip=clip)
    restored.load_state_dict(deepcopy(training.state_dict()))
    assert restored.skipped == 1
    assert restored.train_epoch() == training.train_epoch()


def test_a_run_whose_gradients_are_no_longer_finite_has_diverged_although_its_loss_is(splits):
    def measure(model, batch):
        found = TASK.measure(model, batch)
        weight = model.reconstruct.bias[0]
        return {**found, "loss": found["loss"] + (weight - weight.detach()).sqrt()}  # 0, with a gradient of infinity

    training = new_training(splits.train, replace(TASK, measure=measure))
    assert math.isnan(training.train_epoch())
    assert training.skipped == 8


def diverging(task, epochs, lr):
    """A task whose training loss is not a number in some epochs, as long as the step size is as large as this."""

    def measure(model, batch):
        found = task.measure(model, batch)
        if model.training and training.trainings[0].epoch + 1 in epochs:
            now = training.trainings[0].optimizer.adam.param_groups[0]["lr"]
            found = {**found, "loss": found["loss"] * (math.nan if now >= lr else 1.0)}
        return found

    def begin(split, **changes):
        nonlocal training
        on_device = DeviceSplit(split, "cpu")
        training = SeededTraining(replace(task, measure=measure), replace(BASE, **changes), on_device, on_device)
        return training

    training = None
    return begin


@pytest.mark.parametrize("schedule", ["constant", "one-cycle", "cosine"])
def test_a_run_that_diverges_resumes_once_at_half_the_step_size(splits, schedule):
    plain = SeededTraining(TASK, replace(BASE, schedule=schedule), *[DeviceSplit(splits.train, "cpu")] * 2)
    rates = plain.trainings[0].optimizer.adam.param_groups[0]
    wanted = []
    for _ in range(2):
        plain.train_and_validate(1)
        wanted.append(rates["lr"])
    run = diverging(TASK, {2}, 0.0 if schedule != "constant" else 0.01)(splits.train, schedule=schedule)
    first = run.train_and_validate(1)
    assert (first.rolled_back, first.has_diverged) == (0, False)
    if schedule == "constant":
        second = run.train_and_validate(1)
        assert (second.rolled_back, second.has_diverged, second.epoch) == (1, False, 2)
        again = run.train_and_validate(1)
        assert again.rolled_back == 1
        assert run.trainings[0].optimizer.adam.param_groups[0]["lr"] == 0.005
    else:
        second = run.train_and_validate(1)
        assert (second.rolled_back, second.has_diverged) == (1, True)
        assert run.trainings[0].optimizer.adam.param_groups[0]["lr"] == pytest.approx(wanted[1] / 2, rel=1e-6)


def test_a_run_that_was_rolled_back_resumes_exactly(splits):
    begin = diverging(TASK, {2}, 0.01)
    whole = begin(splits.train)
    whole.train_and_validate(1)
    before = deepcopy(whole.state_dict())
    reports = [whole.train_and_validate(1)]
    after = deepcopy(whole.state_dict())
    reports.append(whole.train_and_validate(1))
    from_before = begin(splits.train)
    from_before.load_state_dict(before)
    assert [from_before.train_and_validate(1) for _ in range(2)] == reports
    from_after = begin(splits.train)
    from_after.load_state_dict(after)
    assert from_after.train_and_validate(1) == reports[1]
    assert reports[1].rolled_back == 1


def test_a_run_that_diverges_again_has_diverged(splits):
    run = diverging(TASK, {2}, 0.001)(splits.train)
    assert not run.train_and_validate(1).has_diverged
    found = run.train_and_validate(1)
    assert found.has_diverged
    assert found.rolled_back == 1
