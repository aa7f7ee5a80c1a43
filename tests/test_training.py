import warnings
from copy import deepcopy
from dataclasses import replace

import pytest
import torch

from ae import Configuration, load, tasks
from ae.batches import Batch, DeviceSplit
from ae.errors import UserError
from ae.saved import save
from ae.training import Training, evaluate

TASK = tasks.find("mnist-cls")
MODEL = {"input_size": 28, "output_size": 28, "labels": 10}
CONFIGURATION = Configuration(hidden_size=12, batch_size=32, epochs=4, lr=0.01, schedule="one-cycle")


@pytest.fixture
def new_training(mnist):
    train, validation = DeviceSplit(mnist.train, "cpu"), DeviceSplit(mnist.validation, "cpu")
    return lambda **changes: Training(TASK, replace(CONFIGURATION, **changes), train, validation)


def test_the_same_seed_gives_the_same_losses_to_the_bit(new_training):
    first, second, other = new_training(), new_training(), new_training(seed=1)
    losses = [first.train_epoch(), first.train_epoch()]
    assert losses == [second.train_epoch(), second.train_epoch()]
    assert losses[0] != other.train_epoch()


@pytest.mark.parametrize("schedule", ["constant", "one-cycle"])
def test_a_restored_run_goes_on_like_one_never_stopped(new_training, tmp_path, schedule):
    whole, first, second = (new_training(schedule=schedule) for _ in range(3))
    for training in (whole, first):
        training.train_epoch()
        training.validate()
    torch.save(first.state_dict(), tmp_path / "state.pt")
    second.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert second.best_metrics == whole.best_metrics
    assert [second.train_epoch(), second.train_epoch()] == [whole.train_epoch(), whole.train_epoch()]
    assert second.validate() == whole.validate()


def test_the_best_epoch_is_kept_not_the_last(new_training):
    training = new_training(lr=1.0, clip=None, schedule="constant")
    seen = []
    for _ in range(4):
        training.train_epoch()
        seen.append(training.validate()["accuracy"])
    assert training.best_metrics["accuracy"] == max(seen)
    assert training.best_epoch == seen.index(max(seen)) + 1


@pytest.mark.parametrize("clip", [0.05, None])
def test_a_step_is_adam_s_on_gradients_clipped_to_their_common_norm(new_training, mnist, clip):
    training = new_training(clip=clip, schedule="constant")
    torch.manual_seed(CONFIGURATION.seed)
    model = TASK.build(training.configuration, mnist.train)
    optimizer = torch.optim.Adam(model.parameters(), lr=CONFIGURATION.lr)
    images, labels = torch.from_numpy(mnist.train.inputs_NTF), torch.from_numpy(mnist.train.labels_N)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(CONFIGURATION.seed))
    norms = []
    for where in order.split(CONFIGURATION.batch_size):
        optimizer.zero_grad()
        TASK.measure(model, Batch(images[where], labels[where]))["loss"].backward()
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), clip or float("inf")).item())
        optimizer.step()
    assert max(norms) > 0.05, "there must be something to clip"
    training.train_epoch()
    for name, weights in training.model.state_dict().items():
        torch.testing.assert_close(weights, model.state_dict()[name], rtol=1e-3, atol=1e-5)


def test_a_run_goes_on_on_another_device(mnist, monkeypatch):
    """The CPU has the weights as one vector, a GPU each by itself; here a CPU with nn.LSTM stands in for it."""

    def new_training():
        return Training(TASK, CONFIGURATION, split, split, core="stock")

    split = DeviceSplit(mnist.train, "cpu")
    on_cpu = new_training()
    on_cpu.train_epoch()
    with monkeypatch.context() as patch:
        patch.setattr("ae.optimizer.as_one", lambda model: list(model.parameters()))
        on_gpu = new_training()
        on_gpu.load_state_dict(deepcopy(on_cpu.state_dict()))
    losses = on_cpu.train_epoch(), on_gpu.train_epoch()
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    back = new_training()
    back.load_state_dict(deepcopy(on_gpu.state_dict()))
    assert back.train_epoch() == pytest.approx(on_cpu.train_epoch(), rel=1e-3)


def test_a_saved_model_loads_and_scores_the_same(new_training, mnist, tmp_path):
    training = new_training()
    training.train_epoch()
    metrics = training.validate()
    save(tmp_path, TASK.name, training.configuration, MODEL, training.best_weights)
    assert evaluate(TASK, load(tmp_path), DeviceSplit(mnist.validation, "cpu")) == metrics


def test_a_model_that_cannot_be_written_leaves_the_one_before(new_training, tmp_path):
    resource = pytest.importorskip("resource", reason="only Unix limits the size of a file")
    save(tmp_path, TASK.name, CONFIGURATION, MODEL, new_training().model.state_dict())
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    for most, fact in ((2_000, ""), (100_000, "x" * 200_000)):  # in the weights, in the description
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, usual[1]))
        try:
            with pytest.raises(OSError, match="File too large"):
                save(tmp_path, TASK.name, CONFIGURATION, MODEL, new_training(seed=1).model.state_dict(), fact=fact)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, usual)
        assert {name: (tmp_path / name).read_bytes() for name in before} == before


@pytest.mark.parametrize("damage", ["weights.pt", "model.json"])
def test_a_damaged_saved_model_is_one_line(new_training, tmp_path, damage):
    save(tmp_path, TASK.name, CONFIGURATION, MODEL, new_training().model.state_dict())
    (tmp_path / damage).write_bytes((tmp_path / damage).read_bytes()[:40])
    with pytest.raises(UserError, match=damage) as error:
        load(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("lr", 0),
        ("lr", float("nan")),
        ("clip", -1.0),
        ("clip", "no"),
        ("hidden_size", 0),
        ("hidden_size", 2.5),
        ("batch_size", -4),
        ("epochs", 0),
        ("init", "zeros"),
        ("schedule", "linear"),
        ("seed", -1),
        ("time_features", 7),
        ("time_features", True),
        ("decode", "sideways"),
        ("patch", 0),
        ("latent_size", 0),
        ("layers", 4),
        ("dropout", 1.0),
        ("noise", -0.1),
        ("mix", -1),
        ("weight_decay", float("inf")),
        ("average", 1),
    ],
)
def test_a_wrong_configuration_names_the_field_and_the_value(field, value):
    with pytest.raises(UserError, match=rf"{field} must .*{value}"):
        replace(CONFIGURATION, **{field: value})


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.filterwarnings("ignore:Synchronization debug mode")
def test_an_epoch_on_a_gpu_waits_for_it_at_its_ends_alone(mnist):
    losses = {}
    for device in ("cpu", "cuda"):
        train, validation = DeviceSplit(mnist.train, device), DeviceSplit(mnist.validation, device)
        training = Training(TASK, CONFIGURATION, train, validation)
        training.train_epoch()
        torch.cuda.set_sync_debug_mode("warn")
        try:
            with warnings.catch_warnings(record=True) as waits:
                warnings.simplefilter("always")
                losses[device] = training.train_epoch()
        finally:
            torch.cuda.set_sync_debug_mode("default")
        assert len(waits) <= 2  # the order of the sequences goes there, the loss comes back; there are 10 batches
    assert losses["cuda"] == pytest.approx(losses["cpu"], rel=1e-2)
