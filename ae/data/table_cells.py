"""Numbers and days in the cells of a table, as people and programs write them.

What a cell could mean in two ways (1,234 or 01/04/2016) is decided from its whole column.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "NAN", "null", "NULL", "None", "<NA>", "#N/A", "#N/A N/A", "-", "--")
"""Cells that mean a missing number."""

_SIGNS = "^[ \t\u00a0\u202f]*[$€£¥]?[ \t\u00a0\u202f]*|[ \t\u00a0\u202f]*[$€£¥]?[ \t\u00a0\u202f]*$"
_COMMA_IS_DECIMAL = r",(?:\d{1,2}|\d{4,})$|\.\d{3},|^[+-]?0?,\d|(?:\.\d{3}){2}$"
_POINT_IS_DECIMAL = r"\.(?:\d{1,2}|\d{4,})$|,\d{3}\.|^[+-]?0?\.\d|(?:,\d{3}){2}$"

DAY_FORMS = {
    "YYYY-MM-DD": "%Y-%m-%d",
    "YYYY/MM/DD": "%Y/%m/%d",
    "YYYY.MM.DD": "%Y.%m.%d",
    "YYYYMMDD": "%Y%m%d",
    "MM/DD/YYYY": "%m/%d/%Y",
    "DD/MM/YYYY": "%d/%m/%Y",
    "MM-DD-YYYY": "%m-%d-%Y",
    "DD-MM-YYYY": "%d-%m-%Y",
    "DD.MM.YYYY": "%d.%m.%Y",
    "MM/DD/YY": "%m/%d/%y",
    "DD/MM/YY": "%d/%m/%y",
    "DD.MM.YY": "%d.%m.%y",
    "DD-Mon-YYYY": "%d-%b-%Y",
    "DD-Mon-YY": "%d-%b-%y",
    "Mon DD, YYYY": "%b %d, %Y",
}
"""The forms of a day that are known, with their format for pandas."""
ISO = "YYYY-MM-DD"


@dataclass(frozen=True, kw_only=True, slots=True)
class Days:
    """A column of days."""

    days_N: NDArray[np.datetime64]
    """NaT where a cell is no day in this form."""
    form: str
    """The form of `DAY_FORMS` that fits most cells."""
    other_form: str = ""
    """Another form that fits every cell as well, but means other days."""


def decimal_mark(columns: Collection[pd.Series], *, unclear: str) -> str:
    """The mark before the decimals in columns of numbers: "." or ",".

    Cells such as 12,5 or 1.234,50 have a decimal comma, cells such as 1,234.50 or 0.5 a decimal point; 1,234 could have
    either. The majority of the clear cells decides.

    Args:
        columns: as pandas read them, with a decimal point; those with other cells are text.
        unclear: the mark if there is text, but no clear cell.
    """
    texts = [_without_signs(_texts(column)) for column in columns if column.dtype.kind == "O"]
    if not texts:
        return "."
    commas = sum(int(cells.str.contains(_COMMA_IS_DECIMAL).sum()) for cells in texts)
    points = sum(int(cells.str.contains(_POINT_IS_DECIMAL).sum()) for cells in texts)
    points += sum(int((column % 1 > 0).sum()) for column in columns if column.dtype.kind == "f")
    return unclear if commas == points else "," if commas > points else "."


def as_numbers(column: pd.Series, mark: str) -> pd.Series:
    """A column of numbers, with text such as $1,234.50 read and missing ones as NaN; what is no number stays as it is.

    Args:
        column: of any type.
        mark: the decimal mark, "." or ",".
    """
    if column.dtype.kind in "bmM":  # pandas would read booleans as 0 and 1, and times as nanoseconds
        return column.astype(str)
    if column.dtype.kind != "O":
        return column
    texts = _texts(column)
    cells = _without_signs(texts)
    other = "," if mark == "." else "."
    group = f"[{other}' \u00a0\u202f]"
    grouped = cells.str.fullmatch(rf"[+-]?\d{{1,3}}(?:{group}\d{{3}})+(?:[{mark}]\d*)?")
    plain = cells.where(~grouped, cells.str.replace(group, "", regex=True))
    if mark == ",":
        plain = plain.where(~plain.str.contains(".", regex=False), "?").str.replace(",", ".", regex=False)
    numbers = pd.to_numeric(plain, errors="coerce").astype(np.float64)
    missing = cells.isin(MISSING)
    read = column.astype(object).copy()
    kept = numbers.notna() | missing
    read.loc[texts.index[kept]] = numbers[kept]
    return pd.to_numeric(read) if kept.all() and len(texts) + int(column.isna().sum()) == len(column) else read


def parse_days(texts: pd.Series) -> Days:
    """The days in a column of text, without the time of day that may follow; one form holds for the whole column."""
    codes, unique = pd.factorize(texts)
    cells = pd.Series(unique, dtype=str)
    strict = _parsed(cells.str.extract(r"^\s*(\d{4}-\d{2}-\d{2})(?:[T ].*)?$", expand=False), ISO)
    if not np.isnat(strict).any():
        return Days(days_N=strict[codes], form=ISO)
    cells = cells.str.replace(r"[T ]\s*\d{1,2}:\d{2}.*$", "", regex=True).str.strip()
    parsed = {form: _parsed(cells, form) for form in DAY_FORMS}
    parsed[ISO] = np.where(np.isnat(strict), parsed[ISO], strict)
    best = max(parsed, key=lambda form: int((~np.isnat(parsed[form])).sum()))
    fits = [form for form, days in parsed.items() if form != best and not np.isnat(days).any()]
    others = [form for form in fits if not np.isnat(parsed[best]).any() and (parsed[form] != parsed[best]).any()]
    return Days(days_N=parsed[best][codes], form=best, other_form=others[0] if others else "")


def _parsed(cells: pd.Series, form: str) -> NDArray[np.datetime64]:
    if form == "YYYYMMDD":
        cells = cells.where(cells.str.fullmatch(r"\d{8}"))  # pandas reads 2016104 too
    return pd.to_datetime(cells, format=DAY_FORMS[form], errors="coerce").to_numpy("datetime64[s]")


def _texts(column: pd.Series) -> pd.Series:
    """The cells that are text; others of a .parquet file may be decimals, bytes or dates."""
    if isinstance(column.dtype, pd.StringDtype):
        return column.dropna()
    return column[[isinstance(cell, str) for cell in column]].astype(str)


def _without_signs(texts: pd.Series) -> pd.Series:
    return texts.str.replace(_SIGNS, "", regex=True)
