"""Asynchronous successive halving: who is promoted, and when."""

import math

import pytest
from ray.tune.experiment import Trial

from ae.task import Budget, Objective
from sweeps.engine.session import early_stopping
from sweeps.engine.turns import MACHINES, Turns
from sweeps.records.ledger import FAILED, INTERRUPTED, PAUSED, STOPPED, Entry, Ledger
from sweeps.scheduling.asha import ASHA, Rungs

LOW = Objective(metric="loss", mode="min")


class Failing(Trial):
    """A trial of no run: where its errors are, the test says."""

    error_file = None


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


def test_nobody_waits_for_a_trial_that_failed_as_it_was_to_pause(tmp_path):
    turns = ASHA(Rungs(LOW, [1], 2), Ledger("search", tmp_path, LOW, 2, 2), slots=1)
    trial = Failing("any", config={"run": {"trial": "a"}}, stub=True)
    turns.ledger.entries["a"] = Entry(name="a", configuration={})
    turns.on_trial_add(None, trial)
    assert turns.on_trial_result(None, trial, {"epoch": 1, "best": 0.1}) == "PAUSE"
    turns.rungs.report("b", 1, 0.2, diverged=False)
    assert turns.promotion() == "a"
    trial.set_status(Trial.RUNNING)
    turns.on_trial_error(None, trial)
    assert turns.promotion() is None
    turns.on_trial_add(None, trial)
    assert not turns.rungs.waiting("a"), "a trial that may try again trains at once"


def test_a_machine_that_is_lost_does_not_count_as_a_failure_until_many_are(tmp_path):
    def lose(error):
        trial.run_metadata.num_failures += 1  # as Tune does before it asks the scheduler
        with (tmp_path / "error.txt").open("a") as file:
            file.write(f"Failure # {trial.run_metadata.num_failures} (occurred at noon)\n{error}\n")
        turns.on_trial_error(None, trial)

    died = "The actor died because its node has died. Node Id: 12"
    turns = Turns(Ledger("search", tmp_path, LOW, 1, 2), slots=1)
    trial = Failing("any", config={"run": {"trial": "a"}}, stub=True)
    trial.error_file = str(tmp_path / "error.txt")
    trial.set_status(Trial.ERROR)
    for _ in range(MACHINES - 1):
        lose("The actor died unexpectedly.\n" + died)
    assert trial.run_metadata.num_failures == 0
    lose("ValueError: its own")
    assert trial.run_metadata.num_failures == 1
    trial.set_status(Trial.RUNNING)  # as Tune has no try left for it
    lose(died)
    assert turns.ledger.again == {"a"}
    turns.ledger.again.clear()
    lose(died)
    assert not turns.ledger.again, "one machine too many"


def test_a_sweep_that_is_gone_on_with_does_not_wait_for_trials_that_had_ended(tmp_path):
    ledger = Ledger("search", tmp_path, LOW, 4, 4)
    for name, status in {"a": FAILED, "b": STOPPED, "c": PAUSED}.items():
        ledger.entries[name] = Entry(name=name, configuration={}, status=status, epoch=1)
    ledger.reports = [("a", 1, 0.1, False), ("b", 1, 0.2, False), ("c", 1, 0.3, False), ("d", 1, 0.4, False)]
    budget = Budget(max_epochs=4, eval_every=1, grace_period=1, reduction_factor=2)
    turns = early_stopping("asha", budget, ledger, slots=1)
    assert turns.promotion() is None
    for trial, value in (("e", 0.5), ("f", 0.6)):
        turns.rungs.report(trial, 1, value, diverged=False)
    assert turns.promotion() == "c"


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
    assert Budget(**budget).rungs() == rungs


def test_a_trial_that_waits_when_the_session_is_cut_off_is_interrupted(tmp_path):
    ledger = Ledger("search", tmp_path, LOW, 1, 4)
    ledger.entries["a"] = Entry(name="a", configuration={}, status=PAUSED, epoch=1)
    with pytest.raises(KeyboardInterrupt), ledger:
        raise KeyboardInterrupt
    assert ledger.entries["a"].status == INTERRUPTED
    ledger.entries["a"].status, ledger.over = PAUSED, True
    with ledger:
        pass
    assert ledger.entries["a"].status == STOPPED
