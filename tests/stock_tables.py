"""What the tests of stock prices share: a small table in Kaggle's layout, and what came of one."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ae.data.price_scale import Scale, restore
from ae.data.sp500 import Options, load
from ae.errors import UserError
from ae.splits import Splits

SYMBOLS = [f"S{number:02d}" for number in range(10)]
DAYS = 12
SHARED = Path(__file__).parents[1].parent / "shared"
"""Beside the repository on some machines."""
REAL = SHARED / "data" / "sp500" / "sp500_2014_2017.csv.gz"
"""All 505 stocks."""
CASES = SHARED / "cases"
"""Tables as people bring them."""


def prices(symbols: list[str] = SYMBOLS, days: int = DAYS) -> pd.DataFrame:
    """A table as text in the layout of Kaggle, so that a test can put anything into a cell."""
    random = np.random.default_rng(0)
    dates = pd.bdate_range("2015-01-05", periods=days).strftime("%Y-%m-%d")
    table = pd.DataFrame([(symbol, day) for symbol in symbols for day in dates], columns=["symbol", "date"])
    for column in ("open", "high", "low", "close"):
        table[column] = [f"{price:.2f}" for price in random.uniform(10, 90, len(table))]
    return table.assign(volume="1000").astype(object)


def save(table: pd.DataFrame, folder: Path, name: str = "prices.csv") -> Path:
    path = folder / name
    table.to_csv(path, index=False)
    return path


def save_folder(table: pd.DataFrame, folder: Path) -> Path:
    (folder / "stocks").mkdir()
    (folder / "stocks" / "README.txt").write_text("not a table")
    for symbol, rows in table.groupby("symbol"):
        save(rows.drop(columns="symbol"), folder / "stocks", f"{symbol}_data.csv")
    return folder / "stocks"


def sequences(splits: Splits) -> pd.DataFrame:
    """Every sequence of every split: its info, the split's name and the values, sorted."""
    parts = []
    for name in ("train", "validation", "test"):
        split = getattr(splits, name)
        assert split.info is not None
        assert split.inputs_NTF.dtype == np.float32
        assert np.isfinite(split.inputs_NTF).all()
        parts.append(split.info.assign(split=name, values=list(split.inputs_NTF[:, :, 0])))
    return pd.concat(parts).sort_values(["symbol", "first_date"]).set_index("symbol")


def restored(splits: Splits) -> pd.Series:
    """Prices of every sequence by symbol, put back from what the splits hold."""
    all_of = sequences(splits)
    return pd.Series(list(restore(np.stack(list(all_of["values"])), Scale.from_info(all_of))), index=all_of.index)


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def refusal(path: Path | None, **options: object) -> str:
    with pytest.raises(UserError, match=r".") as caught:
        load(path, Options(**options))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def check_same(splits: Splits, expected: Splits) -> None:
    for name in ("train", "validation", "test"):
        one, other = getattr(expected, name), getattr(splits, name)
        np.testing.assert_array_equal(one.inputs_NTF, other.inputs_NTF)
        pd.testing.assert_frame_equal(one.info, other.info)


def wide(table: pd.DataFrame, column: str = "high") -> pd.DataFrame:
    """A column per stock."""
    return table.pivot(index="date", columns="symbol", values=column).rename_axis(index="Date", columns=None)


def two_rows(table: pd.DataFrame, *, stock_first: bool = False, names: bool = True) -> pd.DataFrame:
    """A column per field and stock, as yfinance gives them."""
    parts = {column.title(): wide(table, column) for column in ("close", "high", "low", "open")}
    frame = pd.concat(parts, axis=1, names=["Price", "Ticker"] if names else [None, None])
    return frame.swaplevel(axis=1) if stock_first else frame


def typed(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype(float).set_axis(pd.to_datetime(frame.index).rename("Date"), axis=0)


def write(text: str, path: Path) -> Path:
    path.write_text(text, encoding="utf-8")
    return path
