"""Stock prices with faults: what is repaired or dropped with a count, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from stock_tables import DAYS, SYMBOLS, prices, refusal, restored, save, save_folder, sequences, warnings_of

from ae.data.sp500 import Options, load

# Faults that are repaired, or dropped with a count


def test_a_missing_price_takes_the_day_before(tmp_path, caplog):
    table = prices()
    table.loc[table["symbol"].eq("S02"), "high"] = [*["10"] * 5, "", "NA", *["20"] * 5]
    values = restored(load(save(table, tmp_path), Options()))["S02"]
    np.testing.assert_allclose(values, [10] * 7 + [20] * 5, rtol=1e-6)
    assert len(warnings_of(caplog)) == 1
    assert "2 missing prices: 2 filled with the price of the day before, 0 dropped" in warnings_of(caplog)[0]


def test_days_before_the_first_price_are_dropped_and_never_filled_from_another_stock(tmp_path, caplog):
    table = prices()
    table.loc[[2 * DAYS, 2 * DAYS + 1], "high"] = ""
    table.loc[table["symbol"] == "S05", "high"] = ""
    splits = load(save(table, tmp_path), Options(min_days=10))
    high = table.loc[table["symbol"] == "S02", "high"].iloc[2:].astype(float)
    np.testing.assert_allclose(restored(splits)["S02"], high, rtol=1e-6)
    assert "S05" not in restored(splits)
    (message,) = warnings_of(caplog)
    assert "day before, 14 dropped (before a stock's first price; 1 stock without any)" in message


def test_a_short_history_is_dropped_with_a_count(tmp_path, caplog):
    splits = load(save(prices().drop(index=[3, 4, 20]), tmp_path), Options())
    assert set(sequences(splits).index) == set(SYMBOLS) - {"S00", "S01"}
    (message,) = warnings_of(caplog)
    assert "2 stocks with fewer than 12 days dropped" in message


def test_identical_rows_are_kept_once(tmp_path, caplog):
    table = prices()
    table.loc[7, "high"] = ""
    expected = sequences(load(save(table, tmp_path), Options()))
    caplog.clear()
    twice = pd.concat([table, table.iloc[[7, 30, 30]]])
    pd.testing.assert_frame_equal(sequences(load(save(twice, tmp_path), Options())), expected)
    assert "3 repeated rows (same stock, day and price);" in warnings_of(caplog)[0]


def test_a_constant_series_is_dropped_and_named(tmp_path, caplog):
    table = prices()
    table.loc[table["symbol"].isin(["S02", "S06"]), "high"] = "5"
    assert set(sequences(load(save(table, tmp_path), Options())).index) == set(SYMBOLS) - {"S02", "S06"}
    (message,) = warnings_of(caplog)
    assert "2 constant sequences dropped: S02, S06" in message


def test_a_constant_window_is_dropped_and_the_stocks_others_are_kept(tmp_path, caplog):
    table = prices()
    table.loc[range(2 * DAYS, 2 * DAYS + 6), "high"] = "5"
    all_of = sequences(load(save(table, tmp_path), Options(window=6)))
    assert len(all_of.loc[["S02"]]) == 1
    assert len(all_of) == 19
    assert ": 1 constant sequence dropped: S02" in warnings_of(caplog)[0]


def test_one_of_a_fault_is_told_in_the_singular(tmp_path, caplog):
    table = prices()
    table.loc[7, "high"] = ""
    table = pd.concat([table, table.iloc[[30]], prices(["S10"], DAYS + 1)])
    load(save(table, tmp_path), Options(window=DAYS))
    messages = "\n".join(warnings_of(caplog))
    for part in ("1 missing price: 1 filled", ": 1 repeated row (", ": 1 oldest day outside the windows of 12 days"):
        assert part in messages
    message = refusal(save(prices(["A", "B"]).iloc[: DAYS + 1], tmp_path))
    assert ": 1 stock left" in message
    assert "dropped: 1 with fewer than 12 days, and 0 constant sequences;" in message
    assert refusal(save(prices(["A"]), tmp_path), symbols="?").endswith("; it has 1 symbol; the first is A")


# Faults that are refused


@pytest.mark.parametrize(
    ("column", "cell", "expected"),
    [
        ("high", "12,5", "row 40, column high: a price must be a number, got '12,5'"),
        ("high", "n.a.", "row 40, column high: a price must be a number, got 'n.a.'"),
        ("high", "True", "row 40, column high: a price must be a number, got 'True'"),
        ("high", "-3.5", "row 40, column high: a price must be > 0, got -3.5"),
        ("high", "0", "row 40, column high: a price must be > 0, got 0"),
        ("high", "inf", "row 40, column high: a price must be finite, got inf"),
        ("high", "1e999", "row 40, column high: a price must be "),
        ("high", "-inf", "row 40, column high: a price must be > 0, got -inf"),
        ("date", "05/01/2015", "row 40, column date: a date must be a day as YYYY-MM-DD, got '05/01/2015'"),
        ("date", "2015-02-30", "row 40, column date: a date must be a day as YYYY-MM-DD, got '2015-02-30'"),
        ("date", "", "row 40, column date: a date must be a day as YYYY-MM-DD, got ''"),
        ("symbol", "", "row 40, column symbol: every row needs a symbol"),
    ],
)
def test_a_wrong_cell_is_refused_with_its_row_and_column(tmp_path, column, cell, expected):
    table = prices()
    table.loc[40 - 2, column] = cell
    path = save(table, tmp_path)
    assert refusal(path).startswith(f"{path}, {expected}")


def test_a_wrong_cell_is_found_in_shuffled_rows(tmp_path):
    table = prices().sample(frac=1, random_state=3).reset_index(drop=True)
    table.loc[[55, 70], "high"] = "oops"
    assert "row 57, column high" in refusal(save(table, tmp_path))


def test_a_wrong_cell_of_a_stock_left_out_does_no_harm(tmp_path):
    table = prices()
    table.loc[0, "high"] = "oops"
    splits = load(save(table, tmp_path), Options(symbols=",".join(SYMBOLS[1:])))
    assert set(sequences(splits).index) == set(SYMBOLS[1:])


def test_a_column_of_booleans_is_no_price(tmp_path):
    assert "row 2, column high: a price must be a number" in refusal(save(prices().assign(high="True"), tmp_path))


def test_two_prices_for_a_day_are_refused_with_both_rows(tmp_path):
    table = prices()
    again = table.iloc[[30]].assign(high="1.25")
    message = refusal(save(pd.concat([table, again]), tmp_path))
    assert f"rows 32 and {len(table) + 2}, column high" in message
    assert f"got {float(table.loc[30, 'high'])} and 1.25 for S02 on 2015-01-13" in message


def test_two_prices_for_a_day_in_two_files_are_refused_with_both_files(tmp_path):
    folder = save_folder(prices(), tmp_path)
    save(prices().iloc[:DAYS].drop(columns="symbol").assign(high="7"), folder, "S00.csv")
    message = refusal(folder)
    assert f"{folder / 'S00.csv'}, row 2, and {folder / 'S00_data.csv'}, row 2," in message


def test_a_fault_in_a_folder_names_the_file_and_its_row(tmp_path):
    folder = save_folder(prices(), tmp_path)
    save(prices().iloc[:DAYS].assign(high=[*["5"] * 6, "x", *["6"] * 5]), folder, "S00_data.csv")
    assert refusal(folder).startswith(f"{folder / 'S00_data.csv'}, row 8, column high: a price must be a number")


def test_a_missing_column_is_refused_with_the_columns_that_there_are(tmp_path):
    path = save(prices().drop(columns="high"), tmp_path)
    assert "no column 'high'; the columns are symbol, date, open, low, close and 1 more" in refusal(path)
    assert "no column 'symbol'" in refusal(save(prices().drop(columns="symbol"), tmp_path))
    assert "no column 'date'" in refusal(save(prices().drop(columns="date"), tmp_path))
    assert "more than one column 'high'" in refusal(save(prices().rename(columns={"low": "high"}), tmp_path))


def test_an_unknown_symbol_is_refused_with_those_close_to_it(tmp_path):
    message = refusal(save(prices(), tmp_path), symbols="S01,s05x")
    assert "'s05x' is not in" in message
    assert "S05" in message.split("did you mean")[1]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("prices.csv", b"", "the file or its first line is empty"),
        ("prices.csv", b"symbol,date,high\n", "has no rows"),
        ("prices.csv", b"symbol,date,high\n\n\n", "has no rows"),
        ("prices.csv", b"symbol,date,high\nA,2015-01-05,1,2\n", "more cells than the header"),
        ("prices.csv", b"symbol,date,high\nA,2015-01-05,1\nA,2015-01-06,1,2\n", "cannot be read"),
        ("prices.csv", b'symbol,date,high\n"A,2015-01-05,1\n', "cannot be read"),
        ("prices.csv", b"\xff\xfe\x00s\x00y", "not UTF-8 text"),
        ("prices.csv.gz", b"symbol,date,high\n", "cannot be read"),
        ("prices.csv.gz", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03abc", "cannot be read"),
        ("prices.parquet", b"symbol,date,high\n", "cannot be read"),
        ("prices.parquet", b"", "cannot be read"),
        ("prices.xlsx", b"", "must be a folder or end in .csv, .csv.gz, .tsv"),
    ],
)
def test_an_unreadable_file_is_refused(tmp_path, name, content, expected):
    (tmp_path / name).write_bytes(content)
    message = refusal(tmp_path / name)
    assert message.startswith(str(tmp_path / name))
    assert expected in message


def test_a_missing_path_or_an_empty_folder_is_refused(tmp_path):
    assert "there is no such file or folder" in refusal(tmp_path / "none.csv")
    assert "no file in the folder ends in" in refusal(tmp_path)


def test_days_outside_the_table_are_refused_with_its_days(tmp_path):
    assert "the table covers 2015-01-05 to 2015-01-20" in refusal(save(prices(), tmp_path), start="2016-01-01")


def test_a_column_without_a_price_is_refused(tmp_path):
    assert "no row has a price" in refusal(save(prices().assign(high=""), tmp_path))


@pytest.mark.parametrize("options", [{"symbols": "S01,S02,S03,S04"}, {"window": 13}, {"min_days": 99}])
def test_fewer_than_five_stocks_are_refused(tmp_path, options):
    assert "at least 5 are needed to split 60/20/20 by stock" in refusal(save(prices(), tmp_path), **options)


def test_constant_stocks_count_among_those_dropped_below_five(tmp_path):
    table = prices(SYMBOLS[:5])
    table.loc[:DAYS, "high"] = "5"
    assert "4 stocks left, at least 5" in refusal(save(table, tmp_path))
