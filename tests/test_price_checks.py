"""Prices that are wrong by a factor: a split that was left unadjusted, a price in other units."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from stock_tables import CASES, REAL, save, sequences, warnings_of

from ae.data.sp500 import Options, load

DAYS = 60
STOCKS = [f"S{number:02d}" for number in range(8)]


@pytest.fixture
def walks():
    """Prices of eight stocks that move by about a percent a day; one row per day, one column per stock."""
    random = np.random.default_rng(1)
    dates = pd.bdate_range("2016-01-04", periods=DAYS).strftime("%Y-%m-%d")
    moves = random.normal(0, 0.01, (DAYS, len(STOCKS)))
    return pd.DataFrame(50 * np.exp(moves.cumsum(axis=0)), index=pd.Index(dates, name="Date"), columns=STOCKS)


@pytest.fixture
def warned(tmp_path, caplog):
    """The warnings of a table with a column per stock."""

    def warned(frame, **options):
        caplog.clear()
        load(save(frame.reset_index(), tmp_path), Options(**options))
        return [line.split(": ", 1)[1] for line in warnings_of(caplog)]

    return warned


@pytest.mark.parametrize(("factor", "text"), [(1 / 7, "1/7"), (1 / 2, "1/2"), (10, "9.8"), (1 / 20, "1/2")])
def test_a_split_is_told_with_day_and_factor(walks, warned, factor, text):
    walks.loc["2016-02-15":, "S03"] *= factor
    (line,) = warned(walks)
    assert line.startswith(f"S03: from 2016-02-15 on, prices are {text}")
    assert "like a split that is not adjusted" in line


@pytest.mark.parametrize("factor", [100, 0.01, 7, 2])
@pytest.mark.parametrize("day", [1, 30, DAYS - 2])
def test_one_wrong_price_is_told_once_with_day_and_factor(walks, warned, factor, day):
    walks.iloc[day, 3] *= factor
    (line,) = warned(walks)
    assert line.startswith(f"S03: the price of {walks.index[day]} is ")
    said = line.split(" is ")[1].split(" ")[0]
    assert (1 / float(said[2:]) if said.startswith("1/") else float(said)) == pytest.approx(factor, rel=0.03)
    assert f"({walks.iloc[day - 1, 3]:g}, then {walks.iloc[day, 3]:g})" in line


def test_the_data_is_not_changed(walks, warned, tmp_path):
    walks.loc["2016-02-15":, "S03"] /= 7
    warned(walks)
    info = sequences(load(tmp_path / "prices.csv", Options()))
    np.testing.assert_allclose(
        info.loc["S03", ["minimum", "maximum"]].astype(float), [walks["S03"].min(), walks["S03"].max()]
    )


def test_each_stock_has_one_warning_with_its_first_day(walks, warned):
    walks.loc["2016-02-01":"2016-02-05", "S01"] *= 100
    walks.iloc[50, 1] *= 10
    walks.iloc[10, 5] *= 10
    first, second = warned(walks)
    assert first.startswith("S01: from 2016-02-01 on, prices are ")
    assert "; 2 such days more; correct it" in first
    assert second.startswith("S05: the price of 2016-01-18 is ")


def test_what_is_no_factor_is_not_told(walks, warned):
    walks.loc["2016-02-15":, "S00"] *= 0.4  # a spin-off
    walks.loc["2016-02-15":, "S01"] *= 0.65  # a crash
    walks["S02"] = np.random.default_rng(2).uniform(10, 90, DAYS)  # a wild stock
    walks["S03"] = [2.0 if day // 10 % 2 else 1.0 for day in range(DAYS)]  # a stock with large ticks
    walks["S04"] = walks["S04"].where(walks.index != "2016-02-15", 26.0 * 1.05)  # one day about half
    walks.loc[:, "S05"] = 50.0
    assert [line for line in warned(walks) if "constant" not in line] == []


def test_a_move_over_a_long_gap_or_between_stocks_is_not_told(walks, warned):
    walks["S01"] *= 7
    walks.loc["2016-01-20":"2016-03-10", "S02"] = np.nan
    walks.loc["2016-03-11":, "S02"] *= 7
    rows = walks.reset_index().melt("Date", var_name="Symbol", value_name="High").dropna()
    assert [
        line for line in warned(rows.set_index("Date"), min_days=20) if "prices are" in line or "the price" in line
    ] == []


def test_very_many_stocks_are_told_in_few_lines(walks, warned):
    frame = pd.concat([walks.add_prefix(prefix) for prefix in "ABCD"], axis=1)
    frame.loc["2016-02-15":] /= 7
    lines = [line for line in warned(frame) if "too easy" not in line]
    assert len(lines) == 21
    assert lines[-1] == "12 stocks more with prices that look wrong by a factor"


def test_the_case_is_told_once_per_symbol(caplog):
    if not CASES.is_dir():
        pytest.skip("the cases are not beside the repository")
    load(CASES / "split" / "prices.csv", Options())
    split, wrong = warnings_of(caplog)
    assert "CCC: from 2016-02-15 on, prices are 1/6.97 of those before" in split
    assert "DDD: the price of 2016-02-29 is 99 times those around it" in wrong


def test_the_embedded_sample_has_none(caplog):
    load(None, Options(window=50))
    assert [line for line in warnings_of(caplog) if "prices are" in line or "the price of" in line] == []


@pytest.mark.parametrize(("field", "wrong"), [("open", []), ("high", []), ("low", ["XL"]), ("close", ["LNT"])])
def test_the_505_stocks_have_two_splits_and_two_wrong_days(caplog, field, wrong):
    if not REAL.is_file():
        pytest.skip(f"{REAL.name}, the table of all 505 stocks, is not beside the repository")
    load(REAL, Options(field=field, min_days=16))
    lines = [line.split(": ", 1)[1] for line in warnings_of(caplog)]
    assert [line.split(": from 2014-08-07 ")[0] for line in lines if "prices are" in line] == ["DISCA", "DISCK"]
    assert [line.split(": the price of 201")[0] for line in lines if "around it" in line] == wrong
