"""Reads tables of daily prices from files, then checks and repairs them by the rules listed in `ae.data.sp500`.

A table has one row per price and the columns symbol, date (as it is in the file), day, price, and the place in the
file: file, row and column.
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from ae.data.price_layout import Layout, NoDaysError, NoPricesError, find_layout, long_table
from ae.data.table_cells import ISO, Days, parse_days
from ae.data.table_files import TableFile, find_table_files
from ae.errors import UserError
from ae.words import counted, listed

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceTable:
    """The prices in a file or folder, as they are in it."""

    rows: pd.DataFrame
    """The table; symbols are text, prices are unchecked, a day is NaT if it cannot be read."""
    layout: str
    """Where the stocks are, in words."""
    day_form: str
    """The form of the dates, one of `DAY_FORMS`."""
    field_known: bool
    """Whether the table says which prices it has; if not, they are taken for those that were asked for."""


def read_prices(path: Path, field: str) -> PriceTable:
    """The prices in a table of any layout of `ae.data.price_layout`, in any form of `ae.data.table_files`.

    Args:
        path: a file, or a folder or .zip file with several, of which one without symbols is named after its symbol.
        field: the column of the prices, in lower case. A table with nothing but a column per stock does not say which
            prices it has, and is taken.

    Raises:
        UserError: if a file cannot be read, has no rows or lacks a column, or a date could be two days; the message
            names it.
    """
    files = find_table_files(path)
    alone = len(files) == 1 and files[0].path == path
    found: list[tuple[TableFile, Layout, pd.DataFrame]] = []
    left_out: dict[TableFile, NoPricesError] = {}
    for file in files:
        try:
            layout, rows = _read_file(file, field, alone=alone)
        except NoPricesError as error:
            left_out[file] = error
        else:
            found.append((file, layout, rows))
    _check_left_out(left_out, len(found), path)
    found = _one_kind(found, path)
    rows = pd.concat([rows for _, _, rows in found], ignore_index=True) if len(found) > 1 else found[0][2]
    days = parse_days(rows["date"])
    _refuse_two_readings(rows, days)
    return PriceTable(
        rows=rows.assign(day=days.days_N),
        layout=_in_words([layout for _, layout, _ in found]),
        day_form=days.form,
        field_known=all(layout.field_known for _, layout, _ in found),
    )


def select_rows(
    prices: PriceTable, *, source: str, symbols: Collection[str] | None, start: date | None, end: date | None
) -> pd.DataFrame:
    """The rows of some symbols within a range of days.

    Args:
        prices: from `read_prices`.
        source: names the table in messages.
        symbols: which symbols; None keeps all.
        start: first day, inclusive; None starts at the table's first day.
        end: last day, inclusive; None ends at the table's last day.

    Raises:
        UserError: if a symbol is empty or unknown, a date is no day in the form of the others, or no row is left.
    """
    table = prices.rows.assign(symbol=prices.rows["symbol"].str.strip())
    _refuse(table, table["symbol"] == "", "symbol", "every row needs a symbol; add it or delete the row")
    if symbols is not None:
        known = set(table["symbol"].unique())
        for symbol in symbols:
            if symbol not in known:
                raise UserError(f"--symbols: {symbol!r} is not in {source}; {_close(symbol, known)}")
        table = table[table["symbol"].isin(list(symbols))]
    form = prices.day_form
    rule = f"a date must be a day as {form}{'' if form == ISO else ', like the others'}, got {{date!r}}; correct it"
    _refuse(table, table["day"].isna(), "date", rule)
    table = table.assign(date=table["day"]).drop(columns="day")
    first, last = table["date"].min().date(), table["date"].max().date()
    table = table[table["date"].between(pd.Timestamp(start or first), pd.Timestamp(end or last))]
    if table.empty:
        raise UserError(f"{source}: no rows from {start or first} to {end or last}; the table covers {first} to {last}")
    return table


def understood(prices: PriceTable, rows: pd.DataFrame) -> str:
    """How a table was understood, in words: '480 tickers in columns, 2014-01-02 to 2017-12-29'.

    Args:
        prices: from `read_prices`.
        rows: those that were selected.
    """
    read = "" if prices.day_form == ISO else f"; dates read as {prices.day_form}"
    days = f"{rows['date'].min().date()} to {rows['date'].max().date()}"
    return f"{counted(rows['symbol'].nunique(), 'ticker')} {prices.layout}, {days}{read}"


def repair_rows(table: pd.DataFrame, *, source: str) -> pd.DataFrame:
    """The selected rows, sorted by symbol and date, one row per day, every price finite and above 0.

    Raises:
        UserError: if a price is not a number, infinite, zero or negative, or two rows of one day differ.
    """
    table = table.assign(price=_numbers(table)).sort_values(["symbol", "date"], kind="stable")
    table = _one_a_day(table, source)
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


def _read_file(file: TableFile, field: str, *, alone: bool) -> tuple[Layout, pd.DataFrame]:
    table = file.open()
    layout = find_layout(table.head, field, place=str(file), named_file=not alone)
    text = [layout.date] if layout.symbol is None else [layout.date, layout.symbol]
    cells = table.cells(layout.header_rows, text=text, numbers=list(layout.prices))
    return layout, long_table(cells, layout, file.stem.removesuffix("_data")).assign(file=str(file))


def _check_left_out(left_out: dict[TableFile, NoPricesError], used: int, path: Path) -> None:
    """Log which files are no price tables; raise if it is not plain that they are not meant."""
    if not left_out:
        return
    first = next(iter(left_out.values()))
    if not used:
        raise first
    some = f"{len(left_out)} of {counted(used + len(left_out), 'file')}"
    if len(left_out) >= used and not all(isinstance(error, NoDaysError) for error in left_out.values()):
        fix = "give the path of the right one, or move the others out"
        raise UserError(f"{path}: {some} without these prices: {first}; {fix}")
    log.warning("%s: %s left out: %s (%s)", path, some, listed([file.stem for file in left_out]), first)


def _one_kind(
    found: list[tuple[TableFile, Layout, pd.DataFrame]], path: Path
) -> list[tuple[TableFile, Layout, pd.DataFrame]]:
    """The files of the kind that most have: with a column per stock and no field, or with fields.

    Raises:
        UserError: if as many are of the other kind.
    """
    wide = [one for one in found if not one[1].field_known]
    others = [one for one in found if one[1].field_known]
    few, many = sorted((wide, others), key=len)
    if not few:
        return many
    kinds = f"{wide[0][0]} has a column per stock, {others[0][0]} has not"
    if len(few) == len(many):
        raise UserError(f"{path}: {kinds}; give the path of the right one, or move the others out")
    some = f"{len(few)} of {counted(len(found), 'file')}"
    log.warning("%s: %s left out: %s (%s)", path, some, listed([file.stem for file, _, _ in few]), kinds)
    return many


def _in_words(layouts: list[Layout]) -> str:
    if all(layout.in_columns or layout.symbol is not None for layout in layouts):
        where = "in columns" if all(layout.in_columns for layout in layouts) else "in rows"
        return where if len(layouts) == 1 else f"{where} of {counted(len(layouts), 'file')}"
    return f"in {counted(len(layouts), 'file')}"


def _refuse_two_readings(rows: pd.DataFrame, days: Days) -> None:
    if days.other_form:
        first = rows.iloc[0]
        raise UserError(
            f"{first['file']}, row {first['row']}, column date: the dates could be {days.form} or {days.other_form}, "
            f"got {first['date']!r}; write them as {ISO}"
        )


def _refuse(table: pd.DataFrame, bad: pd.Series, column: str | None, rule: str) -> None:
    """Raise a UserError for the first bad row, in the order of the files; None means its column of prices."""
    if bad.any():
        first = table[bad].iloc[0]
        raise UserError(
            f"{first['file']}, row {first['row']}, column {column or first['column']}: {rule.format(**first)}"
        )


def _numbers(table: pd.DataFrame) -> pd.Series:
    prices = table["price"]
    if prices.dtype.kind == "O":  # text is no number, or `as_numbers` would have read it
        prices = prices.astype(object).where(~prices.map(lambda price: isinstance(price, str)).astype(bool))
    numbers = pd.to_numeric(prices, errors="coerce").astype(np.float64)
    fix = "; correct the cell, empty it to use the price of the day before, or leave {symbol} out with --symbols"
    _refuse(table, numbers.isna() & table["price"].notna(), None, "a price must be a number, got {price!r}" + fix)
    _refuse(table, numbers == np.inf, None, "a price must be finite, got {price}" + fix)
    _refuse(table, numbers <= 0, None, "a price must be > 0, got {price}" + fix)
    return numbers


def _one_a_day(table: pd.DataFrame, source: str) -> pd.DataFrame:
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
            f"{one['file']}, {where}, column {one['column']}: a stock must have one price per day, "
            f"got {one['price']} and {other['price']} for {one['symbol']} on {one['date'].date()}; delete one row"
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
