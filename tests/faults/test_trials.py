"""Faults inside trials: NaN, no memory, a hang, every trial lost."""

import json
import time

import pytest
from victim import SMALL, TASK, trials

pytestmark = [pytest.mark.faults, pytest.mark.slow]


def counts(folder):
    return json.loads((folder / "summary.json").read_text())["search"]


def test_nan_at_a_random_epoch_in_a_third_of_the_trials(start, space, tmp_path, twice):
    content = "lr: {low: 0.001, high: 0.01}\nhidden_size: {low: 4, high: 16}\n"
    options = ("--task", TASK, "--subset", "300", "--max-epochs", "9", "--eval-every", "1", "--scheduler", "none")
    options += ("--search", "optuna", "--trials", "18", "--top-k", "3", "--seeds", "1", *space(content))
    session = start(*options, "--results", tmp_path, "--name", "sweep", faults={"nan": 1 / 3})
    status, folder = session.end(), tmp_path / TASK / "sweep"
    table = trials(folder)
    lost = table[table["status"] == "diverged"]
    assert 2 <= len(lost) <= 10
    assert len(table) == 18
    assert counts(folder)["diverged"] == len(lost)
    for row in lost.itertuples():
        assert row.reason == f"the loss became NaN or infinite in epoch {row.epochs}"
    assert table[table["status"] != "diverged"]["status"].eq("finished").all()
    assert status == 0, session.output
    assert lost["epochs"].nunique() > 1
    print(f"lost: {len(lost)} of 18 trials, all said to be diverged, at epochs {sorted(lost['epochs'])}")


def test_a_trial_that_runs_out_of_memory_fails_alone(start, small, twice):
    options, folder = small
    session = start(*options, faults={"kind": "memory", "hidden_size": 16, "epoch": 1})
    assert session.end() == 0, session.output
    table = trials(folder)
    failed = table[table["status"] == "failed"]
    assert failed["hidden_size"].tolist() == [16, 16, 16]
    assert failed["reason"].str.contains("memory", case=False).all(), failed["reason"].tolist()
    assert counts(folder)["failed"] == 3
    assert "3 of 6 trials failed" in session.output
    print("lost: the 3 trials that wanted too much")


def test_a_trial_that_hangs_is_ended_by_the_time_limit(start, small, twice):
    options, folder = small
    hang = {"kind": "wait", "seconds": 3600, "hidden_size": 16, "epoch": 1}
    began = time.monotonic()
    session = start(*options, "--time-limit", "5", faults=hang)
    assert session.end() == 0, session.output
    table = trials(folder)
    failed = table[table["status"] == "failed"]
    assert failed["hidden_size"].tolist() == [16, 16, 16]
    assert failed["reason"].str.contains("time limit").all(), failed["reason"].tolist()
    print(f"lost: the 3 trials that hung; the sweep took {time.monotonic() - began:.0f} s")


def test_a_machine_lost_under_a_trial_that_had_failed_before_does_not_end_it(start, space, tmp_path, twice):
    """The error is as Ray words it; tests/faults/test_cluster.py loses machines."""
    messages = ["its own", "The actor died because its node has died. Node Id: 12"]
    options = (*SMALL, *space("lr: [0.01]\nhidden_size: [8, 16]\n"), "--results", tmp_path, "--name", "sweep")
    session = start(*options, faults={"kind": "errors", "hidden_size": 8, "epoch": 2, "messages": messages})
    assert session.end() == 0, session.output
    assert len((tmp_path / "epochs.log.errors").read_text()) == len(messages)
    assert set(trials(tmp_path / TASK / "sweep")["status"]) <= {"finished", "stopped early"}
    print(f"lost: {twice()} epochs trained twice")


def test_when_every_trial_fails_the_first_reason_is_said(start, space, tmp_path):
    options = (*SMALL, *space("hidden_size: [30000000, 30000001]\n"))
    session = start(*options, "--results", tmp_path, "--name", "sweep")
    assert session.end() == 1
    assert "2 of 2 trials failed; 0000: " in session.output
    assert "no trial can be selected" in session.output
    assert trials(tmp_path / TASK / "sweep")["status"].eq("failed").all()
    first = trials(tmp_path / TASK / "sweep").loc["0000", "reason"]
    assert first in session.output
