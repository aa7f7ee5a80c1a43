"""A trial in this process, with no Ray started."""

import math
from dataclasses import replace

import pytest
from ray import tune

from ae import tasks
from ae.training import Training
from sweeps.engine.spare import SpareCores
from sweeps.engine.trial import SweepTrial
from sweeps.storage import checkpoints
from sweeps.storage.checkpoints import Checkpoints


def config(trial="0000", known=None, **changes):
    """What Tune hands to a trial; `known` is the last epoch that the driver has recorded."""
    run = {"trial": trial, "configuration": {"hidden_size": 8, "batch_size": 32, "epochs": 4, **changes}}
    return {"run": run if known is None else run | {"known": known}}


@pytest.fixture
def new_trial(mnist, tmp_path):
    Checkpoints(str(tmp_path)).claim("a")

    def new(config, **changes):
        data = {"train": mnist.train, "validation": mnist.validation}
        rest = {
            "task": tasks.find("mnist-cls"),
            "eval_every": 2,
            "threads": 1,
            "spare": None,
            "device": "cpu",
            "core": "auto",
        }
        rest |= {"checkpoints": str(tmp_path), "session": "a", "time_limit_s": None, "reused": False, **changes}
        return tune.with_parameters(SweepTrial, **data, **rest)(config)

    return new


def test_it_reports_every_validation_and_ends_at_its_last_epoch(new_trial):
    trial = new_trial(config(epochs=5))
    reports = [trial.train(), trial.train(), trial.train()]
    assert [report["epoch"] for report in reports] == [2, 4, 5]
    assert [report["ends"] for report in reports] == [False, False, True]
    assert [report["done"] for report in reports] == [False, False, True]
    assert {"val_loss", "val_accuracy", "train_loss"} <= reports[0].keys()
    assert all(report["train_s"] > 0 for report in reports)


def test_a_trial_resumes_from_its_checkpoint_like_one_never_stopped(new_trial):
    whole, first = new_trial(config("0000")), new_trial(config("0001"))
    whole.train()
    first.train()
    first.save()
    second = new_trial(config("0001"))
    assert second.train()["epoch"] == 4
    assert second.train()["val_loss"] == whole.train()["val_loss"]


@pytest.mark.usefixtures("fast_core")
def test_one_that_trains_on_alone_takes_the_idle_cores_and_stays_the_same_to_the_bit(new_trial, tmp_path):
    spare = SpareCores(path=str(tmp_path / "training"), threads=3)
    alone, other = new_trial(config("0000", epochs=8), spare=spare), new_trial(config("0001", epochs=8))
    threads, losses = [], []
    for training in (2, 1, 2, 0):
        spare.tell(training)
        losses.append((alone.train()["val_loss"], other.train()["val_loss"]))
        threads.append(alone.training.threads.choices)
    assert threads == [(1,), (1, 3), (1,), (1, 3)]
    assert [one for one, _ in losses] == [other for _, other in losses]
    assert SpareCores(path=str(tmp_path / "nowhere"), threads=3).share() == 0


@pytest.mark.parametrize("damage", [b"", b"short", None], ids=["empty", "cut", "one bit"])
def test_a_damaged_checkpoint_costs_one_interval_and_is_said(new_trial, tmp_path, damage):
    trial = new_trial(config(epochs=6))
    for _ in range(2):
        trial.train()
        trial.save()
    newest = tmp_path / "0000" / "epoch-000004.pt"
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content if damage is None else damage)
    report = new_trial(config(epochs=6)).train()
    assert report["epoch"] == 4
    assert report["warning"].startswith("its checkpoint of epoch 4 is damaged (")
    assert report["warning"].endswith("resumes from epoch 2")


def test_with_no_whole_checkpoint_it_starts_again_and_says_so(new_trial, tmp_path):
    trial = new_trial(config())
    trial.train()
    trial.save()
    (tmp_path / "0000" / "epoch-000002.pt").write_bytes(b"nonsense")
    report = new_trial(config()).train()
    assert report["epoch"] == 2
    assert report["warning"].endswith("starts again")


def test_a_trial_that_starts_again_keeps_its_own_checkpoints_and_not_those_it_passed_over(new_trial, tmp_path):
    kept = Checkpoints(str(tmp_path))
    for epoch in (10, 15):
        kept.save("0000", epoch, {"configuration": "another"})
    trial = new_trial(config(epochs=8))
    for there in ([2], [2, 4], [4, 6]):
        trial.train()
        trial.save()
        assert kept.epochs("0000") == there


def test_a_reused_actor_starts_the_next_trial_afresh(new_trial):
    reused, fresh = new_trial(config(lr=0.01)), new_trial(config(hidden_size=12))
    reused.train()
    assert reused.reset_config(config(hidden_size=12))
    assert reused.train()["val_loss"] == fresh.train()["val_loss"]


def test_a_diverged_trial_ends_and_ranks_nothing(new_trial):
    report = new_trial(config(lr=1e30, clip=None)).train()
    assert report["ends"]
    assert report["done"]
    assert report["epoch"] == 1
    assert math.isnan(report["val_accuracy"])
    assert math.isnan(report["val_loss"])


def test_an_objective_that_is_nan_while_the_loss_is_finite_is_a_diverged_trial(new_trial, monkeypatch):
    task = tasks.find("mnist-cls")

    def measure(*arguments):
        measured = task.measure(*arguments)
        return measured | {"accuracy": measured["accuracy"] * math.nan}

    report = new_trial(config(), task=replace(task, measure=measure)).train()
    assert math.isfinite(report["train_loss"])
    assert report["ends"]
    assert math.isnan(report["val_loss"]), "so that the record says that it has diverged"


def test_reports_that_the_driver_lacks_come_first_and_are_not_trained_again(new_trial):
    first = new_trial(config(epochs=6))
    reports = [first.train(), first.train()]
    first.save()
    resumed = new_trial(config(epochs=6, known=0))
    again = [resumed.train() for _ in range(3)]
    assert [report["epoch"] for report in again] == [2, 4, 6]
    for before, now in zip(reports, again, strict=False):
        assert {name: now[name] for name in ("train_loss", "val_loss", "train_s")} == {
            name: before[name] for name in ("train_loss", "val_loss", "train_s")
        }
    assert new_trial(config(epochs=6, known=4)).train()["epoch"] == 6
    assert again[-1]["val_loss"] == first.train()["val_loss"]


def test_a_trial_that_had_ended_reports_its_end_again_to_a_driver_that_lacks_it(new_trial):
    first = new_trial(config())
    whole = [first.train(), first.train()]
    resumed = new_trial(config(known=2))
    report = resumed.train()
    assert report["ends"]
    assert (report["epoch"], report["val_loss"]) == (4, whole[-1]["val_loss"])


def test_the_checkpoints_of_another_configuration_are_not_its_own(new_trial):
    other = new_trial(config(lr=0.1))
    other.train()
    other.save()
    report = new_trial(config(known=0)).train()
    assert report["epoch"] == 2
    assert report["val_loss"] == new_trial(config("0001")).train()["val_loss"]


def test_a_machine_that_does_not_see_the_results_says_so_and_leaves_nothing(new_trial, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    monkeypatch.setattr(checkpoints, "LOOK_S", 0.1)
    trial = new_trial(config(), checkpoints=str(elsewhere / "sweep" / "checkpoints"))
    with pytest.raises(FileNotFoundError, match="this machine does not see the results; give --storage"):
        trial.train()
    assert not elsewhere.exists()


def test_a_folder_of_the_same_name_on_another_machine_is_not_taken_for_the_results(new_trial, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "LOOK_S", 0.1)
    Checkpoints(str(tmp_path)).claim("another session")
    with pytest.raises(FileNotFoundError, match="this machine does not see the results"):
        new_trial(config()).train()


def test_a_trial_that_diverges_once_says_so_from_then_on(new_trial, monkeypatch):
    """Its weights become infinite, once, and 10 steps of that epoch are skipped."""
    attempts = []

    def train_epoch(training, whole=Training.train_epoch):
        if training.epoch == 2 and not attempts:
            attempts.append(training.epoch)
            training.weights[0].data.fill_(math.inf)
        return whole(training)

    monkeypatch.setattr(Training, "train_epoch", train_epoch)
    trial = new_trial(config(epochs=6))
    reports = [trial.train() for _ in range(3)]
    assert [report["epoch"] for report in reports] == [2, 4, 6]
    assert [report.get("rolled_back", 0) for report in reports] == [0, 1, 1]
    assert [report.get("skipped", 0) for report in reports] == [0, 10, 10]
    assert all(map(math.isfinite, (report["val_loss"] for report in reports)))
