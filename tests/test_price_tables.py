"""Layouts of price tables as people bring them."""

from __future__ import annotations

import numpy as np
import pytest
from stock_tables import (
    CASES,
    DAYS,
    SYMBOLS,
    check_same,
    prices,
    refusal,
    restored,
    save,
    save_folder,
    sequences,
    two_rows,
    warnings_of,
    wide,
    write,
)

from ae.data.sp500 import SAMPLE, Options, load

# Layouts

LAYOUTS = {
    "a column per stock": lambda table: wide(table).to_csv(),
    "the same, dates without a name": lambda table: wide(table).rename_axis(index=None).to_csv(),
    "the same, dates with another name": lambda table: wide(table).rename_axis(index="Datum").to_csv(),
    "the same, with numbered rows": lambda table: wide(table).reset_index().to_csv(),
    "the same, upside down": lambda table: wide(table)[::-1].to_csv(),
    "two header rows": lambda table: two_rows(table).to_csv(),
    "two header rows without names": lambda table: two_rows(table, names=False).to_csv(),
    "two header rows, the stock first": lambda table: two_rows(table, stock_first=True).to_csv(),
    "two header rows, numbered rows": lambda table: two_rows(table).reset_index().to_csv(),
    "two header rows, no row for the date": lambda table: two_rows(table).reset_index().to_csv(index=False),
    "Ticker": lambda table: table.rename(columns={"symbol": "Ticker"}).to_csv(index=False),
    "Symbol and Name": lambda table: table.rename(columns={"symbol": "Symbol"}).assign(Name="A").to_csv(index=False),
    "with numbered rows": lambda table: table.to_csv(),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_splits(tmp_path, caplog, layout):
    expected = load(save(prices(), tmp_path), Options(field="high"))
    path = write(LAYOUTS[layout](prices()), tmp_path / "table.csv")
    splits = load(path, Options(field="high"))
    assert warnings_of(caplog) == []
    for part in (splits.train, splits.validation, splits.test):
        part.info["field"] = "high"  # a column per stock does not say which prices it has
    check_same(splits, expected)


def test_the_log_says_what_was_understood(tmp_path, understood):
    days = "2015-01-05 to 2015-01-20"
    for name, layout in (("a column per stock", "columns"), ("two header rows", "columns"), ("Ticker", "rows")):
        path = write(LAYOUTS[name](prices()), tmp_path / "table.csv")
        assert understood(path)[1] == f"10 tickers in {layout}, {days}"
    assert understood(save_folder(prices(), tmp_path))[1] == f"10 tickers in 10 files, {days}"
    assert understood(path, symbols="S00,S01,S02,S03,S04", start="2015-01-08")[1].startswith(
        "5 tickers in rows, 2015-01-08"
    )


def test_a_column_per_stock_is_called_what_the_user_says(tmp_path):
    path = write(wide(prices()).to_csv(), tmp_path / "table.csv")
    assert load(path, Options()).source.startswith(f"{path}, 10 stocks")
    assert set(load(path, Options()).train.info["field"]) == {"price"}
    assert load(path, Options(field="Close")).source.startswith(f"{path} (close prices), 10 stocks")


def test_two_header_rows_have_every_field(tmp_path):
    path = write(two_rows(prices()).to_csv(), tmp_path / "table.csv")
    low = wide(prices(), "low")["S03"].astype(float)
    np.testing.assert_allclose(restored(load(path, Options(field="low")))["S03"], low, rtol=1e-6)
    message = refusal(path, field="volume")
    assert "row 1: no column 'volume'; the columns are close, high, low, open; --field names one of them" in message


def test_the_embedded_sample_can_be_brought_as_data(understood):
    splits, line = understood(SAMPLE, window=250)
    assert line == "20 tickers in columns, 1990-01-02 to 2022-12-28"
    for part in ("train", "validation", "test"):
        np.testing.assert_array_equal(getattr(splits, part).inputs_NTF, getattr(load(None, Options()), part).inputs_NTF)


def test_a_stock_in_a_column_may_start_late_end_early_and_be_called_low(tmp_path, caplog):
    frame = wide(prices()).rename(columns={"S00": "LOW", "S01": "OPEN", "S02": "NA"})
    frame.iloc[:4, 3] = ""
    frame.iloc[-3:, 4] = ""
    frame.iloc[5, 5] = "#N/A"
    values = restored(load(write(frame.to_csv(), tmp_path / "t.csv"), Options(field="low", min_days=5)))
    assert {"LOW", "OPEN", "NA"} < set(values.index)
    assert "5 missing prices: 1 filled with the price of the day before, 4 dropped" in warnings_of(caplog)[0]
    caplog.clear()
    path = write(frame.to_csv(), tmp_path / "t.csv")
    assert {"S03", "S04"}.isdisjoint(sequences(load(path, Options(field="low"))).index)
    assert "2 stocks with fewer than 12 days dropped" in warnings_of(caplog)[1]


@pytest.mark.parametrize("layout", ["a column per stock", "two header rows"])
def test_a_wrong_cell_in_a_column_of_a_stock_is_refused_with_its_place(tmp_path, layout):
    table = prices()
    table.loc[3 * DAYS + 6, "high"] = "oops"
    path = write(LAYOUTS[layout](table), tmp_path / "table.csv")
    row = 8 if layout == "a column per stock" else 10
    assert refusal(path).startswith(f"{path}, row {row}, column S03: a price must be a number, got 'oops'")
    assert len(sequences(load(path, Options(symbols="S00,S01,S02,S04,S05")))) == 5


def test_a_column_twice_or_none_is_refused_with_five_columns_at_most(tmp_path):
    text = wide(prices()).to_csv()
    path = write(text.replace("S07", "S01", 1), tmp_path / "table.csv")
    assert "row 1: more than one column 'S01'; delete one" in refusal(path)
    path = write(text.replace("Date", "Nr").replace("2015-01-", ""), tmp_path / "table.csv")
    assert "no column 'date'; the columns are Nr, S00, S01, S02, S03 and 6 more; name the" in refusal(path)
    path = write(prices(SYMBOLS[:1]).drop(columns="symbol").to_csv(), tmp_path / "S00.csv")
    assert "no column 'symbol'; the columns are '', date, open, high, low and 2 more; add it, or bring a" in refusal(
        path
    )
    path = write("Date\n2015-01-05\n", tmp_path / "table.csv")
    message = refusal(path)
    assert "no column of prices; the only column is 'Date'; separate columns by a comma, a semicolon," in message
    assert message.endswith("a column of dates and a column per stock, or the columns symbol, date and price")


# The cases


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("wide/closes.csv", "8 tickers in columns, 2016-01-04 to 2016-03-25"),
        ("wide/closes480.csv", "480 tickers in columns, 2016-01-04 to 2016-03-25"),
        ("yf-multi/prices.csv", "8 tickers in columns, 2016-01-04 to 2016-03-25"),
        ("yf-folder", "8 tickers in columns of 8 files, 2016-01-04 to 2016-03-25"),
        ("nasdaq/prices.csv", "8 tickers in rows, 2016-01-04 to 2016-03-25; dates read as MM/DD/YYYY"),
        ("split/prices.csv", "8 tickers in rows, 2016-01-04 to 2016-03-25"),
    ],
)
def test_the_cases_load(understood, name, line):
    if not CASES.is_dir():
        pytest.skip("the cases are not beside the repository")
    splits, said = understood(CASES / name)
    assert said == line
    assert len(sequences(splits)) == int(line.split()[0])
