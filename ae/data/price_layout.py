"""Finds out from the first rows of a table where its dates, symbols and prices are.

| layout | example |
| --- | --- |
| a row per price | `symbol,date,open,high,low,close` |
| the same for one stock, in a file named after it | `Date,Open,High,Low,Close` |
| a column per stock | `Date,AAPL,MSFT` |
| a column per field and stock, as yfinance writes them | `Price,Close,Close` over `Ticker,AAPL,MSFT` over `Date,,` |
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ae.data.table_cells import as_numbers, parse_days
from ae.errors import UserError
from ae.words import did_you_mean, listed, nearest

DATES = ("date", "datetime", "timestamp", "time")
SYMBOLS = ("symbol", "ticker", "name")
FIELDS = {"high", "close", "adj close", "adjusted close", "price", "last", "volume", "dividends", "stock splits"}
TICKERS_TOO = {"open", "low"}
"""Fields that are symbols of stocks as well: in a row of symbols they are no sign of a table with fields."""
MORE_FIELDS = FIELDS | TICKERS_TOO | {"capital gains", "repaired?"}

DAY = re.compile(r"\d{8}|\w+[-/., ]+\w+[-/., ]+\w+")
"""Found in every day, and in some other cells."""


class NoPricesError(UserError):
    """A file is not a table of the prices that were asked for."""


class NoDaysError(NoPricesError):
    """A file is not a table of anything by day."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """Where a table has what, as positions of columns."""

    header_rows: int
    date: int
    symbol: int | None
    """None if the columns, or the file, are named after the symbols."""
    prices: dict[int, str]
    """Each column of prices, with the field if the rows have symbols, and else with the symbol."""
    in_columns: bool
    """Whether the stocks are in columns."""
    field_known: bool = True
    """Whether the table says which prices it has."""


def find_layout(head: Sequence[Sequence[str]], field: str, *, place: str, named_file: bool) -> Layout:
    """The layout of a table.

    Args:
        head: its first rows, as text.
        field: the column of the prices, in lower case.
        place: names the table in messages.
        named_file: whether the table may have one stock only, that of the file's name.

    Raises:
        NoPricesError: if it lacks a column, or has it twice.
    """
    if not head or not head[0]:
        rule = "a table needs a header, and one row per day and stock"
        raise NoDaysError(f"{place}: the file or its first line is empty; {rule}")
    if pairs := _fields_and_symbols(head):
        return _two_header_rows(head, pairs, field, place)
    names = [name.strip().lower() for name in head[0]]
    date = _date_column(names, head, place)
    symbol = next((name for name in SYMBOLS if name in names), None)
    if symbol is None and not FIELDS & set(names) and (field in TICKERS_TOO or field not in names):
        return _stocks_in_columns(head[0], date, place)
    if symbol is None and not named_file:
        fix = "add it, or bring a folder with one file per stock, named after its symbol"
        raise NoPricesError(f"{place}, row 1: no column 'symbol'; {_columns(head[0])}; {fix}")
    fix = f"--field names the column of the prices{did_you_mean(nearest(field, head[0]))}"
    price = _only(names, field, head[0], place, fix)
    where = None if symbol is None else _only(names, symbol, head[0], place, "delete one")
    return Layout(header_rows=1, date=date, symbol=where, prices={price: field}, in_columns=False)


def long_table(cells: pd.DataFrame, layout: Layout, symbol: str) -> pd.DataFrame:
    """The columns symbol, date, price, column and row of a table, one row per price, and its file.

    Args:
        cells: of a table with this layout; the index has their row numbers.
        layout: of the table.
        symbol: the stock of a table without symbols.
    """
    date = cells[layout.date]
    if date.dtype.kind == "M":
        date = date.dt.strftime("%Y-%m-%d")
    date = _as_text(date)
    if layout.in_columns:
        return _melted(cells, layout, date)
    ((position, field),) = layout.prices.items()
    return pd.DataFrame(
        {
            "symbol": symbol if layout.symbol is None else _as_text(cells[layout.symbol]),
            "date": date,
            "price": cells[position],
            "column": field,
            "row": cells.index,
        }
    ).reset_index(drop=True)


def _melted(cells: pd.DataFrame, layout: Layout, date: pd.Series) -> pd.DataFrame:
    """One row per price; a stock without a price from some day to the end has no rows there, as it has ended."""
    prices = cells[list(layout.prices)]
    present = prices.notna().to_numpy()
    here = np.logical_or.accumulate(present[::-1], axis=0)[::-1] | ~present.any(axis=0)
    days, symbols = np.arange(len(cells)), np.arange(len(layout.prices))
    at = [grid[here.T] for grid in np.meshgrid(days, symbols)]
    names = pd.Series(list(layout.prices.values()), dtype=str)
    column = names.iloc[at[1]].reset_index(drop=True)
    return pd.DataFrame(
        {
            "symbol": column,
            "date": date.iloc[at[0]].reset_index(drop=True),
            "price": prices.to_numpy().T[here.T],
            "column": column,
            "row": cells.index.to_numpy()[at[0]],
        }
    )


def _as_text(column: pd.Series) -> pd.Series:
    if isinstance(column.dtype, pd.StringDtype):
        return column.fillna("")
    cells = column.astype(object).where(column.notna(), "")
    return cells.map(lambda cell: cell.decode(errors="replace") if isinstance(cell, bytes) else str(cell)).astype(str)


def _fields_and_symbols(head: Sequence[Sequence[str]]) -> dict[int, tuple[str, str]]:
    """The field (in lower case) and symbol of each column, if two header rows have them; empty if they do not."""
    if len(head) < 2:
        return {}
    above, below = ([cell.strip() for cell in row] for row in head[:2])
    pairs = {at: pair for at, pair in enumerate(zip(above, below, strict=False)) if all(pair)}
    labels = [at for at, pair in pairs.items() if {"ticker", "symbol"} & {name.lower() for name in pair}]
    for at in labels:
        del pairs[at]
    if any(name.lower() not in MORE_FIELDS for name, _ in pairs.values()):
        pairs = {at: (name, symbol) for at, (symbol, name) in pairs.items()}
    pairs = {at: (name.lower(), symbol) for at, (name, symbol) in pairs.items()}
    if not all(name in MORE_FIELDS for name, _ in pairs.values()) or _are_days(head[1][:1]):
        return {}
    return {} if _have_numbers([symbol for _, symbol in pairs.values()]) else pairs


def _two_header_rows(
    head: Sequence[Sequence[str]], pairs: dict[int, tuple[str, str]], field: str, place: str
) -> Layout:
    prices = {at: symbol for at, (name, symbol) in pairs.items() if name == field}
    if not prices:
        fields = list(dict.fromkeys(name for name, _ in pairs.values()))
        fix = f"--field names one of them{did_you_mean(nearest(field, fields))}"
        raise NoPricesError(f"{place}, row 1: no column '{field}'; {_columns(fields)}; {fix}")
    _refuse_twice(list(prices.values()), place)
    third = [cell.strip().lower() for cell in head[2]] if len(head) > 2 else []
    labels = [at for at, name in enumerate(third) if name in DATES and not any(third[:at] + third[at + 1 :])]
    named = [at for row in head[:2] for at, name in enumerate(row) if name.strip().lower() in DATES]
    date = next(iter([*labels, *named]), 0)
    return Layout(header_rows=3 if labels else 2, date=date, symbol=None, prices=prices, in_columns=True)


def _stocks_in_columns(header: Sequence[str], date: int, place: str) -> Layout:
    symbols = {at: name.strip() for at, name in enumerate(header) if at != date and not _is_nameless(name)}
    if not symbols:
        fix = "a table has a column of dates and a column per stock, or the columns symbol, date and price"
        raise NoPricesError(f"{place}, row 1: no column of prices; {_columns(header)}; {fix}")
    _refuse_twice(list(symbols.values()), place)
    return Layout(header_rows=1, date=date, symbol=None, prices=symbols, in_columns=True, field_known=False)


def _date_column(names: Sequence[str], head: Sequence[Sequence[str]], place: str) -> int:
    """The column called date, or the only one with nothing but days."""
    for name in DATES:
        if name in names:
            return _only(names, name, head[0], place, "delete one")
    columns = [[row[at] for row in head[1:] if len(row) > at and row[at].strip()] for at in range(len(names))]
    found = [at for at, cells in enumerate(columns) if _are_days(cells)]
    if len(found) != 1:
        raise NoDaysError(f"{place}, row 1: no column 'date'; {_columns(head[0])}; name the column of days 'date'")
    return found[0]


def _are_days(cells: Sequence[str]) -> bool:
    if not cells or not DAY.search(cells[0]):  # spares most columns the closer look
        return False
    return not np.isnat(parse_days(pd.Series(cells, dtype=str)).days_N).any()


def _have_numbers(cells: Sequence[str]) -> bool:
    read = as_numbers(pd.Series(cells, dtype=str), ".")
    return any(isinstance(cell, float) and cell == cell for cell in read)


def _is_nameless(name: str) -> bool:
    """True for the name that pandas or a trailing separator gives a column without one."""
    return name.strip().lower() in ("", "index") or name.strip().lower().startswith("unnamed: ")


def _only(names: Sequence[str], name: str, header: Sequence[str], place: str, fix: str) -> int:
    if names.count(name) != 1:
        what = f"no column {name!r}" if name not in names else f"more than one column {name!r}"
        raise NoPricesError(f"{place}, row 1: {what}; {_columns(header)}; {fix}")
    return names.index(name)


def _refuse_twice(symbols: Sequence[str], place: str) -> None:
    if len(set(symbols)) < len(symbols):
        twice = next(symbol for symbol in symbols if symbols.count(symbol) > 1)
        raise NoPricesError(f"{place}, row 1: more than one column {twice!r}; delete one")


def _columns(names: Sequence[str]) -> str:
    shown = [name.strip() or "''" for name in names]
    if len(shown) == 1:
        return f"the only column is {shown[0]!r}; separate columns by a comma, a semicolon, a tab or |"
    return f"the columns are {listed(shown)}"
