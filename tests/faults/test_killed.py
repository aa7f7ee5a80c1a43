"""kill -9: of a trial, of the driver at ten moments."""

import os
import random
import signal
import time

import pytest
from victim import LONG, assert_same, trials

pytestmark = [pytest.mark.faults, pytest.mark.slow]


def test_a_trial_killed_mid_epoch_goes_on_from_its_last_validation(start, small, whole, twice):
    options, folder = small
    session = start(*options, faults=LONG)
    session.reach(folder, "0003", 4)
    killed = session.trials()
    assert killed
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    assert session.end() == 0, session.output
    assert_same(folder, whole.folder)
    assert twice() <= 1
    print(f"lost: the epoch that it was in; {twice()} whole epochs trained twice")


@pytest.fixture
def whole_seeds(start, small):
    """The results folder of the small sweep with two seeds per trial, and its options."""
    options = (*small[0], "--seeds-per-trial", "2")
    session = start(*options, "--name", "whole")
    assert session.end() == 0, session.output
    return small[1].with_name("whole"), options


@pytest.mark.parametrize("what", ["trial", "driver"])
def test_one_killed_between_two_seeds_goes_on_from_its_last_validation(start, small, whole_seeds, tmp_path, what):
    """The second seed of trial 0003 waits in its fifth epoch; the first one has trained it."""
    (whole, options), folder, log = whole_seeds, small[1], tmp_path / "epochs.log"
    log.unlink()
    session = start(*options, faults=LONG | {"seed": 1})
    session.reach(folder, "0003", 4)
    while "8 0.01 0 27 5\n" not in log.read_text():
        time.sleep(0.01)
    assert "8 0.01 1 27 5\n" not in log.read_text()
    for pid in session.trials() if what == "trial" else [session.process.pid]:
        os.kill(pid, signal.SIGKILL)
    if what == "driver":
        session.clear()
        session = start("--resume", folder)
    assert session.end() == 0, session.output
    assert_same(folder, whole)
    assert log.read_text().count("8 0.01 0 27 5\n") == 2, "the first seed trained the epoch again"


@pytest.mark.parametrize("times", [1, 2])
def test_a_trial_killed_while_it_is_saved_at_a_rung_goes_on_or_fails_alone(start, small, twice, times):
    options, folder = small
    session = start(*options, faults={"kind": "save", "hidden_size": 8, "times": times})
    assert session.end() == 0, session.output
    assert len((folder.parents[1] / "epochs.log.deaths").read_text()) == times
    assert trials(folder)["status"].isin(["finished", "stopped early", *["failed"] * (times - 1)]).all()
    assert list(trials(folder)["status"]).count("failed") == times - 1
    print(f"lost: {twice()} epochs trained twice, and {times - 1} trials")


@pytest.mark.parametrize("times", [1, 2])
def test_a_trial_whose_process_is_killed_as_it_takes_it_over_comes_again(start, small, whole, twice, times):
    """Trials of 16 units come first and wait at the first rung: the process of one takes the first of 8 units over."""
    options, folder = small
    session = start(*options, faults={"kind": "takeover", "hidden_size": 8, "times": times})
    assert session.end() == 0, session.output
    if times == 1:
        assert_same(folder, whole.folder)
    assert trials(folder)["status"].isin(["finished", "stopped early"]).all(), trials(folder)["reason"].tolist()
    assert len((folder.parents[1] / "epochs.log.deaths").read_text()) == times
    print(f"lost: {twice()} epochs trained twice, killed {times} times")


@pytest.mark.parametrize("moment", range(10))
def test_a_driver_killed_at_any_moment_ends_as_one_never_stopped(start, small, whole, twice, moment):
    """The first moment falls into the start, the others each into a ninth of the reports."""
    options, folder = small
    rng = random.Random(moment)
    session = start(*options)
    reports = rng.randrange(whole.epochs * (moment - 1) // 9, whole.epochs * moment // 9) if moment else 0
    while reports_of(folder) < reports:
        assert session.process.poll() is None, session.output
        time.sleep(0.002)
    time.sleep(rng.uniform(0, 0.1 if moment else 8))
    session.process.kill()
    session.clear()
    written = reports_of(folder)
    session = start("--resume", folder) if (folder / "plan.json").exists() else start(*options)
    assert session.end() == 0, session.output
    assert_same(folder, whole.folder)
    print(f"lost: killed after report {written} of {whole.epochs}: {twice()} epochs trained twice")


def reports_of(folder):
    return (folder / "curves.csv").read_text().count("\n") - 1 if (folder / "curves.csv").exists() else 0
