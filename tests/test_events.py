"""`events.jsonl`: what happened, as it was written and as it is read."""

import errno
import json
import math
import os

import pytest
from sweep_logs import ask, plan_of, report

from ae.errors import UserError
from sweeps.records.events import EventLog, read_events
from sweeps.records.sweep_log import SweepLog


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
