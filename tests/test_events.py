"""`events.jsonl`: what happened, as it was written and as it is read."""

import errno
import json
import math
import os
import tempfile
from dataclasses import asdict
from pathlib import Path

import pytest
from fuzzing import fuzz
from hypothesis import given
from hypothesis import strategies as st
from sweep_logs import ask, begin_session, end, plan_of, report, state

from ae.errors import UserError
from sweeps.records.events import EventLog, read_events
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import DIVERGED, ENDED, FAILED, FINISHED, INTERRUPTED, PAUSED, RETRAIN, RUNNING


def lines(folder):
    return (folder / "events.jsonl").read_text().splitlines()


def kinds(folder):
    return [event["event"] for _, event in read_events(folder)]


@pytest.fixture
def log(tmp_path):
    """The record of a sweep that writes its events."""
    log = SweepLog(plan_of(tmp_path, "--max-epochs", 4))
    log.open()
    return log


def test_events_are_in_the_file_only_after_a_flush_and_once(tmp_path):
    log = EventLog(tmp_path)
    log.append({"event": "one"})
    log.append({"event": "two", "values": (1, None, "é")})
    assert lines(tmp_path) == []
    log.flush()
    log.flush()
    assert lines(tmp_path) == ['{"event":"one"}', '{"event":"two","values":[1,null,"\\u00e9"]}']
    log.append({"event": "three"})
    log.flush()
    assert kinds(tmp_path) == ["one", "two", "three"]


def test_a_flush_that_is_asked_to_have_everything_on_the_disk_does_and_says_so(tmp_path, monkeypatch):
    log, synced = EventLog(tmp_path), []
    monkeypatch.setattr(os, "fsync", synced.append)
    assert log.flush()
    for number in range(50):
        log.append({"event": str(number)})
        log.flush()
    assert 1 <= len(synced) < 50, "about once a second"
    log.append({"event": "last"})
    before = len(synced)
    assert log.flush(sync=True)
    assert len(synced) == before + 1
    assert log.flush()


@pytest.mark.parametrize("torn", [b'{"event":"thr', b"x" * 200_000], ids=["short", "long"])
def test_a_line_that_was_cut_off_is_not_read_and_is_removed_by_the_next_session(tmp_path, torn):
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"event":"one"}\n{"event":"two"}\n' + torn)
    assert kinds(tmp_path) == ["one", "two"]
    assert path.read_bytes().endswith(torn), "a reader changes nothing"
    log = EventLog(tmp_path)
    assert path.read_bytes() == b'{"event":"one"}\n{"event":"two"}\n'
    log.append({"event": "three"})
    log.flush()
    assert kinds(tmp_path) == ["one", "two", "three"]


def test_a_file_with_nothing_but_half_a_line_is_empty(tmp_path):
    (tmp_path / "events.jsonl").write_bytes(b'{"event"')
    assert kinds(tmp_path) == []
    EventLog(tmp_path)
    assert (tmp_path / "events.jsonl").read_bytes() == b""


def test_no_file_is_no_events(tmp_path):
    assert kinds(tmp_path) == []


def test_a_write_that_fails_leaves_no_half_line_and_a_later_flush_writes_everything(tmp_path, monkeypatch):
    def half(descriptor, content, write=os.write):
        if len(written) == 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(write(descriptor, bytes(content[: len(content) // 2])))
        return written[0]

    log, written = EventLog(tmp_path), []
    log.append({"event": "one"})
    log.flush()
    log.append({"event": "two"})
    log.append({"event": "three"})
    with monkeypatch.context() as full:
        full.setattr(os, "write", half)
        with pytest.raises(OSError, match="No space left on device") as error:
            log.flush()
    assert error.value.errno == errno.ENOSPC
    assert error.value.filename == str(tmp_path / "events.jsonl")
    assert written
    assert (tmp_path / "events.jsonl").read_text() == '{"event":"one"}\n'
    log.append({"event": "four"})
    log.flush()
    assert kinds(tmp_path) == ["one", "two", "three", "four"]


def test_a_write_that_takes_several_calls_is_whole(tmp_path, monkeypatch):
    log = EventLog(tmp_path)
    for number in range(20):
        log.append({"event": str(number)})
    monkeypatch.setattr(os, "write", lambda file, content, write=os.write: write(file, bytes(content[:7])))
    log.flush()
    assert kinds(tmp_path) == [str(number) for number in range(20)]


def test_numbers_that_are_not_finite_are_strict_json_and_come_back(log):
    ask(log, "0000", clip=None)
    report(log, "0000", 1, math.nan, loss=math.inf)
    report(log, "0000", 2, -math.inf, loss=0.5)
    log.flush()

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    for line in lines(log.plan.folder):
        json.loads(line, parse_constant=refuse)
    first, second = SweepLog.read(log.plan).search.records["0000"].reports
    assert math.isnan(first.metrics["accuracy"])
    assert first.metrics["loss"] == math.inf
    assert second.metrics["accuracy"] == -math.inf
    assert SweepLog.read(log.plan).search.records["0000"].config.clip is None


DAMAGED = {
    "no JSON": ("{", "not an event of a sweep"),
    "no object": ("[1]", "not an event of a sweep"),
    "no kind": ('{"time":1}', "not an event of a sweep"),
    "too deep": ("[" * 100_000, "not an event of a sweep"),
    "an unknown kind": (
        '{"event":"sung","time":1,"phase":"search","trial":"0000"}',
        "there is no event 'sung'",
    ),
    "no trial": ('{"event":"paused","time":1,"phase":"search"}', "'trial' is missing"),
    "an unknown trial": (
        '{"event":"paused","time":1,"phase":"search","trial":"0007"}',
        "trial 0007 was never asked for",
    ),
    "an epoch again": (
        '{"event":"reported","time":1,"phase":"search","trial":"0000","epoch":1,"train_loss":1,'
        '"metrics":{"loss":1,"accuracy":1},"train_s":1,"wall_s":1}',
        "epoch 1 of trial 0000 was reported before",
    ),
    "no status": (
        '{"event":"ended","time":1,"phase":"search","trial":"0000","status":"running","reason":"","wall_s":1}',
        "a trial cannot end as 'running'",
    ),
    "a wrong configuration": (
        '{"event":"asked","time":1,"phase":"search","trial":"0001","config":{"hidden_size":-1}}',
        "hidden_size must be a whole number >= 1, got -1",
    ),
    "text for a number": (
        '{"event":"reported","time":1,"phase":"search","trial":"0000","epoch":2,"train_loss":"x",'
        '"metrics":{"loss":1,"accuracy":1},"train_s":1,"wall_s":1}',
        "could not convert string to float: 'x'",
    ),
}


@pytest.mark.parametrize(("line", "what"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_line_is_one_line_that_names_it(log, line, what):
    ask(log, "0000")
    report(log, "0000", 1, 0.5)
    report(log, "0000", 2, 0.5)
    log.flush()
    before = lines(log.plan.folder)
    (log.plan.folder / "events.jsonl").write_text("\n".join([*before[:2], line, before[2]]) + "\n")
    with pytest.raises(UserError, match=r"events\.jsonl, line 3: ") as error:
        SweepLog.read(log.plan)
    assert what in str(error.value)
    assert str(error.value).endswith("; the file is damaged")
    assert "\n" not in str(error.value)


def test_a_trial_that_was_asked_for_twice_is_damage(log):
    ask(log, "0000")
    log.flush()
    (log.plan.folder / "events.jsonl").write_text("".join(2 * [lines(log.plan.folder)[0] + "\n"]))
    with pytest.raises(UserError, match="line 2: trial 0000 was asked for before"):
        SweepLog.read(log.plan)


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


def test_events_are_synced_once_a_second_and_when_asked(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor, sync=os.fsync: synced.append(sync(descriptor)))
    monkeypatch.setattr("time.monotonic", lambda: 100.0)
    log = EventLog(tmp_path)
    for number in range(50):
        log.append({"event": str(number)})
        assert log.flush() is (number == 0), "the first is synced, and no other within a second"
    assert (len(lines(tmp_path)), len(synced)) == (50, 1), "all are written, so that a killed process loses none"
    assert log.flush(sync=True)
    assert log.flush(), "there is nothing to do"
    assert len(synced) == 2
    monkeypatch.setattr("time.monotonic", lambda: 101.5)
    log.append({"event": "later"})
    assert log.flush()
    assert len(synced) == 3
