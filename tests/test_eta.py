"""How long a sweep says that it will still take."""

import pytest

from ae import tasks
from ae.configuration import Configuration
from ae.task import Budget
from sweeps.config.rungs import halving_epochs
from sweeps.records.eta import seconds_left
from sweeps.records.trials import FINISHED, PAUSED, RUNNING, SEARCH, STOPPED, Report, TrialLog, TrialRecord

OBJECTIVE = tasks.find("synthetic").objective


@pytest.fixture
def log():
    """A grid of hidden sizes 120, 120, 60, 30 of 10 epochs each: an epoch of the first takes 4 s, of the third 1 s."""
    planned = {str(place): Configuration(hidden_size=size) for place, size in enumerate((120, 120, 60, 30))}
    return TrialLog(SEARCH, OBJECTIVE, 4, 10, planned=planned)


def add(log, name, config, epoch, train_s, status, loss=0.5):
    """A trial with one report, at its last epoch; at epoch 0 it has none."""
    record = log.records[name] = TrialRecord(name=name, config=config, status=status)
    if epoch:
        report = Report(epoch, 0.5, {"loss": loss}, train_s, wall_s=0.0, time=0.0, best=None)
        record.add(report, OBJECTIVE)


def trained(log, *epochs, status=FINISHED, losses=(0.5,) * 4):
    for place, (epoch, loss) in enumerate(zip(epochs, losses, strict=False)):
        config = log.planned[str(place)]
        add(log, str(place), config, epoch, epoch * (config.hidden_size / 60) ** 2, status, loss)


def left(log, elapsed_s):
    """Seconds left once the phase has taken so many."""
    log.recorded_s = elapsed_s
    return seconds_left(log)


def alone(log):
    """Seconds that the trials take one after the other."""
    return sum(record.train_s for record in log.trials)


def test_small_models_to_come_are_expected_to_take_less_than_the_large_ones_that_ran(log):
    trained(log, 10, 10)
    assert left(log, elapsed_s=40) == pytest.approx((10 * 1 + 10 * 0.25) / 2), "two workers: 80 s in 40"


def test_what_earlier_sessions_trained_is_not_to_come_whatever_its_place(log):
    trained(log, 0, 0, 10, 10)
    del log.records["0"], log.records["1"]
    assert left(log, elapsed_s=12.5) == pytest.approx(2 * 10 * 4)


def test_what_was_measured_counts_before_what_is_expected(log):
    trained(log, 10, 10)
    add(log, "2", log.planned["2"], 10, 40.0, FINISHED)
    assert left(log, elapsed_s=120) == pytest.approx(10 * 4 / 4)


def test_successive_halving_is_expected_to_train_some_of_them_further(log):
    log.expected = halving_epochs(Budget(max_epochs=10, eval_every=1, grace_period=2, reduction_factor=2), 4)
    assert log.expected == [10, 4, 2, 2]
    trained(log, 2, 2, status=PAUSED)
    assert left(log, elapsed_s=16) == pytest.approx((8 + 2) * 4 + 2 * 1 + 2 * 0.25)
    trained(log, 4, 2, 2, 2, status=PAUSED, losses=(0.5, 0.5, 0.1, 0.5))
    assert left(log, alone(log)) == pytest.approx(6 * 4 + 2 * 1), "the best of those at epoch 2 trains to epoch 4"


def test_the_budget_of_halving_is_what_a_sweep_of_synthetic_trained():
    assert sum(halving_epochs(tasks.find("synthetic").budget, 12)) == 725
    assert sum(halving_epochs(tasks.find("mnist-cls").budget, 12)) == 93


def test_before_the_first_report_nothing_is_said(log):
    assert left(log, elapsed_s=3) is None
    trained(log, 0, status=RUNNING)
    assert left(log, elapsed_s=3) is None


def test_trials_that_nobody_knows_yet_are_expected_to_take_the_mean():
    log = TrialLog(SEARCH, OBJECTIVE, 4, 10)
    add(log, "0", Configuration(hidden_size=8), 10, 20.0, FINISHED)
    add(log, "1", Configuration(hidden_size=16), 10, 40.0, FINISHED)
    assert left(log, elapsed_s=60) == pytest.approx(2 * 30)


def test_a_trial_that_trains_on_alone_is_expected_to_reach_its_last_epoch(log):
    trained(log, 4, 4, 4, 4)
    assert left(log, elapsed_s=20) == 0
    add(log, "2", log.planned["2"], 6, 6.0, RUNNING)
    assert left(log, alone(log)) == pytest.approx(4 * 1)


def test_more_trials_than_expected_train_to_their_next_rung_at_least(log):
    log.expected = [10, 4, 2, 2]
    trained(log, 4, 4, 2, 2, status=RUNNING)
    log.records["3"].status = STOPPED
    assert left(log, alone(log)) == pytest.approx((6 + 6) * 4 + 2 * 1)
