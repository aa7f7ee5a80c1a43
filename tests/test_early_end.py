"""A search that ends before its last trial, with what it has found."""

import random
from dataclasses import replace

import pytest
from small_tune import SmallTune
from sweep_logs import begin_session, plan_of

from sweeps.config.choices import SCHEDULERS
from sweeps.engine.phase import Phase
from sweeps.records.progress import counts, early_end
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import ENDED, PAUSED, STOPPED
from sweeps.scheduling.base import make_scheduler
from sweeps.search.suggestions import suggestions_of

EPOCHS, TRIALS = 8, 14
FEW = ("--max-epochs", EPOCHS, "--grace-period", 1, "--reduction-factor", 2, "--top-k", 1)
WHY = "the time was over"


def plan_with(folder, scheduler="asha", name="sweep"):
    """Random draws; early stopping at epochs 1, 2 and 4 of 8."""
    options = ("--search", "optuna", "--sampler", "random", "--trials", TRIALS, "--scheduler", scheduler)
    return plan_of(folder, *options, *FEW, name=name)


def begin(plan, most=3):
    """A session on what the results folder has."""
    log = SweepLog.read(plan)
    log.open()
    begin_session(log)
    scheduler = make_scheduler(plan.scheduler, plan.budget, plan.task.objective, most)
    phase = Phase("search", log, scheduler, suggestions_of(plan, log), [])
    tune = SmallTune(phase.__enter__(), lambda name: [random.Random(name + str(epoch)).random() for epoch in range(8)])
    tune.fill()
    return tune


def run(tune, most=1000):
    """So many reports, of the trial that is the furthest behind."""
    for _ in range(most):
        if not tune.running:
            break
        tune.step(min(tune.running))


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("steps", [1, 9, 30])
def test_paused_trials_end_now_running_ones_at_their_next_report_and_no_other_starts(name, steps, tmp_path):
    tune = begin(plan_with(tmp_path, name))
    run(tune, steps)
    trials = tune.phase.trials
    epochs, waiting = {record.name: record.epoch for record in trials.trials}, trials.names(PAUSED)
    running = set(tune.running)
    tune.phase.finish(WHY)
    tune.fill()
    assert trials.names(STOPPED) >= waiting
    assert set(tune.running) == running
    run(tune)
    tune.phase.__exit__(None, None, None)
    for record in SweepLog.read(tune.phase.log.plan).search.trials:
        assert record.status in ENDED
        assert record.epoch == epochs[record.name] + (record.name in running)
        if record.name in running | waiting and record.epoch < EPOCHS:
            assert record.reason == f"stopped at epoch {record.epoch}: {WHY}"


def test_it_is_complete_and_stays_so_until_a_later_session_asks_for_more(tmp_path):
    tune = begin(plan_with(tmp_path))
    run(tune, 3)
    tune.phase.finish(WHY)
    tune.phase.finish("it does not end twice")
    run(tune)
    tune.phase.__exit__(None, None, None)
    plan = tune.phase.log.plan
    search = SweepLog.read(plan).search
    started = len(search.records)
    assert 0 < started < TRIALS
    assert search.is_complete
    assert search.ranked(), "the trials found so far can be selected"
    assert "to come" not in counts(search)
    assert early_end(search) == f"The search ended early: {WHY}; {started} of {TRIALS} trials had started."
    assert not begin(plan).running
    more = begin(replace(plan, trials=TRIALS + 1))
    assert more.running, "with more trials it continues"
    assert early_end(more.phase.trials) == ""
    run(more)
    more.phase.__exit__(None, None, None)
    assert len(SweepLog.read(replace(plan, trials=TRIALS + 1)).search.records) == TRIALS + 1
    assert SweepLog.read(plan).search.closed == WHY


def test_what_was_open_when_its_process_was_killed_ends_in_the_next_session(tmp_path):
    tune = begin(plan_with(tmp_path))
    run(tune, 3)
    tune.phase.finish(WHY)
    tune.phase.log.flush()
    log = SweepLog.read(tune.phase.log.plan)
    assert not log.search.is_complete
    assert any(record.is_open for record in log.search.trials)
    assert not begin(log.plan).running
    log = SweepLog.read(log.plan)
    assert log.search.is_complete
    assert {record.reason for record in log.search.trials} == {
        "stopped at epoch 1: the time was over",
        "stopped at epoch 2: the time was over",
        "stopped before its first report: the time was over",
    }
