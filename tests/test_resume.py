"""Sweeps that are gone on with after their end."""

import pandas as pd
import pytest

from sweeps.run import main

SMALL = ("--subset", "60", "--max-epochs", "4", "--eval-every", "1", "--grace-period", "1", "--reduction-factor", "2")
FEW = ("--top-k", "1", "--seeds", "1", "--retrain-epochs", "1", "--max-concurrent", "2")
TASK = "synthetic-smooth"


def trials(folder):
    table = pd.read_csv(folder / "trials.csv", dtype={"trial": str})
    return table[table["phase"] == "search"].set_index("trial")


@pytest.mark.usefixtures("one_ray")
def test_a_finished_sweep_takes_more_trials_and_leaves_the_others_as_they_ended(run, summary_of):
    options = ("--search", "optuna", "--sampler", "random", "--trials", "4")
    status, _, _, folder = run(*SMALL, *FEW, *options, task=TASK)
    assert status == 0
    before, typed = trials(folder), summary_of(folder)["command"]
    assert "stopped early" in set(before["status"]), "a rung must have somebody who could be promoted"
    assert main(["--resume", str(folder), "--trials", "+6"]) == 0
    after = trials(folder)
    assert len(after) == 10
    assert set(after["status"]) <= {"finished", "stopped early"}
    pd.testing.assert_frame_equal(after.loc[before.index], before)
    assert summary_of(folder)["search"]["requested"] == 10
    assert summary_of(folder)["command"] == typed
    assert typed.startswith(f"python sweeps/run.py --task {TASK} --results ")
