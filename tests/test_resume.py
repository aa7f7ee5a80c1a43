"""Sweeps that are resumed after their end."""

import errno
import html
from dataclasses import replace

import pandas as pd
import pytest
from sweep_logs import plain_space

from sweeps import evaluate, rebuild, show
from sweeps.config import plan_file
from sweeps.config.plan_file import load
from sweeps.pipeline.data import DataReader
from sweeps.records.sweep_log import SweepLog
from sweeps.run import main

SMALL = ("--subset", "60", "--max-epochs", "4", "--eval-every", "1", "--grace-period", "1", "--reduction-factor", "2")
FEW = ("--top-k", "1", "--seeds", "1", "--retrain-epochs", "1", "--max-concurrent", "2")
TASK = "synthetic-smooth"


def trials(folder):
    table = pd.read_csv(folder / "trials.csv", dtype={"trial": str})
    return table[table["phase"] == "search"].set_index("trial")


@pytest.fixture
def retest(edit_events):
    """Changes what retrainings scored on the test split, by name, so that a second test would be seen."""

    def retest(folder, value, *names):
        def change(event):
            if event["event"] == "tested" and (not names or event["trial"] in names):
                event["test"] = dict.fromkeys(event["test"], value)
            return event

        edit_events(folder, change)

    return retest


@pytest.fixture
def an_hour_later(edit_events):
    """Lets the phases of a sweep have taken an hour more; in a search, or for one retraining alone."""

    def an_hour_later(folder, *trials):
        def change(event):
            if "wall_s" in event and "trial" in event and (not trials or event["trial"] in trials):
                event["wall_s"] += 3600
            return event

        edit_events(folder, change)

    return an_hour_later


@pytest.mark.usefixtures("one_ray")
def test_new_trials_may_take_the_place_of_those_that_were_retrained(
    run, summary_of, log_of, retest, an_hour_later, ctrl_c, capsys, tmp_path
):
    space = plain_space(tmp_path / "space.yaml")
    options = ("--search", "optuna", "--space", space, "--sampler", "random", "--trials", "3", "--scheduler", "none")
    few = ("--top-k", "2", "--seeds", "1", "--retrain-epochs", "2", "--max-concurrent", "1")
    status, _, _, folder = run(*SMALL, *few, *options, task=TASK)
    assert status == 0
    assert set(log_of(folder).tests) == {"0001-seed1", "0002-seed1"}
    retest(folder, 0.25, "0002-seed1")
    answer = summary_of(folder)["test"]
    for more, at in ((["--trials", "+3"], "0003"), ([], "0005-seed1")):
        capsys.readouterr()
        with ctrl_c(at):
            assert main(["--resume", str(folder), *more]) == 130
        summary = summary_of(folder)
        assert summary["test"] == answer, "what was found stays, though other trials are to be retrained"
        assert [one["test"]["loss"]["values"] for one in summary["retrained"]] == [answer["loss"]["values"], [0.25]]
        table = pd.read_csv(folder / "trials.csv", dtype={"trial": str}).set_index("trial")
        assert table.loc[at, "status"] == "interrupted"
        assert evaluate.main([str(folder)]) == 0
    an_hour_later(folder, "0001-seed1")
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


def test_a_finished_sweep_takes_more_trials_and_leaves_the_others_as_they_ended(sweep, summary_of, an_hour_later):
    folder = sweep.rename(sweep.with_name("renamed"))
    before, typed = trials(folder), summary_of(folder)["command"]
    an_hour_later(folder)
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
    assert f"\npython sweeps/run.py --resume {folder} --trials +6 --max-concurrent 2</pre>" in page
    assert summary["search"]["wall_s"] > 3600
    assert summary["wall_s"] > summary["search"]["wall_s"] + 3600, "the hour of the earlier retraining counts too"
    assert typed.startswith(f"python sweeps/run.py --task {TASK} --results ")


def test_a_finished_sweep_takes_more_seeds_and_configurations_and_tests_no_model_twice(
    sweep, summary_of, log_of, retest, ctrl_c
):
    folder, first = sweep, summary_of(sweep)
    retest(folder, 0.25)
    answer, second = summary_of(folder)["retrained"][0]["val"], next(iter(log_of(folder).tests))[:-1] + "2"
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
    again = f"python sweeps/run.py --resume {folder}"
    assert f"\n{again} --seeds +1\n{again} --top-k +1</pre>" in page
    assert main(["--resume", str(folder), "--seeds", "2"]) == 0, "it is finished again, and has as many"
    assert len(trials(folder)) == 4


def test_a_ctrl_c_while_the_events_are_read_leaves_the_answer_as_it_was(sweep, monkeypatch):
    def half_read(log, event, apply=SweepLog._apply):
        apply(log, event)
        if event["event"] == "ended":
            raise KeyboardInterrupt

    names = ("events.jsonl", "summary.json", "report.html", "trials.csv")
    before = {name: (sweep / name).read_bytes() for name in names}
    with monkeypatch.context() as patched:
        patched.setattr(SweepLog, "_apply", half_read)
        assert main(["--resume", str(sweep), "--trials", "+1"]) == 130
    assert {name: (sweep / name).read_bytes() for name in before} == before


def test_a_retraining_that_failed_is_tried_again(sweep, edit_events, log_of):
    def fail(event):
        if event["event"] == "ended" and event["phase"] == "retrain":
            event |= {"status": "failed", "reason": "killed"}
        return event

    edit_events(sweep, fail)
    assert main(["--resume", str(sweep)]) == 0, "though the sweep is finished"
    table = pd.read_csv(sweep / "trials.csv", dtype={"trial": str})
    assert list(table[table["phase"] == "retrain"]["status"]) == ["finished"]
    assert log_of(sweep).is_finished


def test_a_sweep_keeps_the_defaults_that_it_began_with(begun, capsys):
    folder = begun()
    plan = load(folder)
    budget = replace(plan.budget, max_epochs=77, top_k=2, retrain_epochs=None)
    plan_file.write(replace(plan, budget=budget, space={"lr": [0.5, 0.25, 0.125]}, trials=3))
    assert main(["--resume", str(folder), "--dry-run"]) == 0
    output = capsys.readouterr().out
    assert "grid of 3 configurations" in output
    assert "lr 0.5 | 0.25 | 0.125" in output
    assert "77 epochs per trial" in output
    assert "the best 2, 3 seeds each: 77 epochs each, 462 in all" in output


def test_a_sweep_that_another_metric_ranked_is_not_resumed(begun, capsys):
    folder = begun()
    content = (folder / "plan.json").read_text()
    (folder / "plan.json").write_text(content.replace('"mode": "min"', '"mode": "max"'))
    assert main(["--resume", str(folder), "--dry-run"]) == 2
    error = capsys.readouterr().err
    assert "the sweep ranks trials by loss (max), the task synthetic-smooth now by loss (min)" in error
    assert len(error.splitlines()) == 1


def test_what_follows_from_the_events_can_be_rebuilt(sweep, ctrl_c, capsys):
    def rebuilt():
        tables = ("trials.csv", "curves.csv", "summary.json")
        before = {name: (sweep / name).read_text() for name in tables}
        for name in (*tables, "study.log"):
            (sweep / name).unlink()
        assert rebuild.main([str(sweep)]) == 0
        assert {name: (sweep / name).read_text() for name in tables} == before
        assert str(sweep / "study.log") in capsys.readouterr().out.splitlines()

    rebuilt()
    with ctrl_c("0004"):
        assert main(["--resume", str(sweep), "--trials", "+2"]) == 130
    rebuilt()


@pytest.mark.usefixtures("one_ray")
def test_a_session_that_another_one_overtook_writes_nothing(begun, capsys, monkeypatch):
    folder = begun("--smoke")
    plan, splits = load(folder), DataReader.splits
    overtaken = replace(plan, budget=replace(plan.budget, seeds=5))

    def overtake(*arguments):
        plan_file.write(overtaken)
        return splits(*arguments)

    monkeypatch.setattr(DataReader, "splits", overtake)
    assert main(["--resume", str(folder)]) == 2
    assert capsys.readouterr().err == f"error: {folder} was resumed by another process; try again\n"
    assert load(folder).seeds == 5
    assert not (folder / "events.jsonl").exists()


@pytest.mark.parametrize(
    ("again", "changed"),
    [
        (["--smoke", "--search", "optuna"], None),
        (["--smoke", "--search", "optuna", "--max-concurrent", "1"], None),
        (["--search", "grid"], "--search"),
        (["--smoke", "--seed", "3"], "--seed"),
        (["--smoke", "--search", "optuna", "--sampler", "gp"], "--sampler"),
    ],
)
def test_a_command_that_is_submitted_again_must_be_the_one_that_began(tmp_path, begun, capsys, again, changed):
    begun("--smoke", "--search", "optuna", name="sweep")
    place = ["--name", "sweep", "--results", str(tmp_path)]
    status = main(["--task", TASK, "--or-resume", "--dry-run", *place, *again])
    assert status == (2 if changed else 0)
    if changed:
        assert capsys.readouterr().err == (
            f"error: {changed} cannot change in a sweep that is resumed; begin a new one\n"
        )


def test_the_older_sweep_of_a_warm_start_is_found_from_any_folder(tmp_path, monkeypatch, begun, resumed):
    monkeypatch.chdir(tmp_path)
    folder = begun("--search", "optuna", "--warm-start", "older")
    monkeypatch.chdir("/")
    assert resumed(folder).warm_start == tmp_path / "older"


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
