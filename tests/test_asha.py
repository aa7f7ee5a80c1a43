"""Asynchronous successive halving: who is promoted, and when."""

import math

import pytest

from ae.task import Budget, Objective
from sweeps.config.rungs import halving_epochs, rung_epochs
from sweeps.scheduling.asha import ASHA
from sweeps.scheduling.base import Decision
from sweeps.scheduling.queue import TrialQueue
from sweeps.scheduling.rungs import Rungs

LOW = Objective(metric="loss", mode="min")


def rungs(reports, epochs=(1, 3, 9), factor=3, objective=LOW):
    found = Rungs(objective, list(epochs), factor)
    for trial, epoch, best in reports:
        found.report(trial, epoch, best, diverged=math.isnan(best))
    return found


def test_a_rung_promotes_the_best_third_of_those_that_reached_it():
    found = rungs([("a", 1, 0.5), ("b", 1, 0.4)])
    assert found.promotable() is None
    found.report("c", 1, 0.6, diverged=False)
    assert found.promotable() == "b"
    found.promote("b")
    assert found.promotable() is None
    for trial, value in (("d", 0.1), ("e", 0.7), ("f", 0.8)):
        found.report(trial, 1, value, diverged=False)
    assert found.promotable() == "d"


def test_an_early_trial_can_be_promoted_late():
    found = rungs([("a", 1, 0.3), ("b", 1, 0.1), ("c", 1, 0.4)])
    found.promote("b")
    for trial in "def":
        found.report(trial, 1, 0.9, diverged=False)
    assert found.promotable() == "a"


def test_the_highest_rung_comes_first():
    first = [(trial, 1, value) for trial, value in zip("abcdefghi", range(9), strict=True)]
    found = rungs([*first, ("a", 3, 0.0), ("b", 3, 0.1), ("c", 3, 0.2)], factor=3)
    found.report("j", 1, -1.0, diverged=False)
    assert found.promotable() == "a"
    found.promote("a")
    assert found.promotable() == "j"


def test_a_metric_that_is_to_be_high_is_ranked_that_way():
    found = rungs([("a", 1, 0.5), ("b", 1, 0.4), ("c", 1, 0.6)], objective=Objective(metric="accuracy", mode="max"))
    assert found.promotable() == "c"


def test_the_first_of_equal_values_ranks_first():
    assert rungs([("b", 1, 0.5), ("a", 1, 0.5), ("c", 1, 0.5)]).promotable() == "b"


def test_a_diverged_trial_takes_the_last_place_of_its_next_rung_and_is_never_promoted():
    found = rungs([("a", 1, math.nan), ("b", 1, 0.5), ("c", 1, 0.6)])
    assert found.promotable() == "b"
    assert rungs([(trial, 1, math.nan) for trial in "abc"]).promotable() is None
    between = rungs([("a", 1, 0.1), ("b", 1, 0.2), ("c", 1, 0.3), ("a", 2, math.nan)])
    assert between.scores[3] == {"a": -math.inf}
    assert between.last_chance() == "b", "the next best of those that are left"
    between.promote("b")
    assert between.last_chance() is None
    between.lost.add("b")
    assert between.last_chance() == "c"
    between.promote("c")
    between.report("c", 5, math.nan, diverged=True)
    assert between.last_chance() is None


def test_one_that_diverges_past_the_last_rung_leaves_the_last_chance_to_the_next():
    found = rungs([("a", 1, 0.1), ("b", 1, 0.2)], epochs=(1,))
    assert found.last_chance() == "a"
    found.promote("a")
    assert found.last_chance() is None
    found.report("a", 4, math.nan, diverged=True)
    assert found.last_chance() == "b"


def test_reports_between_rungs_count_at_the_next_one():
    found = rungs([("a", 2, 0.5), ("b", 2, 0.4), ("c", 2, 0.6)])
    assert found.promotable() == "b"
    assert found.report("b", 4, 0.3, diverged=False)
    assert not found.report("b", 5, 0.2, diverged=False)


def test_when_nobody_else_can_come_the_best_of_the_highest_rung_is_promoted():
    found = rungs([("a", 1, 0.5), ("b", 1, 0.4)])
    assert found.promotable() is None
    assert found.last_chance() == "b"
    found.promote("b")
    assert found.last_chance() is None
    assert rungs([]).last_chance() is None


def test_a_trial_pauses_at_every_rung_unless_it_is_the_one_to_promote():
    scheduler = ASHA(Rungs(LOW, [1], 2), max_concurrent=2)
    for trial in "ab":
        scheduler.on_start(trial)
    assert not scheduler.has_capacity
    assert scheduler.on_result("a", 1, 0.2) == Decision.PAUSE
    assert scheduler.has_capacity
    assert scheduler.on_result("b", 1, 0.1) == Decision.PROMOTE
    assert scheduler.on_result("b", 2, 0.1) == Decision.CONTINUE
    assert scheduler.must_wait("a")
    assert not scheduler.must_wait("b")


def test_no_trial_is_promoted_once_it_has_failed():
    scheduler = ASHA(Rungs(LOW, [1], 2), max_concurrent=2)
    for trial in "ab":
        scheduler.on_start(trial)
    scheduler.on_result("a", 1, 0.1)
    scheduler.on_result("b", 1, 0.2)
    assert scheduler.next_to_resume() == "a"
    scheduler.on_end("a", 1, 0.1, failed=True)
    assert scheduler.next_to_resume() is None
    scheduler.is_exhausted = True
    assert scheduler.next_to_resume() == "b", "the last chance goes to the best that can train"


def queue_of(scheduler, returning, new=""):
    """A queue with these trials of earlier sessions, then new ones; and those that were promoted from it."""
    to_come, promoted = list(new), []
    return TrialQueue(scheduler, returning, lambda: bool(to_come), lambda: to_come.pop(0), promoted.append), promoted


def started(scheduler, queue):
    """Start what the queue gives while there is room; the names."""
    names = []
    while name := queue.next():
        scheduler.on_start(name)
        names.append(name)
    return names


def test_trials_that_were_training_come_before_those_that_wait_and_new_ones():
    scheduler = ASHA(Rungs(LOW, [1], 2), max_concurrent=2)
    for trial, value in (("a", 0.2), ("b", 0.3)):
        scheduler.on_start(trial)
        scheduler.on_result(trial, 1, value)
    queue, promoted = queue_of(scheduler, ["a", "b", "c"], new="def")
    scheduler.running.clear()
    assert started(scheduler, queue) == ["c", "a"]
    assert promoted == ["a"]
    scheduler.on_result("c", 1, 0.4)
    assert started(scheduler, queue) == ["d"], "none of three is promoted beside the first"
    scheduler.on_result("d", 1, 0.5)
    assert started(scheduler, queue) == ["b"], "two of four are promoted"
    assert promoted == ["a", "b"]


def test_a_queue_is_over_once_no_waiting_trial_can_be_promoted():
    scheduler = ASHA(Rungs(LOW, [1], 2), max_concurrent=1)
    queue, _ = queue_of(scheduler, [], new="ab")
    for value in (0.2, 0.1):
        (name,) = started(scheduler, queue)
        decision = scheduler.on_result(name, 1, value)
    assert (name, decision) == ("b", Decision.PROMOTE)
    assert not queue.is_over
    scheduler.on_end("b", 2, 0.1)
    assert queue.is_over, "the best has reached the last epoch, and a waits"
    queue.come_again("b")
    assert not queue.is_over
    assert started(scheduler, queue) == ["b"]


def test_a_queue_hands_out_no_more_than_there_is_room_for():
    scheduler = ASHA(Rungs(LOW, [1], 2), max_concurrent=0)
    queue, _ = queue_of(scheduler, ["a"], new="b")
    assert queue.next() is None
    scheduler.max_concurrent = 1
    assert started(scheduler, queue) == ["a"]


@pytest.mark.parametrize(
    ("budget", "rungs"),
    [
        ({"max_epochs": 15, "eval_every": 1, "grace_period": 2, "reduction_factor": 2}, [2, 4, 8]),
        ({"max_epochs": 15, "eval_every": 5, "grace_period": 2, "reduction_factor": 2}, [5, 10]),
        ({"max_epochs": 300, "eval_every": 5, "grace_period": 40, "reduction_factor": 3}, [40, 120]),
        ({"max_epochs": 10, "eval_every": 4, "grace_period": 9, "reduction_factor": 2}, []),
        ({"max_epochs": 5, "eval_every": 5, "grace_period": 5, "reduction_factor": 2}, []),
    ],
)
def test_rungs_are_at_validations(budget, rungs):
    assert rung_epochs(Budget(**budget)) == rungs


def test_halving_trains_half_as_many_for_twice_as_long():
    budget = Budget(max_epochs=10, eval_every=1, grace_period=2, reduction_factor=2)
    assert halving_epochs(budget, 4) == [10, 4, 2, 2]
    assert halving_epochs(budget, 1) == [10], "at least one trial reaches the last epoch"
