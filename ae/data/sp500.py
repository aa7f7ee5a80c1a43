"""Daily prices of S&P 500 stocks, or of any other stocks, split in three by stock.

Shape suffixes: N sequences, T time steps (days), F features.

The table may have any layout of `ae.data.price_layout` and any form of `ae.data.table_files`; the log tells how it was
understood. A stock's days are the days for which the table has a row; missing days are not added. Only rows selected by
--symbols, --start and --end are checked. Each fault has a rule; each count is one line in the log.

| fault | what happens |
| --- | --- |
| missing price (empty, -, #N/A, NaN, ...) | filled with the price of the day before; counted |
| missing before a stock's first price | dropped; counted |
| missing after a stock's last price, where stocks are in columns | dropped: the stock has ended |
| split that is not adjusted, or a price wrong by a factor | kept; a warning per stock with day and factor |
| history shorter than --min-days or --window | the stock is dropped; counted |
| days that do not fill a window | the oldest days are dropped; counted |
| constant sequence (minimum = maximum) | dropped; counted, with symbols |
| test stock that moves like a stock outside the test split, such as another share class | both named |
| two rows for one stock and day, same price | one is kept; counted |
| two rows for one stock and day, different prices | error with both rows |
| rows out of order | sorted |
| $1,234.50, 1.234,50 and the like | read; whether a comma is a decimal one follows from the whole columns |
| price that is not a number, infinite, zero or negative | error with row and column |
| dates as MM/DD/YYYY, YYYYMMDD and the like (a time after them is ignored) | read, all in one form |
| dates that fit two forms, such as 01/04/2016 alone | error with both forms |
| date in another form than the others, or in none | error with row and column |
| row without a symbol, or with more cells than the header | error |
| line break in a cell, from an unclosed quotation mark | error with row and column |
| price too far from the days before for float32 in their scale | error with the stock |
| missing or repeated column | error with existing columns |
| file without these prices among several | left out and named; error if it is as many as the others and has dates |
| unknown symbol in --symbols | error with similar symbols |
| no rows, in a file or from --start to --end | error |
| missing or unreadable file, or another format | error |
| fewer than 5 stocks left | error with what was dropped |

Two share classes of one company are two stocks. The split of a stock depends on which other stocks there are. In the
full table of 2014 to 2017, DISCK is in training and DISCA in validation; no pair of share classes is divided between
the test split and another one.
"""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ae.data import price_checks, prices
from ae.data.price_scale import Scale, moving, normalise, prices_of, restore
from ae.errors import UserError
from ae.splits import SPLIT_SEED, Split, Splits
from ae.words import counted, listed

SAMPLE = Path(__file__).parent / "sp500_sample" / "sp500_dataset.csv.gz"
SAMPLE_FIELD = "close"
SAMPLE_WINDOW = 250
"""Default length of a sequence of the embedded sample, in days; about one year of trading."""
DEFAULT_FIELD = "high"
UNKNOWN_FIELD = "price"
"""What the prices are called if neither the table nor the user says which they are."""
MIN_STOCKS = 5
"""Smallest number of stocks that a 60/20/20 split leaves one of in each part."""
ALIKE = 0.9
"""Correlation of daily returns above which two stocks count as alike; two different companies hardly reach it."""
ALIKE_DAYS = 60
"""Smallest number of days for this comparison."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """Which prices to use, and how to cut them into sequences of one length T."""

    field: str = dataclasses.field(
        default=DEFAULT_FIELD,
        metadata={"help": "column of the prices (default: high; the embedded sample has only close)"},
    )
    """Column of the table, in any case. The embedded sample has only closing prices and ignores the default. A table
    with nothing but a column per stock does not say which prices it has: the option says what they are called."""
    symbols: str | None = dataclasses.field(default=None, metadata={"help": "only these stocks, separated by commas"})
    """None uses all stocks."""
    start: str | None = dataclasses.field(default=None, metadata={"help": "first day, YYYY-MM-DD"})
    """Inclusive; None starts at the table's first day."""
    end: str | None = dataclasses.field(default=None, metadata={"help": "last day, YYYY-MM-DD"})
    """Inclusive; None ends at the table's last day."""
    window: int | None = dataclasses.field(
        default=None, metadata={"help": "cut each history into windows of this many days"}
    )
    """T, in days. Windows do not overlap; the last ends on a stock's last day. None makes one sequence per stock."""
    min_days: int | None = dataclasses.field(default=None, metadata={"help": "drop stocks with fewer days than this"})
    """In days. Without a window it is also T: the most recent days of each stock. None requires as many days as the
    window has, or without a window as many as the longest history."""

    def __post_init__(self) -> None:
        if self.field.strip().lower() in ("", "date", "symbol", "ticker", "name"):
            raise UserError(f"--field must name a column of prices, got {self.field!r}")
        if self.symbols is not None and not self.wanted():
            raise UserError(f"--symbols must name a stock, got {self.symbols!r}")
        first, last = self.days()
        if first and last and first > last:
            raise UserError(f"--start must not be after --end, got {self.start} and {self.end}")
        for name in ("window", "min_days"):
            value = getattr(self, name)
            if value is not None and not value >= 2:
                raise UserError(f"--{name.replace('_', '-')} must be >= 2, got {value}")
            if value is not None and value >= 2**31:
                raise UserError(f"--{name.replace('_', '-')} must be < 2**31 days, got {value}")

    def wanted(self) -> list[str] | None:
        """The symbols to use; None for all."""
        return None if self.symbols is None else [part.strip() for part in self.symbols.split(",") if part.strip()]

    def days(self) -> tuple[date | None, date | None]:
        """First and last day, inclusive; None means no limit."""
        return _day("--start", self.start), _day("--end", self.end)


def first_stocks(split: Split, count: int) -> Split:
    """One sequence for each of the first `count` stocks; of stocks that move in their first half, if there are any."""
    assert split.info is not None
    prices_NT = prices_of(split)
    moving_N = moving(prices_NT[:, : prices_NT.shape[1] // 2])
    where = split.info[moving_N | ~moving_N.any()].drop_duplicates("symbol").index[:count]
    return Split.dense(split.inputs_NTF[where], info=split.info.loc[where].reset_index(drop=True))


def load(path: Path | None, options: Options, *, hold_out_last: bool = False) -> Splits:
    """Normalised prices, with 60 % of the stocks to train, 20 % to validate and 20 % to test.

    Args:
        path: a table of prices, or a folder or .zip file with several, see `prices.read_prices`; None loads the
            embedded sample of 20 stocks.
        options: which prices, and how to cut them.
        hold_out_last: scale each sequence without looking at its last day, for a task that predicts this day.

    Returns:
        Inputs (N, T days, 1), float32, in random order. All windows of a stock are in one split, which depends only on
        the set of symbols, not on the order of rows. `info` has one row per sequence: symbol, first_date, last_date,
        field (the column of prices), and minimum, maximum and mean as in `ae.data.price_scale.Scale`.

    Raises:
        UserError: if the table breaks a rule of this module; one line names the file, the place, the rule and the fix.
    """
    table, name, field, window = _read_and_repair(path, options)
    table, dropped = _drop_short(table, name, window or 0, options.min_days)
    price_checks.warn_of_factors(table, source=name)
    days = window or options.min_days or int(table.groupby("symbol").size().max())
    least = 4 if hold_out_last else 2
    if days < least:
        raise UserError(
            f"{name}: a sequence must have at least {least} days for this task, got {days}; set --window or --min-days"
        )
    seen = days - hold_out_last
    sequences, prices_NT = _cut(table, name, days, windows=window is not None)
    keep_N = _varying(sequences, prices_NT[:, :seen], name)
    sequences, prices_NT = sequences[keep_N].reset_index(drop=True), prices_NT[keep_N]
    stocks = sequences["symbol"].nunique()
    if stocks < MIN_STOCKS:
        raise UserError(
            f"{name}: {counted(stocks, 'stock')} left, at least {MIN_STOCKS} are needed to split 60/20/20 by stock; "
            f"dropped: {dropped} with fewer than {max(days, options.min_days or 0):,} days, and "
            f"{counted(int((~keep_N).sum()), 'constant sequence')}; lower --min-days or --window, or widen --symbols, "
            "--start and --end"
        )
    values_NT, scale = normalise(prices_NT, seen=seen)
    _refuse_wild(sequences, values_NT, scale, name)
    info = sequences.assign(field=field, minimum=scale.minimum_N, maximum=scale.maximum_N, mean=scale.mean_N)
    cut = f"{len(info):,} windows of {days:,} days" if window else f"{days:,} days each"
    source = (
        f"{name}, {stocks} stocks, {cut}, {info['first_date'].min():%Y-%m-%d} to {info['last_date'].max():%Y-%m-%d}"
    )
    splits = _split(values_NT[:, :, None], info, source)
    _warn_of_twins(table, splits, name)
    return splits


def _day(option: str, text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise UserError(f"{option} must be a day as YYYY-MM-DD, got {text!r}") from None


def _read_and_repair(path: Path | None, options: Options) -> tuple[pd.DataFrame, str, str, int | None]:
    """The repaired rows, a description of the data, the column of the prices, and the length of a window."""
    field = options.field.strip().lower()
    if path is None:
        if field not in (DEFAULT_FIELD, SAMPLE_FIELD):
            raise UserError(f"--field {options.field}: the embedded sample has closing prices only; leave --field out")
        field = SAMPLE_FIELD
    table = prices.read_prices(path or SAMPLE, field)
    if not table.field_known and field == DEFAULT_FIELD:
        field = UNKNOWN_FIELD
    of_field = "" if field == UNKNOWN_FIELD else f" ({field} prices)"
    name = f"{path}{of_field}" if path else "embedded sample of S&P 500 closing prices (skfolio, BSD-3-Clause)"
    start, end = options.days()
    rows = prices.select_rows(table, source=name, symbols=options.wanted(), start=start, end=end)
    if path:
        log.info("%s: %s", name, prices.understood(table, rows))
    window = options.window or (SAMPLE_WINDOW if path is None else None)
    return prices.repair_rows(rows, source=name), name, field, window


def _drop_short(table: pd.DataFrame, name: str, window: int, min_days: int | None) -> tuple[pd.DataFrame, int]:
    """The rows of stocks with enough days, and the number of stocks with fewer."""
    days = table.groupby("symbol")["symbol"].transform("size")
    needed = max(window, min_days or 0) or int(days.max())
    short = table.loc[days < needed, "symbol"].nunique()
    if short:
        log.warning("%s: %s with fewer than %s days dropped", name, counted(short, "stock"), f"{needed:,}")
    return table[days >= needed], short


def _cut(table: pd.DataFrame, name: str, days: int, *, windows: bool) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """One row per sequence (symbol, first_date, last_date), and the prices (N, T); the most recent days are kept."""
    by_stock = table.groupby("symbol")["symbol"]
    to_end = by_stock.cumcount(ascending=False)
    kept = table[to_end < (by_stock.transform("size") // days * days if windows else days)]
    if windows and len(kept) < len(table):
        left = counted(len(table) - len(kept), "oldest day")
        log.warning("%s: %s outside the windows of %s days dropped", name, left, f"{days:,}")
    symbols, dates_NT = kept["symbol"].to_numpy()[::days], kept["date"].to_numpy().reshape(-1, days)
    sequences = pd.DataFrame({"symbol": symbols, "first_date": dates_NT[:, 0], "last_date": dates_NT[:, -1]})
    return sequences, kept["price"].to_numpy().reshape(-1, days)


def _varying(sequences: pd.DataFrame, seen_NT: NDArray[np.float64], name: str) -> NDArray[np.bool_]:
    keep_N = moving(seen_NT)
    if not keep_N.all():
        symbols = listed(list(sequences.loc[~keep_N, "symbol"].unique()))
        dropped = counted(int((~keep_N).sum()), "constant sequence")
        log.warning("%s: %s dropped: %s", name, dropped, symbols)
    return keep_N


def _refuse_wild(sequences: pd.DataFrame, values_NT: NDArray[np.float32], scale: Scale, name: str) -> None:
    """Raise a UserError if the last price of a sequence, which its scale may not cover, cannot be restored."""
    with np.errstate(over="ignore"):
        last_N = restore(values_NT[:, -1:], scale)[:, 0]
    wild_N = ~(np.isfinite(last_N) & (last_N > 0))
    if wild_N.any():
        symbol = sequences["symbol"].iloc[int(wild_N.argmax())]
        raise UserError(
            f"{name}: the last price of {symbol} is too far from the prices before it; correct it, or leave "
            f"{symbol} out with --symbols"
        )


def _split(inputs_NTF: NDArray[np.float32], info: pd.DataFrame, source: str) -> Splits:
    random = np.random.default_rng(SPLIT_SEED)
    stocks = random.permutation(np.array(sorted(info["symbol"].unique()), dtype=object))
    order_N = random.permutation(len(info))
    cuts = (round(0.6 * len(stocks)), round(0.8 * len(stocks)))
    parts = []
    for part in np.split(stocks, cuts):
        chosen_N = order_N[info["symbol"].isin(part).to_numpy()[order_N]]
        parts.append(Split.dense(inputs_NTF[chosen_N], info=info.iloc[chosen_N].reset_index(drop=True)))
    return Splits(train=parts[0], validation=parts[1], test=parts[2], source=source)


def _warn_of_twins(table: pd.DataFrame, splits: Splits, name: str) -> None:
    """Log the test stocks that move like a training or validation stock: with them the test is too easy."""
    logs = table.assign(price=np.log(table["price"])).pivot(index="date", columns="symbol", values="price")
    returns = logs.diff().fillna(0)
    returns = returns.loc[:, returns.std() > 0]
    if len(returns) < ALIKE_DAYS:
        return
    scaled = (returns - returns.mean()) / returns.std(ddof=0)
    tested = scaled.columns.isin(_symbols(splits.test))
    alike = scaled.loc[:, tested].T @ scaled.loc[:, ~tested] / len(scaled)
    closest = alike.max(axis=1)[lambda highest: highest > ALIKE].index
    if len(closest):
        pairs = [f"{symbol} like {alike.loc[symbol].idxmax()}" for symbol in closest]
        count = counted(len(pairs), "test stock")
        what = "moving like a training or validation stock, so the test is too easy"
        log.warning("%s: %s %s: %s", name, count, what, listed(pairs))


def _symbols(split: Split) -> set[str]:
    assert split.info is not None
    return set(split.info["symbol"])
