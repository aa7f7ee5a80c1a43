"""What is told of a trial, to whom, in which order."""

import errno
from types import SimpleNamespace

import pytest

from ae.task import Objective
from sweeps.engine.recorder import Recorder
from sweeps.records import tables
from sweeps.records.ledger import FAILED, FINISHED, INTERRUPTED, PAUSED, STOPPED, Ledger

LOW = Objective(metric="loss", mode="min")


class Listener:
    """A logger that remembers what it was told."""

    def __init__(self):
        self.told = []

    def open(self):
        self.told.append("open")

    def begin(self, entry):
        self.told.append(("begin", entry.name))

    def report(self, entry, epoch, metrics, wall_time):
        self.told.append(("report", entry.name, epoch, metrics))

    def end(self, entry):
        self.told.append(("end", entry.name, entry.status))

    def close(self):
        self.told.append("close")


def trial(name, **last):
    return SimpleNamespace(config={"run": {"trial": name, "configuration": {}}}, last_result=last, error_file=None)


def result(epoch, loss=0.5):
    return {"epoch": epoch, "train_loss": loss, "val_loss": loss, "train_s": 1.0, "warning": "", "pid": 12}


@pytest.fixture
def ledger(tmp_path):
    return Ledger("search", tmp_path, LOW, 3, 4)


def test_a_trial_is_told_of_once_whatever_a_fault_makes_it_train_again(ledger):
    one, listener = trial("0000", epoch=4), Listener()
    with Recorder(ledger, [listener], ended=[lambda entry: listener.told.append("ended")]) as recorder:
        for epochs in ((1, 2), (2, 3), (4,)):  # its process is lost twice, once before it saved epoch 2
            recorder.on_trial_start(0, [], one)
            for epoch in epochs:
                recorder.on_trial_result(0, [], one, result(epoch))
        recorder.on_trial_complete(0, [], one)
    reports = [("report", "0000", epoch, {"train_loss": 0.5, "val_loss": 0.5}) for epoch in (1, 2, 3, 4)]
    assert listener.told == ["open", ("begin", "0000"), *reports, "ended", ("end", "0000", FINISHED), "close"]
    assert [row["epoch"] for row in tables.rows(ledger.folder / tables.CURVES)] == ["1", "2", "3", "4"]
    assert ledger.entries["0000"].train_s == 5, "what was trained again took time too"


def test_a_trial_whose_process_never_started_begins_and_ends_unless_it_comes_again(ledger):
    listener = Listener()
    ledger.again.add("0001")
    with Recorder(ledger, [listener]) as recorder:
        recorder.on_trial_error(0, [], trial("0000"))
        recorder.on_trial_error(0, [], trial("0001"))
        assert ledger.entries["0001"].status == PAUSED
    assert listener.told == ["open", ("begin", "0000"), ("end", "0000", FAILED), "close"]


@pytest.mark.parametrize(("over", "status"), [(True, STOPPED), (False, INTERRUPTED)])
def test_trials_that_are_open_at_the_end_are_told_as_what_they_are(ledger, over, status):
    listener = Listener()
    with Recorder(ledger, [listener]) as recorder:
        recorder.on_trial_start(0, [], trial("0000"))
        recorder.on_trial_result(0, [], trial("0000"), result(1))
        ledger.pause("0000")
        ledger.over = over
    assert ledger.entries["0000"].status == status
    assert (("end", "0000", STOPPED) in listener.told) == over, "an interrupted one goes on in its run"


def test_loggers_are_closed_though_the_disk_is_full(ledger, monkeypatch):
    def full(path, row):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    listener = Listener()
    recorder = Recorder(ledger, [listener]).__enter__()
    recorder.on_trial_start(0, [], trial("0000"))
    monkeypatch.setattr(tables, "append", full)
    with pytest.raises(OSError, match="No space"):
        recorder.__exit__(None, None, None)
    assert listener.told[-1] == "close"
