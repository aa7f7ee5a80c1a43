"""Sweeps told to MLflow and to Weights & Biases."""

from types import SimpleNamespace

import pytest

from sweeps.records.ledger import Entry
from sweeps.tracking.trackers import Tracker

SMALL = ("--subset", "60", "--max-epochs", "2", "--eval-every", "1", "--grace-period", "1", "--scheduler", "none")
SPACE = "lr: [0.01, 0.02]\nclip: none\nhidden_size: 4\nbatch_size: 32\n"


@pytest.fixture
def tracked(run, tmp_path, monkeypatch):
    """Runs a small sweep with a tracker; gives its results folder."""
    (tmp_path / "space.yaml").write_text(SPACE)
    monkeypatch.chdir(tmp_path)

    def tracked(tracker):
        options = (*SMALL, "--top-k", "1", "--seeds", "1", "--space", tmp_path / "space.yaml", "--track", tracker)
        status, _, error, folder = run(*options)
        assert status == 0, error
        return folder

    return tracked


@pytest.mark.filterwarnings("ignore")  # MLflow's own dependencies
@pytest.mark.usefixtures("one_ray")
def test_mlflow_has_a_run_a_trial_with_readable_parameters(tracked, tmp_path):
    mlflow = pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    folder = tracked("mlflow")
    client = mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("mnist-cls/sweep")
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert set(runs) == {"0000", "0001", *(name for name in runs if name.endswith("-seed1"))}
    assert len(runs) == 3
    assert {run.data.params["lr"] for run in runs.values()} == {"0.01", "0.02"}
    assert runs["0000"].data.params["clip"] == "none"
    assert runs["0000"].info.status == "FINISHED"
    history = client.get_metric_history(runs["0000"].info.run_id, "val_accuracy")
    assert sorted(point.step for point in history) == [1, 2]
    assert not (tmp_path / "mlruns").exists()


@pytest.mark.usefixtures("one_ray")
def test_wandb_offline_has_a_run_a_trial_with_readable_parameters(tracked, monkeypatch):
    pytest.importorskip("wandb", reason="the extra wandb is not installed")
    monkeypatch.setenv("WANDB_MODE", "offline")
    folder = tracked("wandb")
    runs = sorted((folder / "wandb").glob("offline-run-*"))
    assert len(runs) == 3
    assert {path.name.split("mnist-cls-sweep-")[1].split("-")[0] for path in runs} == {"search", "retrain"}
    for path in runs:
        (log,) = path.glob("run-*.wandb")
        content = log.read_bytes()
        assert all(name in content for name in (b"hidden_size", b"val_accuracy"))


@pytest.mark.parametrize("tracker", ["mlflow", "wandb"])
def test_a_tracker_that_is_not_installed_is_bad_input(run, tracker, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    status, output, error, folder = run("--track", tracker)
    assert (status, output, error.count("\n")) == (2, "", 1)
    assert f"--track {tracker} needs a package that is not installed: pip install {tracker}" in error
    assert not folder.parent.exists()


def test_wandb_without_a_key_is_bad_input(run, monkeypatch, tmp_path):
    pytest.importorskip("wandb", reason="the extra wandb is not installed")
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    status, output, error, folder = run("--track", "wandb", "--smoke")
    assert (status, output, error.count("\n")) == (2, "", 1)
    assert "no API key for Weights & Biases; set WANDB_API_KEY" in error
    assert not folder.parent.exists()


def test_a_place_where_no_mlflow_is_is_bad_input(run, monkeypatch):
    pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nonsense://nowhere")
    status, output, error, folder = run("--track", "mlflow", "--smoke")
    assert (status, output, error.count("\n")) == (2, "", 1)
    assert "--track mlflow: nonsense://nowhere cannot be used" in error
    assert not folder.parent.exists()


def test_a_tracker_that_fails_is_said_once_and_told_no_more(caplog, tmp_path):
    def unreachable(*what, **more):
        asked.append(what)
        raise ConnectionError("no route\nto host")

    asked = []
    calls = ("setup", "log_trial_start", "log_trial_result", "log_trial_end", "on_experiment_end")
    callback = SimpleNamespace(**dict.fromkeys(calls, unreachable))
    plan = SimpleNamespace(track="mlflow", name="sweep", task=SimpleNamespace(name="mnist-cls"), folder=tmp_path)
    tracker = Tracker(callback, plan, "search")
    entry = Entry(name="0000", configuration={"lr": 0.1})
    tracker.open()
    tracker.begin(entry)
    tracker.report(entry, 1, {"val_loss": 0.1}, 0.0)
    tracker.end(entry)
    tracker.close()
    assert len(asked) == 1
    assert [record.getMessage() for record in caplog.records] == [
        "--track mlflow: no route to host; it is told no more of this phase, which goes on"
    ]
