"""What `show.py --trial` tells of one trial."""

import re
import shlex

import pytest
import yaml
from sweep_logs import ask, begin_session, end, plan_of, report

from ae.configuration import Configuration
from sweeps import show
from sweeps.config.plan_file import write
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import FAILED, SEARCH
from sweeps.storage.checkpoints import Checkpoints


@pytest.fixture
def folder(tmp_path):
    """The results folder of a sweep in which a trial waits, and one has failed."""
    plan = plan_of(tmp_path, "--max-epochs", 9, "--subset", 100)
    write(plan)
    log = SweepLog(plan)
    log.open()
    begin_session(log)
    ask(log, "0000", lr=0.003, clip=None)
    ask(log, "0001")
    for epoch, value in ((1, 0.5), (2, 0.25), (3, 0.75)):
        report(log, "0000", epoch, value)
    log.add("paused", phase=SEARCH, trial="0000")
    end(log, "0001", FAILED, reason="CUDA error: device-side assert")
    log.add("session_ended", status="interrupted", wall_s={})
    log.flush()
    return plan.folder


def test_a_trial_is_told_whole(folder, shown):
    for epoch in (2, 3):
        Checkpoints(str(folder / "checkpoints")).save("0000", epoch, {"epoch": epoch})
    status, output, _ = shown(show.main, folder, "--trial", "0000")
    assert status == 0
    assert output.startswith("mnist-cls/sweep, trial 0000: interrupted, the sweep was interrupted after its epoch 3\n")
    assert "epoch 3 of 9, best accuracy 0.75 at epoch 3, 0:00:03 in training" in output
    assert re.search(r"configuration: .*lr 0\.003, clip none, batch_size \d+, .*seed 0\n", output)
    assert f"checkpoints: of epochs 2, 3, in {folder}/checkpoints/0000\n" in output
    assert "validation accuracy, from 0.25 to 0.75\n▅▁█\n" in output
    rows = re.findall(r"^(\d+) +([\d.]+) +[\d.]+ +([\d.]+) +([\d.]+)", output, re.MULTILINE)
    assert rows == [("1", "0.5", "0.25", "1.0"), ("2", "0.25", "0.25", "1.0"), ("3", "0.75", "0.25", "1.0")]
    events = re.findall(r"^\+\d:\d\d:\d\d  (.*?) *$", output, re.MULTILINE)
    assert events == ["began", "validated from epoch 1 to 3", "paused"]
    assert "error" not in output


@pytest.mark.parametrize(
    ("sweep", "trial"), [("mnist-rec/asha", "0003"), ("sp500-pred/asha", "0002-seed2"), ("synthetic/optuna", "0007")]
)
def test_the_command_trains_that_configuration_alone(sweep, trial, kept, shown, log_of, planned):
    output = shown(show.main, kept(sweep), "--trial", trial)[1]
    command = shlex.split(re.search(r"Train it alone: python sweeps/run.py (.*)", output)[1])
    log = log_of(kept(sweep))
    record = log.search.records.get(trial) or log.retrainings[trial]
    data = next((place for place, word in enumerate(command) if word == "--data"), None)
    if data is not None:
        command[data + 1] = str(kept(sweep))  # what the sweep used is elsewhere
    attempt = dict(pair.split("=") for pair in command.pop(command.index("--try") + 1).split())
    command.remove("--try")
    plan = planned(*command, task=sweep.split("/")[0])
    values = {name: yaml.safe_load(value) for name, value in attempt.items()} | {"epochs": plan.base.epochs}
    values["clip"] = None if attempt["clip"] == "none" else float(attempt["clip"])
    assert Configuration(**values, seed=plan.seed) == record.config
    assert (plan.trials, plan.top_k, plan.scheduler) == (1, 1, "none")
    assert plan.budget.eval_every == log.plan.budget.eval_every


def test_a_trial_that_failed_has_its_reason_and_its_traceback(folder, shown):
    kept = folder / "ray" / "search-2" / "trial-0001" / "error.txt"
    kept.parent.mkdir(parents=True)
    kept.write_text("Traceback")
    output = shown(show.main, folder, "--trial", "1")[1]
    assert "trial 0001: failed, CUDA error: device-side assert\n" in output
    assert f"checkpoints: none left\nerror: CUDA error: device-side assert\ntraceback: {kept}\n" in output
    assert "no validation yet" in output


def test_a_retraining_has_its_own_name(kept, shown):
    output = shown(show.main, kept("mnist-rec/asha"), "--trial", "0003-seed2")[1]
    assert output.startswith("mnist-rec/asha, trial 0003-seed2: finished, reached its last epoch, 15\n")
    assert re.search(r"configuration: .*seed 2\n", output)
    assert "  tested" in output


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("0030", "0007, 0008, 0009, 0010, 0011"),
        ("0003-seed9", "0003-seed1, 0003-seed2, 0003-seed3"),
        ("best", "0000, 0001, 0002, 0003, 0004"),
    ],
)
def test_a_wrong_name_lists_the_nearest(name, nearest, kept, shown):
    status, output, error = shown(show.main, kept("mnist-rec/asha"), "--trial", name)
    assert (status, output, error.count("\n")) == (2, "", 1)
    assert f"--trial {name}: " in error
    assert nearest in error


def test_one_trial_is_not_watched(folder, shown):
    status, _, error = shown(show.main, folder, "--trial", "0", "--watch")
    assert (status, error.count("\n")) == (2, 1)


def test_a_sweep_without_trials_says_so(begun, shown):
    status, _, error = shown(show.main, begun(), "--trial", "0000")
    assert (status, error.count("\n")) == (2, 1)
    assert "has started" in error


@pytest.mark.parametrize("width", [40, 80])
def test_a_page_fits_the_terminal(width, kept, shown, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    output = shown(show.main, kept("sp500-pred/asha"), "--trial", "0001")[1]
    commands = ("Train it alone", "checkpoints")
    assert max(len(line) for line in output.splitlines() if not line.startswith(commands)) <= width
