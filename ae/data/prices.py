"""Reads tables of daily prices from files, then checks and repairs them by the rules listed in `ae.data.sp500`.

A table has one row per price and the columns symbol, date, price, file and row. Row 1 is the header (in a
.parquet file, which has no header, the first row of data), so that a message leads to the cell.
"""

from __future__ import annotations

import csv
import difflib
import gzip
import logging
import os
import warnings
import zlib
from collections.abc import Collection
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_datetime64_any_dtype
from pyarrow import parquet

from ae.errors import UserError
from ae.words import counted

FORMATS = (".csv.gz", ".csv", ".parquet")
MISSING = ("", "NA", "N/A", "NaN", "nan", "NAN", "null", "NULL", "None")
"""Cells that mean a missing price."""

log = logging.getLogger(__name__)


def read_prices(path: Path, field: str) -> pd.DataFrame:
    """A table as it is in its files: symbols and dates are text, prices are unchecked.

    Args:
        path: a .csv, .csv.gz or .parquet file with the columns symbol (or Name), date and `field`; or a folder of such
            files, where a file without a symbol column is named after its symbol. Case does not matter.
        field: the column of the prices.

    Raises:
        UserError: if a file cannot be read, lacks a column or has no rows; the message names it.
    """
    if not os.path.exists(path):  # unlike Path.exists, False if the name is too long
        raise UserError(f"{path}: there is no such file or folder")
    if not path.is_dir():
        if _format(path) is None:
            raise UserError(f"{path}: must be a folder or end in {', '.join(FORMATS)}")
        return _read_file(path, field, symbol=None)
    try:
        files = sorted(file for file in path.iterdir() if _format(file) and not file.name.startswith("."))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    if not files:
        raise UserError(f"{path}: no file in the folder ends in {', '.join(FORMATS)}")
    return pd.concat([_read_file(file, field, symbol=_stem(file)) for file in files], ignore_index=True)


def select_rows(
    table: pd.DataFrame, *, source: str, symbols: Collection[str] | None, start: date | None, end: date | None
) -> pd.DataFrame:
    """The rows of some symbols within a range of days, with dates parsed.

    Args:
        table: from `read_prices`.
        source: names the table in messages.
        symbols: which symbols; None keeps all.
        start: first day, inclusive; None starts at the table's first day.
        end: last day, inclusive; None ends at the table's last day.

    Raises:
        UserError: if a symbol is empty or unknown, a date is not ISO 8601, or no row is left.
    """
    table = table.assign(symbol=table["symbol"].str.strip())
    _refuse(table, table["symbol"] == "", "symbol", "every row needs a symbol; add it or delete the row")
    if symbols is not None:
        known = set(table["symbol"].unique())
        for symbol in symbols:
            if symbol not in known:
                raise UserError(f"--symbols: {symbol!r} is not in {source}; {_close(symbol, known)}")
        table = table[table["symbol"].isin(list(symbols))]
    table = table.assign(date=_dates(table))
    first, last = table["date"].min().date(), table["date"].max().date()
    table = table[table["date"].between(pd.Timestamp(start or first), pd.Timestamp(end or last))]
    if table.empty:
        raise UserError(f"{source}: no rows from {start or first} to {end or last}; the table covers {first} to {last}")
    return table


def repair_rows(table: pd.DataFrame, *, source: str, field: str) -> pd.DataFrame:
    """The selected rows, sorted by symbol and date, one row per day, every price finite and above 0.

    Raises:
        UserError: if a price is not a number, infinite, zero or negative, or two rows of one day differ.
    """
    table = table.assign(price=_numbers(table, field)).sort_values(["symbol", "date"], kind="stable")
    table = _one_a_day(table, source, field)
    missing = table["price"].isna()
    if not missing.any():
        return table
    filled = table.assign(price=table.groupby("symbol", sort=False)["price"].ffill())
    kept = filled.dropna(subset=["price"])
    if kept.empty:
        raise UserError(f"{source}: no row has a price; name the column of prices with --field")
    leading, without = len(filled) - len(kept), filled["symbol"].nunique() - kept["symbol"].nunique()
    log.warning(
        "%s: %s: %s filled with the price of the day before, %s dropped (before a stock's first price; %s without any)",
        *(source, counted(int(missing.sum()), "missing price"), f"{missing.sum() - leading:,}", f"{leading:,}"),
        counted(without, "stock"),
    )
    return kept


def _format(path: Path) -> str | None:
    return next((ending for ending in FORMATS if path.name.lower().endswith(ending)), None)


def _stem(path: Path) -> str:
    """The symbol in a file's name: AAPL.csv gives AAPL, aapl_data.csv.gz gives aapl."""
    return path.name[: -len(_format(path) or "")].removesuffix("_data")


def _read_file(path: Path, field: str, *, symbol: str | None) -> pd.DataFrame:
    read_format = _read_parquet if _format(path) == ".parquet" else _read_csv
    try:
        table = read_format(path, field, symbol)
    except pd.errors.ParserWarning:
        raise UserError(f"{path}: a row has more cells than the header; quote or delete the extra commas") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: cannot be read: not UTF-8 text; is it compressed, or a spreadsheet?") from None
    except (OSError, EOFError, zlib.error, csv.Error, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise UserError(f"{path}: cannot be read: {' '.join(str(error).split())}") from None
    if table.empty:
        raise UserError(f"{path}: has no rows; a table needs a header and one row per day and stock")
    return table.assign(file=str(path))


def _read_csv(path: Path, field: str, symbol: str | None) -> pd.DataFrame:
    compressed = _format(path) == ".csv.gz"
    with (gzip.open if compressed else open)(path, "rt", encoding="utf-8-sig", newline="") as file:
        header = next(csv.reader(file), [])
    columns = _columns(header, path, field, symbol)
    options: dict[str, Any] = {
        "names": range(len(header)),
        "dtype": {position: str for name, position in columns.items() if name != "price"},
        "na_values": {columns["price"]: list(MISSING)},
        "compression": "gzip" if compressed else None,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        cells = pd.read_csv(
            path,
            **options,
            header=None,
            skiprows=1,
            index_col=False,  # otherwise an extra cell in row 2 would shift every column by one
            keep_default_na=False,  # a stock may have the symbol NA
            skip_blank_lines=False,  # keeps the row numbers right
            low_memory=False,
        )
    _refuse_line_breaks(cells, path)
    table = _named(cells, columns, symbol).assign(row=np.arange(2, len(cells) + 2))
    dateless = cells[table["date"] == ""]
    return table.drop(index=dateless.index[(dateless.isna() | dateless.eq("")).all(axis=1)])


def _refuse_line_breaks(cells: pd.DataFrame, path: Path) -> None:
    """Raise if an unclosed quotation mark joined several rows into one cell."""
    for position, column in enumerate(cells.columns):
        texts: Any = cells[column].unique() if cells[column].dtype.kind == "O" else ()
        broken = [text for text in texts if isinstance(text, str) and len(text.splitlines()) > 1]
        if broken:
            where = f"row {int((cells[column] == broken[0]).argmax()) + 2}, column {position + 1}"
            raise UserError(f"{path}, {where}: a cell must not contain a line break; close its quotation mark")


def _read_parquet(path: Path, field: str, symbol: str | None) -> pd.DataFrame:
    try:
        content = parquet.read_table(path)
        content.validate(full=True)  # otherwise text that is not UTF-8 fails later
        cells = content.to_pandas()
    except Exception as error:  # pyarrow raises a dozen kinds for a damaged file; to the reader they mean the same
        raise OSError(error) from None
    if cells.index.names != [None]:
        cells = cells.reset_index()
    columns = _columns([str(name) for name in cells.columns], path, field, symbol)
    cells.columns = pd.RangeIndex(len(cells.columns))
    return _named(cells, columns, symbol).assign(row=np.arange(1, len(cells) + 1))


def _columns(header: list[str], path: Path, field: str, symbol: str | None) -> dict[str, int]:
    """The position in a file of each column that the table needs."""
    if not header:
        raise UserError(
            f"{path}: the file or its first line is empty; a table needs a header and one row per day and stock"
        )
    names = [name.strip().lower() for name in header]
    wanted = {"date": "date", "price": field}
    if "symbol" in names or "name" in names or symbol is None:
        wanted["symbol"] = "name" if "name" in names and "symbol" not in names else "symbol"
    for name in wanted.values():
        if names.count(name) != 1:
            what = f"no column {name!r}" if name not in names else f"more than one column {name!r}"
            raise UserError(f"{path}, row 1: {what}; the columns are {', '.join(header)} (--field picks the price)")
    return {key: names.index(name) for key, name in wanted.items()}


def _named(cells: pd.DataFrame, columns: dict[str, int], symbol: str | None) -> pd.DataFrame:
    table = pd.DataFrame({name: cells[position] for name, position in columns.items()})
    if "symbol" not in columns:
        table["symbol"] = symbol
    if table["price"].dtype.kind in "bmM":  # to_numeric would read booleans as 0 and 1, and times as nanoseconds
        table["price"] = table["price"].astype(str)
    if is_datetime64_any_dtype(table["date"]):
        table["date"] = table["date"].dt.strftime("%Y-%m-%d")
    return table.assign(**{name: table[name].fillna("").astype(str) for name in ("symbol", "date")})


def _refuse(table: pd.DataFrame, bad: pd.Series, column: str, rule: str) -> None:
    """Raise a UserError for the first bad row, in the order of the files."""
    if bad.any():
        first = table[bad].iloc[0]
        raise UserError(f"{first['file']}, row {first['row']}, column {column}: {rule.format(**first)}")


def _dates(table: pd.DataFrame) -> pd.Series:
    codes, texts = pd.factorize(table["date"])
    days = pd.Series(texts, dtype=str).str.extract(r"^\s*(\d{4}-\d{2}-\d{2})(?:[T ].*)?$", expand=False)
    parsed = pd.to_datetime(days, format="%Y-%m-%d", errors="coerce").to_numpy("datetime64[s]")
    dates = pd.Series(parsed[codes], index=table.index)
    _refuse(table, dates.isna(), "date", "a date must be a day as YYYY-MM-DD, got {date!r}; correct it")
    return dates


def _numbers(table: pd.DataFrame, field: str) -> pd.Series:
    numbers = pd.to_numeric(table["price"], errors="coerce").astype(np.float64)
    fix = "; correct the cell, empty it to use the price of the day before, or leave {symbol} out with --symbols"
    _refuse(table, numbers.isna() & table["price"].notna(), field, "a price must be a number, got {price!r}" + fix)
    _refuse(table, numbers == np.inf, field, "a price must be finite, got {price}" + fix)
    _refuse(table, numbers <= 0, field, "a price must be > 0, got {price}" + fix)
    return numbers


def _one_a_day(table: pd.DataFrame, source: str, field: str) -> pd.DataFrame:
    again = table.duplicated(["symbol", "date"]).to_numpy()
    if not again.any():
        return table
    prices = table["price"].to_numpy()
    same = (prices[1:] == prices[:-1]) | (np.isnan(prices[1:]) & np.isnan(prices[:-1]))
    clash = np.flatnonzero(again[1:] & ~same)
    if len(clash):
        one, other = table.iloc[clash[0]], table.iloc[clash[0] + 1]
        where = f"rows {one['row']} and {other['row']}"
        if one["file"] != other["file"]:
            where = f"row {one['row']}, and {other['file']}, row {other['row']}"
        raise UserError(
            f"{one['file']}, {where}, column {field}: a stock must have one price per day, got {one['price']} and "
            f"{other['price']} for {one['symbol']} on {one['date'].date()}; delete one row"
        )
    repeated = counted(int(again.sum()), "repeated row")
    log.warning("%s: %s (same stock, day and price); one of each kept", source, repeated)
    return table[~again]


def _close(symbol: str, known: set[str]) -> str:
    by_upper = {name.upper(): name for name in sorted(known)}
    close = [by_upper[name] for name in difflib.get_close_matches(symbol.upper(), by_upper, n=3, cutoff=0.5)]
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"it has {counted(len(known), 'symbol')}; the first is {min(known)}"
