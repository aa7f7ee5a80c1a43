"""Separators, prices and dates of tables, in any notation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from stock_tables import (
    prices,
    refusal,
    restored,
    save,
    sequences,
    warnings_of,
    wide,
)

from ae.data.sp500 import Options, load

# Separators and cells


def german(table: pd.DataFrame) -> pd.DataFrame:
    high = [f"{float(price) * 100:,.2f}".translate(str.maketrans(",.", ".,")) for price in table["high"]]
    return table.assign(high=high, date=pd.to_datetime(table["date"]).dt.strftime("%d.%m.%Y"))


def american(table: pd.DataFrame) -> pd.DataFrame:
    high = [f"${float(price) * 100:,.2f}" for price in table["high"]]
    return table.assign(high=high, date=pd.to_datetime(table["date"]).dt.strftime("%m/%d/%Y"))


@pytest.mark.parametrize("layout", ["rows", "columns"])
@pytest.mark.parametrize(
    ("name", "separator", "change", "form"),
    [
        ("t.tsv", "\t", None, ""),
        ("t.txt", "\t", None, ""),
        ("t.txt", ",", None, ""),
        ("t.csv", "|", None, ""),
        ("t.csv", ";", german, "; dates read as DD.MM.YYYY"),
        ("t.csv", ",", german, "; dates read as DD.MM.YYYY"),
        ("t.txt", "\t", german, "; dates read as DD.MM.YYYY"),
        ("t.csv", ",", american, "; dates read as MM/DD/YYYY"),
        ("t.csv", ";", american, "; dates read as MM/DD/YYYY"),
    ],
)
def test_any_separator_and_any_notation_of_prices(tmp_path, understood, layout, name, separator, change, form):
    table = prices()
    written = change(table) if change else table
    frame = wide(written).reset_index() if layout == "columns" else written
    frame.to_csv(tmp_path / name, sep=separator, index=False)
    splits, line = understood(tmp_path / name)
    assert line == f"10 tickers in {layout}, 2015-01-05 to 2015-01-20{form}"
    for symbol, values in restored(splits).items():
        high = table.loc[table["symbol"] == symbol, "high"].astype(float)
        np.testing.assert_allclose(values, high * (100 if change else 1), rtol=1e-6)


@pytest.mark.parametrize(
    ("cells", "separator", "price"),
    [
        (["1,234", "900.5"], ",", 1234),
        (["1,234", "900,5"], ";", 1.234),
        (["1.234", "900,5"], ";", 1234),
        (["1.234,5", "900"], ";", 1234.5),
        (["1 234,5", "900"], ";", 1234.5),
        (["1'234.5", "900"], ",", 1234.5),
        (["1,234", "900"], ";", 1.234),
        (["1,234", "900"], ",", 1234),
        (["1,234", "0,5"], ",", 1.234),
        (["1,234,567", "0.5"], ",", 1234567),
        (["€ 20,27", "3"], ";", 20.27),
        (["20.27 $", "3"], ",", 20.27),
        ([" 20.27 ", "x3"], ",", 20.27),
    ],
)
def test_what_a_comma_means_follows_from_the_whole_column(tmp_path, cells, separator, price):
    table = prices()
    table["high"] = [cells[0], *[cells[1].replace("x", "")] * (len(table) - 1)]
    table["high"] += [str(number % 3) if number else "" for number in range(len(table))]  # no constant stock
    table.to_csv(tmp_path / "t.csv", sep=separator, index=False)
    assert restored(load(tmp_path / "t.csv", Options()))["S00"][0] == pytest.approx(price, rel=1e-5)


@pytest.mark.parametrize("cell", ["12.5", "1,2,3", "12,5,3", "1.23.4", "12,345.6", "(5)", "1 2"])
def test_a_number_of_the_wrong_notation_is_refused(tmp_path, cell):
    table = german(prices())
    table.loc[40 - 2, "high"] = cell
    table.to_csv(tmp_path / "t.csv", sep=";", index=False)
    assert f"row 40, column high: a price must be a number, got '{cell}'" in refusal(tmp_path / "t.csv")


@pytest.mark.parametrize("cell", ["#N/A", "-", "n/a", "--", "$-", " "])
def test_what_stands_for_a_missing_price(tmp_path, caplog, cell):
    table = prices()
    table.loc[40, "high"] = cell
    load(save(table, tmp_path), Options())
    assert "1 missing price: 1 filled" in warnings_of(caplog)[0]


# Dates


@pytest.mark.parametrize(
    ("pattern", "form"),
    [
        ("%Y-%m-%d 16:00:00-05:00", ""),
        ("%Y%m%d", "YYYYMMDD"),
        ("%Y/%m/%d", "YYYY/MM/DD"),
        ("%m/%d/%Y", "MM/DD/YYYY"),
        ("%d/%m/%Y", "DD/MM/YYYY"),
        ("%m/%d/%Y 16:00", "MM/DD/YYYY"),
        ("%d-%m-%Y", "DD-MM-YYYY"),
        ("%d.%m.%Y", "DD.MM.YYYY"),
        ("%m/%d/%y", "MM/DD/YY"),
        ("%d-%b-%Y", "DD-Mon-YYYY"),
        ("%d.%m.%y", "DD.MM.YY"),
        ("%b %d, %Y", "Mon DD, YYYY"),
    ],
)
@pytest.mark.parametrize("layout", ["rows", "columns"])
def test_dates_are_read_in_the_one_form_that_fits_all(tmp_path, understood, pattern, form, layout):
    table = prices()
    expected = sequences(load(save(table, tmp_path), Options()))
    table["date"] = pd.to_datetime(table["date"]).dt.strftime(pattern)
    frame = wide(table).reset_index() if layout == "columns" else table
    splits, line = understood(save(frame, tmp_path))
    assert line.partition("; dates read as ")[2] == form
    pd.testing.assert_frame_equal(sequences(splits).drop(columns="field"), expected.drop(columns="field"))


def test_dates_with_two_readings_are_refused(tmp_path):
    table = prices(days=6).assign(date=np.tile([f"0{day}/02/2015" for day in range(3, 9)], 10))
    path = save(table, tmp_path)
    line = "row 2, column date: the dates could be MM/DD/YYYY or DD/MM/YYYY, got '03/02/2015'; write them as YYYY-MM-DD"
    assert refusal(path) == f"{path}, {line}"
    table.loc[59, "date"] = "13/02/2015"
    assert load(save(table, tmp_path), Options(min_days=5)).train.info["first_date"].max().month == 2


def test_a_date_in_another_form_than_the_others_is_refused(tmp_path):
    table = american(prices())
    table.loc[40 - 2, "date"] = "2015-01-05"
    message = refusal(save(table, tmp_path))
    assert "row 40, column date: a date must be a day as MM/DD/YYYY, like the others, got '2015-01-05'" in message
