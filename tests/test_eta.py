"""How long a sweep says that it will still take."""

from dataclasses import asdict
from pathlib import Path

import pytest

from sweeps.config.plan_file import load
from sweeps.config.words import span
from sweeps.records.eta import Estimate, time_left
from sweeps.records.progress import left_in_words
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import FINISHED, RETRAIN, SEARCH
from tests.sweep_logs import ask, begin_session, end, plan_of, report

KEPT = Path(__file__).parents[1] / "results" / "reference"
COMPLETE = sorted(
    str(path.parent.relative_to(KEPT))
    for path in KEPT.glob("*/*/plan.json")
    if str(path.parent.relative_to(KEPT)) not in ("mnist-cls/optuna", "synthetic-smooth/optuna")  # cut off
)


def moments(name):
    """What a kept sweep still took at each of its events after a tenth of it, and the estimate then.

    Nothing is kept of a retraining in some; of those the search alone is compared.
    """
    plan = load(KEPT / name)
    whole = SweepLog.read(plan)
    is_whole = bool(whole.tests)

    def taken(log):
        return log.search.recorded_s + log.retraining.recorded_s if is_whole else log.search.recorded_s

    all_s = taken(whole)
    for log in SweepLog.history(plan):
        if 0.1 * all_s <= taken(log) < all_s:
            ends = [Estimate(log, is_high, log.last_time) for is_high in (False, True)]
            yield all_s - taken(log), *(one.total_s() if is_whole else one.search_s for one in ends)


@pytest.mark.parametrize("name", COMPLETE)
def test_a_kept_sweep_was_never_promised_to_end_much_earlier_than_it_did(name):
    found = list(moments(name))
    assert len(found) > 50
    for real_s, low_s, high_s in found:
        assert low_s <= high_s
        assert high_s >= 0.75 * real_s - 1, f"{real_s:.0f} s before the end, at most {high_s:.0f} s were promised"
    widths = [high_s - low_s for _, low_s, high_s in found]
    assert widths[-1] < 0.5 * widths[0], "the range narrows"


@pytest.fixture
def begun(tmp_path):
    """The log of a search of four trials of 10 epochs, of hidden sizes 120, 120, 60 and 60; two retrainings follow."""

    def begun(*options):
        space = tmp_path / "space.yaml"
        space.write_text("hidden_size: [60, 120]\nlr: [0.001, 0.01]\n")
        epochs = ("--max-epochs", 10, "--eval-every", 1, "--top-k", 1, "--seeds", 2)
        log = SweepLog(plan_of(tmp_path, "--space", space, *epochs, *(options or ("--scheduler", "none"))))
        begin_session(log)
        return log

    return begun


def train(log, name, epochs, train_s, *, phase=SEARCH, ends=False, value=0.5, hidden_size=120):
    """A trial trains for some epochs; asked for if it was not."""
    record = log.phase(phase).records.get(name) or ask(log, name, phase, hidden_size=hidden_size)
    for epoch in range(record.epoch + 1, record.epoch + 1 + epochs):
        report(log, name, epoch, value, phase, train_s=train_s)
    if ends:
        end(log, name, FINISHED, phase)


def train_all(log):
    for names, hidden_size, train_s in ((("0000", "0001"), 120, 40.0), (("0002", "0003"), 60, 15.0)):
        for name in names:
            train(log, name, 10, train_s, ends=True, hidden_size=hidden_size)


def check(log, expected_s, slack_s=30.0):
    """The range holds what would come at the pace so far; not much else, but for the report."""
    left = time_left(log, log.last_time)
    assert 0.8 * expected_s <= left.low_s <= expected_s <= left.high_s <= 1.3 * expected_s + slack_s


def test_before_the_first_report_nothing_is_said(begun):
    log = begun()
    assert time_left(log) is None
    ask(log, "0000", hidden_size=120)
    assert time_left(log) is None
    assert left_in_words(None) == "time left unknown"


def test_the_whole_sweep_counts_not_the_phase(begun):
    log = begun()
    train_all(log)
    check(log, 2 * 400), "the search is over, and two retrainings come"


def test_what_is_to_come_is_shared_among_the_workers(begun):
    log = begun()
    for name in ("0000", "0001"):
        ask(log, name, hidden_size=120)
    for name in ("0000", "0001"):
        train(log, name, 10, 40.0, ends=True)
    for name in ("0002", "0003"):
        ask(log, name, hidden_size=60)
    for name in ("0002", "0003"):
        train(log, name, 5, 15.0)
    check(log, 5 * 15 + 10 * 40, slack_s=60)


def test_small_models_to_come_count_less(begun):
    log = begun()
    train(log, "0000", 10, 400.0, ends=True)
    train(log, "0001", 10, 400.0, ends=True)
    left = time_left(log, log.last_time)
    assert left.high_s < 1.2 * (2 * 4000 / 2**1.25 + 2 * 4000) + 1500
    assert left.low_s > 0.9 * (2 * 4000 / 2**1.75 + 2 * 4000)


def test_what_was_measured_counts_before_what_is_expected(begun):
    log = begun()
    train(log, "0000", 10, 40.0, ends=True)
    train(log, "0001", 10, 40.0, ends=True)
    train(log, "0002", 10, 39.0, ends=True, hidden_size=60)
    check(log, 390 + 800, slack_s=60)


def test_successive_halving_trains_some_of_them_further(begun):
    log = begun("--grace-period", 2, "--reduction-factor", 2)
    train(log, "0000", 2, 40.0)
    log.add("paused", phase=SEARCH, trial="0000")
    train(log, "0001", 2, 40.0)
    log.add("paused", phase=SEARCH, trial="0001")
    left = time_left(log, log.last_time)
    least = 2 * 2 * 40 / 2**1.75 + (2 + 2) * 40 + (4 + 2) * 40 + 800
    assert 0.85 * least < left.low_s < left.high_s < 1.9 * least


def test_a_retraining_has_one_seed_where_a_trial_has_several(begun):
    log = begun("--scheduler", "none", "--seeds-per-trial", 4)
    train_all(log)
    check(log, 2 * 100)


def test_in_the_retraining_only_its_rest_counts(begun):
    log = begun()
    train_all(log)
    config = asdict(log.search.records["0000"].config)
    log.add("retraining", runs=[{"trial": f"0000-seed{seed}", "config": config | {"seed": seed}} for seed in (1, 2)])
    check(log, 2 * 400)
    train(log, "0000-seed1", 10, 40.0, phase=RETRAIN, ends=True)
    train(log, "0000-seed2", 4, 40.0, phase=RETRAIN)
    check(log, 6 * 40, slack_s=60)
    train(log, "0000-seed2", 6, 40.0, phase=RETRAIN, ends=True)
    assert time_left(log, log.last_time).high_s < 60, "the test and the report"


def test_a_search_that_goes_on_may_select_others(begun):
    log = begun("--scheduler", "none", "--search", "optuna", "--trials", 3)
    for name in ("0000", "0001"):
        train(log, name, 10, 40.0, ends=True)
    config = asdict(log.search.records["0000"].config)
    log.add("retraining", runs=[{"trial": f"0000-seed{seed}", "config": config | {"seed": seed}} for seed in (1, 2)])
    for seed in (1, 2):
        train(log, f"0000-seed{seed}", 10, 40.0, phase=RETRAIN, ends=True)
    begin_session(log, "b")
    train(log, "0002", 1, 40.0)
    check(log, 9 * 40 + 2 * 400)


def test_time_goes_by_between_two_reports(begun):
    log = begun()
    train(log, "0000", 5, 40.0)
    now = log.last_time
    at_once, later, much_later = (time_left(log, now + wait_s) for wait_s in (0, 30, 3000))
    assert later.low_s == pytest.approx(at_once.low_s - 30, abs=1)
    assert much_later.low_s > 0.5 * at_once.low_s, "a trial that is silent does not count the sweep down to nothing"


def test_a_session_that_resumes_expects_what_was_left(begun):
    log = begun()
    train(log, "0000", 10, 40.0, ends=True)
    train(log, "0001", 5, 40.0)
    log.add("session_ended", status="interrupted", wall_s={}, total_s=600.0)
    left = time_left(log, log.last_time)
    begin_session(log, "b")
    assert time_left(log, log.last_time) == left
    log.add("resumed", phase=SEARCH, trial="0001")
    assert time_left(log, log.last_time).low_s == pytest.approx(left.low_s, rel=0.01)


class Unscanned(dict):
    """Trials that can be looked up, but not gone through."""

    def __iter__(self):
        raise AssertionError("every trial was looked at")

    keys = values = items = __iter__


def test_an_estimate_does_not_look_at_every_trial(begun):
    log = begun("--grace-period", 2, "--search", "optuna", "--trials", 500)
    for number in range(300):
        train(log, f"{number:04d}", 2, 1.0)
        if number < 290:
            log.add("paused", phase=SEARCH, trial=f"{number:04d}")
    log.search.records = Unscanned(log.search.records)
    assert time_left(log, log.last_time).low_s > 10


@pytest.mark.parametrize(
    ("low_s", "high_s", "words"),
    [
        (1, 8, "under 10 s"),
        (20, 50, "20 to 50 s"),
        (100, 165, "1.5 to 3 min"),
        (720, 1080, "12 to 18 min"),
        (3590, 3610, "60 min"),
        (4000, 9000, "1 to 2.5 h"),
        (10, 3000, "at most 50 min"),
        (36e4, 72e5, "100 to 2,000 h"),
    ],
)
def test_a_range_in_words(low_s, high_s, words):
    assert span(low_s, high_s) == words
