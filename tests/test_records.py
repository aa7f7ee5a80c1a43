"""A sweep as other tools find it: TensorBoard's files, the Optuna study."""

import io
import json
import shutil
import struct

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from tensorboardX.proto.event_pb2 import Event

from sweeps.pipeline import snapshot
from sweeps.records import tables
from sweeps.tracking.tensorboard import TensorBoard


def events(path):
    """The records of one of TensorBoard's files: length, checksum, the event, checksum."""
    content, found = io.BytesIO(path.read_bytes()), []
    while header := content.read(12):
        found.append(Event.FromString(content.read(struct.unpack("<Q", header[:8])[0])))
        content.read(4)
    return found


def points(folder, tag):
    """Trial, epoch and value of every point that TensorBoard finds, in order."""
    found = []
    for path in sorted(folder.glob("tensorboard/search/*/events*")):
        for event in events(path):
            values = [value.simple_value for value in event.summary.value if value.tag == tag]
            found += [(path.parent.name, event.step, value) for value in values]
    return found


def wanted(folder, column):
    table = pd.read_csv(folder / "curves.csv", dtype={"trial": str}, on_bad_lines="skip").query("phase == 'search'")
    table = table.dropna(subset="wall_s").sort_values(["trial", "epoch"])
    return [(row.trial, row.epoch, np.float32(row[column])) for _, row in table.iterrows()]


def test_tensorboard_finds_every_point_of_the_curves_and_the_hyperparameters(swept):
    for tag, column in (("validation/accuracy", "val_accuracy"), ("training/loss", "train_loss")):
        np.testing.assert_equal(points(swept, tag), wanted(swept, column))
    (path,) = swept.glob("tensorboard/search/0000/events*")
    begin = b"".join(event.SerializeToString() for event in events(path)[:3])
    assert all(name in begin for name in (b"lr", b"hidden_size", b"best/accuracy"))
    assert len(list(swept.glob("tensorboard/retrain/*/events*"))) == 4


def test_a_later_session_writes_tensorboard_s_points_anew_from_the_curves(running):
    for _ in range(2):
        TensorBoard(snapshot.read(running).search, ["lr", "hidden_size"]).open()
        np.testing.assert_equal(points(running, "validation/accuracy"), wanted(running, "val_accuracy"))


def test_the_runs_of_retrainings_that_are_selected_no_more_stay(swept, tmp_path):
    folder = shutil.copytree(swept, tmp_path / "extended")
    retraining = snapshot.read(folder).retraining
    gone, *_ = sorted(retraining.entries)
    del retraining.entries[gone]
    runs = folder / "tensorboard" / "retrain"
    (runs / "0009-seed1").mkdir()  # began, and was cut off before a report
    before = next(runs.glob(f"{gone}/events*")).read_bytes()
    TensorBoard(retraining, ["lr"]).open()
    assert {run.name for run in runs.iterdir()} == {gone, *retraining.entries}
    assert next(runs.glob(f"{gone}/events*")).read_bytes() == before


def test_a_table_that_is_damaged_is_said(running):
    search = snapshot.read(running).search
    rows = tables.rows(running / "curves.csv")
    tables.rewrite(running / "curves.csv", [row | {"train_loss": "x"} for row in rows])
    with pytest.raises(ValueError, match=r"curves\.csv: not the table of a sweep: .*'x'"):
        TensorBoard(search, ["lr"]).open()


@pytest.fixture
def study_of():
    """The Optuna study of a results folder, by its storage."""
    return lambda folder: JournalStorage(JournalFileBackend(str(folder / "study.log")))


def test_a_grid_s_study_says_how_each_trial_ended(swept, study_of):
    study = optuna.load_study(study_name="mnist-cls/grid", storage=study_of(swept))
    assert study.metric_names == ["validation accuracy"]
    assert study.user_attrs["scheduler"] == "asha"
    table = pd.read_csv(swept / "trials.csv", dtype={"trial": str}).query("phase == 'search'").set_index("trial")
    for trial in study.trials:
        row = table.loc[f"{trial.number:04d}"]
        assert trial.user_attrs["status"] == row["status"]
        assert trial.user_attrs["reason"] == row["reason"]
        assert trial.user_attrs["epochs"] == row["epochs"]
        assert trial.user_attrs["train_s"] == pytest.approx(row["train_s"], abs=1e-3)
    assert {trial.user_attrs["status"] for trial in study.trials} >= {"finished", "diverged"}


def test_optuna_dashboard_opens_the_study_as_it_is(swept, study_of):
    dashboard = pytest.importorskip("optuna_dashboard", reason="optuna-dashboard is not installed")
    environment = {"REQUEST_METHOD": "GET", "PATH_INFO": "/api/studies/0", "wsgi.input": io.BytesIO()}
    environment |= {"SERVER_NAME": "x", "SERVER_PORT": "80", "wsgi.url_scheme": "http", "wsgi.errors": io.StringIO()}
    answer = json.loads(b"".join(dashboard.wsgi(study_of(swept))(environment, lambda *status: None)))
    assert answer["name"] == "mnist-cls/grid"
    assert len(answer["trials"]) == 4
