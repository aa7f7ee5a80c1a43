"""Exported models: what the files say without this program, against `apply.py` and the tasks' own scaling."""

import io
import json
import re
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import torch
from applied_models import applied, ragged, save_long, save_model, save_series
from safetensors import safe_open

from ae import Configuration, exported, load, saved, tasks
from ae.applied import Applied
from ae.architecture import Architecture
from ae.data import idx, mnist, price_scale
from ae.splits import Split
from ae.units import SequenceUnits
from sweeps import Result, export
from sweeps.config.choices import EXPORTS

LENGTHS = (1, 12, 5, 9, 2, 12)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the models: one of each kind, called by what is special about it."""
    place = tmp_path_factory.mktemp("models")
    save_long(place / "long.csv", ragged(60), ["yes", "no", "maybe"] * 20)
    save_model(place / "classes", place / "long.csv", classify=True, scale="robust")
    save_model(place / "own-scale", place / "long.csv", predict=True, scale="per-sequence")
    save_model(place / "window", save_series(place / "series.csv"), window=20, stride=20, scale="minmax")
    return place


def exporting(*arguments):
    """The exit status, output and error output of a command line."""
    with redirect_stdout(io.StringIO()) as output, redirect_stderr(io.StringIO()) as errors:
        status = export.main([str(argument) for argument in arguments])
    return status, output.getvalue(), errors.getvalue()


def exported_file(folder, form, path):
    """A file that was exported."""
    status, output, errors = exporting(folder, "--to", form, "--output", path)
    assert (status, errors) == (0, "")
    assert f"written: {path}" in output
    return path


@pytest.fixture(scope="module")
def once(place):
    """The file of one of the models in one form; exported once, as it takes seconds."""
    files = {}

    def once(model, form):
        if (model, form) not in files:
            path = place / f"{model}{EXPORTS[form]}"
            files[model, form] = exported_file(place / model, form, path)
        return files[model, form]

    return once


def running(path):
    """What runs an exported file, without the project's code."""
    if path.suffix == ".onnx":
        session = onnxruntime.InferenceSession(path)
        names = [output.name for output in session.get_outputs()]
        return lambda **inputs: dict(zip(names, session.run(names, inputs), strict=True))
    module = torch.export.load(path).module()

    def run(**inputs):
        found = module(**{name: torch.from_numpy(values) for name, values in inputs.items()})
        return {name: values.detach().numpy() for name, values in found.items()}

    return run


def with_gaps():
    """Sequences with missing values: at their beginning, in the middle, at their end, in all of a feature, in all."""
    rng = np.random.default_rng(3)
    sequences = [rng.normal(5.0, 2.0, (length, 2)).round(4) for length in LENGTHS]
    sequences[1][:3, 0] = sequences[1][5:7, 1] = sequences[2][-1, 0] = sequences[3][:, 1] = sequences[5][:] = np.nan
    return sequences


def padded(sequences, filler):
    """Sequences as one array, with this value after their ends."""
    values_NTF = np.full((len(sequences), max(map(len, sequences)), sequences[0].shape[1]), filler)
    for values_TF, one in zip(values_NTF, sequences, strict=True):
        values_TF[: len(one)] = one
    return values_NTF


@pytest.mark.parametrize("form", ["onnx", "torch"])
@pytest.mark.parametrize("model", ["classes", "own-scale"])
def test_sequences_of_different_lengths_with_missing_values_are_scored_as_by_apply(place, once, tmp_path, form, model):
    run = running(once(model, form))
    sequences = with_gaps()
    data, lengths = save_long(tmp_path / "new.csv", sequences), np.array(LENGTHS)
    applied(place / model, "--data", data, "--output", tmp_path / "out.npz", "--per-step")
    wanted, steps = np.load(tmp_path / "out.npz", allow_pickle=True), np.load(tmp_path / "out.steps.npz")
    for filler in (np.nan, 1e30):
        found = run(values=padded(sequences, filler), lengths=lengths)
        np.testing.assert_allclose(found["error"], wanted["error"], rtol=1e-5)
        assert np.isnan(found["error"]).tolist() == [False] * 5 + [True]
        np.testing.assert_allclose(found["z"][:5], wanted["z"][:5], atol=1e-6)
        restored_SF = np.concatenate([found["reconstruction"][at, :length] for at, length in enumerate(LENGTHS)])
        np.testing.assert_allclose(restored_SF, steps["reconstruction"], rtol=1e-5, atol=1e-5)
        if model == "classes":
            np.testing.assert_allclose(found["probabilities"][:5].max(axis=1), wanted["probability"][:5], rtol=1e-5)
            names = np.array(["maybe", "no", "yes"])
            assert list(names[found["probabilities"][:5].argmax(axis=1)]) == list(wanted["class"][:5])
        else:
            np.testing.assert_allclose(found["forecast"], wanted["forecast"][:, 0], rtol=1e-5, atol=1e-5)
    for at, one in enumerate(sequences):
        alone = run(values=one[None], lengths=lengths[at : at + 1])
        for name in set(found) - {"reconstruction"}:
            np.testing.assert_allclose(alone[name][0], found[name][at], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(alone["reconstruction"][0], found["reconstruction"][at, : len(one)], rtol=1e-5)


def test_windows_of_a_series_need_no_lengths(place, once, tmp_path):
    run = running(once("window", "onnx"))
    data = save_series(tmp_path / "new.csv", steps=100, seed=1, gaps=False)
    applied(place / "window", "--data", data, "--output", tmp_path / "out.npz")
    windows_NT1 = pd.read_csv(data)["value"].to_numpy(copy=True).reshape(5, 20, 1)
    found, wanted = run(values=windows_NT1), np.load(tmp_path / "out.npz", allow_pickle=True)
    np.testing.assert_allclose(found["error"], wanted["error"], rtol=1e-5)
    np.testing.assert_allclose(found["z"], wanted["z"], atol=1e-6)
    windows_NT1[:, 3] = np.nan
    assert np.isfinite(run(values=windows_NT1[:, :7])["error"]).all()


def test_images_are_given_as_pixels_from_0_to_255(kept, tmp_path):
    run = running(exported_file(kept("mnist-cls/asha"), "onnx", tmp_path / "digits.onnx"))
    pixels_NRP = idx.read(mnist.EMBEDDED.path(idx.TEST_IMAGES), 3)[:200].astype(np.float64)
    labels_N = idx.read(mnist.EMBEDDED.path(idx.TEST_LABELS), 1)[:200]
    found = run(values=pixels_NRP)
    assert (found["probabilities"].argmax(axis=1) == labels_N).mean() > 0.95
    network, inputs_NRP = load(kept("mnist-cls/asha") / "best"), torch.from_numpy(pixels_NRP / 255).float()
    with torch.inference_mode():
        output_NRP = network(inputs_NRP).reconstruction_BTO
    np.testing.assert_allclose(found["reconstruction"] / 255, output_NRP, atol=1e-5)
    np.testing.assert_allclose(found["error"], ((output_NRP - inputs_NRP) ** 2).mean(dim=(1, 2)), rtol=1e-4)


def test_prices_are_in_dollars_and_scaled_by_their_own_history(tmp_path):
    task = tasks.find("sp500-pred")
    train, configuration = Split.dense(np.zeros((1, 2, 1), np.float32)), Configuration(hidden_size=5)
    torch.manual_seed(0)
    network = task.build(configuration, train).eval()
    saved.save(tmp_path / "best", task.name, configuration, task.model(train), network.state_dict())
    run = running(exported_file(tmp_path / "best", "torch", tmp_path / "prices.pt2"))
    prices_NT = 50 * np.exp(np.random.default_rng(0).normal(0, 0.03, (4, 30)).cumsum(axis=1))
    found = run(values=prices_NT[:, :, None])
    values_NT, scale = price_scale.normalise(prices_NT)
    with torch.inference_mode():
        output = network(torch.from_numpy(values_NT[:, :, None]))
    wanted_NT = price_scale.restore(output.reconstruction_BTO[:, :, 0].numpy(), scale)
    np.testing.assert_allclose(found["reconstruction"][:, :, 0], wanted_NT, rtol=1e-6)
    next_NT = price_scale.restore(output.prediction_BTO[:, -1].numpy(), scale)
    np.testing.assert_allclose(found["forecast"], next_NT, rtol=1e-6)


def test_a_copied_model_is_exported_under_its_folders_name(place, tmp_path, monkeypatch):
    shutil.copytree(place / "classes", tmp_path / "beats")
    monkeypatch.chdir(tmp_path)
    status, output, errors = exporting("beats", "--to", "torch")
    assert (status, errors) == (0, "")
    assert "inputs: values (batch, steps, 2), lengths (batch)" in output
    assert "outputs: reconstruction (batch, steps, 2), z (batch, 6), error (batch), probabilities (batch, 3)" in output
    assert "written: beats.pt2, " in output
    assert str(tmp_path.parent).encode() not in (tmp_path / "beats.pt2").read_bytes()


def test_an_onnx_file_has_lstm_nodes_and_says_what_it_is(request, place, once):
    model = onnx.load(once("classes", "onnx"))
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count("LSTM") == 2
    assert not {"Loop", "Scan", "If"} & set(kinds)
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 18)]
    axes = [dimension.dim_param or dimension.dim_value for dimension in model.graph.input[0].type.tensor_type.shape.dim]
    assert axes == ["batch", "steps", 2]
    assert str(request.config.rootpath).encode() not in once("classes", "onnx").read_bytes()
    facts = {entry.key: entry.value for entry in model.metadata_props}
    assert facts["task"] == "sequences"
    assert json.loads(facts["features"]) == ["a", "b"]
    assert json.loads(facts["classes"]) == ["maybe", "no", "yes"]
    assert json.loads(facts["threshold"]) == Applied.load(place / "classes").threshold()
    assert json.loads(facts["configuration"])["hidden_size"] == 6


def test_a_torch_program_runs_where_the_project_is_not_imported(once, tmp_path):
    path = once("own-scale", "torch")
    code = (
        "import json, sys, torch\n"
        "extra = {'metadata.json': ''}\n"
        f"program = torch.export.load({str(path)!r}, extra_files=extra).module()\n"
        "found = program(values=torch.ones(1, 1, 2).double(), lengths=torch.tensor([1]))\n"
        "print(json.loads(extra['metadata.json'])['task'], tuple(found['forecast'].shape))\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('ae', 'sweeps')])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["sequences (1, 2)", "[]"]


def test_weights_alone_have_the_configuration_beside_them(kept, tmp_path):
    path = Result(kept("mnist-cls/asha")).export("safetensors", tmp_path / "digits.safetensors")
    wanted = load(kept("mnist-cls/asha") / "best").state_dict()
    with safe_open(path, "pt") as file:
        assert set(file.keys()) == set(wanted)
        assert all(torch.equal(file.get_tensor(name), weight) for name, weight in wanted.items())
        assert json.loads(file.metadata()["configuration"])["hidden_size"] == 120
        assert json.loads(file.metadata()["model"]) == {"input_size": 28, "output_size": 28, "labels": 10}


@pytest.mark.parametrize(
    ("make", "run"), [(exported.onnx_graph, exported.run_onnx), (exported.torch_program, exported.run_torch)]
)
def test_every_part_of_an_architecture_takes_any_batch_and_length(make, run):
    shape = Architecture(time_features=4, decode="backward", patch=3, latent_size=3, layers=2, dropout=0.2, noise=0.1)
    network = exported.LSTM_AE(2, 8, 2, labels=3, predict=True, architecture=shape, longest=40)
    units = SequenceUnits([5.0, 3.0], [2.0, 3.0], own=True, has_lengths=True)
    graph = exported.Graph(network, units).eval()
    assert exported.largest_difference(graph, run(make(graph, {}))) <= exported.TOLERANCE


def test_a_file_that_does_something_else_is_told_apart():
    torch.manual_seed(0)
    units = SequenceUnits([5.0, 1e5], [2.0, 3.0], own=False, has_lengths=True)
    graph, other = (exported.Graph(exported.LSTM_AE(2, 4, 2), units).eval() for _ in range(2))
    right = exported.run_torch(exported.torch_program(graph, {}))
    assert exported.largest_difference(graph, right) <= exported.TOLERANCE
    assert exported.largest_difference(other, right) > 100 * exported.TOLERANCE

    def shifted(inputs):
        found = dict(right(inputs))
        return found | {"reconstruction": found["reconstruction"] + [0.0, 1e-4]}

    assert 3e-5 < exported.largest_difference(graph, shifted) < 4e-5  # in spreads of 3, however far from 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("{place}/nothing", "--to", "onnx"), "not a results folder or a saved model: there is no such folder"),
        (("{place}/classes", "--to", "tflite"), "--to must be one of onnx, torch, safetensors, got 'tflite'"),
        (("{place}/classes", "--to", "pt2"), "did you mean --to torch?"),
        (("{place}/classes", "--to", "safetensors"), "classes.safetensors is there already; name it by --output"),
        (("{place}/classes", "--to", "onnx", "--output", "model.pt2"), "--output model.pt2: must end in .onnx"),
        (("{place}/classes", "--to", "onnx", "--output", "none/a.onnx"), "there is no folder none; make it first"),
        (("{place}/classes", "--to", "onnx", "--output", "a.onnx"), "--output a.onnx: is a folder"),
        (
            ("{place}/classes", "--to", "safetensors", "--output", "n" * 300 + ".safetensors"),
            "cannot be written: File name too long; give another --output",
        ),
        (("{place}/classes", "--format", "onnx"), "did you mean --to?"),
    ],
)
def test_what_cannot_be_exported_is_one_line(place, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "classes.safetensors").write_text("older")
    (tmp_path / "a.onnx").mkdir()
    status, _, errors = exporting(*(argument.format(place=place) for argument in arguments))
    assert status == 2
    assert message in errors
    assert errors.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.onnx", "classes.safetensors"]
    assert (tmp_path / "classes.safetensors").read_text() == "older"


def test_a_file_that_is_named_is_replaced(place, tmp_path):
    (tmp_path / "a.safetensors").write_text("older")
    exported_file(place / "classes", "safetensors", tmp_path / "a.safetensors")
    with safe_open(tmp_path / "a.safetensors", "np") as file:
        assert "encoder.weight_hh_l0" in file.keys()  # noqa: SIM118  # it is no dict


def test_a_missing_package_names_the_extra(place, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    status, _, errors = exporting(place / "classes", "--to", "onnx", "--output", tmp_path / "a.onnx")
    assert status == 2
    assert errors == "error: --to onnx needs onnxscript, which is not installed; pip install 'lstm-ae-sweeps[export]'\n"


def test_a_model_without_what_prepares_its_data_is_one_line(tmp_path):
    network = exported.LSTM_AE(2, 4, 2)
    configuration = Configuration(hidden_size=4)
    saved.save(tmp_path / "best", "sequences", configuration, {"input_size": 2, "output_size": 2}, network.state_dict())
    status, _, errors = exporting(tmp_path / "best", "--to", "safetensors", "--output", tmp_path / "a.safetensors")
    assert status == 2
    assert errors == f"error: {tmp_path / 'best' / 'model.json'}: 'prepared' is missing; the file is damaged\n"


def test_the_example_of_the_documentation_runs(request, place, once, tmp_path, monkeypatch):
    shutil.copy(once("classes", "onnx"), tmp_path / "NAME.onnx")
    monkeypatch.chdir(tmp_path)
    page = (request.config.rootpath / "docs" / "using-a-model.md").read_text()
    (example,) = (code for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "onnxruntime" in code)
    names = {"values": np.random.default_rng(0).normal(5.0, 2.0, (3, 12, 2))}
    exec(example, names)
    assert names["error"].shape == (3,)
    assert names["is_anomaly"].tolist() == (names["error"] > Applied.load(place / "classes").threshold()).tolist()
