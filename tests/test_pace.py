"""How long a sweep says that it will still take."""

import pytest

from ae import tasks
from ae.task import Budget
from sweeps.records.eta import seconds_left
from sweeps.records.ledger import FINISHED, Entry, Ledger


@pytest.fixture
def ledger(tmp_path):
    """A grid of hidden sizes 120, 120, 60, 30 of 10 epochs each: an epoch of the first takes 4 s, of the third 1 s."""
    planned = {str(place): {"hidden_size": size} for place, size in enumerate((120, 120, 60, 30))}
    return Ledger("search", tmp_path, tasks.find("synthetic").objective, 4, 10, planned=planned)


def trained(ledger, *epochs, status=FINISHED):
    for place, epoch in enumerate(epochs):
        configuration = ledger.planned[str(place)]
        train_s = epoch * (configuration["hidden_size"] / 60) ** 2
        entry = Entry(name=str(place), configuration=configuration, epoch=epoch, train_s=train_s, status=status)
        ledger.entries[entry.name] = entry


def test_small_models_to_come_are_expected_to_take_less_than_the_large_ones_that_ran(ledger):
    trained(ledger, 10, 10)
    assert seconds_left(ledger, gone_s=40) == pytest.approx((10 * 1 + 10 * 0.25) / 2), "two workers: 80 s in 40"


def test_what_earlier_sessions_trained_is_not_to_come_whatever_its_place(ledger):
    trained(ledger, 0, 0, 10, 10)
    del ledger.entries["0"], ledger.entries["1"]
    assert seconds_left(ledger, gone_s=12.5) == pytest.approx(2 * 10 * 4)


def test_what_was_measured_counts_before_what_is_expected(ledger):
    trained(ledger, 10, 10, 10)
    ledger.entries["2"].train_s = 40.0
    assert seconds_left(ledger, gone_s=120) == pytest.approx(10 * 4 / 4)


def test_successive_halving_is_expected_to_train_a_part_of_them_on(ledger):
    budget = Budget(max_epochs=10, eval_every=1, grace_period=2, reduction_factor=2)
    assert budget.halving(4) == [10, 4, 2, 2]
    ledger.expected = budget.halving(4)
    trained(ledger, 2, 2, status="paused")
    assert seconds_left(ledger, gone_s=16) == pytest.approx((8 + 2) * 4 + 2 * 1 + 2 * 0.25)
    trained(ledger, 4, 2, 2, 2, status="paused")
    ledger.entries["2"].best = 0.1
    alone = sum(entry.train_s for entry in ledger.entries.values())
    assert seconds_left(ledger, gone_s=alone) == pytest.approx(6 * 4 + 2 * 1), "of those at 2, the best goes on to 4"


def test_the_budget_of_halving_is_what_a_sweep_of_synthetic_trained():
    assert sum(tasks.find("synthetic").budget.halving(12)) == 725
    assert sum(tasks.find("mnist-cls").budget.halving(12)) == 93


def test_before_the_first_report_nothing_is_said(ledger):
    assert seconds_left(ledger, gone_s=3) is None
    trained(ledger, 0, status="running")
    assert seconds_left(ledger, gone_s=3) is None


def test_trials_that_nobody_knows_yet_are_taken_for_the_mean(tmp_path):
    ledger = Ledger("search", tmp_path, tasks.find("synthetic").objective, 4, 10)
    ledger.entries["0"] = Entry(name="0", configuration={"hidden_size": 8}, epoch=10, train_s=20, status=FINISHED)
    ledger.entries["1"] = Entry(name="1", configuration={"hidden_size": 16}, epoch=10, train_s=40, status=FINISHED)
    assert seconds_left(ledger, gone_s=60) == pytest.approx(2 * 30)


def test_a_trial_that_trains_on_alone_goes_to_its_last_epoch(ledger):
    trained(ledger, 4, 4, 4, 4)
    assert seconds_left(ledger, gone_s=20) == 0
    leader = ledger.entries["2"]
    leader.status, leader.epoch, leader.train_s = "running", 6, 6.0
    alone = sum(entry.train_s for entry in ledger.entries.values())
    assert seconds_left(ledger, gone_s=alone) == pytest.approx(4 * 1)


def test_more_trials_than_expected_train_to_their_next_rung_at_least(ledger):
    ledger.expected = [10, 4, 2, 2]
    trained(ledger, 4, 4, 2, 2, status="running")
    ledger.entries["3"].status = "stopped early"
    alone = sum(entry.train_s for entry in ledger.entries.values())
    assert seconds_left(ledger, gone_s=alone) == pytest.approx((6 + 6) * 4 + 2 * 1)
