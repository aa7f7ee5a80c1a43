"""The README's examples run, and the commands of all the documents are ones."""

import re
import shlex

import pytest
import torch
import yaml

from ae import tasks
from ae.batches import DeviceSplit
from ae.configuration import Configuration
from ae.saved import save
from ae.training import Training, final_metrics
from sweeps import apply, replay, show
from sweeps.config import arguments as options
from sweeps.config import space
from sweeps.config.command_line import named_task

DOCUMENTS = (
    *("README.md", "cluster/README.md", "docs/ARCHITECTURE.md"),
    *("docs/config-file.md", "docs/early-stopping.md", "docs/your-data.md", "results/README.md", "tests/FAULTS.md"),
)


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
    assert final_metrics(task, training.model, splits)["loss"] > 0
    assert task.figures(training.model, splits, tmp_path)


def test_the_search_space_is_one(blocks, tmp_path):
    (content,) = blocks("yaml")
    (tmp_path / "space.yaml").write_text(content)
    assert list(space.read(tmp_path / "space.yaml", Configuration())) == list(yaml.safe_load(content))


def test_the_model_in_python_works_as_shown(blocks, mnist, tmp_path, monkeypatch):
    (code,) = [block for block in blocks("python") if "from ae import load" in block]
    task = tasks.find("mnist-cls")
    weights = task.build(task.base, mnist.train).state_dict()
    save(tmp_path / "results/mnist-cls/NAME/best", task.name, task.base, task.model(mnist.train), weights)
    monkeypatch.chdir(tmp_path)
    names = {"torch": torch}
    exec(code, names)
    assert names["reconstruction"].shape == (8, 28, 28)
    assert names["logits"].shape == (8, 10)


def test_the_tree_names_every_package_and_the_table_every_task(request):
    root = request.config.rootpath
    text = (root / "README.md").read_text()
    tree = text.partition("```\nae/ ")[2].partition("```")[0]
    folders = {"ae", "cluster", "benchmarks", *(path.parent.name for path in (root / "sweeps").rglob("__init__.py"))}
    assert set(re.findall(r"^ *(\w+)/ ", f"ae/ {tree}", re.MULTILINE)) == folders
    for name in tasks.names():
        assert f"| `{name}` |" in text, f"the task {name} is not in the README"


@pytest.fixture
def commands(request):
    """Every command of one program that the documents show, as words, without its name."""
    shown = []
    for path in DOCUMENTS:
        text = (request.config.rootpath / path).read_text()
        blocks = re.findall(r"```bash\n(.*?)```", text, flags=re.DOTALL)
        lines = [line for block in blocks for line in block.splitlines()]
        spans = re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
        shown += [
            shlex.split(line.partition(" > ")[0], comments=True)
            for line in [*lines, *spans]
            if line.startswith(("python ", "make "))
        ]
    return lambda *name: [words[len(name) :] for words in shown if tuple(words[: len(name)]) == name]


@pytest.mark.parametrize(
    ("script", "command_line", "least"),
    [
        ("run", lambda words: options.parser(named_task(words)), 15),
        ("replay", lambda words: replay.command_line(), 5),
        ("show", lambda words: show.command_line(), 1),
        ("apply", lambda words: apply.command_line(), 2),
    ],
)
def test_every_command_line_in_the_documents_is_one(commands, script, command_line, least):
    found = commands("python", f"sweeps/{script}.py")
    assert len(found) >= least
    for words in found:
        is_mention = not words  # of the command itself, in a sentence
        assert is_mention or "--help" in words or command_line(words).parse(words)


def test_every_make_in_the_documents_has_its_target_and_variables(commands, request):
    makefile = (request.config.rootpath / "Makefile").read_text()
    found = commands("make")
    assert len(found) >= 15
    for target, *variables in found:
        assert re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE), target
        given = dict(variable.split("=", 1) for variable in variables)
        for name in given:
            assert f"$({name})" in makefile, name
        if target == "sweep" and "ARGS" in given:
            words = ["--task", given.get("TASK", "mnist-cls"), *shlex.split(given["ARGS"])]
            assert options.parser(named_task(words)).parse(words)
