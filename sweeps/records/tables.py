"""The two tables of a results folder, written a row at a time and read back whole."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any

import pandas as pd

from ae.files import write_whole
from sweeps.storage.folder import Unusable

CURVES, TRIALS = "curves.csv", "trials.csv"


def append(path: Path, row: dict[str, Any]) -> None:
    """Add a row; the first one brings the header.

    Raises:
        OSError: if it cannot be written.
    """
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(row)
        writer.writerow("none" if name == "clip" and value is None else value for name, value in row.items())


def sync(folder: Path) -> None:
    """Have both tables on the disk, whatever the machine dies of."""
    for path in (folder / CURVES, folder / TRIALS):
        if path.exists():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def curves(folder: Path) -> pd.DataFrame:
    """`curves.csv` of a results folder; trial names stay text."""
    return pd.read_csv(folder / CURVES, dtype={"trial": str})


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a table as text, none if it is not there; a row that was cut off as it was written is left out.

    Raises:
        Unusable: if it is no table.
    """
    if not path.exists():
        return []
    with path.open(newline="", errors="replace") as file:
        lines = [line for line in file if line.endswith("\n")]
    try:
        return [row for row in csv.DictReader(lines) if None not in row and None not in row.values()]
    except csv.Error as error:
        raise Unusable(f"{path}: not the table of a sweep: {error}; the file is damaged") from None


def clean(folder: Path) -> None:
    """Take back what an earlier session wrote of trials that had not ended, and rows that were cut off."""
    for table in (CURVES, TRIALS):
        if (folder / table).exists():
            rewrite(folder / table, [row for row in rows(folder / table) if row.get("status") != "interrupted"])


def rewrite(path: Path, rows: list[dict[str, str]]) -> None:
    """Write a table anew, whole: under a temporary name first."""
    if not rows:
        path.unlink(missing_ok=True)
        return
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, table.getvalue())
