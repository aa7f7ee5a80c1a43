"""A storage that cannot be used, holds no sweep, or is not seen by a machine of the cluster."""

from pathlib import Path

import pytest
from ray import tune

from ae import tasks
from sweeps.engine.room import Watch
from sweeps.engine.trial import SweepTrial
from sweeps.records.trials import FAILED
from sweeps.run import main
from sweeps.storage.checkpoints import Checkpoints

ROOT = Path(__file__).parents[1]
TASK = "synthetic-smooth"
SPACE = "lr: [0.01, 0.003]\nhidden_size: [8]\nbatch_size: 32\n"
TINY = ("--subset", "60", "--max-epochs", "3", "--eval-every", "1", "--scheduler", "none", "--max-concurrent", "1")


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("ftp://bucket/x", "cannot be used: Unrecognized filesystem type"),
        ("s3://", "cannot be used: "),
        ("", "--storage must be s3://, gs://, or a folder"),
        ("{}/file/below", "cannot be used: "),
        ("{}", "must be outside the results folder"),
        ("file://{}", "must be outside the results folder"),
    ],
)
def test_a_storage_that_cannot_be_used_is_one_line_and_status_2(run, tmp_path, place, message):
    (tmp_path / "file").touch()
    status, output, error, folder = run("--storage", place.format(tmp_path), task=TASK)
    assert status == 2
    assert message in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert output in ("", f"looking at the storage {place.format(tmp_path)}\n")
    assert not folder.parent.exists()


def test_resume_of_a_place_without_a_sweep_is_one_line_and_status_2(capsys, tmp_path):
    place = f"file://{tmp_path}/task/name"
    assert main(["--resume", place]) == 2
    assert capsys.readouterr().err == f"error: --resume {place}: there is no sweep there; give STORAGE/TASK/NAME\n"


def test_or_resume_needs_a_name(capsys, tmp_path):
    assert main(["--task", TASK, "--or-resume", "--results", str(tmp_path)]) == 2
    assert "--or-resume goes with --name" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["{", "[]", '{"session": 5}', "\udcff"])
def test_a_damaged_manifest_is_one_line_and_status_2(capsys, tmp_path, content):
    place = tmp_path / TASK / "sweep"
    place.mkdir(parents=True)
    (place / "mirror.json").write_bytes(content.encode(errors="surrogateescape"))
    assert main(["--resume", f"file://{place}", "--results", str(tmp_path / "results")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: --resume ")
    assert "mirror.json: cannot be read: " in error
    assert error.count("\n") == 1
    assert not (tmp_path / "results").exists()


# A machine that does not see the checkpoints

UNSEEN = "this machine does not see the results; give --storage, a bucket or a folder that every machine sees"


def test_a_private_folder_of_the_same_path_has_no_session_and_is_not_shared(tmp_path, monkeypatch):
    monkeypatch.setattr("sweeps.storage.checkpoints.LOOK_S", 0.0)
    ours, private = (Checkpoints(str(tmp_path / name)) for name in ("ours", "private"))
    ours.claim("a")
    assert ours.is_shared("a")
    assert not private.is_shared("a")
    private.save("0000", 1, {"epoch": 1})
    assert not private.is_shared("a"), "checkpoints alone do not say that the driver sees them"
    private.claim("of an older session")
    assert not private.is_shared("a")


def test_a_trial_on_a_machine_that_does_not_see_the_results_fails_and_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("sweeps.storage.checkpoints.LOOK_S", 0.0)
    task = tasks.find(TASK)
    splits, place = task.load(None, task.options()).subset(60), tmp_path / "private"
    trial = tune.with_parameters(
        SweepTrial,
        **dict(task=task, train=splits.train, validation=splits.validation, checkpoints=str(place), session="a"),
        **dict(eval_every=1, threads=1, spare=None, device="cpu", core="stock", time_limit_s=None, reused=False),
    )({"run": {"trial": "0000", "configuration": {"hidden_size": 4, "epochs": 1, "batch_size": 32}}})
    with pytest.raises(OSError, match=UNSEEN) as error:
        trial.train()
    assert "\n" not in str(error.value)
    assert not list(tmp_path.rglob("epoch-*"))
    assert not place.exists()
    Checkpoints(str(place)).claim("a")
    assert trial.train()["epoch"] == 1, "the driver's session is there now"


def test_a_sweep_whose_trials_do_not_see_the_results_says_so_of_each(run, monkeypatch, one_ray, log_of):
    """As if all of them ran on machines with a private folder of that path: the session is not in it."""

    def hide(self, iteration, trials, **info):
        (folder / "checkpoints" / "session").unlink(missing_ok=True)

    folder = run("--dry-run", task=TASK)[3]
    monkeypatch.setattr(Watch, "on_step_begin", hide)
    status, output, _, _ = run(*TINY, "--trials", 1, "--search", "optuna", "--top-k", 1, task=TASK)
    assert status == 1
    (record,) = log_of(folder).search.trials
    assert record.status == FAILED
    assert UNSEEN in record.reason
    assert UNSEEN in " ".join(output.split())
    assert not list(folder.rglob("epoch-*"))


# A bucket
