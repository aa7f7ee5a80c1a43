"""A phase as TensorBoard finds it."""

import io
import struct

import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event

from ae import tasks
from ae.configuration import Configuration
from sweeps.records.trials import FINISHED, PAUSED, RETRAIN, SEARCH, Report, TrialLog, TrialRecord
from sweeps.tracking.tensorboard import TensorBoard

OBJECTIVE = tasks.find("mnist-cls").objective
ACCURACIES = (0.5, 0.75, float("nan"), 0.625)


def new_log(phase, *names):
    """A phase with trials that reported four times, and ended."""
    log = TrialLog(phase, OBJECTIVE, len(names), 4)
    for name in names:
        log.records[name] = TrialRecord(name=name, config=Configuration(clip=None), status=FINISHED)
        for epoch, accuracy in enumerate(ACCURACIES, 1):
            add_report(log, name, epoch, accuracy)
    return log


def add_report(log, name, epoch, accuracy):
    metrics = {"loss": 0.25, "accuracy": accuracy}
    log.records[name].add(Report(epoch, 1.5, metrics, 1.0, 1.0, time=1000.0 + epoch, best=None), log.objective)


def events(path):
    """The records of one of TensorBoard's files: length, checksum, the event, checksum."""
    content, found = io.BytesIO(path.read_bytes()), []
    while header := content.read(12):
        found.append(Event.FromString(content.read(struct.unpack("<Q", header[:8])[0])))
        content.read(4)
    return found


def points(run, tag):
    """Epoch, value and time of every point with that tag in a run's only file."""
    (path,) = run.glob("events.out.tfevents.*")
    return [
        (event.step, value.simple_value, event.wall_time)
        for event in events(path)
        for value in event.summary.value
        if value.tag == tag
    ]


@pytest.fixture
def runs(tmp_path):
    return tmp_path / "tensorboard" / "search"


@pytest.mark.parametrize("restored", [False, True])
def test_every_report_is_a_point_live_and_after_a_restart(runs, tmp_path, restored):
    live, whole = TrialLog(SEARCH, OBJECTIVE, 1, 4), new_log(SEARCH, "0000")
    board = TensorBoard(tmp_path, live, ["lr", "clip"])
    board.open()
    record = live.records["0000"] = TrialRecord(name="0000", config=Configuration(clip=None))
    board.begin(record)
    for epoch, accuracy in enumerate(ACCURACIES, 1):
        add_report(live, "0000", epoch, accuracy)
        board.report(record)
    board.end(record)
    board.close()
    if restored:
        TensorBoard(tmp_path, whole, ["lr", "clip"]).open()
    expected = [(epoch, value, 1000.0 + epoch) for epoch, value in enumerate(ACCURACIES, 1)]
    np.testing.assert_equal(points(runs / "0000", "validation/accuracy"), expected)
    assert [value for _, value, _ in points(runs / "0000", "best/accuracy")] == [0.5, 0.75, 0.75, 0.75]
    assert [value for _, value, _ in points(runs / "0000", "training/loss")] == [1.5] * 4
    first, *head = events(next((runs / "0000").iterdir()))[:3]
    assert first.file_version == "brain.Event:2"
    assert all(name in head[1].SerializeToString() for name in (b"lr", b"clip", b"none"))


def test_a_resumed_trial_continues_its_file(runs, tmp_path):
    log = new_log(SEARCH, "0000")
    log.records["0000"].status = PAUSED
    for epoch in (5, 6):
        board = TensorBoard(tmp_path, log, ["lr"])
        board.open()
        board.begin(log.records["0000"])
        add_report(log, "0000", epoch, 0.875)
        board.report(log.records["0000"])
    assert [epoch for epoch, _, _ in points(runs / "0000", "validation/accuracy")] == [1, 2, 3, 4, 5, 6]


def test_a_trial_that_was_cut_off_before_its_first_report_starts_anew(runs, tmp_path):
    (runs / "0000").mkdir(parents=True)
    (runs / "0000" / "events.out.tfevents.0").write_bytes(b"half a record")
    log = TrialLog(SEARCH, OBJECTIVE, 1, 4)
    record = log.records["0000"] = TrialRecord(name="0000", config=Configuration(), status=PAUSED)
    board = TensorBoard(tmp_path, log, ["lr"])
    board.open()
    board.begin(record)
    add_report(log, "0000", 1, 0.5)
    board.report(record)
    assert points(runs / "0000", "validation/accuracy") == [(1, 0.5, 1001.0)]


def test_a_trial_that_ends_without_a_report_has_a_run(runs, tmp_path):
    log = TrialLog(SEARCH, OBJECTIVE, 1, 4)
    record = log.records["0000"] = TrialRecord(name="0000", config=Configuration(), status=FINISHED)
    board = TensorBoard(tmp_path, log, ["lr"])
    board.open()
    board.end(record)
    head, *_ = events(runs / "0000" / "events.out.tfevents.0")
    assert head.file_version == "brain.Event:2"


def test_retrainings_that_are_no_longer_selected_keep_their_runs(tmp_path):
    log = new_log(RETRAIN, "0000-seed1", "0001-seed1")
    TensorBoard(tmp_path, log, ["lr", "seed"]).open()
    runs = tmp_path / "tensorboard" / "retrain"
    before = next((runs / "0000-seed1").iterdir()).read_bytes()
    del log.records["0000-seed1"]
    TensorBoard(tmp_path, log, ["lr", "seed"]).open()
    assert {run.name for run in runs.iterdir()} == {"0000-seed1", "0001-seed1"}
    assert next((runs / "0000-seed1").iterdir()).read_bytes() == before
