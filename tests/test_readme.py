"""The README's examples run."""

import re

import pytest
import torch
import yaml

from ae import tasks
from ae.configuration import Configuration
from ae.saved import save
from ae.training import DeviceSplit, Training, final_metrics
from sweeps import space


@pytest.fixture
def blocks(request):
    text = (request.config.rootpath / "README.md").read_text()
    return lambda language: re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def test_the_task_to_add_trains_and_draws(blocks, tmp_path, monkeypatch):
    (code,) = [block for block in blocks("python") if "TASK =" in block]
    (tmp_path / "sawtooth.py").write_text(code)
    monkeypatch.setattr(tasks, "__path__", [*tasks.__path__, str(tmp_path)])
    task = tasks.find("sawtooth")
    splits = task.load(None, task.options()).subset(64)
    train = DeviceSplit(splits.train, "cpu")
    training = Training(task, task.base, train, train)
    assert training.train_epoch() > training.train_epoch()
    assert final_metrics(task, training.model, splits.test)["loss"] > 0
    assert task.figures(training.model, splits, tmp_path)


def test_the_search_space_is_one(blocks, tmp_path):
    (content,) = blocks("yaml")
    (tmp_path / "space.yaml").write_text(content)
    assert list(space.read(tmp_path / "space.yaml", Configuration())) == list(yaml.safe_load(content))


def test_the_model_in_python_works_as_shown(blocks, tmp_path, monkeypatch):
    (code,) = [block for block in blocks("python") if "from ae import load" in block]
    task = tasks.find("mnist-cls")
    save(tmp_path / "results/mnist-cls/NAME/best", task.name, task.base, task.build(task.base).state_dict())
    monkeypatch.chdir(tmp_path)
    names = {"torch": torch}
    exec(code, names)
    assert names["reconstruction"].shape == (8, 28, 28)
    assert names["logits"].shape == (8, 10)


def test_the_tree_names_every_file(request):
    root = request.config.rootpath
    text = (root / "README.md").read_text()
    for path in [*root.glob("ae/*.py"), *root.glob("sweeps/*.py")]:
        assert path.name == "__init__.py" or f"  {path.name} " in text, f"{path.name} is not in the README's tree"
    for name in tasks.names():
        assert f"`{name}`" in text, f"the task {name} is not in the README"
