"""The fast core gives what nn.LSTM gives, on any machine that can build it, and steps aside on any other."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from ae import kernels, tasks
from ae.batches import DeviceSplit
from ae.configuration import Configuration
from ae.errors import UserError
from ae.kernels.autograd import decode
from ae.model import LSTM_AE
from ae.training import Training

needs_core = pytest.mark.usefixtures("fast_core")
SIZES = [
    (1, 1, 1, 1),
    (2, 3, 1, 5),
    (7, 4, 3, 16),
    (13, 9, 28, 30),
    (32, 28, 28, 60),
    (33, 10, 2, 200),
    (5, 50, 1, 120),
]


def both(batch, steps, features, hidden, lengths=None):
    """The outputs and every gradient, by nn.LSTM and by the fast core."""
    torch.manual_seed(0)
    model = LSTM_AE(features, hidden, features, labels=3, predict=True)
    inputs, weights = torch.rand(batch, steps, features), torch.randn(batch, steps, features)
    if lengths is not None:
        weights[torch.arange(steps) >= lengths[:, None]] = 0
    found = []
    for fast in (False, True):
        model.fast = fast
        output = model(inputs, lengths)
        steps_BTO = (output.reconstruction_BTO + output.prediction_BTO) * weights
        loss = steps_BTO.sum() + output.logits_BC.sum()
        found.append((output, torch.autograd.grad(loss, list(model.parameters()))))
    return found


@needs_core
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_outputs_and_gradients_are_those_of_nn_lstm(size):
    (stock, stock_gradients), (fast, fast_gradients) = both(*size)
    for one, other in zip(stock, fast, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-5, atol=1e-6)
    for one, other in zip(stock_gradients, fast_gradients, strict=True):
        assert (one - other).abs().max() <= 1e-5 * one.abs().max()


def mixed_lengths(batch, steps):
    """One length per sequence, from 1 to all steps."""
    return torch.randint(1, steps + 1, (batch,), generator=torch.Generator().manual_seed(1))


@needs_core
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_mixed_lengths_give_what_nn_lstm_gives(size):
    lengths = mixed_lengths(*size[:2])
    (stock, stock_gradients), (fast, fast_gradients) = both(*size, lengths)
    inside = torch.arange(size[1]) < lengths[:, None]
    for one, other in zip(stock, fast, strict=True):
        one, other = (output if output.ndim == 2 else output[inside] for output in (one, other))
        torch.testing.assert_close(other, one, rtol=1e-5, atol=1e-6)
    for one, other in zip(stock_gradients, fast_gradients, strict=True):
        assert (one - other).abs().max() <= 1e-5 * one.abs().max()


@needs_core
@pytest.mark.parametrize("fast", [True, False], ids=["fast core", "nn.LSTM"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_batch_of_mixed_lengths_gives_what_its_sequences_give_one_by_one(size, fast):
    torch.manual_seed(0)
    batch, steps, features, hidden = size
    model, lengths = LSTM_AE(features, hidden, features, labels=3), mixed_lengths(batch, steps)
    model.fast = fast
    inputs = torch.rand(batch, steps, features)

    def losses(inputs, lengths):
        output = model(inputs, lengths)
        ends = [steps] * len(inputs) if lengths is None else lengths.tolist()
        squares = (output.reconstruction_BTO - inputs) ** 2
        return torch.stack([square[:end].mean() for square, end in zip(squares, ends, strict=True)]), output.logits_BC

    def gradients(loss):
        return torch.autograd.grad(loss, list(model.parameters()))

    together, logits = losses(inputs, lengths)
    single = [losses(inputs[at : at + 1, :end], None) for at, end in enumerate(lengths.tolist())]
    torch.testing.assert_close(together, torch.cat([loss for loss, _ in single]), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(logits, torch.cat([logits for _, logits in single]), rtol=1e-5, atol=1e-6)
    all_at_once = gradients(together.sum() + logits.sum())
    one_by_one = [gradients(loss.sum() + logits.sum()) for loss, logits in single]
    for one, several in zip(all_at_once, zip(*one_by_one, strict=True), strict=True):
        assert (one - sum(several)).abs().max() <= 1e-5 * one.abs().max()


@needs_core
def test_what_follows_the_end_of_a_sequence_changes_nothing():
    model, lengths = LSTM_AE(2, 19, 2), mixed_lengths(9, 12)
    model.fast = True
    inputs = torch.rand(9, 12, 2)
    others = torch.where(torch.arange(12)[:, None] < lengths[:, None, None], inputs, 7.0)
    found = []
    for given in (inputs, others):
        output = model(given, lengths).reconstruction_BTO
        found.append((output, *torch.autograd.grad((output**2).sum(), list(model.encoder.parameters()))))
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


@needs_core
@pytest.mark.parametrize("lengths", [[0, 3], [1, 4]])
def test_a_length_outside_the_steps_is_refused(lengths):
    model = LSTM_AE(2, 5, 2)
    model.fast = True
    with pytest.raises(ValueError, match=r"lengths must be from 1 to 3, got"):
        model(torch.rand(2, 3, 2), torch.tensor(lengths))


@needs_core
@pytest.mark.parametrize("lengths", [None, mixed_lengths(10, 7)], ids=["one length", "mixed lengths"])
def test_inference_gives_what_training_gives(lengths):
    model = LSTM_AE(3, 21, 3)
    model.fast = True
    inputs = torch.rand(10, 7, 3)
    training = model(inputs, lengths).reconstruction_BTO
    with torch.inference_mode():
        assert torch.equal(model(inputs, lengths).reconstruction_BTO, training)


@needs_core
@pytest.mark.parametrize("name", tasks.names())
def test_every_task_trains_as_with_nn_lstm(name):
    task = tasks.find(name)
    splits = task.load(None, task.options()).subset(64)
    train, validation = DeviceSplit(splits.train, "cpu"), DeviceSplit(splits.validation, "cpu")
    configuration = Configuration(hidden_size=20, batch_size=16)
    found = []
    for which in ("stock", "fast"):
        training = Training(task, configuration, train, validation, which)
        found.append({"train": training.train_epoch(), **training.validate()})
    assert found[1] == pytest.approx(found[0], rel=1e-5)


@needs_core
@pytest.mark.parametrize("hidden", [8, 33, 40, 60, 100])
@pytest.mark.parametrize("batch", [1, 2, 3, 5, 7, 16, 64])
def test_threads_change_nothing(batch, hidden):
    torch.manual_seed(0)
    model, inputs = LSTM_AE(2, hidden, 2), torch.rand(batch, 30, 2)
    model.fast = True
    found = []
    for threads in (1, 2, 3, batch):
        decoded = decode(model.encoder, model.decoder, inputs, threads=threads)
        found.append([decoded, *torch.autograd.grad(decoded.square().sum(), list(model.encoder.parameters()))])
    assert all(torch.equal(one, other) for some in found[1:] for one, other in zip(found[0], some, strict=True))


@needs_core
def test_a_gradient_that_is_not_contiguous_is_read_as_it_is():
    model, inputs = LSTM_AE(2, 30, 2), torch.rand(8, 20, 2)
    decoded = decode(model.encoder, model.decoder, inputs)
    stock = model.decoder(model.encoder(inputs)[1][0][0].unsqueeze(1).expand(-1, 20, -1))[0]
    gradients = [torch.autograd.grad(one.sum(), list(model.encoder.parameters())) for one in (decoded, stock)]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


@needs_core
def test_a_nan_goes_through():
    model = LSTM_AE(1, 16, 1)
    model.fast = True
    inputs = torch.rand(4, 5, 1)
    inputs[2, 3] = torch.nan
    broken = model(inputs).reconstruction_BTO.isnan().flatten(1).any(dim=1)
    assert broken.tolist() == [False, False, True, False]


@needs_core
@pytest.mark.parametrize("value", [torch.inf, -torch.inf, 1e38])
def test_what_is_too_large_saturates_as_in_nn_lstm(value):
    model = LSTM_AE(1, 16, 1)
    inputs = torch.rand(4, 5, 1)
    inputs[2, 3] = value
    outputs = []
    for model.fast in (True, False):
        outputs.append(model(inputs).reconstruction_BTO)
    assert outputs[0].isfinite().all()
    torch.testing.assert_close(*outputs, rtol=1e-4, atol=1e-5)


@needs_core
def test_threads_do_not_share_a_workspace():
    model = LSTM_AE(1, 16, 1)
    model.fast = True
    inputs = [torch.rand(4, 5, 1) for _ in range(200)]
    with torch.no_grad():
        wanted = [model(one).reconstruction_BTO for one in inputs]

        def forward(one):
            with torch.no_grad():
                return model(one).reconstruction_BTO

        with ThreadPoolExecutor(6) as pool:
            found = list(pool.map(forward, inputs * 20))
    assert all(torch.equal(one, wanted[index % len(wanted)]) for index, one in enumerate(found))


@needs_core
def test_a_second_backward_pass_is_refused():
    model = LSTM_AE(1, 16, 1)
    model.fast = True
    loss = model(torch.rand(4, 5, 1)).reconstruction_BTO.sum()
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="once"):
        loss.backward()


def in_a_new_process(code, tmp_path, **environment):
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


USE = "import torch; from ae import kernels; print(kernels.use_fast('{}', torch.device('cpu')))"


def test_without_a_compiler_nn_lstm_trains_and_one_line_says_so_and_the_fast_core_cannot_be_demanded(tmp_path):
    process = in_a_new_process(f"{USE.format('auto')}; {USE.format('fast')}", tmp_path, PATH="", CXX="")
    out, err = process.communicate()
    assert out.strip() == "False"
    line, demanded, *trace = err.splitlines()
    assert line == "training uses nn.LSTM, not the fast core: no C++ compiler was found (c++, g++, clang++, or $CXX)"
    assert demanded.startswith("Traceback")
    assert trace[-1].startswith("ae.errors.UserError: core must be auto or stock here, got 'fast': no C++ compiler")


def test_a_compiler_that_fails_is_tried_once_a_process(tmp_path):
    compiler = tmp_path / "c++"
    compiler.write_text(f"#!/bin/sh\necho tried >> {tmp_path}/log\necho 'no such option' >&2\nexit 1\n")
    compiler.chmod(0o755)
    process = in_a_new_process(f"{USE.format('auto')}; {USE.format('auto')}", tmp_path, CXX=str(compiler))
    out, err = process.communicate()
    assert out.split() == ["False", "False"]
    assert "failed: no such option" in err
    assert (tmp_path / "log").read_text().split() == ["tried"] * 4, "with and without OpenMP and GCC's own option"


@needs_core
@pytest.mark.slow
def test_many_processes_may_build_it_at_once(tmp_path):
    processes = [in_a_new_process(USE.format("fast"), tmp_path) for _ in range(2)]
    assert [process.communicate()[0].strip() for process in processes] == ["True"] * 2
    assert [path.suffix for path in (tmp_path / "lstm-ae-sweeps").iterdir()] == [".so"]


def test_a_core_that_is_not_there_is_refused():
    with pytest.raises(UserError, match="core must be one of auto, fast, stock, got 'quick'"):
        kernels.use_fast("quick", torch.device("cpu"))
