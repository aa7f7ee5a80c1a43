"""Which options a resumed sweep takes, and which it refuses."""

import pytest

from sweeps.run import main


def test_nothing_to_add_is_refused(begun, capsys):
    folder = begun("--search", "optuna")
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
def test_what_would_make_it_another_sweep_is_refused_by_its_own_name(begun, capsys, options, message):
    folder = begun()
    assert main(["--resume", str(folder), "--dry-run", *options]) == 2
    assert message in capsys.readouterr().err


def test_a_task_s_own_options_are_refused_by_their_names(begun, capsys):
    again = ["--resume", str(begun("--smoke", task="sp500-rec")), "--dry-run"]
    assert main([*again, "--smoke", "--field", "high"]) == 0
    for option in (["--field", "close"], ["--min-days", "9"]):
        assert main([*again, *option]) == 2
        assert f"{option[0]} cannot change" in capsys.readouterr().err


@pytest.fixture
def with_resources(begun):
    """The folder of a sweep that began with every option of resources that may be left out."""
    where = ("--address", "auto", "--autoscale", "4", "--track", "mlflow", "--dashboard", "--verbose")
    limits = ("--max-concurrent", "3", "--time-limit", "9", "--gpus-per-trial", "0.5")
    return begun(*where, *limits)


def test_resources_that_a_sweep_began_with_can_be_taken_back(with_resources, resumed):
    fields = ("address", "autoscale", "track", "max_concurrent", "gpus_per_trial", "time_limit")
    none = [part for name in fields for part in (f"--{name.replace('_', '-')}", "none")]
    plan = resumed(with_resources, *none, "--no-dashboard", "--no-verbose")
    for name in (*fields[:-1], "time_limit_s"):
        assert getattr(plan.resources, name) is None
    assert not plan.resources.dashboard
    assert not plan.resources.verbose
    used = resumed(with_resources).resources
    assert (used.address, used.autoscale, used.track, used.time_limit_s) == ("auto", 4, "mlflow", 9)
    assert used.dashboard


def test_a_sweep_that_leaves_its_cluster_asks_it_for_nothing(with_resources, resumed):
    assert resumed(with_resources, "--address", "none").resources.autoscale is None
    assert resumed(with_resources, "--autoscale", "none").resources.address == "auto"
    with pytest.raises(ValueError, match="--autoscale goes with --address"):
        resumed(with_resources, "--address", "none", "--autoscale", "4")


def test_a_folder_of_sweeps_is_refused_with_their_names(begun, capsys):
    folder = begun()
    assert main(["--resume", str(folder.parent)]) == 2
    assert f"it has no plan.json, but there are {folder}" in capsys.readouterr().err
    assert main(["--resume", str(folder / "plan.json")]) == 2
    assert "not the results folder of a sweep" in capsys.readouterr().err
