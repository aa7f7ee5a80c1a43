"""Reads the column that orders the rows of a table: numbers, days or times of day."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ae.data.table_cells import MISSING, Days, parse_days
from ae.errors import UserError

ROWS = 100_000
"""Cells that are read as numbers at once."""
_TIME_OF_DAY = r"^(.*?)(?:,?[T\s]\s*(\d{1,2}:\d{2}.*))?$"


def times_of(column: pd.Series, name: str, source: str) -> NDArray[Any]:
    """The cells as whole numbers, numbers, or times (UTC where they have a zone).

    Days are in one form in the whole column, such as DD.MM.YYYY; a time of day may follow.

    Raises:
        UserError: if a cell is missing or neither, or the days could be others.
    """
    missing = column.isna() | column.isin(MISSING)
    if missing.any():
        rule = "must be a time or a number; fill it in, or remove the row"
        raise UserError(f"{source}, row {missing.idxmax()}, column {name}: is empty; {rule}")
    numbers = _numbers(column) if column.dtype.kind not in "mM" else pd.Series(dtype=float)
    if len(numbers) and np.isfinite(numbers.astype(np.float64)).all():
        whole = (numbers % 1 == 0).all() and numbers.abs().max() < 2**53
        return np.asarray(numbers.astype(np.int64) if whole else numbers)
    times = pd.to_datetime(column, errors="coerce", utc=True, format="ISO8601")
    if times.isna().any():
        times = _by_form(column.astype(str), name, source)
    if times.isna().any():
        row = times.isna().idxmax()
        raise UserError(f"{source}, row {row}, column {name}: must be a time or a number, got {column.at[row]!r}")
    return times.dt.tz_localize(None).to_numpy()


def _numbers(column: pd.Series) -> pd.Series:
    """The cells as numbers, NaN where they are none; in parts, as pandas takes five times their memory to read them."""
    parts = [column.iloc[first : first + ROWS] for first in range(0, len(column), ROWS)]
    return pd.concat([pd.to_numeric(part, errors="coerce") for part in parts])


def _by_form(texts: pd.Series, name: str, source: str) -> pd.Series:
    """Times with their days in the form that fits most of them; NaT where a cell does not fit."""
    parts = texts.str.strip().str.extract(_TIME_OF_DAY)
    days: Days = parse_days(parts[0].fillna(""))
    if days.other_form:
        rule = f"the days could be {days.form} or {days.other_form}; write them as YYYY-MM-DD"
        raise UserError(f"{source}, column {name}: {rule}")
    date = pd.Series(days.days_N, index=texts.index).dt.strftime("%Y-%m-%d")
    return pd.to_datetime(date + " " + parts[1].fillna("00:00"), errors="coerce", utc=True, format="mixed")
