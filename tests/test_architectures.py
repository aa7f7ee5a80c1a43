"""Every option of the model's shape: in nn.LSTM and in the fast core, with sequences of one length and of several."""

import pytest
import torch

from ae.architecture import Architecture
from ae.errors import UserError
from ae.initialisation import initialise_
from ae.kernels.autograd import Extras, decode
from ae.model import LSTM_AE

needs_core = pytest.mark.usefixtures("fast_core")
SHAPES = {
    "time features": Architecture(time_features=8),
    "backward": Architecture(decode="backward"),
    "patch": Architecture(patch=3),
    "narrow": Architecture(latent_size=2),
    "wide": Architecture(latent_size=70),
    "all": Architecture(time_features=4, decode="backward", patch=4, latent_size=3),
}
LAYERS = {"layers": Architecture(layers=3), "all layers": Architecture(time_features=4, decode="backward", layers=2)}
SIZES = [(1, 1, 1, 1), (2, 3, 1, 5), (13, 9, 6, 30), (7, 13, 2, 70)]
every_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
every_size = pytest.mark.parametrize("size", SIZES, ids=str)


def new_model(features, hidden, shape, longest=50, predict=True):
    torch.manual_seed(0)
    model = LSTM_AE(features, hidden, features, labels=3, predict=predict, architecture=shape, longest=longest)
    return initialise_(model, "orthogonal")


def mixed_lengths(batch, steps):
    """One length per sequence, from 1 to all steps."""
    return torch.randint(1, steps + 1, (batch,), generator=torch.Generator().manual_seed(1))


def assert_same_gradients(found, wanted, atol=1e-5):
    for one, other in zip(found, wanted, strict=True):
        assert (one - other).abs().max() <= atol * max(1e-3, other.abs().max())


@needs_core
@every_shape
@every_size
@pytest.mark.parametrize("is_mixed", [False, True], ids=["one length", "mixed lengths"])
def test_the_fast_core_gives_what_nn_lstm_gives(size, shape, is_mixed):
    batch, steps, features, hidden = size
    model, inputs = new_model(features, hidden, shape), torch.rand(batch, steps, features)
    lengths = mixed_lengths(batch, steps) if is_mixed else None
    inside = torch.arange(steps) < (torch.full((batch,), steps) if lengths is None else lengths)[:, None]
    weights = torch.randn(batch, steps, features) * inside[:, :, None]
    outputs, gradients = [], []
    for model.fast in (False, True):
        output = model(inputs, lengths)
        loss = ((output.reconstruction_BTO + output.prediction_BTO) * weights).sum() + output.logits_BC.sum()
        outputs.append((output.reconstruction_BTO[inside], output.prediction_BTO[inside], output.logits_BC))
        gradients.append(torch.autograd.grad(loss, list(model.parameters())))
    for stock, fast in zip(*outputs, strict=True):
        torch.testing.assert_close(fast, stock, rtol=1e-5, atol=1e-6)
    assert_same_gradients(gradients[1], gradients[0])


@needs_core
@pytest.mark.parametrize("shape", (SHAPES | LAYERS).values(), ids=SHAPES | LAYERS)
def test_a_batch_of_mixed_lengths_gives_what_its_sequences_give_one_by_one(shape):
    batch, steps, features = 9, 13, 2
    model, inputs, lengths = new_model(features, 11, shape), torch.rand(batch, steps, features), mixed_lengths(9, 13)
    for model.fast in (False, True) if shape.layers == 1 else (False,):
        together = model(inputs, lengths)
        gradients = []
        for at, end in enumerate(lengths.tolist()):
            alone = model(inputs[at : at + 1, :end])
            for one, several in ((alone.reconstruction_BTO, together.reconstruction_BTO), (alone[2], together[2])):
                torch.testing.assert_close(several[at, :end], one[0], rtol=1e-5, atol=1e-6)
            torch.testing.assert_close(together.logits_BC[at], alone.logits_BC[0], rtol=1e-5, atol=1e-6)
            loss = alone.reconstruction_BTO.sum() + alone.logits_BC.sum()
            gradients.append(torch.autograd.grad(loss, list(model.parameters()), allow_unused=True))
        inside = torch.arange(steps) < lengths[:, None]
        loss = together.reconstruction_BTO[inside].sum() + together.logits_BC.sum()
        found = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
        for one, each in zip(found, zip(*gradients, strict=True), strict=True):
            assert (one is None) == (each[0] is None)  # the head for the next step
            if one is not None:
                assert_same_gradients([one], [sum(each)])


@needs_core
@every_shape
@pytest.mark.parametrize("fast", [False, True], ids=["nn.LSTM", "fast core"])
def test_what_follows_the_end_of_a_sequence_changes_nothing(shape, fast):
    model, lengths, inputs = new_model(2, 19, shape), mixed_lengths(9, 12), torch.rand(9, 12, 2)
    inside = torch.arange(12) < lengths[:, None]
    model.fast, found = fast, []
    for given in (inputs, torch.where(inside[:, :, None], inputs, 7.0)):
        output = model(given, lengths).reconstruction_BTO[inside]
        found.append((output, *torch.autograd.grad((output**2).sum(), list(model.encoder.parameters()))))
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


@needs_core
@every_shape
def test_codes_and_inference_give_what_training_gives(shape):
    model, inputs, lengths = new_model(3, 21, shape), torch.rand(10, 7, 3), mixed_lengths(10, 7)
    inside = torch.arange(7) < lengths[:, None]
    for model.fast in (False, True):
        wanted = model(inputs, lengths)
        with torch.inference_mode():
            codes = model.encode(inputs, lengths)
            assert codes.shape == (10, shape.latent_size or 21)
            for found in (model(inputs, lengths), model.decoded(codes, 7, lengths)):
                torch.testing.assert_close(found.reconstruction_BTO[inside], wanted.reconstruction_BTO[inside])
                torch.testing.assert_close(found.logits_BC, wanted.logits_BC)


@needs_core
@pytest.mark.parametrize("batch", [1, 2, 5, 16])
def test_threads_change_nothing_of_features_and_a_backward_decoder(batch):
    model, inputs = new_model(2, 33, Architecture(time_features=6, decode="backward")), torch.rand(batch, 30, 2)
    weights, found = [*model.encoder.parameters(), *model.decoder.parameters()], []
    for threads in (1, 2, 3, batch):
        extras = Extras(backward=True, features_TK=torch.linspace(-1, 1, 180).reshape(30, 6))
        decoded = decode(model.encoder, model.decoder, inputs, mixed_lengths(batch, 30), threads, extras)
        found.append([decoded, *torch.autograd.grad(decoded.square().sum(), weights)])
    assert all(torch.equal(one, other) for some in found[1:] for one, other in zip(found[0], some, strict=True))


def test_a_backward_decoder_emits_the_last_step_first():
    model, inputs = new_model(2, 8, Architecture(decode="backward")), torch.rand(4, 6, 2)
    context = model.encode(inputs)
    emitted, _ = model.decoder(context.unsqueeze(1).repeat(1, 6, 1))
    output = model(inputs)
    torch.testing.assert_close(output.reconstruction_BTO, model.reconstruct(emitted).flip(1))
    torch.testing.assert_close(output.prediction_BTO, model.predict(emitted).flip(1))
    torch.testing.assert_close(output.logits_BC, model.classify(emitted[:, -1]))


def test_time_features_tell_every_step_of_twice_the_length_from_every_other():
    model = new_model(1, 4, Architecture(time_features=32), longest=784)
    assert model.periods.tolist() == sorted(model.periods.tolist(), reverse=True)
    assert model.periods[[0, -1]].tolist() == pytest.approx([2 * 784, 4])
    steps = torch.arange(2 * 784)[:, None] * (2 * torch.pi / model.periods)
    assert torch.nn.functional.pdist(torch.cat([steps.sin(), steps.cos()], dim=1)).min() > 0.1
    inputs = torch.rand(2, 9, 1)
    features = torch.cat([steps.sin(), steps.cos()], dim=1)[:9].expand(2, -1, -1)
    torch.testing.assert_close(model.encode(inputs), model.encoder(torch.cat([inputs, features], dim=2))[1][0][0])


def test_a_model_takes_sequences_longer_than_those_of_its_training():
    model = new_model(1, 4, Architecture(time_features=8, patch=2, decode="backward"), longest=6)
    assert model(torch.rand(2, 31, 1)).reconstruction_BTO.shape == (2, 31, 1)


def test_more_layers_and_their_dropout_are_those_of_nn_lstm():
    model, inputs = new_model(2, 8, Architecture(layers=2, dropout=0.5)), torch.rand(4, 6, 2)
    whole = torch.nn.LSTM(2, 8, num_layers=2, batch_first=True)
    lower, upper = model.encoder.state_dict(), model.encoder_above[0].state_dict()
    whole.load_state_dict(lower | {name.replace("l0", "l1"): weight for name, weight in upper.items()})
    torch.testing.assert_close(model.eval().encode(inputs), whole(inputs)[1][0][-1])
    assert not torch.equal(model.train().encode(inputs), model.encode(inputs)), "another half is dropped each time"


def test_noise_disturbs_the_input_of_training_alone():
    model, inputs = new_model(2, 8, Architecture(noise=0.1)), torch.rand(4, 6, 2)
    assert not torch.equal(model.train()(inputs)[0], model(inputs)[0])
    assert torch.equal(model.eval()(inputs)[0], model(inputs)[0])


def test_more_layers_train_with_nn_lstm():
    from ae import Configuration, tasks
    from ae.batches import DeviceSplit
    from ae.training import Training

    task = tasks.find("synthetic")
    splits = task.load(None, task.options()).subset(8)
    train, validation = DeviceSplit(splits.train, "cpu"), DeviceSplit(splits.validation, "cpu")
    training = Training(task, Configuration(hidden_size=4, layers=2), train, validation)
    assert not training.model.fast
    with pytest.raises(UserError, match="core must be auto or stock here, got 'fast': it has no second layer"):
        Training(task, Configuration(hidden_size=4, layers=2), train, validation, "fast")
