"""What takes seconds to import waits until it is needed: neither help nor a wrong command line imports it."""

import json
import subprocess
import sys

import pytest
from applied_models import ragged, save_long, save_model

from sweeps.cli import VERBS

HEAVY = {"torch", "ray", "optuna", "pandas", "matplotlib", "scipy", "sklearn"}


@pytest.fixture
def imported(request, tmp_path):
    """Runs a command in a process of its own; gives its exit status and the heavy packages that it imported."""

    def imported(verb, *arguments):
        found, script = tmp_path / "imported.json", request.config.rootpath / "sweeps" / f"{verb}.py"
        code = (
            "import atexit, json, runpy, sys; from pathlib import Path; found, *sys.argv = sys.argv[1:]; "
            "atexit.register(lambda: Path(found).write_text(json.dumps(list(sys.modules)))); "
            "runpy.run_path(sys.argv[0], run_name='__main__')"
        )
        command = [sys.executable, "-c", code, found, script, *arguments]
        ended = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120)
        return ended.returncode, HEAVY & {name.split(".")[0] for name in json.loads(found.read_text())}

    return imported


@pytest.mark.parametrize("verb", VERBS)
def test_help_imports_nothing_heavy(imported, verb):
    assert imported(verb, "--help") == (0, set())


@pytest.mark.parametrize(
    ("status", "arguments"),
    [
        (2, ["--task", "mnist-cls", "--epochs", "3"]),
        (2, ["--task", "mnist_cls"]),
        (2, ["--task", "mnist-cls", "--max-epochs", "0"]),
        (0, ["--task", "mnist-cls", "--help"]),
    ],
)
def test_a_command_line_is_read_without_anything_heavy(imported, status, arguments):
    assert imported("run", *arguments) == (status, set())


@pytest.mark.parametrize("arguments", [["--list"], ["--task", "sp500-rec", "--help"]])
def test_tasks_are_described_without_torch(imported, arguments):
    assert imported("run", *arguments) == (0, {"pandas"})


def test_a_sweep_is_shown_without_anything_heavy(imported, kept):
    assert imported("show", kept("synthetic/asha")) == (0, set())


def test_a_model_is_applied_without_ray_and_optuna(imported, tmp_path):
    data = save_long(tmp_path / "new.csv", ragged())
    save_model(tmp_path / "best", data)
    status, found = imported("apply", tmp_path / "best", "--data", data, "--output", tmp_path / "out.csv")
    assert (status, found & {"ray", "optuna"}) == (0, set())


def test_a_model_is_exported_without_ray_and_optuna(imported, kept, tmp_path):
    output = ("--to", "safetensors", "--output", tmp_path / "out.safetensors")
    status, found = imported("export", kept("mnist-cls/asha"), *output)
    assert (status, found & {"ray", "optuna"}) == (0, set())


def test_data_is_read_without_torch_unless_it_needs_it(imported, tmp_path):
    (tmp_path / "prices.csv").write_text("symbol,date,close\n")
    options = ("--task", "sp500-rec", "--data", tmp_path / "prices.csv", "--results", tmp_path)
    assert imported("run", *options) == (2, {"pandas"})


def test_the_slow_stages_before_the_first_trial_are_announced(smoke):
    first, understood, second, third, search, *_ = smoke[0].splitlines()
    assert first == "mnist-cls: reading the data"
    assert understood.startswith("MNIST, 60,000 + 10,000 images")
    assert second == "loading PyTorch, Ray and Optuna"
    assert third == "starting Ray"
    assert search.startswith("mnist-cls: search, ")


def test_the_library_offers_its_names():
    import ae

    assert ae.LSTM_AE.__module__ == "ae.model"
    assert ae.load.__module__ == "ae.saved"
    with pytest.raises(AttributeError, match="'ae' has no attribute 'lode'"):
        ae.lode  # noqa: B018  # the access itself raises
