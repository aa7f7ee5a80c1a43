"""Sweeps told to MLflow and to Weights & Biases."""

import sys
import threading
import time
from types import SimpleNamespace

import pytest

from ae import tasks
from ae.configuration import Configuration
from ae.errors import UserError
from sweeps.records.trials import DIVERGED, FINISHED, INTERRUPTED, RUNNING, STOPPED, Report, TrialLog, TrialRecord
from sweeps.tracking import followers
from sweeps.tracking.followers import TrackerThread, check_tracker, followers_of

TASK = tasks.find("mnist-cls")
SMALL = ("--subset", "60", "--max-epochs", "2", "--eval-every", "1", "--grace-period", "1", "--scheduler", "none")
SPACE = "lr: [0.01, 0.02]\nclip: none\nhidden_size: 4\nbatch_size: 32\n"


@pytest.fixture
def mlflow():
    return pytest.importorskip("mlflow", reason="the extra mlflow is not installed")


@pytest.fixture
def wandb():
    return pytest.importorskip("wandb", reason="the extra wandb is not installed")


@pytest.fixture
def plan(tmp_path):
    """What followers know about a sweep with a tracker."""
    folder = tmp_path / "mnist-cls" / "sweep"
    folder.mkdir(parents=True)

    def plan(tracker):
        resources = SimpleNamespace(track=tracker, dashboard=False, address=None)
        return SimpleNamespace(task=TASK, name="sweep", folder=folder, varied=["lr", "clip"], resources=resources)

    return plan


def add(log, name, *epochs):
    """A trial that reported at these epochs."""
    record = log.records[name] = TrialRecord(name=name, config=Configuration(lr=0.02, clip=None))
    for epoch in epochs:
        add_report(log, record, epoch)
    return record


def add_report(log, record, epoch):
    metrics = {"loss": 1 / epoch, "accuracy": epoch / 8}
    record.add(Report(epoch, 0.5, metrics, 1.0, 1.0, time.time(), best=None), log.objective)


def follow(plan, log, statuses):
    """Tell a plan's followers about one session: each trial reports its next two epochs, then has its status."""

    def tell(event, *what):
        for follower in told:
            getattr(follower, event)(*what)

    told, records = followers_of(plan, log), [log.records[name] for name in statuses]
    tell("open")
    for record in records:
        tell("begin", record)
    for record in records * 2:
        add_report(log, record, record.epoch + 1)
        tell("report", record)
        tell("tick")
    for record in records:
        record.status = statuses[record.name]
        if record.status != INTERRUPTED:
            tell("end", record)
    tell("close")


def runs_of(mlflow, folder):
    """MLflow's runs of a sweep, by name, and the client that found them."""
    client = mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("mnist-cls/sweep")
    found = client.search_runs([experiment.experiment_id])
    runs = {run.info.run_name: run for run in found}
    assert len(runs) == len(found)
    return runs, client


@pytest.mark.filterwarnings("ignore")  # MLflow's own dependencies
def test_mlflow_has_one_run_per_trial_and_a_resumed_trial_continues_in_its_own(mlflow, plan, monkeypatch, capfd):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    log = TrialLog("search", TASK.objective, 3, 4)
    for name in ("0000", "0001", "0002"):
        add(log, name)
    follow(plan("mlflow"), log, {"0000": FINISHED, "0001": DIVERGED, "0002": INTERRUPTED})
    runs, client = runs_of(mlflow, plan("mlflow").folder)
    statuses = {name: run.info.status for name, run in runs.items()}
    assert statuses == {"0000": "FINISHED", "0001": "FAILED", "0002": "KILLED"}
    assert runs["0000"].data.params | {"lr": "0.02", "clip": "none", "phase": "search"} == runs["0000"].data.params
    assert set(runs["0000"].data.metrics) == {"train_loss", "val_loss", "val_accuracy"}
    log.records["0002"].status = RUNNING
    follow(plan("mlflow"), log, {"0002": FINISHED})
    resumed, client = runs_of(mlflow, plan("mlflow").folder)
    assert {name: run.info.run_id for name, run in resumed.items()} == {n: run.info.run_id for n, run in runs.items()}
    assert resumed["0002"].info.status == "FINISHED"
    history = client.get_metric_history(resumed["0002"].info.run_id, "val_accuracy")
    assert sorted((point.step, point.value) for point in history) == [(n, n / 8) for n in (1, 2, 3, 4)]
    assert capfd.readouterr() == ("", "")


@pytest.mark.filterwarnings("ignore")  # MLflow's own dependencies
def test_mlflow_learns_that_a_trial_of_an_earlier_session_was_stopped(mlflow, plan, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    log = TrialLog("search", TASK.objective, 1, 4)
    add(log, "0000")
    follow(plan("mlflow"), log, {"0000": INTERRUPTED})
    log.records["0000"].status = STOPPED
    told = followers_of(plan("mlflow"), log)
    for follower in told:
        follower.open()
        follower.end(log.records["0000"])
        follower.close()
    runs, _ = runs_of(mlflow, plan("mlflow").folder)
    assert runs["0000"].info.status == "FINISHED"


def test_wandb_offline_has_one_whole_run_per_trial_in_every_phase(wandb, plan, monkeypatch, capfd):
    monkeypatch.setenv("WANDB_MODE", "offline")
    for phase in ("search", "retrain"):
        log = TrialLog(phase, TASK.objective, 3, 4)
        for name in ("0000", "0001", "0002"):
            add(log, name)
        follow(plan("wandb"), log, {"0000": FINISHED, "0001": DIVERGED, "0002": INTERRUPTED})
    runs = list((plan("wandb").folder / "wandb").glob("offline-run-*"))
    trials = {f"{phase}-{number:04d}" for phase in ("search", "retrain") for number in range(3)}
    assert {run.name.split("mnist-cls-sweep-")[1] for run in runs} == trials
    assert len(runs) == len(trials)
    for run in runs:
        (path,) = run.glob("run-*.wandb")
        content = path.read_bytes()
        assert all(name in content for name in (b"hidden_size", b"none", b"val_accuracy", b"0.125", b"0.25"))
    assert capfd.readouterr() == ("", "")


class Unreachable:
    """A tracker that fails, and remembers what it was told."""

    def __init__(self):
        self.told = []

    def __getattr__(self, name):
        def fail(*what):
            self.told.append(name)
            raise ConnectionError("no route\nto host")

        return fail


def test_a_tracker_that_fails_is_warned_of_once_and_told_nothing_more(caplog):
    log, tracker = TrialLog("search", TASK.objective, 1, 4), Unreachable()
    thread = TrackerThread("mlflow", tracker)
    record = add(log, "0000", 1)
    thread.open()
    thread.begin(record)
    thread.report(record)
    thread.end(record)
    thread.close()
    assert tracker.told == ["open"]
    warning = "--track mlflow: no route to host; this phase continues without it"
    assert [record.getMessage() for record in caplog.records] == [warning]


def test_a_tracker_that_hangs_holds_up_no_trial_and_the_end_for_a_while_only(caplog, monkeypatch):
    monkeypatch.setattr(followers, "CLOSE_S", 0.2)
    log, answer = TrialLog("search", TASK.objective, 1, 4), threading.Event()
    told = []
    tracker = SimpleNamespace(open=answer.wait, begin=told.append, report=told.append, close=lambda: None)
    thread = TrackerThread("wandb", tracker)
    record = add(log, "0000", 1)
    began = time.monotonic()
    thread.open()
    thread.begin(record)
    thread.report(record)
    assert time.monotonic() - began < 0.2
    thread.close()
    answer.set()
    thread.thread.join()
    assert told == []
    warning = "--track wandb: it has not sent everything within 0.2 s; this phase continues without it"
    assert [record.getMessage() for record in caplog.records] == [warning]


def test_a_slow_tracker_is_told_each_report_as_it_was():
    log, go = TrialLog("search", TASK.objective, 1, 4), threading.Event()
    told = []
    tracker = SimpleNamespace(
        open=go.wait, report=lambda record: told.append((record.epoch, record.best)), close=lambda: None
    )
    thread = TrackerThread("mlflow", tracker)
    thread.open()
    record = add(log, "0000")
    for epoch in (1, 2, 3):
        add_report(log, record, epoch)
        thread.report(record)
    go.set()
    thread.close()
    assert told == [(1, 1 / 8), (2, 2 / 8), (3, 3 / 8)]


@pytest.mark.parametrize("tracker", ["mlflow", "wandb"])
def test_a_tracker_that_is_not_installed_is_bad_input(plan, tracker, monkeypatch):
    monkeypatch.setitem(sys.modules, tracker, None)
    monkeypatch.delitem(sys.modules, f"sweeps.tracking.{tracker}_tracker", raising=False)
    with pytest.raises(UserError, match=f"^--track {tracker} needs a package .* not installed: pip install {tracker}$"):
        check_tracker(plan(tracker))


@pytest.mark.parametrize(
    ("key", "reason"),
    [(None, "no API key for Weights & Biases"), ("abc", "WANDB_API_KEY invalid: .* 40.* characters.*")],
)
@pytest.mark.usefixtures("wandb")
def test_wandb_without_a_key_is_bad_input(plan, key, reason, monkeypatch, tmp_path, capfd):
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    if key:
        monkeypatch.setenv("WANDB_API_KEY", key)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with pytest.raises(UserError, match=f"^--track wandb: {reason}; set WANDB_API_KEY, or WANDB_MODE=offline"):
        check_tracker(plan("wandb"))
    assert capfd.readouterr() == ("", "")


@pytest.mark.filterwarnings("ignore")  # MLflow's own dependencies
@pytest.mark.usefixtures("mlflow")
@pytest.mark.parametrize("uri", ["nonsense://nowhere", "http://127.0.0.1:9"])
def test_a_place_without_mlflow_is_bad_input(plan, uri, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(UserError, match=f"^--track mlflow: MLFLOW_TRACKING_URI={uri} cannot be used: .*; start MLflow"):
        check_tracker(plan("mlflow"))


@pytest.mark.usefixtures("mlflow", "wandb")
def test_a_tracker_that_writes_into_the_results_folder_needs_no_server(plan, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("WANDB_MODE", "offline")
    for tracker in (None, "mlflow", "wandb"):
        check_tracker(plan(tracker))


@pytest.fixture
def tracked(run, tmp_path, monkeypatch):
    """Runs a small sweep with a tracker; gives its results folder."""
    (tmp_path / "space.yaml").write_text(SPACE)
    monkeypatch.chdir(tmp_path)

    def tracked(tracker):
        options = (*SMALL, "--top-k", "1", "--seeds", "1", "--space", tmp_path / "space.yaml", "--track", tracker)
        status, _, error, folder = run(*options)
        assert (status, error) == (0, "")
        return folder

    return tracked


@pytest.mark.filterwarnings("ignore")  # MLflow's own dependencies
@pytest.mark.usefixtures("one_ray")
def test_a_sweep_told_to_mlflow(mlflow, tracked, tmp_path):
    runs, client = runs_of(mlflow, tracked("mlflow"))
    (retrained,) = [name for name in runs if name.endswith("-seed1")]
    assert set(runs) == {"0000", "0001", retrained}
    assert {run.data.params["lr"] for run in runs.values()} == {"0.01", "0.02"}
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    history = client.get_metric_history(runs["0000"].info.run_id, "val_accuracy")
    assert sorted(point.step for point in history) == [1, 2]
    assert not (tmp_path / "mlruns").exists()


@pytest.mark.usefixtures("one_ray", "wandb")
def test_a_sweep_told_to_wandb(tracked, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    runs = [run.name for run in (tracked("wandb") / "wandb").glob("offline-run-*")]
    assert len(runs) == 3
    assert {name.split("mnist-cls-sweep-")[1].split("-")[0] for name in runs} == {"search", "retrain"}


def test_a_sweep_whose_tracker_cannot_be_used_does_not_start(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.delitem(sys.modules, "sweeps.tracking.mlflow_tracker", raising=False)
    status, output, error, folder = run("--track", "mlflow", "--smoke")
    assert (status, error.count("\n")) == (2, 1)
    assert output.splitlines()[-1] == "loading PyTorch, Ray and Optuna", "nothing was started"
    assert "--track mlflow needs a package that is not installed: pip install mlflow" in error
    assert not folder.parent.exists()
