"""Whole sweeps on small real data: search, early stopping, retraining, test, report."""

import errno
import html
import re

import pandas as pd
import pytest
import torch

from ae import load, tasks
from ae.configuration import Configuration
from ae.task import Objective
from sweeps import evaluate
from sweeps.config.plan_file import load as load_plan
from sweeps.records.result import Model, Retrained
from sweeps.records.sweep_log import SweepLog
from sweeps.records.tables import read_curves
from sweeps.run import main
from sweeps.storage import data_hash

SMALL = ("--subset", "300", "--max-epochs", "4", "--eval-every", "1", "--grace-period", "1", "--reduction-factor", "2")
KEYS = {"task", "name", "command", "seed", "versions", "device", "objective", "search", "best", "retrained", "test"}
COUNTS = {"requested", "finished", "stopped_early", "diverged", "failed", "epochs_trained", "epochs_possible"}
SWEPT_ELSEWHERE = {"mnist-cls", "mnist-rec", "sp500-rec", "synthetic-smooth"}
"""Tasks that other tests sweep, and sp500-rec: its data is that of sp500-pred, and test_tasks.py runs its parts."""
TINY = "lr: [0.01, 0.02]\nhidden_size: [4, 8]\nbatch_size: 32\n"


@pytest.fixture
def space(tmp_path):
    def write(content):
        path = tmp_path / "space.yaml"
        path.write_text(content)
        return "--space", path

    return write


def test_a_grid_leaves_everything_a_reader_opens(smoke, summary_of):
    output, folder = smoke
    summary = summary_of(folder)
    assert set(summary) == KEYS | {"wall_s"}
    assert set(summary["search"]) == COUNTS | {"kind", "wall_s"}
    assert (summary["search"]["requested"], summary["search"]["epochs_possible"]) == (4, 16)
    assert summary["search"]["finished"] + summary["search"]["stopped_early"] == summary["search"]["diverged"] == 2
    assert summary["best"]["config"]["lr"] == 0.01
    assert len(summary["retrained"]) == 2
    assert summary["test"] == summary["retrained"][0]["test"]
    accuracy = [one["val"]["accuracy"]["mean"] for one in summary["retrained"]]
    assert accuracy == sorted(accuracy, reverse=True)
    assert all(len(one["test"]["accuracy"]["values"]) == 2 for one in summary["retrained"])

    trials = pd.read_csv(folder / "trials.csv", dtype={"trial": str})
    curves = read_curves(folder)
    assert trials["phase"].value_counts().to_dict() == {"search": 4, "retrain": 4}
    reports = curves.groupby(["phase", "trial"])["epoch"].max()
    assert reports.to_dict() == trials.set_index(["phase", "trial"])["epochs"].to_dict()
    assert trials.query("phase == 'search'")["epochs"].sum() == summary["search"]["epochs_trained"]
    diverged = trials.query("status == 'diverged'")
    assert diverged["reason"].str.contains("NaN or infinite in epoch 1").all()
    assert diverged["best_accuracy"].isna().all()

    page = (folder / "report.html").read_text()
    assert not re.search(r'(src|href)="(?!data:|#)', page), "the report must open offline"
    assert summary["command"] in page.replace("&#39;", "'")
    assert "0 to come" not in output
    closing = re.findall(r"ended after \S+ \| (.*) \| best", output)  # a phase's last line is never a stale one
    assert [sum(map(int, re.findall(r"(\d+) (?:finished|stopped early|diverged)", line))) for line in closing] == [4, 4]
    for name in ("learning_curves", "parallel_coordinates", "confusion_matrix", "reconstructions"):
        assert (folder / "figures" / f"{name}.png").stat().st_size > 5000


@pytest.mark.usefixtures("one_ray")
@pytest.mark.parametrize("scheduler", ["asha-stop", "hyperband"])
def test_a_scheduler_of_ray_s_that_stops_and_one_that_pauses_run_to_their_end(run, summary_of, scheduler):
    options = ("--search", "optuna", "--trials", "5", "--scheduler", scheduler, "--top-k", "1", "--seeds", "1")
    status, _, _, folder = run(*SMALL, *options, task="synthetic-smooth")
    search = summary_of(folder)["search"]
    assert status == 0
    assert search["finished"] + search["stopped_early"] == 5


def arguments_of(folder):
    """What the user typed to begin the sweep in a results folder."""
    return load_plan(folder).commands[0][2:]


def trials_by_name(folder):
    """`trials.csv`: whoever waits at a rung when a search is over ends there and then, in any order."""
    return pd.read_csv(folder / "trials.csv", dtype={"trial": str}).sort_values("trial", ignore_index=True)


def test_the_same_seed_on_one_worker_finds_the_same_though_it_is_stopped_at_a_rung(ended, tmp_path, summary_of, ctrl_c):
    with ctrl_c("0001", epoch=1):
        assert main([*arguments_of(ended), "--results", str(tmp_path)]) == 130
    again = tmp_path / "synthetic-smooth" / "sweep"
    assert read_curves(again)["trial"].tolist() == ["0000", "0001"], "the rung has just become able to promote one"
    assert main(["--resume", str(again)]) == 0
    first, second = summary_of(ended), summary_of(again)
    for key in ("best", "retrained", "test"):
        assert first[key] == second[key]
    for table in (read_curves, trials_by_name):
        one, other = (table(folder).drop(columns=["train_s", "wall_s"], errors="ignore") for folder in (ended, again))
        pd.testing.assert_frame_equal(other, one, check_exact=True)
    assert second["test"]["loss"]["values"][0] > 0
    assert (again / "report.html").stat().st_size > 50_000
    for name in ("importance", "reconstructions"):
        assert (again / "figures" / f"{name}.png").stat().st_size > 5000


def test_events_that_cannot_be_written_end_the_sweep_and_nothing_is_lost(
    ended, tmp_path, summary_of, monkeypatch, capsys
):
    def full(log, kind, add=SweepLog.add, **facts):
        add(log, kind, **facts)
        if facts.get("status") == "stopped early":
            monkeypatch.setattr("os.fsync", no_room)

    def no_room(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    folder = tmp_path / "synthetic-smooth" / "sweep"
    with monkeypatch.context() as patched:
        patched.setattr(SweepLog, "add", full)
        assert main([*arguments_of(ended), "--results", str(tmp_path)]) == 1
    monkeypatch.undo()
    error = capsys.readouterr().err
    assert f"{folder / 'events.jsonl'}: No space left on device; what was written is kept: fix that, then" in error
    assert error.count("\n") == 1
    assert main(["--resume", str(folder)]) == 0
    for key in ("best", "retrained", "test"):
        assert summary_of(folder)[key] == summary_of(ended)[key]


@pytest.mark.usefixtures("one_ray")
def test_a_failed_trial_shows_as_what_it_is(run, summary_of, space):
    impossible = 30_000_000  # its recurrent matrix alone would take petabytes
    content = f"lr: 0.01\nhidden_size: [8, {impossible}]\nbatch_size: 32\n"
    status, output, _, folder = run(*SMALL, "--top-k", "2", "--seeds", "1", *space(content))
    summary = summary_of(folder)
    assert status == 0
    assert (summary["search"]["finished"], summary["search"]["failed"]) == (1, 1)
    assert len(summary["retrained"]) == 1
    assert "1 of 2 trials failed" in output
    trials = pd.read_csv(folder / "trials.csv", dtype={"trial": str}).set_index("status")
    assert re.search("memory|allocat|size", trials.loc["failed", "reason"], re.IGNORECASE)
    trace = (folder / "ray" / "search" / f"trial-{trials.loc['failed', 'trial']}" / "error.txt").read_text()
    assert trials.loc["failed", "reason"] in trace


@pytest.mark.usefixtures("one_ray")
def test_a_sweep_in_which_nothing_can_be_selected_gives_1_and_the_reason(run, summary_of, space):
    status, output, _, folder = run(*SMALL, "--top-k", "1", "--seeds", "1", *space("lr: 1.0e+30\nclip: none"))
    assert status == 1
    assert "no trial can be selected" in output
    assert summary_of(folder)["best"] is None
    assert "No trial can be selected" in (folder / "report.html").read_text()


@pytest.fixture
def evaluated(capsys, summary_of):
    """Evaluates a sweep's saved model on the test split, where it must give the sweep's figures; gives them."""

    def evaluated(folder):
        capsys.readouterr()
        assert evaluate.main([str(folder)]) == 0
        lines = [line.split() for line in capsys.readouterr().out.splitlines() if "in the sweep" in line]
        assert lines
        assert all(now == before for _, now, *_, before in lines)
        found = {name: float(now) for name, now, *_ in lines}
        tested = {name: one["values"][0] for name, one in summary_of(folder)["test"].items()}
        assert found == pytest.approx(tested, rel=1e-7)
        return found

    return evaluated


@pytest.mark.usefixtures("one_ray")
def test_a_user_s_data_set_runs_and_its_model_gives_the_same_figures_again(run, evaluated, write_idx, tmp_path, space):
    data = write_idx(tmp_path / "mine", train=240, test=40, packed=True)
    options = ("--data", data, "--max-epochs", "2", "--top-k", "1", "--seeds", "1")
    status, _, _, folder = run(*options, *space(TINY), task="mnist-rec")
    assert status == 0
    assert str(data) in (folder / "report.html").read_text()
    assert (folder / "figures" / "reconstructions.png").exists()
    assert load(folder / "best")(torch.rand(2, 28, 28)).reconstruction_BTO.shape == (2, 28, 28)
    assert evaluated(folder)["loss"] > 0
    assert load_plan(folder).data_sha256 == data_hash.sha256([data])


@pytest.mark.usefixtures("one_ray")
@pytest.mark.parametrize("task", sorted(set(tasks.names()) - SWEPT_ELSEWHERE))
def test_every_other_task_runs_to_its_report(run, evaluated, space, task):
    few = ("--subset", "20", "--max-epochs", "1", "--eval-every", "1", "--grace-period", "1")
    options = (*few, "--search", "optuna", "--trials", "1", "--top-k", "1", "--seeds", "1")
    status, _, _, folder = run(*options, *space("hidden_size: 4"), task=task)
    assert status == 0
    found, page = evaluated(folder), html.unescape((folder / "report.html").read_text())
    assert found["loss"] > 0
    assert len(page) > 50_000
    figures = {path.name for path in (folder / "figures").iterdir()}
    assert {"reconstructions.png", "best_reconstructions.png"} & figures
    if task == "sp500-pred":
        assert tasks.find(task).remark(found) in page
        assert "<th>test forecast_skill</th>" in page
        assert "<th>validation forecast_skill</th>" not in page, "it is of the test alone"


@pytest.mark.usefixtures("one_ray")
def test_a_retraining_that_diverges_is_said_and_leaves_the_model_of_its_best_epoch(run, summary_of, log_of, space):
    content = "lr: 1.0e+15\nclip: none\nhidden_size: 8\nbatch_size: 300\ninit: orthogonal"
    options = ("--subset", "300", "--max-epochs", "1", "--eval-every", "1", "--grace-period", "1")
    status, output, _, folder = run(*options, "--retrain-epochs", "30", "--top-k", "1", "--seeds", "1", *space(content))
    assert status == 0
    trials = pd.read_csv(folder / "trials.csv", dtype={"trial": str}).set_index("phase")
    assert trials.loc["retrain", "status"] == "diverged"
    assert trials.loc["retrain", "best_epoch"] < trials.loc["retrain", "epochs"] < 30
    assert summary_of(folder)["retrained"][0]["config"]["epochs"] == 30
    said = (
        f"1 retraining failed or diverged; 0000-seed1 diverged: {trials.loc['retrain', 'reason']}, its model is that of"
    )
    assert f"{said} epoch {trials.loc['retrain', 'best_epoch']}." in output
    assert said in (folder / "report.html").read_text()
    assert summary_of(folder)["test"]["loss"]["values"] == [log_of(folder).tests["0000-seed1"].test["loss"]]


def test_configurations_rank_by_the_seeds_that_they_completed_then_by_their_mean():
    def retrained(name, *losses, finished):
        validated = [
            Model(name=f"{name}-{seed}", seed=seed, epoch=1, weights={}, validation={"loss": loss})
            for seed, loss in enumerate(losses)
        ]
        return Retrained(config=Configuration(), trial=name, models=validated, finished=finished)

    found = [
        retrained("a", 0.1, 0.1, finished=1),
        retrained("b", 0.5, 0.7, finished=2),
        retrained("c", 0.6, 0.7, finished=2),
    ]
    order = sorted(found, key=lambda one: one.order(Objective(metric="loss", mode="min")))
    assert [one.trial for one in order] == ["b", "c", "a"], "by seeds completed, then by the mean"


@pytest.mark.usefixtures("one_ray")
def test_more_cpus_than_the_cluster_has_is_bad_input(run):
    status, _, error, folder = run(*SMALL, "--cpus-per-trial", "64")
    assert status == 2
    assert "--cpus-per-trial must be <= what a machine of the cluster has (2), got 64" in error
    assert not folder.exists()


@pytest.mark.usefixtures("one_ray")
def test_ctrl_c_in_retraining_keeps_the_models_that_were_finished(run, summary_of, space, ctrl_c):
    options = ("--subset", "300", "--max-epochs", "1", "--eval-every", "1", "--grace-period", "1")
    long = ("--max-concurrent", "1", "--retrain-epochs", "3", "--top-k", "1", "--seeds", "2")
    with ctrl_c("0000-seed2"):
        status, output, error, folder = run(*options, *long, *space("hidden_size: 8"))
    assert status == 130
    assert "Interrupted: 1 of 1 trial and 1 of 2 retrainings had ended" in output
    assert "Traceback" not in output + error
    summary = summary_of(folder)
    assert summary["test"] is None
    assert len(summary["retrained"][0]["val"]["accuracy"]["values"]) == 1
    assert load(folder / "best")(torch.rand(2, 28, 28)).logits_BC.shape == (2, 10)
    assert "the test was not completed" in (folder / "report.html").read_text()
    assert evaluate.main([str(folder)]) == 2
