"""A sweep that is resumed, and a model that is evaluated, need the data that the sweep began with."""

import shutil
from dataclasses import replace

import pytest
from stock_tables import prices, save_folder

from ae import tasks
from ae.saved import save
from sweeps import evaluate
from sweeps.config import plan_file
from sweeps.config.plan_file import load
from sweeps.run import main
from sweeps.storage import data_hash


@pytest.fixture
def with_data(tmp_path, planned):
    """The folder of a sweep of a user's data, one file per stock, and the folder of that data."""
    data = save_folder(prices(), tmp_path)
    plan = planned("--data", data, "--results", data / "results", task="sp500-rec", name="begun")
    plan.folder.mkdir(parents=True)
    plan_file.write(replace(plan, data_sha256=data_hash.sha256([data])))
    return plan.folder, data


@pytest.mark.parametrize(
    "change",
    [
        lambda data: shutil.copy(data / "S03_data.csv", data / "S10_data.csv"),
        lambda data: (data / "S03_data.csv").rename(data / "S99_data.csv"),
        lambda data: (data / "S03_data.csv").write_bytes((data / "S04_data.csv").read_bytes()),
    ],
)
def test_a_sweep_is_not_resumed_with_data_that_has_changed(with_data, capsys, change):
    folder, data = with_data
    change(data)
    assert main(["--resume", str(folder)]) == 2
    line = f"error: --data {data}: is not what the sweep began with; restore it, or begin a new sweep"
    assert capsys.readouterr().err.splitlines()[-1] == line


def test_data_that_is_the_same_has_the_same_hash(with_data):
    folder, data = with_data
    (data / ".DS_Store").touch()
    (folder / "trials.csv").touch()
    (data / "S03_data.csv").touch()
    assert data_hash.sha256([data]) == load(folder).data_sha256 != ""


def test_a_model_is_evaluated_on_the_sweep_s_data_or_with_a_note_on_other(with_data, capsys):
    folder, data = with_data
    task, test = tasks.find("sp500-rec"), {"loss": 0.5, "rmse_dollars": 1.0}
    train = task.load(data, task.options()).train
    model, facts = (task.model(train), task.build(task.base, train).state_dict()), {"data": str(data), "options": {}}
    save(folder / "best", task.name, task.base, *model, **facts, subset=None, test=test, class_names=None)
    assert evaluate.main([str(folder)]) == 0
    assert "note: " not in capsys.readouterr().out
    (data / "S03_data.csv").write_bytes((data / "S04_data.csv").read_bytes())
    assert evaluate.main([str(folder)]) == 2
    line = f"error: --data {data}: is not what the sweep began with; restore it, or begin a new sweep\n"
    assert capsys.readouterr().err == line
    assert evaluate.main([str(folder), "--data", str(data)]) == 0
    assert "note: this data is split again; the sweep may have trained on some" in capsys.readouterr().out


def test_data_that_has_moved_is_found_where_the_user_says(with_data, tmp_path, monkeypatch, capsys, resumed):
    folder, data = with_data
    monkeypatch.chdir(tmp_path)
    shutil.copytree(data, tmp_path / "copy", ignore=shutil.ignore_patterns("results"))
    plan = resumed(folder, "--data", "copy")
    assert plan.data == tmp_path / "copy"
    data_hash.check(plan.data_paths, plan.data_sha256)
    plan_file.write(plan)
    assert resumed(folder).data == plan.data, "later sessions know it"
    (tmp_path / "copy" / "S03_data.csv").unlink()
    for options in (["--data", "copy"], []):
        assert main(["--resume", str(folder), *options]) == 2
        line = f"error: --data {plan.data}: is not what the sweep began with; restore it, or begin a new sweep"
        assert capsys.readouterr().err.splitlines()[-1] == line
    assert resumed(folder, "--data", str(data)).data == data
