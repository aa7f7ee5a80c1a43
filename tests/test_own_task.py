"""A user's own task: a file in any place, shipped to every worker."""

import json

import pytest

from ae import tasks
from ae.errors import UserError
from sweeps import evaluate, show
from sweeps.run import main

TASK = '''
"""Halves of sine waves, reconstructed."""

from dataclasses import dataclass, field, replace

import numpy as np

from ae.splits import Split, Splits
from ae.tasks import synthetic


@dataclass(frozen=True, kw_only=True)
class Options:
    waves: int = field(default=60, metadata={"help": "how many"})


def load(path, options):
    phases = np.linspace(0.0, 6.0, options.waves)[:, None, None]
    waves = np.sin(phases + np.arange(12)[:, None] / 4).astype(np.float32)
    parts = [Split.dense(waves[first::3]) for first in range(3)]
    return Splits(train=parts[0], validation=parts[1], test=parts[2], source=f"{options.waves} waves")


def measure(model, batch):
    error = (model(batch.inputs_BTF).reconstruction_BTO - batch.inputs_BTF).abs().mean()
    return {"loss": error}


TASK = replace(synthetic.TASK, description="waves", load=load, options=Options, measure=measure, figures=lambda *_: [])
'''
FEW = ("--max-epochs", "2", "--eval-every", "1", "--grace-period", "1", "--top-k", "1", "--seeds", "1")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "half_waves.py"
    path.write_text(TASK)
    return path


@pytest.mark.usefixtures("one_ray")
def test_a_sweep_of_it_is_run_shown_evaluated_and_resumed(file, tmp_path, capsys):
    space = tmp_path / "space.yaml"
    space.write_text("hidden_size: [3, 4]\n")
    given = ["--task", str(file), "--waves", "30", "--space", str(space), *FEW, "--results", str(tmp_path / "results")]
    assert main([*given, "--name", "a"]) == 0
    folder = tmp_path / "results" / "half-waves" / "a"
    assert json.loads((folder / "plan.json").read_text())["task"] == str(file)
    assert "30 waves" in capsys.readouterr().out
    assert show.main([str(folder)]) == 0
    assert evaluate.main([str(folder)]) == 0
    assert "in the sweep" in capsys.readouterr().out
    assert main(["--resume", str(folder), "--seeds", "+1"]) == 0
    assert len(json.loads((folder / "summary.json").read_text())["retrained"][0]["test"]["loss"]["values"]) == 2


def test_its_options_are_in_the_help(file, capsys):
    with pytest.raises(SystemExit):
        main(["--task", str(file), "--help"])
    assert "--waves" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("import nothing_of_that_name\n", "line 1: ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        ("\n\nx = 1 +\n", "line 3: SyntaxError: invalid syntax"),
        ("y = 2\nx = y / 0\n", "line 2: ZeroDivisionError: division by zero"),
        ("x = 1\n", "must define TASK, an ae.task.Task, as the files in ae/tasks/ do; got None"),
    ],
)
def test_a_file_that_defines_no_task_is_refused_in_one_line(tmp_path, content, line):
    path = tmp_path / "broken.py"
    path.write_text(content)
    with pytest.raises(UserError) as caught:
        tasks.find(str(path))
    assert str(caught.value) == f"{path}{',' if line.startswith('line') else ':'} {line}"


def test_a_file_that_is_not_there_or_has_the_name_of_another_task_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.py: there is no such file; a task is a name, or a file"):
        tasks.find(str(tmp_path / "nowhere.py"))
    (tmp_path / "mnist_cls.py").write_text(TASK)
    with pytest.raises(UserError, match="is called mnist-cls; rename the file"):
        tasks.find(str(tmp_path / "mnist_cls.py"))
