"""Sweeps that are gone on with after their end."""

import html
import json
import os
import re
import signal
from dataclasses import replace

import pandas as pd
import pytest

from ae import tasks
from sweeps import defaults, evaluate, show, tables
from sweeps.folder import Record
from sweeps.room import Room
from sweeps.run import main

SMALL = ("--subset", "60", "--max-epochs", "4", "--eval-every", "1", "--grace-period", "1", "--reduction-factor", "2")
FEW = ("--top-k", "1", "--seeds", "1", "--retrain-epochs", "1", "--max-concurrent", "2")
TASK = "synthetic-smooth"


def trials(folder):
    table = pd.read_csv(folder / "trials.csv", dtype={"trial": str})
    return table[table["phase"] == "search"].set_index("trial")


@pytest.fixture
def ctrl_c(monkeypatch):
    """Goes on with a sweep and sends it a Ctrl-C at the first report of a trial; gives the exit status."""

    def ctrl_c(*arguments, at):
        def append(path, row, append=tables.append):
            append(path, row)
            if row["trial"] == at and path.name == tables.CURVES:
                os.kill(os.getpid(), signal.SIGINT)

        with monkeypatch.context() as patched:
            patched.setattr(tables, "append", append)
            return main(["--resume", *arguments])

    return ctrl_c


@pytest.mark.usefixtures("one_ray")
def test_new_trials_may_take_the_place_of_those_that_were_retrained(run, summary_of, ctrl_c, capsys):
    options = ("--search", "optuna", "--sampler", "random", "--trials", "3", "--scheduler", "none", "--top-k", "2")
    few = ("--seeds", "1", "--retrain-epochs", "2", "--max-concurrent", "1")
    status, _, _, folder = run(*SMALL, *few, *options, task=TASK)
    assert status == 0
    tested = json.loads((folder / "tested.json").read_text())
    assert set(tested) == {"0001-seed1", "0002-seed1"}
    tested["0002-seed1"]["test"] = dict.fromkeys(tested["0002-seed1"]["test"], 0.25)
    (folder / "tested.json").write_text(json.dumps(tested))
    answer = summary_of(folder)["test"]
    for more, at in ((["--trials", "+3"], "0003"), ([], "0005-seed1")):
        capsys.readouterr()
        assert ctrl_c(str(folder), *more, at=at) == 130
        closing = re.findall(r" gone, over \| (.*) \| best", capsys.readouterr().out)[-1]
        assert "1 interrupted" in closing
        assert "running" not in closing
        summary = summary_of(folder)
        assert summary["test"] == answer, "what was found stays, though other trials are to be retrained"
        assert [one["test"]["loss"]["values"] for one in summary["retrained"]] == [answer["loss"]["values"], [0.25]]
        assert evaluate.main([str(folder)]) == 0
    curves = pd.read_csv(folder / "curves.csv", dtype={"trial": str})
    curves.loc[curves["trial"] == "0001-seed1", "wall_s"] += 3600
    curves.to_csv(folder / "curves.csv", index=False)
    assert main(["--resume", str(folder)]) == 0
    assert summary_of(folder)["wall_s"] > 3600, "a retraining that is selected no more took its time too"
    table = pd.read_csv(folder / "trials.csv", dtype={"trial": str})
    retrained = set(table[table["phase"] == "retrain"]["trial"])
    assert retrained == {"0001-seed1", "0002-seed1", "0005-seed1"}, "one is new, one is selected no more"
    values = [one["test"]["loss"]["values"] for one in summary_of(folder)["retrained"]]
    assert [0.25] in values, "a model that has met the test split does not meet it again"
    assert len(values) == 2
    capsys.readouterr()
    assert show.main([str(folder)]) == 0
    assert "retraining: 2 finished" in capsys.readouterr().out


@pytest.mark.usefixtures("one_ray")
def test_a_ctrl_c_after_a_phase_s_last_trial_is_heard(run, summary_of, monkeypatch):
    options = (*FEW, "--search", "optuna", "--sampler", "random", "--trials", "2")
    with monkeypatch.context() as patched:
        patched.setattr(Room, "on_experiment_end", lambda *_, **__: os.kill(os.getpid(), signal.SIGINT))
        status, output, _, folder = run(*SMALL, *options, task=TASK)
        assert (status, summary_of(folder)["retrained"]) == (130, [])
        assert "Interrupted: 2 of 2 trials had ended" in output
        assert main(["--resume", str(folder)]) == 130
        assert (len(summary_of(folder)["retrained"]), summary_of(folder)["test"]) == (1, None)
    assert main(["--resume", str(folder)]) == 0
    assert summary_of(folder)["test"]


@pytest.mark.usefixtures("one_ray")
def test_a_finished_sweep_takes_more_trials_and_leaves_the_others_as_they_ended(run, summary_of):
    options = ("--search", "optuna", "--sampler", "random", "--trials", "4")
    status, _, _, folder = run(*SMALL, *FEW, *options, task=TASK)
    assert status == 0
    before, typed = trials(folder), summary_of(folder)["command"]
    curves = pd.read_csv(folder / "curves.csv", dtype={"trial": str})
    curves.assign(wall_s=curves["wall_s"] + 3600).to_csv(folder / "curves.csv", index=False)
    assert "stopped early" in set(before["status"]), "a rung must have somebody who could be promoted"
    folder = folder.rename(folder.with_name("renamed"))
    assert main(["--resume", str(folder), "--trials", "+6"]) == 0
    after = trials(folder)
    assert len(after) == 10
    assert set(after["status"]) <= {"finished", "stopped early"}
    pd.testing.assert_frame_equal(after.loc[before.index], before)
    summary = summary_of(folder)
    assert summary["search"]["requested"] == 10
    assert summary["command"] == typed
    page = html.unescape((folder / "report.html").read_text())
    assert f"\npython sweeps/run.py --resume {folder} --trials +6</pre>" in page
    assert summary["search"]["wall_s"] > 3600
    assert summary["wall_s"] > summary["search"]["wall_s"] + 3600, "the hour of the earlier retraining counts too"
    assert typed.startswith(f"python sweeps/run.py --task {TASK} --results ")


def test_a_sweep_goes_on_with_the_defaults_that_it_began_with(tmp_path, capsys):
    task = tasks.find(TASK)
    task = replace(task, budget=replace(task.budget, max_epochs=77, top_k=2), grid={"lr": (0.5, 0.25, 0.125)})
    folder = tmp_path / TASK / "older"
    folder.mkdir(parents=True)
    Record(arguments=["--task", TASK], trials=3, defaults=defaults.of(task)).write(folder)
    assert main(["--resume", str(folder), "--dry-run"]) == 0
    output = capsys.readouterr().out
    assert "grid of 3 configurations" in output
    assert "lr 0.5 | 0.25 | 0.125" in output
    assert "77 epochs a trial" in output
    assert "the best 2, 3 seeds each, 462 epochs" in output


def test_nothing_to_add_is_refused(tmp_path, capsys):
    folder = tmp_path / TASK / "finished"
    folder.mkdir(parents=True)
    Record(arguments=["--task", TASK, "--search", "optuna"], trials=24, finished=True).write(folder)
    assert main(["--resume", str(folder), "--trials", "+0"]) == 2
    assert capsys.readouterr().err == "error: --trials +0 must add at least 1\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--max-epochs", "20"], "--max-epochs cannot change in a sweep that is resumed"),
        (["--retrain-epochs", "7"], "--retrain-epochs cannot change"),
        (["--seeds", "2"], "--seeds cannot change"),
        (["--name", "other"], "--name other: a resumed sweep keeps its name"),
    ],
)
def test_what_would_make_it_another_sweep_is_refused_by_its_own_name(tmp_path, capsys, options, message):
    folder = tmp_path / TASK / "begun"
    folder.mkdir(parents=True)
    Record(arguments=["--task", TASK], trials=12).write(folder)
    assert main(["--resume", str(folder), "--dry-run", *options]) == 2
    assert message in capsys.readouterr().err


def test_a_folder_of_sweeps_is_refused_with_their_names(tmp_path, capsys):
    folder = tmp_path / TASK / "begun"
    folder.mkdir(parents=True)
    Record(arguments=["--task", TASK], trials=12).write(folder)
    assert main(["--resume", str(folder.parent)]) == 2
    assert f"it has no sweep.json, but there are {folder}" in capsys.readouterr().err
    assert main(["--resume", str(folder / "sweep.json")]) == 2
    assert "not the results folder of a sweep" in capsys.readouterr().err
