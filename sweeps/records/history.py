"""What earlier sessions of a sweep left in its tables, brought back into a ledger."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from sweeps.records import tables
from sweeps.records.ledger import FAILED, PAUSED, STATUSES, Entry, Ledger
from sweeps.records.tables import CURVES, TRIALS
from sweeps.storage.folder import Unusable


def restore(ledger: Ledger, configurations: Mapping[str, dict[str, Any]], others: Collection[str] = ()) -> None:
    """Let a ledger begin where the tables end; trials that had not ended wait to go on.

    Args:
        ledger: a new one.
        configurations: of the phase's trials, by name.
        others: trials whose rows tell the time alone.

    Raises:
        Unusable: if a table has a row that was not written by a sweep, naming it.
    """
    for row in _rows(ledger, CURVES, configurations, others):
        try:
            ledger.before_s = max(ledger.before_s, float(row["wall_s"]))
            if row["trial"] in configurations:
                _report(ledger, row, configurations[row["trial"]])
        except (ValueError, KeyError) as error:
            path = ledger.folder / CURVES
            raise Unusable(f"{path}: not the table of a sweep: {error}; the file is damaged") from None
    for row in _rows(ledger, TRIALS, configurations, others):
        if row["trial"] in configurations:
            entry = ledger.entry(row["trial"], configurations[row["trial"]])
            _check(ledger, row, entry)
            entry.status, entry.reason = row["status"], row["reason"]
    ledger.wall_s = ledger.before_s


def reopen(ledger: Ledger, names: Collection[str]) -> None:
    """Let trials go on that had ended: they failed, or what they came to is not there any more."""
    if not names:
        return
    kept = [row for row in tables.rows(ledger.folder / TRIALS) if row["trial"] not in names]
    tables.rewrite(ledger.folder / TRIALS, kept)
    for name in names:
        ledger.entries[name].status = PAUSED


def failed(folder: Path, phase: str) -> bool:
    """Whether a trial of that phase failed, as the tables of a results folder say."""
    return any((row.get("phase"), row.get("status")) == (phase, FAILED) for row in tables.rows(folder / TRIALS))


def _report(ledger: Ledger, row: Mapping[str, str], configuration: dict[str, Any]) -> None:
    entry = ledger.entry(row["trial"], configuration, PAUSED)
    epoch, train_s = int(row["epoch"]), float(row["train_s"])
    metrics = {name: float(value) for name, value in row.items() if name.startswith("val_")}
    ledger.take(entry, epoch, metrics)
    entry.train_s += train_s
    best = math.nan if entry.best is None else entry.best
    ledger.reports.append((entry.name, epoch, best, not math.isfinite(metrics["val_loss"])))


def _rows(ledger: Ledger, table: str, names: Collection[str], others: Collection[str]) -> list[dict[str, str]]:
    path = ledger.folder / table
    whole = tables.rows(path)
    if whole and "phase" not in whole[0]:
        raise Unusable(f"{path}: not the table of a sweep: it has no column phase; the file is damaged")
    rows = [row for row in whole if row["phase"] == ledger.phase]
    if strange := {row.get("trial") or "without a name" for row in rows} - {*names, *others}:
        raise Unusable(f"{path}: trial {min(strange)} is none of this sweep's; it or study.log is damaged")
    return rows


def _check(ledger: Ledger, row: dict[str, str], entry: Entry) -> None:
    path = ledger.folder / TRIALS
    if row.get("status") not in STATUSES or "reason" not in row or not row.get("epochs", "").isdecimal():
        raise Unusable(f"{path}: not the table of a sweep: see trial {entry.name}; the file is damaged")
    if int(row["epochs"]) and not entry.epoch:
        raise Unusable(f"{ledger.folder / CURVES} lacks the reports of trial {entry.name}; the file is damaged")
