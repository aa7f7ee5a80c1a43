"""Sweeps that are gone on with after their end."""

import errno
import html
import json
import re
from dataclasses import replace

import pandas as pd
import pytest

from ae import tasks
from sweeps import evaluate, show
from sweeps import run as start
from sweeps.config import defaults
from sweeps.config.arguments import named_task, parser
from sweeps.config.planning import make_plan
from sweeps.records import history, tables
from sweeps.run import main
from sweeps.storage.folder import Record, make, read

SMALL = ("--subset", "60", "--max-epochs", "4", "--eval-every", "1", "--grace-period", "1", "--reduction-factor", "2")
FEW = ("--top-k", "1", "--seeds", "1", "--retrain-epochs", "1", "--max-concurrent", "2")
TASK = "synthetic-smooth"


def trials(folder):
    table = pd.read_csv(folder / "trials.csv", dtype={"trial": str})
    return table[table["phase"] == "search"].set_index("trial")


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
        with ctrl_c(at):
            assert main(["--resume", str(folder), *more]) == 130
        closing = re.findall(r" gone, over \| (.*) \| best", capsys.readouterr().out)[-1]
        assert "1 interrupted" in closing
        assert "running" not in closing
        summary = summary_of(folder)
        assert summary["test"] == answer, "what was found stays, though other trials are to be retrained"
        assert [one["test"]["loss"]["values"] for one in summary["retrained"]] == [answer["loss"]["values"], [0.25]]
        assert evaluate.main([str(folder)]) == 0
    curves = tables.curves(folder)
    curves.loc[curves["trial"] == "0001-seed1", "wall_s"] += 3600
    curves.to_csv(folder / "curves.csv", index=False)
    assert main(["--resume", str(folder)]) == 0
    assert summary_of(folder)["wall_s"] > 3600, "a retraining of an earlier session took its time too"
    table = pd.read_csv(folder / "trials.csv", dtype={"trial": str})
    retrained = set(table[table["phase"] == "retrain"]["trial"])
    assert retrained == {"0001-seed1", "0002-seed1", "0005-seed1"}, "one is new, none is taken away"
    values = [one["test"]["loss"]["values"] for one in summary_of(folder)["retrained"]]
    assert [0.25] in values, "a model that has met the test split does not meet it again"
    assert answer["loss"]["values"] in values, "what was found stays"
    assert len(values) == 3
    capsys.readouterr()
    assert show.main([str(folder)]) == 0
    assert "retraining: 3 finished" in capsys.readouterr().out


@pytest.mark.usefixtures("one_ray")
def test_a_ctrl_c_after_a_phase_s_last_trial_is_heard(run, summary_of, ctrl_c_at_the_end):
    options = (*FEW, "--search", "optuna", "--sampler", "random", "--trials", "2")
    with ctrl_c_at_the_end():
        status, output, _, folder = run(*SMALL, *options, task=TASK)
        assert (status, summary_of(folder)["retrained"]) == (130, [])
        assert "Interrupted: 2 of 2 trials had ended" in output
        assert main(["--resume", str(folder)]) == 130
        assert (len(summary_of(folder)["retrained"]), summary_of(folder)["test"]) == (1, None)
    assert main(["--resume", str(folder)]) == 0
    assert summary_of(folder)["test"]


def test_a_finished_sweep_takes_more_trials_and_leaves_the_others_as_they_ended(sweep, summary_of):
    folder = sweep.rename(sweep.with_name("renamed"))
    before, typed = trials(folder), summary_of(folder)["command"]
    curves = tables.curves(folder)
    curves.assign(wall_s=curves["wall_s"] + 3600).to_csv(folder / "curves.csv", index=False)
    assert "stopped early" in set(before["status"]), "a rung must have somebody who could be promoted"
    assert main(["--resume", str(folder), "--trials", "+6", "--max-concurrent", "2"]) == 0
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


def test_a_finished_sweep_takes_more_seeds_and_configurations_and_tests_no_model_twice(sweep, summary_of, ctrl_c):
    folder, first = sweep, summary_of(sweep)
    tested = json.loads((folder / "tested.json").read_text())
    for model in tested.values():
        model["test"]["loss"] = 0.25
    (folder / "tested.json").write_text(json.dumps(tested))
    answer, second = summary_of(folder)["retrained"][0]["val"], next(iter(tested)).replace("seed1", "seed2")
    with ctrl_c(second):
        assert main(["--resume", str(folder), "--seeds", "+1"]) == 130
    assert summary_of(folder)["test"]["loss"]["values"] == [0.25], "what was tested stays the answer"
    assert summary_of(folder)["retrained"][0]["val"] == answer
    assert main(["--resume", str(folder), "--top-k", "+1"]) == 0
    retrained = summary_of(folder)["retrained"]
    values = [one["val"]["loss"]["values"] for one in retrained]
    assert list(map(len, values)) == [2, 2]
    assert first["retrained"][0]["val"]["loss"]["values"] in [[value[0]] for value in values]
    assert [0.25] in [one["test"]["loss"]["values"][:1] for one in retrained], "it does not meet the test split again"
    page = html.unescape((folder / "report.html").read_text())
    assert f"\npython sweeps/run.py --resume {folder} --top-k +1 --seeds +1</pre>" in page
    assert main(["--resume", str(folder), "--seeds", "2"]) == 0, "it is finished again, and has as many"
    assert len(trials(folder)) == 4


def test_a_ctrl_c_while_the_tables_are_read_leaves_the_answer_as_it_was(sweep, monkeypatch):
    def half_read(ledger, *found, restore=history.restore, **more):
        restore(ledger, *found, **more)
        raise KeyboardInterrupt

    before = {name: (sweep / name).read_bytes() for name in ("summary.json", "report.html", "trials.csv")}
    with monkeypatch.context() as patched:
        patched.setattr(history, "restore", half_read)
        assert main(["--resume", str(sweep), "--trials", "+1"]) == 130
    assert {name: (sweep / name).read_bytes() for name in before} == before


def test_a_retraining_that_failed_is_tried_again(sweep):
    whole = tables.rows(sweep / "trials.csv")
    failed = [row | {"status": "failed", "reason": "killed"} if row["phase"] == "retrain" else row for row in whole]
    tables.rewrite(sweep / "trials.csv", failed)
    assert main(["--resume", str(sweep)]) == 0, "though the sweep is finished"
    again = [row for row in tables.rows(sweep / "trials.csv") if row["phase"] == "retrain"]
    assert [row["status"] for row in again] == ["finished"]
    assert json.loads((sweep / "sweep.json").read_text())["finished"]


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


@pytest.mark.usefixtures("one_ray")
def test_a_session_that_another_one_overtook_writes_nothing(tmp_path, capsys, monkeypatch):
    folder = tmp_path / TASK / "sweep"
    folder.mkdir(parents=True)
    record = Record(arguments=["--task", TASK, "--smoke"], trials=12, fixed=["--name", "sweep"])
    record.write(folder)
    load = start.load

    def overtaken(plan, typed=None):
        replace(record, seeds=5, finished=True).write(folder)
        return load(plan, typed)

    monkeypatch.setattr(start, "load", overtaken)
    assert main(["--resume", str(folder)]) == 2
    assert capsys.readouterr().err == f"error: {folder} was gone on with by another session meanwhile; run it again\n"
    assert read(folder) == replace(record, seeds=5, finished=True)


@pytest.mark.parametrize(
    ("again", "changed"),
    [
        (["--smoke", "--search", "optuna"], None),
        (["--smoke", "--search", "optuna", "--max-concurrent", "1"], None),
        (["--search", "optuna"], "--smoke"),
        (["--smoke"], "--search"),
        (["--smoke", "--search", "optuna", "--sampler", "gp"], "--sampler"),
    ],
)
def test_a_command_that_is_submitted_again_must_be_the_one_that_began(tmp_path, capsys, again, changed):
    folder = tmp_path / TASK / "sweep"
    folder.mkdir(parents=True)
    place = ["--name", "sweep", "--results", str(tmp_path)]
    Record(arguments=["--task", TASK, "--smoke", "--search", "optuna"], trials=8, fixed=place).write(folder)
    status = main(["--task", TASK, "--or-resume", "--dry-run", *place, *again])
    assert status == (2 if changed else 0)
    if changed:
        assert capsys.readouterr().err == (
            f"error: {changed} cannot change in a sweep that is resumed; begin a new one\n"
        )


def test_the_older_sweep_of_a_warm_start_is_found_from_any_folder(tmp_path, monkeypatch, resumed):
    monkeypatch.chdir(tmp_path)
    arguments = ["--task", TASK, "--search", "optuna", "--warm-start", "older", "--name", "new"]
    plan = make_plan(parser(named_task(arguments)).parse(arguments), arguments)
    make(plan.folder, plan.record, None)
    monkeypatch.chdir("/")
    assert resumed(tmp_path / plan.folder).warm_start == tmp_path / "older"


@pytest.mark.usefixtures("one_ray")
def test_a_disk_without_locks_is_not_taken_for_a_sweep_that_runs(run, monkeypatch):
    def flock(*what):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", flock)
    status, _, error, folder = run("--smoke")
    assert (status, error) == (
        2,
        f"error: {folder} cannot be locked: No locks available; give --results on another disk\n",
    )


def test_nothing_to_add_is_refused(tmp_path, capsys):
    folder = tmp_path / TASK / "finished"
    folder.mkdir(parents=True)
    Record(arguments=["--task", TASK, "--search", "optuna"], trials=24, finished=True).write(folder)
    for option in ("--trials", "--top-k", "--seeds"):
        assert main(["--resume", str(folder), option, "+0"]) == 2
        assert capsys.readouterr().err == f"error: {option} +0 must add at least 1\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--max-epochs", "20"], "--max-epochs cannot change in a sweep that is resumed"),
        (["--retrain-epochs", "7"], "--retrain-epochs cannot change"),
        (["--seeds", "2"], "--seeds cannot change in a sweep that is resumed; +N adds some"),
        (["--top-k", "+10"], "--top-k must be <= the number of trials (12), got 13"),
        (["--trials", "+1"], "--trials +1 goes with --search optuna; this sweep is a grid"),
        (["--smoke"], "--smoke cannot change"),
        (["--task", "mnist-rec"], "--task cannot change"),
        (["--task", "sp500-rec", "--field", "close"], "--task cannot change"),
        (["--name", "other"], "--name other: a resumed sweep keeps its name"),
    ],
)
def test_what_would_make_it_another_sweep_is_refused_by_its_own_name(tmp_path, capsys, options, message):
    folder = tmp_path / TASK / "begun"
    folder.mkdir(parents=True)
    Record(arguments=["--task", TASK], trials=12).write(folder)
    assert main(["--resume", str(folder), "--dry-run", *options]) == 2
    assert message in capsys.readouterr().err


def test_a_task_s_own_options_are_refused_by_their_names(tmp_path, capsys):
    folder = tmp_path / "sp500-rec" / "begun"
    folder.mkdir(parents=True)
    Record(arguments=["--task", "sp500-rec", "--smoke"], trials=12).write(folder)
    again = ["--resume", str(folder), "--dry-run", "--task", "sp500-rec"]
    assert main([*again, "--smoke", "--field", "high"]) == 0
    for option in (["--field", "close"], ["--min-days", "9"]):
        assert main([*again, *option]) == 2
        assert f"{option[0]} cannot change" in capsys.readouterr().err


@pytest.fixture
def with_resources(tmp_path):
    """The folder of a sweep that began with every option of resources that may be left out."""
    folder = tmp_path / TASK / "begun"
    folder.mkdir(parents=True)
    where = ("--address", "auto", "--autoscale", "4", "--track", "mlflow", "--dashboard", "--verbose")
    limits = ("--max-concurrent", "3", "--time-limit", "9", "--gpus-per-trial", "0.5")
    Record(arguments=["--task", TASK, *where, *limits], trials=12).write(folder)
    return folder


def test_resources_that_a_sweep_began_with_can_be_taken_back(with_resources, resumed):
    fields = ("address", "autoscale", "track", "max_concurrent", "gpus_per_trial", "time_limit")
    none = [part for name in fields for part in (f"--{name.replace('_', '-')}", "none")]
    plan = resumed(with_resources, *none, "--no-dashboard", "--no-verbose")
    for name in (*fields[:-1], "time_limit_s"):
        assert getattr(plan, name) is None
    assert not plan.dashboard
    assert not plan.verbose
    plan = resumed(with_resources)
    assert (plan.address, plan.autoscale, plan.track, plan.time_limit_s) == ("auto", 4, "mlflow", 9)
    assert plan.dashboard


def test_a_sweep_that_leaves_its_cluster_asks_it_for_nothing(with_resources, resumed):
    assert resumed(with_resources, "--address", "none").autoscale is None
    assert resumed(with_resources, "--autoscale", "none").address == "auto"
    with pytest.raises(ValueError, match="--autoscale goes with --address"):
        resumed(with_resources, "--address", "none", "--autoscale", "4")


def test_a_folder_of_sweeps_is_refused_with_their_names(tmp_path, capsys):
    folder = tmp_path / TASK / "begun"
    folder.mkdir(parents=True)
    Record(arguments=["--task", TASK], trials=12).write(folder)
    assert main(["--resume", str(folder.parent)]) == 2
    assert f"it has no sweep.json, but there are {folder}" in capsys.readouterr().err
    assert main(["--resume", str(folder / "sweep.json")]) == 2
    assert "not the results folder of a sweep" in capsys.readouterr().err
