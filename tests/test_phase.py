"""What is recorded of a trial, and who is told, in which order."""

import errno
import os

import pytest
from small_tune import result_of
from sweep_logs import begin_session, plan_of

from sweeps.engine.phase import Phase
from sweeps.records.sweep_log import SweepLog
from sweeps.records.tables import Tables, read_curves
from sweeps.records.trials import DIVERGED, FAILED, FINISHED, INTERRUPTED, PAUSED, RUNNING, STOPPED
from sweeps.scheduling.base import make_scheduler
from sweeps.search.suggestions import suggestions_of


class Listener:
    """A follower that remembers what it was told."""

    def __init__(self):
        self.told = []

    def open(self):
        self.told.append("open")

    def begin(self, record):
        self.told.append(("begin", record.name))

    def report(self, record):
        self.told.append(("report", record.name, record.reports[-1].epoch, record.reports[-1].metrics))

    def end(self, record):
        self.told.append(("end", record.name, record.status))

    def tick(self):
        self.told.append("tick")

    def close(self):
        self.told.append("close")


@pytest.fixture
def plan(tmp_path):
    """A search of three trials with ASHA, its rungs at epochs 1 and 2 of 4."""
    early = ("--scheduler", "asha", "--max-epochs", 4, "--grace-period", 1, "--reduction-factor", 2)
    return plan_of(tmp_path, "--search", "optuna", "--sampler", "random", "--trials", 3, *early)


def new_phase(plan, *followers, **options):
    """A phase of a session that begins now."""
    log = SweepLog.read(plan)
    log.open()
    begin_session(log)
    scheduler = make_scheduler(plan.scheduler, plan.budget, plan.task.objective, 2)
    return Phase("search", log, scheduler, suggestions_of(plan, log), followers, **options)


def start(phase):
    name = phase.queue.next()
    phase.scheduler.on_start(name)
    phase.begin(name)
    return name


def test_a_trial_is_told_of_once_whatever_a_fault_makes_it_train_again(plan):
    listener = Listener()
    phase = new_phase(plan, listener)
    with phase:
        name = start(phase)
        for epochs in ((1, 2), (2, 3), (4,)):  # its process is lost twice, once before it saved epoch 2
            phase.begin(name)
            for epoch in epochs:
                phase.report(name, result_of(epoch, 0.5))
        phase.end(name)
        phase.scheduler.on_end(name, 4, 0.5)
    reports = [("report", "0000", epoch, {"loss": 0.5, "accuracy": 0.5}) for epoch in (1, 2, 3, 4)]
    told = [what for what in listener.told if what != "tick"]
    assert told == ["open", ("begin", "0000"), *reports, ("end", "0000", FINISHED), "close"]
    record = SweepLog.read(plan).search.records["0000"]
    assert [report.epoch for report in record.reports] == [1, 2, 3, 4]
    assert record.train_s == 5, "what was trained again took time too"


def test_followers_are_told_what_the_log_holds_already(plan):
    class Reader(Listener):
        def report(self, record):
            assert phase.trials.records[record.name].reports[-1].epoch == record.epoch
            super().report(record)

        def tick(self):
            read = SweepLog.read(plan).search.records
            assert [record.epoch for record in read.values()] == [record.epoch for record in phase.trials.trials]
            super().tick()

    reader = Reader()
    phase = new_phase(plan, reader, Tables(SweepLog(plan), "search"))
    with phase:
        name = start(phase)
        phase.report(name, result_of(1, 0.5))
        phase.tick()
    assert ("report", "0000", 1, {"loss": 0.5, "accuracy": 0.5}) in reader.told


@pytest.mark.parametrize(
    ("reports", "status", "reason"),
    [
        ([(1, 0.5), (4, 0.6)], FINISHED, "reached its last epoch, 4"),
        ([(1, 0.5), (2, 0.4)], STOPPED, "not among the best of its rung at epoch 2"),
        ([(1, 0.5), (2, float("nan"))], DIVERGED, "the loss became NaN or infinite in epoch 2"),
    ],
)
def test_how_a_trial_ended_follows_from_its_reports(plan, reports, status, reason):
    with new_phase(plan) as phase:
        name = start(phase)
        for epoch, value in reports:
            phase.report(name, result_of(epoch, value))
        phase.end(name)
    record = SweepLog.read(plan).search.records[name]
    assert (record.status, record.reason) == (status, reason)


def test_the_reason_of_a_trial_s_end_tells_what_else_was_odd(plan):
    with new_phase(plan) as phase:
        name = start(phase)
        phase.retried(name, "ran out of GPU memory once")
        phase.report(name, result_of(4, 0.5, warning="its checkpoint of epoch 3 is damaged"))
        phase.end(name)
    assert SweepLog.read(plan).search.records[name].reason == (
        "reached its last epoch, 4; ran out of GPU memory once; its checkpoint of epoch 3 is damaged"
    )


def test_a_trial_whose_process_never_started_begins_and_ends_unless_it_comes_again(plan):
    listener = Listener()
    phase = new_phase(plan, listener)
    with phase:
        first, second = phase.queue.next(), phase.queue.next()
        phase.come_again(second)
        phase.fail(first, None)
        phase.fail(second, None)
        assert phase.trials.records[second].status == PAUSED
        phase.scheduler.on_end(first, 0, float("nan"), failed=True)
        assert phase.queue.next() == second
    told = [what for what in listener.told if what != "tick"]
    assert told == ["open", ("begin", first), ("end", first, FAILED), "close"]


def test_why_a_trial_failed_is_the_last_line_of_its_error(plan, tmp_path):
    error = tmp_path / "error.txt"
    error.write_text("Failure # 1 (occurred at noon)\nanother\nFailure # 2 (occurred at one)\nValueError: its own\n")
    with new_phase(plan) as phase:
        phase.fail(start(phase), str(error))
        phase.fail(start(phase), None)
    reasons = [record.reason for record in SweepLog.read(plan).search.trials]
    assert reasons == [
        "ValueError: its own",
        "its process died without an error message: killed, out of memory, or crashed",
    ]


def test_trials_that_wait_for_good_were_stopped_early(plan):
    listener = Listener()
    with new_phase(plan, listener) as phase:
        for value in (0.1, 0.3, 0.2):
            name = start(phase)
            phase.report(name, result_of(1, value))
            if phase.scheduler.on_result(name, 1, value).name == "PAUSE":
                phase.paused(name)
        assert phase.trials.names(PAUSED) == {"0000", "0002"}
        phase.report("0001", result_of(4, 0.3))
        phase.scheduler.on_end("0001", 4, 0.3)
        phase.end("0001")
    assert [record.status for record in SweepLog.read(plan).search.trials] == [STOPPED, FINISHED, STOPPED]
    assert ("end", "0002", STOPPED) in listener.told


def test_a_ctrl_c_leaves_open_trials_open_and_they_come_first_in_the_next_session(plan):
    listener = Listener()
    phase = new_phase(plan, listener).__enter__()
    name = start(phase)
    phase.report(name, result_of(1, 0.5))
    phase.paused(name)
    phase.scheduler.on_result(name, 1, 0.5)
    running = start(phase)
    phase.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert listener.told[-1] == "close"
    assert not any(what[0] == "end" for what in listener.told), "an interrupted trial is resumed in its run"
    log = phase.log
    log.add("session_ended", status="interrupted", wall_s={"search": 1.0})
    log.flush()
    assert [record.status for record in SweepLog.read(plan).search.trials] == [INTERRUPTED] * 2
    assert SweepLog.read(plan).search.records[name].reason == "the sweep was interrupted after its epoch 1"
    resumed = new_phase(plan)
    assert [record.status for record in resumed.trials.trials] == [PAUSED] * 2
    with resumed:
        assert start(resumed) == running
        assert resumed.trials.records[running].status == RUNNING
        assert start(resumed) == "0002", "the other waits at its rung"


def test_the_search_of_a_resumed_phase_counts_the_time_of_both_sessions(plan):
    with new_phase(plan) as phase:
        start(phase)
        phase.report("0000", result_of(1, 0.5))
    phase.log.add("ended", phase="search", trial="0000", status=FINISHED, reason="", wall_s=1000.0)
    phase.log.flush()
    assert SweepLog.read(plan).search.elapsed_s == 1000.0
    with new_phase(plan) as resumed:
        start(resumed)
        resumed.report("0001", result_of(1, 0.5))
    assert 1000.0 <= SweepLog.read(plan).search.records["0001"].reports[-1].wall_s < 1100.0


def test_checkpoints_are_dropped_only_when_the_end_of_their_trial_is_on_the_disk(plan):
    def drop(names):
        read = SweepLog.read(plan).search.records
        dropped.append([(name, read[name].status) for name in names])

    dropped = []
    with new_phase(plan, drop=drop) as phase:
        name = start(phase)
        phase.report(name, result_of(4, 0.5))
        phase.end(name)
        assert not dropped
        phase.tick()
        assert dropped == [[(name, FINISHED)]]
    assert len(dropped) == 1


def test_followers_are_closed_though_the_disk_is_full(plan, monkeypatch):
    def full(descriptor, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    listener = Listener()
    phase = new_phase(plan, listener).__enter__()
    start(phase)
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space left on device") as error:
            phase.__exit__(None, None, None)
    assert error.value.filename.endswith("events.jsonl")
    assert listener.told[-1] == "close"


def test_tables_have_every_report_and_every_end(plan):
    log = SweepLog.read(plan)
    log.open()
    scheduler = make_scheduler(plan.scheduler, plan.budget, plan.task.objective, 2)
    phase = Phase("search", log, scheduler, suggestions_of(plan, log), [Tables(log, "search")])
    with phase:
        for value in (0.5, 0.25):
            name = start(phase)
            phase.report(name, result_of(1, value))
            phase.tick()
        phase.report(name, result_of(4, 0.75))
        phase.end(name)
        phase.tick()
        rows = read_curves(plan.folder)
        assert list(zip(rows["trial"], rows["epoch"], rows["val_accuracy"], strict=True)) == [
            ("0000", 1, 0.5),
            ("0001", 1, 0.25),
            ("0001", 4, 0.75),
        ]
        assert (plan.folder / "trials.csv").read_text().count("finished") == 1
