"""Daily prices of S&P 500 stocks, or of any others, as three splits by stock.

Shape suffixes: N sequences, T time steps (days), F features.

A stock's days are those that the table has a row for; a day without a row is not filled in. Only the rows that
--symbols, --start and --end leave are checked. Each fault has a rule; every count is one line of the log.

| fault | what happens |
| --- | --- |
| missing price | the day before is carried forward; days before a stock's first price are dropped; both counted |
| history shorter than --min-days or --window | the stock is dropped; counted |
| days that do not fill a window | the oldest days are dropped; counted |
| constant sequence (minimum = maximum) | dropped; counted, symbols named |
| test stock that moves like one outside the test, as two classes of one company's shares do | both named |
| two rows of a stock and day, same price | one is kept; counted |
| two rows of a stock and day, prices differ | error with both rows |
| rows out of order | sorted |
| price that is no number, infinite, zero or negative | error with row and column |
| date that is not YYYY-MM-DD (a time after it is ignored) | error with row and column |
| row without a symbol, or with more cells than the header | error |
| line break in a cell, as an open quotation mark leaves | error with row and column |
| price so far from the days before that float32 cannot hold it in their scale | error with the stock |
| missing or repeated column | error with the columns that there are |
| symbol of --symbols that is not there | error with those close to it |
| no rows, in a file or from --start to --end | error |
| missing or unreadable file, or another format | error |
| fewer than 5 stocks left | error with what was dropped |

Two classes of one company's shares are two stocks. Of the table of 2014 to 2017, whole, DISCK trains and DISCA
validates, and none of such a pair is in the test split without the other; which split a stock is in depends on which
others there are.
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

from ae.data import prices
from ae.data.price_scale import Scale, moving, normalise, prices_of, restore
from ae.errors import UserError
from ae.task import SPLIT_SEED, Split, Splits
from ae.words import counted

SAMPLE = Path(__file__).parent / "sp500_sample" / "sp500_dataset.csv.gz"
SAMPLE_FIELD = "close"
SAMPLE_WINDOW = 250
"""Days of a sequence of the embedded sample unless --window says otherwise; about a year of trading."""
DEFAULT_FIELD = "high"
MIN_STOCKS = 5
"""Fewest stocks that split 60/20/20 with one in each part."""
ALIKE = 0.9
"""Correlation of daily returns above which two stocks are as good as one; two companies hardly reach it."""
ALIKE_DAYS = 60
"""Fewest days that say so."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """Which prices to take, and how to cut them into sequences of one length T."""

    field: str = dataclasses.field(
        default=DEFAULT_FIELD,
        metadata={"help": "column to take as the price (default: high; the sample has close alone)"},
    )
    """Column of the table, in any case; the embedded sample has closing prices only and ignores the default."""
    symbols: str | None = dataclasses.field(default=None, metadata={"help": "only these stocks, separated by commas"})
    """None takes all the stocks."""
    start: str | None = dataclasses.field(default=None, metadata={"help": "first day, YYYY-MM-DD"})
    """Inclusive; None starts at the table's first day."""
    end: str | None = dataclasses.field(default=None, metadata={"help": "last day, YYYY-MM-DD"})
    """Inclusive; None ends at the table's last day."""
    window: int | None = dataclasses.field(
        default=None, metadata={"help": "cut each history into windows of this many days"}
    )
    """T, in days; windows do not overlap, and the last ends on a stock's last day. None takes one sequence a stock."""
    min_days: int | None = dataclasses.field(default=None, metadata={"help": "drop stocks with fewer days than this"})
    """Without a window also T, in days: each stock's most recent ones. None asks for the window's days,
    without a window for the longest history's."""

    def __post_init__(self) -> None:
        if self.field.strip().lower() in ("", "date", "symbol", "name"):
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
        """The symbols; None for all."""
        return None if self.symbols is None else [part.strip() for part in self.symbols.split(",") if part.strip()]

    def days(self) -> tuple[date | None, date | None]:
        """First and last day, inclusive; None is open."""
        return _day("--start", self.start), _day("--end", self.end)


def first_stocks(split: Split, count: int) -> Split:
    """One sequence each of the first `count` stocks of a split, of those that move in its first half, if any does."""
    assert split.info is not None
    prices_NT = prices_of(split)
    moving_N = moving(prices_NT[:, : prices_NT.shape[1] // 2])
    where = split.info[moving_N | ~moving_N.any()].drop_duplicates("symbol").index[:count]
    return Split(inputs_NTF=split.inputs_NTF[where], info=split.info.loc[where].reset_index(drop=True))


def load(path: Path | None, options: Options, *, hold_out_last: bool = False) -> Splits:
    """Normalised prices, with 60 % of the stocks to train, 20 % to validate and 20 % to test.

    Args:
        path: a .csv, .csv.gz or .parquet file with the columns symbol (or Name), date and the price, or a folder with
            one such file a symbol; None takes the embedded sample of 20 stocks.
        options: which prices, and how to cut them.
        hold_out_last: take each sequence's statistics without its last day, for a task that predicts it.

    Returns:
        inputs (N, T days, 1) float32, in random order. All the windows of a stock are in one split, which depends on
        the symbols alone, not on the order of rows. info has a row a sequence: symbol, first_date, last_date, field
        (which price), and minimum, maximum and mean as in `ae.data.price_scale.Scale`.

    Raises:
        UserError: if the table breaks a rule of this module; one line names the file, the place, the rule and the fix.
    """
    table, name, field, window = _read(path, options)
    table, dropped = _drop_short(table, name, window or 0, options.min_days)
    days = window or options.min_days or int(table.groupby("symbol").size().max())
    least = 4 if hold_out_last else 2
    if days < least:
        raise UserError(
            f"{name}: a sequence must have at least {least} days here, got {days}; set --window or --min-days"
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


def _read(path: Path | None, options: Options) -> tuple[pd.DataFrame, str, str, int | None]:
    """The repaired rows, what they are in words, which price they have, and the length of a window."""
    price = options.field.strip().lower()
    if path is None:
        if price not in (DEFAULT_FIELD, SAMPLE_FIELD):
            raise UserError(f"--field {options.field}: the embedded sample has closing prices only; give --data")
        price = SAMPLE_FIELD
        name = "embedded sample of S&P 500 closing prices (skfolio, BSD-3-Clause)"
        table = _read_sample()
    else:
        name = f"{path} ({price} prices)"
        table = prices.read(path, price)
    start, end = options.days()
    table = prices.select(table, source=name, symbols=options.wanted(), start=start, end=end)
    window = options.window or (SAMPLE_WINDOW if path is None else None)
    return prices.repair(table, source=name, field=price), name, price, window


def _read_sample() -> pd.DataFrame:
    wide = pd.read_csv(SAMPLE)
    long = wide.assign(row=wide.index + 2).melt(["Date", "row"], var_name="symbol", value_name="price")
    return long.rename(columns={"Date": "date"}).assign(file=SAMPLE.name)


def _drop_short(table: pd.DataFrame, name: str, window: int, min_days: int | None) -> tuple[pd.DataFrame, int]:
    """The rows of the stocks with enough days, and how many stocks had fewer."""
    days = table.groupby("symbol")["symbol"].transform("size")
    needed = max(window, min_days or 0) or int(days.max())
    short = table.loc[days < needed, "symbol"].nunique()
    if short:
        log.warning("%s: %s with fewer than %s days dropped", name, counted(short, "stock"), f"{needed:,}")
    return table[days >= needed], short


def _cut(table: pd.DataFrame, name: str, days: int, *, windows: bool) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """A row a sequence (symbol, first_date, last_date), and the prices (N, T); the most recent days are kept."""
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
        symbols = ", ".join(sequences.loc[~keep_N, "symbol"].unique())
        dropped = counted(int((~keep_N).sum()), "constant sequence")
        log.warning("%s: %s dropped, of %s", name, dropped, symbols)
    return keep_N


def _refuse_wild(sequences: pd.DataFrame, values_NT: NDArray[np.float32], scale: Scale, name: str) -> None:
    """UserError if the last price of a sequence, which its scale may not know, does not come back from its value."""
    with np.errstate(over="ignore"):
        last_N = restore(values_NT[:, -1:], scale)[:, 0]
    wild_N = ~(np.isfinite(last_N) & (last_N > 0))
    if wild_N.any():
        symbol = sequences["symbol"].iloc[int(wild_N.argmax())]
        raise UserError(
            f"{name}: the last price of {symbol} is too far from those before it; correct it, or leave {symbol} out by "
            "--symbols"
        )


def _split(inputs_NTF: NDArray[np.float32], info: pd.DataFrame, source: str) -> Splits:
    random = np.random.default_rng(SPLIT_SEED)
    stocks = random.permutation(np.array(sorted(info["symbol"].unique()), dtype=object))
    order_N = random.permutation(len(info))
    cuts = (round(0.6 * len(stocks)), round(0.8 * len(stocks)))
    parts = []
    for part in np.split(stocks, cuts):
        chosen_N = order_N[info["symbol"].isin(part).to_numpy()[order_N]]
        parts.append(Split(inputs_NTF=inputs_NTF[chosen_N], info=info.iloc[chosen_N].reset_index(drop=True)))
    return Splits(train=parts[0], validation=parts[1], test=parts[2], source=source)


def _warn_of_twins(table: pd.DataFrame, splits: Splits, name: str) -> None:
    """Name the test stocks that move like one that a model is trained or chosen on: they flatter the test."""
    logs = table.assign(price=np.log(table["price"])).pivot(index="date", columns="symbol", values="price")
    returns = logs.diff().fillna(0)
    returns = returns.loc[:, returns.std() > 0]
    if len(returns) < ALIKE_DAYS:
        return
    scaled = (returns - returns.mean()) / returns.std(ddof=0)
    tested = scaled.columns.isin(_symbols(splits.test))
    alike = scaled.loc[:, tested].T @ scaled.loc[:, ~tested] / len(scaled)
    pairs = [f"{alike.index[one]} like {alike.columns[other]}" for one, other in np.argwhere(alike.to_numpy() > ALIKE)]
    if pairs:
        count = counted(len(pairs), "test stock")
        log.warning("%s: %s moving like one outside the test, which flatters it: %s", name, count, ", ".join(pairs))


def _symbols(split: Split) -> set[str]:
    assert split.info is not None
    return set(split.info["symbol"])
