"""Looks for prices that are wrong by a factor: a split that was left unadjusted, or a price in other units.

A move counts if its factor is at least 2 up to noise, close to a whole number, and far beyond the moves of the same
stock around it. The limits were chosen on 505 stocks of 2014 to 2017 (open, high, low and close) and on the embedded
sample of 20 stocks, 1990 to 2022. They find the two splits that are unadjusted there (DISCA and DISCK, 2014-08-07), a
split that is one day off (LNT, 2016-05-19, close) and a low of a seventh (XL, 2015-08-24), and nothing else: not the
spin-offs (NI 2.5, EBAY 2.3, BAX 1.8, no whole numbers), not the crashes (AAPL 2000-09-29 by 2.08, 12 times its usual
moves; CHK 2016-02-08 by 2.02, 8 times; RRC 1990-04-10 by 3.00, 3 times), not HCA's low of 2015-08-24, 1.90 times lower.
A split by 3:2 cannot be told from a crash and is not looked for.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ae.words import counted

SMALLEST = 1.9
"""Smallest factor of a move."""
STEP_OFF, SPIKE_OFF = 0.05, 0.025
"""Largest relative distance of a factor from a whole number. A step has the day's own move in it, a spike has two."""
UNUSUAL = 20
"""Smallest size of a move, as a multiple of the stock's usual moves (logarithms)."""
NEAR = 30
"""Moves before and after one that show what is usual: three quarters of those that are not zero are smaller."""
LONGEST_GAP_DAYS = 31
"""Days between two prices over which a move is still one."""
SHOWN = 20
"""Stocks with a warning of their own."""

log = logging.getLogger(__name__)


def warn_of_factors(table: pd.DataFrame, *, source: str) -> None:
    """Log one warning for each stock with prices that look wrong by a factor, with the first day; nothing is changed.

    Args:
        table: one row per price, sorted by symbol and date; prices finite and above 0.
        source: names the table in messages.
    """
    prices, days = table["price"].to_numpy(np.float64), table["date"].to_numpy("datetime64[D]")
    symbols = table["symbol"].to_numpy()
    moves = np.diff(np.log(prices))
    same = (symbols[1:] == symbols[:-1]) & (np.diff(days).astype(int) <= LONGEST_GAP_DAYS)
    large = np.flatnonzero(same & (np.abs(moves) >= np.log(SMALLEST)))
    starts = np.flatnonzero(np.r_[True, symbols[1:] != symbols[:-1]])
    stock = np.searchsorted(starts, large, side="right") - 1
    warned = 0
    for one in np.unique(stock):
        first, end = starts[one], np.r_[starts, len(table)][one + 1]
        found = list(_wrong_factors(moves[first : end - 1], large[stock == one] - first))
        if found:
            warned += 1
        if found and warned <= SHOWN:
            _warn(source, symbols[first], prices[first:end], days[first:end], found)
    if warned > SHOWN:
        log.warning("%s: %s more with prices that look wrong by a factor", source, counted(warned - SHOWN, "stock"))


def _wrong_factors(moves: NDArray[np.float64], large: NDArray[np.int64]) -> Iterator[tuple[int, float, bool]]:
    """Position of the move, factor, and whether the next move undoes it."""
    back = -1
    for at in large:
        if at == back or not _is_unusual(moves, at):
            continue
        is_spike = at + 1 < len(moves) and abs(moves[at] + moves[at + 1]) < abs(moves[at]) / 4
        size = abs(moves[at] - moves[at + 1]) / 2 if is_spike else abs(moves[at])
        factor = float(np.exp(size))
        if abs(factor / round(factor) - 1) <= (SPIKE_OFF if is_spike else STEP_OFF):
            yield int(at), float(np.exp(np.sign(moves[at]) * size)), is_spike
            back = at + 1 if is_spike else -1


def _is_unusual(moves: NDArray[np.float64], at: int) -> bool:
    near = np.abs(moves[max(0, at - NEAR) : at + NEAR + 1])
    return bool(abs(moves[at]) >= UNUSUAL * np.quantile(near[near > 0], 0.75))


def _warn(
    source: str,
    symbol: str,
    prices: NDArray[np.float64],
    days: NDArray[np.datetime64],
    found: list[tuple[int, float, bool]],
) -> None:
    at, factor, is_spike = found[0]
    times = f"{factor:.3g} times" if factor > 1 else f"1/{1 / factor:.3g} of"
    seen = f"{prices[at]:g}, then {prices[at + 1]:g}"
    what = (
        f"the price of {days[at + 1]} is {times} those around it"
        if is_spike
        else (f"from {days[at + 1]} on, prices are {times} those before, like a split that is not adjusted")
    )
    more = f"; {counted(len(found) - 1, 'such day')} more" if len(found) > 1 else ""
    log.warning("%s: %s: %s (%s)%s; correct it, or leave it out with --symbols", source, symbol, what, seen, more)
