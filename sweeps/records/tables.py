"""`curves.csv` and `trials.csv`: tables for a person and for pandas, derived from the record of a sweep."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ae.files import write_whole
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import INTERRUPTED, Report, TrialLog, TrialRecord
from sweeps.storage.folder import CURVES, TRIALS


class Tables:
    """Keeps both tables up to date during a phase, as one of its followers: a row per report, one per trial that ended.

    Rows are added to the files at the end of each controller step; every session rewrites the files first.

    Args:
        log: the sweep.
        phase: the phase that is followed.
    """

    def __init__(self, log: SweepLog, phase: str) -> None:
        self.log, self.phase, self.folder = log, phase, log.plan.folder
        self.rows: dict[str, list[dict[str, Any]]] = {CURVES: [], TRIALS: []}

    def open(self) -> None:
        """Write both tables as the log has them."""
        write_tables(self.log)

    def begin(self, record: TrialRecord) -> None:
        """A trial that starts has no row yet."""

    def report(self, record: TrialRecord) -> None:
        """Add a row to `curves.csv`."""
        self.rows[CURVES].append(_curve_row(self.phase, record, record.reports[-1]))

    def end(self, record: TrialRecord) -> None:
        """Add a row to `trials.csv`."""
        self.rows[TRIALS].append(_trial_row(self.log, self.phase, record))

    def tick(self) -> None:
        """Write the rows that are new.

        Raises:
            OSError: if they cannot be written.
        """
        for name, rows in self.rows.items():
            if rows:
                new = not (self.folder / name).exists()
                with (self.folder / name).open("a", newline="") as file:
                    file.write(_csv(rows, header=new))
                rows.clear()

    def close(self) -> None:
        """Write the tables once more: trials that were interrupted have their rows now."""
        write_tables(self.log)


def write_tables(log: SweepLog) -> None:
    """Write both tables from the record of a sweep, each whole; an empty table has no file.

    Raises:
        OSError: if they cannot be written.
    """
    for name, frame in ((CURVES, _curve_rows(log)), (TRIALS, _trial_rows(log))):
        path, content = log.plan.folder / name, _csv(frame, header=True)
        if content:
            write_whole(path, content)
        else:
            path.unlink(missing_ok=True)


def curves(log: SweepLog) -> pd.DataFrame:
    """A row per report: phase, trial, epoch, train_loss, val_ and each metric, train_s, wall_s."""
    return pd.DataFrame(_curve_rows(log))


def read_curves(folder: Path) -> pd.DataFrame:
    """`curves.csv` of a results folder; trial names stay text."""
    return pd.read_csv(folder / CURVES, dtype={"trial": str})


def _logs(log: SweepLog) -> Iterable[tuple[TrialLog, list[TrialRecord]]]:
    return ((log.search, log.search.trials), (log.retraining, list(log.retrainings.values())))


def _curve_rows(log: SweepLog) -> list[dict[str, Any]]:
    facts = itertools.chain(log.search.facts, log.retraining.facts)
    phases = {id(record): phase.phase for phase, records in _logs(log) for record in records}
    return [_curve_row(phases[id(fact.record)], fact.record, fact.report) for fact in facts if fact.report]


def _curve_row(phase: str, record: TrialRecord, report: Report) -> dict[str, Any]:
    return {
        "phase": phase,
        "trial": record.name,
        "epoch": report.epoch,
        "train_loss": report.train_loss,
        **{f"val_{name}": value for name, value in report.metrics.items()},
        "train_s": report.train_s,
        "wall_s": report.wall_s,
    }


def _trial_rows(log: SweepLog) -> list[dict[str, Any]]:
    return [
        _trial_row(log, phase.phase, record)
        for phase, records in _logs(log)
        for record in records
        if not record.is_open or record.status == INTERRUPTED
    ]


def _trial_row(log: SweepLog, phase: str, record: TrialRecord) -> dict[str, Any]:
    settings = {name: getattr(record.config, name) for name in (*log.plan.stated, "seed")}
    metric = log.plan.task.objective.metric
    std = {f"best_{metric}_std": record.best_std} if log.plan.seeds_per_trial > 1 else {}
    return {
        "phase": phase,
        "trial": record.name,
        **{name: "none" if value is None else value for name, value in settings.items()},
        "status": record.status,
        "epochs": record.epoch,
        f"best_{metric}": record.best,
        **std,
        "best_epoch": record.best_epoch,
        "train_s": record.train_s,
        "reason": record.outcome,
        **({"tried": "yes" if record.tried else ""} if log.plan.tries else {}),
    }


def _csv(rows: list[dict[str, Any]], header: bool) -> str:
    if not rows:
        return ""
    table = io.StringIO(newline="")
    columns = list(dict.fromkeys(itertools.chain.from_iterable(rows)))
    writer = csv.DictWriter(table, columns)
    if header:
        writer.writeheader()
    writer.writerows(map(_cells, rows))
    return table.getvalue()


def _cells(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: "" if value is None else value for name, value in row.items()}
