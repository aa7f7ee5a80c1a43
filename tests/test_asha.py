"""Asynchronous successive halving: who is promoted, and when."""

import math

import pytest
from ray.tune.experiment import Trial

from ae.task import Objective
from sweeps.asha import ASHA, Rungs
from sweeps.ledger import Entry, Ledger

LOW = Objective(metric="loss", mode="min")


def rungs(reports, epochs=(1, 3, 9), factor=3, objective=LOW):
    found = Rungs(objective, list(epochs), factor)
    for trial, epoch, best in reports:
        found.report(trial, epoch, best, diverged=math.isnan(best))
    return found


def test_a_rung_promotes_the_best_third_of_those_that_reached_it():
    found = rungs([("a", 1, 0.5), ("b", 1, 0.4)])
    assert found.promotion() is None
    found.report("c", 1, 0.6, diverged=False)
    assert found.promotion() == "b"
    found.promote("b")
    assert found.promotion() is None
    for trial, value in (("d", 0.1), ("e", 0.7), ("f", 0.8)):
        found.report(trial, 1, value, diverged=False)
    assert found.promotion() == "d"


def test_an_early_trial_can_be_promoted_late():
    found = rungs([("a", 1, 0.3), ("b", 1, 0.1), ("c", 1, 0.4)])
    found.promote("b")
    assert found.waiting("a")
    for trial in "def":
        found.report(trial, 1, 0.9, diverged=False)
    assert found.promotion() == "a"


def test_the_highest_rung_comes_first():
    first = [(trial, 1, value) for trial, value in zip("abcdefghi", range(9), strict=True)]
    found = rungs([*first, ("a", 3, 0.0), ("b", 3, 0.1), ("c", 3, 0.2)], factor=3)
    found.report("j", 1, -1.0, diverged=False)
    assert found.promotion() == "a"
    found.promote("a")
    assert found.promotion() == "j"


def test_a_metric_that_is_to_be_high_is_ranked_that_way():
    found = rungs([("a", 1, 0.5), ("b", 1, 0.4), ("c", 1, 0.6)], objective=Objective(metric="accuracy", mode="max"))
    assert found.promotion() == "c"


def test_the_first_of_equal_values_ranks_first():
    assert rungs([("b", 1, 0.5), ("a", 1, 0.5), ("c", 1, 0.5)]).promotion() == "b"


def test_a_diverged_trial_takes_the_last_place_of_its_next_rung_and_is_never_promoted():
    found = rungs([("a", 1, math.nan), ("b", 1, 0.5), ("c", 1, 0.6)])
    assert found.promotion() == "b"
    assert rungs([(trial, 1, math.nan) for trial in "abc"]).promotion() is None
    between = rungs([("a", 1, 0.1), ("b", 1, 0.2), ("c", 1, 0.3), ("a", 2, math.nan)])
    assert between.scores[3] == {"a": -math.inf}
    assert between.last_chance() is None


def test_reports_between_rungs_count_at_the_next_one():
    found = rungs([("a", 2, 0.5), ("b", 2, 0.4), ("c", 2, 0.6)])
    assert found.promotion() == "b"
    assert found.report("b", 4, 0.3, diverged=False)
    assert not found.report("b", 5, 0.2, diverged=False)


def test_when_nobody_else_can_come_the_best_of_the_highest_rung_goes_on():
    found = rungs([("a", 1, 0.5), ("b", 1, 0.4)])
    assert found.promotion() is None
    assert found.last_chance() == "b"
    found.promote("b")
    assert found.last_chance() is None
    assert rungs([]).last_chance() is None


@pytest.mark.parametrize("cut", range(9))
def test_the_same_reports_make_the_same_rungs(cut):
    reports = [("a", 1, 0.5), ("b", 1, 0.4), ("c", 1, 0.3), ("c", 2, 0.2), ("c", 3, 0.1), ("d", 1, 0.35)]
    reports += [("e", 1, 0.6), ("f", 1, 0.7), ("d", 3, 0.3)]
    whole, resumed = Rungs(LOW, [1, 3, 9], 3), Rungs(LOW, [1, 3, 9], 3)
    rows = [(*report, False) for report in reports]
    whole.replay(rows)
    resumed.replay(rows[:cut])
    resumed.replay(rows[cut:])
    assert (resumed.scores, resumed.promoted) == (whole.scores, whole.promoted)


def test_a_trial_that_still_saves_its_state_is_promoted_once_it_is_paused(tmp_path):
    turns = ASHA(Rungs(LOW, [1], 2), Ledger("search", tmp_path, LOW, 3, 2), slots=2)
    trials = {name: Trial("any", config={"run": {"trial": name}}, stub=True) for name in "ab"}
    for name, trial in trials.items():
        turns.ledger.entries[name] = Entry(name=name, configuration={})
        turns.on_trial_add(None, trial)
        trial.set_status(Trial.RUNNING)
    assert turns.on_trial_result(None, trials["a"], {"epoch": 1, "best": 0.1}) == "PAUSE"
    assert turns.on_trial_result(None, trials["b"], {"epoch": 1, "best": 0.2}) == "PAUSE"  # now "a" is to go on
    assert turns.choose_trial_to_run(None) is None
    trials["b"].set_status(Trial.PAUSED)
    assert turns.choose_trial_to_run(None) is None
    trials["a"].set_status(Trial.PAUSED)
    assert turns.choose_trial_to_run(None) is trials["a"]
