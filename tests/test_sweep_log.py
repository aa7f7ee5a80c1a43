"""The state of a sweep follows from its events, live and read back alike."""

import math
import tempfile
from dataclasses import asdict
from pathlib import Path

import pytest
from fuzzing import fuzz
from hypothesis import given
from hypothesis import strategies as st
from sweep_logs import ask, begin_session, end, plan_of, report, state

from sweeps.records.events import read_events
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import DIVERGED, ENDED, FAILED, FINISHED, INTERRUPTED, PAUSED, RETRAIN, RUNNING


def lines(folder):
    return (folder / "events.jsonl").read_text().splitlines()


@pytest.fixture
def log(tmp_path):
    """The record of a sweep that writes its events."""
    log = SweepLog(plan_of(tmp_path, "--max-epochs", 4))
    log.open()
    return log


def test_a_new_session_finds_open_trials_waiting_and_closes_them_as_interrupted(log):
    begin_session(log)
    for name in ("0000", "0001", "0002"):
        ask(log, name)
        report(log, name, 1, 0.5)
    log.add("paused", phase="search", trial="0001")
    end(log, "0002", FAILED)
    log.add("session_ended", status="interrupted", wall_s={"search": 1.0})
    statuses = [(record.status, record.reason) for record in log.search.trials]
    reason = "the sweep was interrupted after its epoch 1"
    assert statuses == [(INTERRUPTED, reason), (INTERRUPTED, reason), (FAILED, "why")]
    begin_session(log, "b")
    assert [record.status for record in log.search.trials] == [PAUSED, PAUSED, FAILED]
    log.add("resumed", phase="search", trial="0000")
    assert log.search.records["0000"].status == RUNNING


def test_epochs_that_were_trained_twice_cost_time_and_change_nothing_else(log):
    ask(log, "0000")
    report(log, "0000", 1, 0.5, train_s=2.0)
    before = log.search.records["0000"].reports.copy()
    log.add("repeated", phase="search", trial="0000", epoch=1, train_s=3.0)
    record = log.search.records["0000"]
    assert (record.reports, record.train_s, record.epoch) == (before, 5.0, 1)


def test_the_best_value_is_the_objective_s_and_nan_is_never_the_best(log):
    ask(log, "0000")
    for epoch, value in enumerate((0.5, 0.75, 0.25, math.nan), 1):
        report(log, "0000", epoch, value)
    record = log.search.records["0000"]
    assert (record.best, record.best_epoch, record.best_metrics["accuracy"]) == (0.75, 2, 0.75)
    assert [report.best for report in record.reports] == [0.5, 0.75, 0.75, 0.75]
    assert record.has_diverged


def test_a_selection_that_replaces_another_keeps_what_was_trained(log):
    runs = [{"trial": name, "config": asdict(log.plan.base)} for name in ("0000-seed1", "0001-seed1")]
    log.add("retraining", runs=runs)
    for run in runs:
        log.add("asked", phase=RETRAIN, **run)
        report(log, run["trial"], 1, 0.5, phase=RETRAIN)
        end(log, run["trial"], phase=RETRAIN)
    log.add("retraining", runs=runs[1:])
    assert list(log.retraining.records) == ["0001-seed1"]
    assert list(log.retrainings) == ["0000-seed1", "0001-seed1"]
    log.add("retraining", runs=runs)
    assert list(log.retraining.records) == ["0000-seed1", "0001-seed1"]
    assert log.retraining.is_complete
    log.flush()
    assert state(SweepLog.read(log.plan)) == state(log)


ANY = st.floats() | st.floats(0, 1)
STEPS = st.one_of(
    st.tuples(st.just("ask"), st.integers(8, 64), ANY),
    st.tuples(st.just("report"), st.integers(0, 9), ANY),
    st.tuples(st.just("report"), st.integers(0, 9), ANY),
    st.tuples(st.sampled_from(["paused", "promoted", "resumed", "repeated", "retried"]), st.integers(0, 9), ANY),
    st.tuples(st.just("end"), st.integers(0, 9), st.sampled_from(ENDED)),
    st.tuples(st.just("known"), st.integers(8, 64), ANY),
    st.tuples(st.just("select"), st.integers(1, 4), ANY),
    st.tuples(st.just("tested"), st.integers(0, 9), ANY),
    st.tuples(st.just("session"), st.integers(0, 9), st.sampled_from(["finished", "interrupted", "failed"])),
)


def play(log, step):
    """Add an event that makes sense now, if there is one of that kind; trials are chosen by number."""
    kind, number, value = step
    config = asdict(log.plan.base)
    if kind == "known":
        log.add("known", trial="x", source="y", config=config, status=DIVERGED, curve=[[number, value]])
    elif kind == "select":
        log.add("retraining", runs=[{"trial": f"{one:04d}-seed1", "config": config} for one in range(number)])
    elif kind == "tested":
        log.add("tested", trial=f"{number:04d}-seed1", epoch=number, validation={"loss": value}, test={"loss": 0.5})
    elif kind == "session":
        log.add("session_ended", status=value, wall_s={})
        begin_session(log, str(number))
    else:
        play_trial(log, kind, number, value)


def play_trial(log, kind, number, value):
    phase = RETRAIN if log.retraining.planned else "search"
    trials = log.phase(phase)
    begun = sorted(name for name, record in trials.records.items() if record.is_open)
    if kind == "ask" and phase == "search":
        ask(log, f"{len(trials.records):04d}", hidden_size=number)
    elif kind == "ask":
        for name in [name for name in trials.planned if name not in trials.records][:1]:
            log.add("asked", phase=phase, trial=name, config=asdict(trials.planned[name]), attrs={"a": [number]})
    elif begun:
        name = begun[number % len(begun)]
        if kind == "report":
            report(log, name, trials.records[name].epoch + 1 + number % 3, value, phase)
        elif kind == "end":
            end(log, name, value, phase)
        else:
            log.add(kind, phase=phase, trial=name, reason="r", epoch=1, train_s=0.1)


@fuzz(60)
@given(st.lists(STEPS, max_size=40), st.integers(0, 40))
def test_the_state_of_a_live_sweep_is_the_one_that_is_read_back(steps, cut):
    with tempfile.TemporaryDirectory() as folder:
        log = SweepLog(plan_of(Path(folder), "--max-epochs", 4))
        log.open()
        begin_session(log)
        for number, step in enumerate(steps):
            if number == cut:  # a later session continues where the first was killed
                log.flush()
                log = SweepLog.read(log.plan)
                log.open()
            play(log, step)
        assert (len(lines(log.plan.folder)) > 0) == (cut < len(steps)), "nothing is written without a flush"
        log.flush()
        assert state(SweepLog.read(log.plan)) == state(log)
        assert len(lines(log.plan.folder)) == len(list(read_events(log.plan.folder)))


def test_ends_that_no_session_resumes_are_those_of_trials_that_are_listed(log):
    for name, status in zip(("0000", "0001", "0002"), (FINISHED, DIVERGED, FAILED), strict=True):
        ask(log, name)
        report(log, name, 1, 0.5)
        end(log, name, status)
    assert [record.name for record in log.search.ranked()] == ["0000"]
    assert [record.name for record in log.search.listed()] == ["0000", "0001", "0002"]
    assert log.search.names(DIVERGED, FAILED) == {"0001", "0002"}
