"""A sweep watched and recorded: in the terminal, beside other sweeps, in its study."""

import json
import re
import shutil

import pytest

from sweeps import compare, show, tables
from sweeps.run import main

SPACE = "lr: [0.01, 1.0e+30]\nclip: none\nhidden_size: [4, 8]\nbatch_size: 32\n"
"""Two trials that train, two that diverge."""
SMALL = ("--subset", "300", "--max-epochs", "4", "--eval-every", "1", "--grace-period", "1", "--reduction-factor", "2")
FEW = ("--top-k", "1", "--seeds", "2")


@pytest.fixture(scope="module")
def swept(one_ray, tmp_path_factory):
    """The results folder of a sweep that ended; not to be changed."""
    place = tmp_path_factory.mktemp("results")
    (place / "space.yaml").write_text(SPACE)
    options = ("--results", str(place), "--name", "grid", "--space", str(place / "space.yaml"))
    assert main(["--task", "mnist-cls", *SMALL, *FEW, *options]) == 0
    return place / "mnist-cls" / "grid"


@pytest.fixture
def running(swept, tmp_path):
    """The folder as it was when a trial trained, one waited, and the rest were to come."""
    folder = shutil.copytree(swept, tmp_path / "mnist-cls" / "running")
    for name in ("summary.json", "trials.csv"):
        (folder / name).unlink()
    record = json.loads((folder / "sweep.json").read_text())
    (folder / "sweep.json").write_text(json.dumps(record | {"finished": False}))
    rows = [row for row in tables.rows(folder / "curves.csv") if row["phase"] == "search" and row["val_loss"] != "nan"]
    last = max(rows, key=lambda row: int(row["epoch"]))
    tables.rewrite(folder / "curves.csv", [row for row in rows if row is not last])
    with (folder / "curves.csv").open("a") as file:
        file.write("search,0000,4,0.2")  # a row that is being written
    return folder


@pytest.fixture
def shown(capsys, monkeypatch):
    """Runs a command line on a wide terminal; gives status, output and error output."""
    monkeypatch.setenv("COLUMNS", "200")

    def shown(command, *arguments):
        capsys.readouterr()
        try:
            status = command([str(argument) for argument in arguments])
        except SystemExit as end:
            status = end.code
        return status, *capsys.readouterr()

    return shown


def test_a_finished_sweep_is_shown_with_its_best_trials_first(swept, shown, summary_of):
    status, output, _ = shown(show.main, swept)
    assert status == 0
    assert "mnist-cls/grid  grid of 4, asha; finished" in output
    assert "2 diverged" in output
    test = summary_of(swept)["test"]["accuracy"]
    assert f"test accuracy {test['mean']:.4g} ± {test['std']:.2g}" in output
    ranking = re.split(r" configuration *\n", output)[1].splitlines()
    assert len(ranking) == 4
    assert ranking[0].split()[1] == "finished"
    best = summary_of(swept)["best"]
    assert f" 4/4    {best['val']['accuracy']:.4g} " in ranking[0]
    assert f"lr 0.01, hidden_size {best['config']['hidden_size']}" in ranking[0]
    assert any(block in ranking[0] for block in show.BARS)


def test_a_running_sweep_is_shown_and_not_touched(running, shown):
    before = {path: path.read_bytes() for path in running.rglob("*") if path.is_file()}
    status, output, _ = shown(show.main, running)
    assert status == 0
    assert "last report 0:00:0" in output
    assert "1 running, 1 paused, 2 to come" in output
    assert "test accuracy" not in output
    assert {path: path.read_bytes() for path in running.rglob("*") if path.is_file()} == before


def test_watch_ends_with_the_sweep(swept, shown):
    status, output, _ = shown(show.main, swept, "--watch", "0.1", "--trials", "2")
    assert status == 0
    assert "and 2 more" in output


def test_a_sparkline_shows_values_to_one_scale():
    curves = {"a": {1: 1.0, 2: 2.0, 4: 8.0}, "b": {1: 4.5, 2: float("nan")}}
    assert show.sparks(curves, 4, "12345678") == {"a": "1288", "b": "5 "}
    assert show.sparks({"a": {1: 1e-4, 2: 1e-2, 3: 1.0}}, 3, "123") == {"a": "123"}
    assert len(show.sparks({"a": {epoch: 1.0 for epoch in range(1, 301)}}, 300, "1")["a"]) == show.WIDTH


def test_sweeps_are_compared_in_a_table_and_a_picture(swept, running, shown, summary_of, tmp_path):
    status, output, _ = shown(compare.main, swept, running, "--output", tmp_path / "both.png")
    assert status == 0
    assert re.search(r"scheduler +asha +asha", output)
    assert re.search(r"trials ended +4 of 4 +0 of 4", output)
    assert f"{summary_of(swept)['best']['val']['accuracy']:.4g}" in output
    assert "not tested" in output
    assert (tmp_path / "both.png").stat().st_size > 10_000


def test_what_a_sweep_spent_until_it_found_its_best(swept, summary_of):
    found = compare.progress(compare.read(swept))
    summary = summary_of(swept)
    assert found["best"].iloc[-1] == summary["best"]["val"]["accuracy"]
    assert found["epochs"].iloc[-1] <= summary["search"]["epochs_trained"]
    assert found["best"].is_monotonic_increasing
    assert found["wall_s"].is_monotonic_increasing


def test_sweeps_of_other_tasks_and_objectives_are_not_compared(swept, tmp_path, shown):
    other = shutil.copytree(swept, tmp_path / "other")
    record = (other / "sweep.json").read_text()
    (other / "sweep.json").write_text(record.replace('"mnist-cls"', '"mnist-rec"'))
    status, _, error = shown(compare.main, swept, other)
    assert (status, error.count("\n")) == (2, 1)
    assert "compare sweeps of one task" in error
    (other / "sweep.json").write_text(record)
    summary = (other / "summary.json").read_text()
    (other / "summary.json").write_text(summary.replace('"metric": "accuracy"', '"metric": "loss"'))
    status, _, error = shown(compare.main, swept, other)
    assert (status, error.count("\n")) == (2, 1)
    assert "was judged by loss (max)" in error


@pytest.mark.parametrize("command", [show.main, compare.main])
@pytest.mark.parametrize(
    ("table", "content", "message"),
    [
        ("sweep.json", None, "it has no sweep.json"),
        ("sweep.json", "{", "cannot be read"),
        ("curves.csv", "phase,trial,epoch\nsearch,0000,x\n", "curves.csv: not the table of a sweep"),
        ("trials.csv", "phase,trial\nsearch,9999\n", "trials.csv: trial 9999 is none of this sweep's"),
        ("study.log", "{}\n", "study.log: not a whole Optuna study"),
        ("summary.json", "[]", "summary.json: not the summary of a sweep"),
    ],
)
def test_a_folder_that_cannot_be_read_is_one_line(command, table, content, message, swept, tmp_path, shown):
    folder = shutil.copytree(swept, tmp_path / "damaged", ignore=shutil.ignore_patterns("ray", "best", "figures"))
    if content is None:
        (folder / table).unlink()
    else:
        (folder / table).write_text(content)
    status, output, error = shown(command, folder)
    assert (status, output, error.count("\n")) == (2, "", 1)
    assert error.startswith("error: ")
    assert message in error


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        (show.main, ["x", "--watch", "0"], "must be seconds > 0, got '0'"),
        (show.main, ["x", "--trials", "0"], "must be a whole number >= 1"),
        (compare.main, ["x", "--output", "x.jpg"], "--output must end in .png, got x.jpg"),
    ],
)
def test_options_are_checked(command, arguments, message, shown):
    status, _, error = shown(command, *arguments)
    assert (status, error.count("\n")) == (2, 1)
    assert message in error
