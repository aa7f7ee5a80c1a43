"""`trials.csv` and `curves.csv`: for a person and for pandas; they follow from the events."""

import math
from dataclasses import replace

import pandas as pd
import pytest
from sweep_logs import ask, begin_session, end, plan_of, report

from sweeps.records.sweep_log import SweepLog
from sweeps.records.tables import Tables, curves, read_curves, write_tables
from sweeps.records.trials import DIVERGED, FAILED, FINISHED, RETRAIN, SEARCH


@pytest.fixture
def log(tmp_path):
    log = SweepLog(plan_of(tmp_path, "--max-epochs", 4))
    log.open()
    begin_session(log)
    return log


def fill(log, tables=None):
    """Two phases: trials that end in every way, one that is open, and one retraining."""
    for name in ("0000", "0001", "0002", "0003"):
        ask(log, name, clip=None)
    for name, epoch, value in (("0000", 1, 0.5), ("0001", 1, 0.75), ("0000", 4, 0.25), ("0001", 2, math.nan)):
        report(log, name, epoch, value)
        if tables:
            tables.report(log.search.records[name])
            tables.tick()
    for name, status in (("0000", FINISHED), ("0001", DIVERGED), ("0002", FAILED)):
        end(log, name, status, reason='a, "b"\nc')
        if tables:
            tables.end(log.search.records[name])
    if tables:
        tables.tick()


def read(log, name):
    return pd.read_csv(log.plan.folder / name, dtype={"trial": str})


def test_a_row_per_report_in_the_order_of_the_reports(log):
    fill(log)
    write_tables(log)
    rows = read_curves(log.plan.folder)
    assert list(rows.columns) == [
        *("phase", "trial", "epoch", "train_loss", "val_loss", "val_accuracy", "train_s", "wall_s")
    ]
    assert list(zip(rows["trial"], rows["epoch"], strict=True)) == [("0000", 1), ("0001", 1), ("0000", 4), ("0001", 2)]
    assert math.isnan(rows["val_accuracy"].iloc[-1])
    pd.testing.assert_frame_equal(curves(log), rows)


def test_a_row_per_trial_that_ended(log):
    fill(log)
    write_tables(log)
    rows = read(log, "trials.csv")
    assert list(rows["trial"]) == ["0000", "0001", "0002"], "0003 is open"
    assert list(rows["status"]) == [FINISHED, DIVERGED, FAILED]
    assert list(rows["epochs"]) == [4, 2, 0]
    assert list(rows["best_accuracy"].fillna(-1)) == [0.5, 0.75, -1]
    assert list(rows["clip"]) == ["none"] * 3
    assert list(rows["reason"]) == ['a, "b"\nc'] * 3
    log.add("session_ended", status="interrupted", wall_s={})
    write_tables(log)
    assert list(read(log, "trials.csv")["status"]) == [FINISHED, DIVERGED, FAILED, "interrupted"]


@pytest.mark.parametrize("damage", [None, b"search,0000,4,0.2", b"\x00\xff nonsense"], ids=["gone", "cut", "nonsense"])
def test_tables_that_grew_are_the_same_as_tables_written_anew_whatever_was_there(log, damage):
    tables = Tables(log, "search")
    tables.open()
    fill(log, tables)
    grown = {name: (log.plan.folder / name).read_bytes() for name in ("curves.csv", "trials.csv")}
    for name in grown:
        if damage:
            (log.plan.folder / name).write_bytes(damage)
        else:
            (log.plan.folder / name).unlink()
    log.flush()
    again = Tables(SweepLog.read(log.plan), "search")
    again.open()
    assert {name: (log.plan.folder / name).read_bytes() for name in grown} == grown


def test_retrainings_that_are_no_longer_selected_keep_their_rows(log):
    fill(log)
    for name in ("0000-seed1", "0001-seed1"):
        log.add("retraining", runs=[{"trial": name, "config": {}}])
        log.add("asked", phase=RETRAIN, trial=name, config={"seed": 1})
        report(log, name, 1, 0.5, phase=RETRAIN)
        end(log, name, phase=RETRAIN)
    write_tables(log)
    rows = read(log, "trials.csv").query("phase == 'retrain'")
    assert list(rows["trial"]) == ["0000-seed1", "0001-seed1"]
    assert set(read_curves(log.plan.folder).query("phase == 'retrain'")["trial"]) == {"0000-seed1", "0001-seed1"}


def test_a_sweep_without_a_report_has_no_tables(log):
    write_tables(log)
    assert not (log.plan.folder / "curves.csv").exists()
    fill(log)
    write_tables(log)
    write_tables(SweepLog(log.plan))
    assert not (log.plan.folder / "curves.csv").exists(), "what no event says is no result"


def test_what_was_skipped_and_rolled_back_stands_beside_the_reason(log):
    ask(log, "0000")
    facts = {"train_loss": 0.25, "metrics": {"loss": 0.5, "accuracy": 0.5}, "train_s": 1.0, "wall_s": 1.0}
    log.add("reported", phase=SEARCH, trial="0000", epoch=1, **facts, skipped=1)
    log.add("reported", phase=SEARCH, trial="0000", epoch=2, **facts, skipped=12, rolled_back=1)
    end(log, "0000", reason="reached its last epoch, 2")
    write_tables(log)
    assert read(log, "trials.csv")["reason"].tolist() == [
        "reached its last epoch, 2; 12 steps skipped: the gradient was far larger than usual; "
        "diverged once, and resumed at half the step size"
    ]


def test_options_that_are_off_in_every_trial_have_no_column(log):
    ask(log, "0000")
    report(log, "0000", 1, 0.5)
    end(log, "0000")
    write_tables(log)
    named = list(read(log, "trials.csv").columns)
    assert named[2:8] == ["hidden_size", "lr", "clip", "batch_size", "init", "schedule"]
    assert not {"decode", "patch", "mix"} & set(named)
    searched = SweepLog(replace(log.plan, space={**log.plan.space, "decode": ["forward", "backward"]}))
    ask(searched, "0000", decode="backward")
    report(searched, "0000", 1, 0.5)
    end(searched, "0000")
    write_tables(searched)
    assert read(searched, "trials.csv")["decode"].tolist() == ["backward"]
