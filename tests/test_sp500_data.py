"""Stock prices: formats, faults, the normaliser, and the split by stock."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ae.data import sp500
from ae.data.sp500 import Options, Scale, load, normalise, restore
from ae.task import Splits

REAL = Path(__file__).parents[1].parent / "shared" / "data" / "sp500" / "sp500_2014_2017.csv.gz"
SYMBOLS = [f"S{number:02d}" for number in range(10)]
DAYS = 12
ROW = {symbol: 2 + index * DAYS for index, symbol in enumerate(SYMBOLS)}
"""First row of each symbol in the file that `save` writes."""


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
    return pd.Series(list(restore(np.stack(list(all_of["values"])), Scale.of(all_of))), index=all_of.index)


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def refusal(path: Path | None, **options: object) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        load(path, Options(**options))
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Formats


def test_a_table_gives_one_sequence_a_stock_that_restores_to_its_prices(tmp_path, caplog):
    table = prices()
    splits = load(save(table, tmp_path), Options())
    assert [len(split) for split in (splits.train, splits.validation, splits.test)] == [6, 2, 2]
    assert splits.train.inputs_NTF.shape == (6, DAYS, 1)
    for symbol, values in restored(splits).items():
        expected = table.loc[table["symbol"] == symbol, "high"].astype(float)
        np.testing.assert_allclose(values, expected, rtol=1e-6)
    assert list(splits.train.info.columns) == ["symbol", "first_date", "last_date", "minimum", "maximum", "mean"]
    assert (splits.train.info["first_date"] == pd.Timestamp("2015-01-05")).all()
    assert (splits.train.info["last_date"] == pd.Timestamp("2015-01-20")).all()
    for part in ("prices.csv", "high", "10 stocks", "12 days"):
        assert part in splits.source
    assert warnings_of(caplog) == []


def write_second_layout(table: pd.DataFrame, folder: Path) -> Path:
    columns = ["date", "open", "high", "low", "close", "volume", "Name"]
    return save(table.rename(columns={"symbol": "Name"})[columns], folder)


def write_parquet(table: pd.DataFrame, folder: Path) -> Path:
    typed = table.astype({"high": float, "close": float}).assign(date=pd.to_datetime(table["date"]))
    typed.to_parquet(folder / "prices.parquet")
    return folder / "prices.parquet"


def write_indexed_parquet(table: pd.DataFrame, folder: Path) -> Path:
    table.assign(high=table["high"].astype(float)).set_index("date").to_parquet(folder / "prices.parquet")
    return folder / "prices.parquet"


def write_folder(table: pd.DataFrame, folder: Path) -> Path:
    (folder / "stocks").mkdir()
    (folder / "stocks" / "README.txt").write_text("not a table")
    for symbol, rows in table.groupby("symbol"):
        save(rows.drop(columns="symbol"), folder / "stocks", f"{symbol}_data.csv")
    return folder / "stocks"


def write_mixed_folder(table: pd.DataFrame, folder: Path) -> Path:
    (folder / "stocks").mkdir()
    for symbol, rows in table.groupby("symbol"):
        named = symbol in SYMBOLS[:3]
        save(rows if named else rows.drop(columns="symbol"), folder / "stocks", f"{'x' if named else symbol}.csv.gz")
        if named:
            (folder / "stocks" / "x.csv.gz").rename(folder / "stocks" / f"any-{symbol}.csv.gz")
    return folder / "stocks"


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(write_second_layout, id="Name last"),
        pytest.param(lambda table, folder: save(table, folder, "prices.csv.gz"), id="csv.gz"),
        pytest.param(lambda table, folder: save(table, folder, "PRICES.CSV"), id="upper-case ending"),
        pytest.param(lambda table, folder: save(table.rename(columns=str.title), folder), id="upper-case columns"),
        pytest.param(lambda table, folder: save(table.assign(date=table["date"] + " 16:00"), folder), id="with a time"),
        pytest.param(write_parquet, id="parquet"),
        pytest.param(write_indexed_parquet, id="parquet, date as index"),
        pytest.param(write_folder, id="folder"),
        pytest.param(write_mixed_folder, id="folder, some with a symbol column"),
        pytest.param(lambda table, folder: save(table.sample(frac=1, random_state=1), folder), id="shuffled rows"),
        pytest.param(lambda table, folder: save(table[::-1], folder), id="reversed rows"),
    ],
)
def test_every_format_and_row_order_gives_the_same_splits(tmp_path, write):
    expected = load(save(prices(), tmp_path, "expected.csv"), Options())
    splits = load(write(prices(), tmp_path), Options())
    for name in ("train", "validation", "test"):
        one, other = getattr(expected, name), getattr(splits, name)
        np.testing.assert_array_equal(one.inputs_NTF, other.inputs_NTF)
        pd.testing.assert_frame_equal(one.info, other.info)


def test_blank_lines_are_no_rows_and_keep_the_row_numbers_right(tmp_path):
    path = save(prices(), tmp_path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:4], "", *lines[4:], "", ""]))
    assert len(sequences(load(path, Options()))) == 10
    path.write_text("\n".join([*lines[:4], "", lines[4].replace("2015", "20-15"), *lines[5:]]))
    assert "row 6, column date" in refusal(path)


def test_a_stock_may_be_called_na_or_true(tmp_path):
    path = save(prices(["NA", "TRUE", "null", "1", "01"]), tmp_path)
    assert set(sequences(load(path, Options())).index) == {"NA", "TRUE", "null", "1", "01"}


# The embedded sample


def test_the_embedded_sample_loads_and_says_what_it_is():
    splits = load(None, Options())
    for part in ("embedded sample", "closing prices", "20 stocks"):
        assert part in splits.source
    assert splits.train.inputs_NTF.shape[1:] == (sp500.SAMPLE_WINDOW, 1)
    all_of = sequences(splits)
    assert all_of.index.nunique() == 20
    assert all_of["last_date"].max() == pd.Timestamp("2022-12-28")
    wide = pd.read_csv(sp500.SAMPLE, index_col="Date")
    np.testing.assert_allclose(restored(splits)["AAPL"].iloc[-1], wide["AAPL"].iloc[-250:], rtol=1e-6)


def test_the_embedded_sample_has_closing_prices_only():
    assert "closing prices only" in refusal(None, field="low")
    assert load(None, Options(field="close")).source == load(None, Options()).source


def test_the_embedded_sample_comes_with_its_licence_and_source():
    assert "skfolio" in (sp500.SAMPLE.parent / "README.md").read_text()
    assert "BSD 3-Clause" in (sp500.SAMPLE.parent / "LICENSE").read_text()


# Options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 1}, "--window must be >= 2, got 1"),
        ({"min_days": 0}, "--min-days must be >= 2, got 0"),
        ({"start": "5 May"}, "--start must be a day as YYYY-MM-DD, got '5 May'"),
        ({"end": "2015-02-30"}, "--end must be a day as YYYY-MM-DD, got '2015-02-30'"),
        (
            {"start": "2016-01-01", "end": "2015-01-01"},
            "--start must not be after --end, got 2016-01-01 and 2015-01-01",
        ),
        ({"field": " "}, "--field must name a column of prices, got ' '"),
        ({"field": "date"}, "--field must name a column of prices, got 'date'"),
        ({"symbols": " ,"}, "--symbols must name a stock, got ' ,'"),
    ],
)
def test_a_wrong_option_is_refused(options, message):
    with pytest.raises(ValueError, match=r".") as caught:
        Options(**options)
    assert str(caught.value) == message


def test_the_field_picks_the_column(tmp_path):
    table = prices()
    values = restored(load(save(table, tmp_path), Options(field="Low")))["S03"]
    np.testing.assert_allclose(values, table.loc[table["symbol"] == "S03", "low"].astype(float), rtol=1e-6)


def test_start_and_end_are_inclusive(tmp_path):
    all_of = sequences(load(save(prices(), tmp_path), Options(start="2015-01-06", end="2015-01-09")))
    assert all_of["first_date"].eq(pd.Timestamp("2015-01-06")).all()
    assert all_of["last_date"].eq(pd.Timestamp("2015-01-09")).all()
    assert all_of["values"].map(len).eq(4).all()


def test_symbols_take_only_these_stocks(tmp_path):
    splits = load(save(prices(), tmp_path), Options(symbols="S01, S03,S05,S07,S09"))
    assert list(sequences(splits).index) == ["S01", "S03", "S05", "S07", "S09"]
    assert [len(split) for split in (splits.train, splits.validation, splits.test)] == [3, 1, 1]


def test_windows_do_not_overlap_and_keep_the_most_recent_days(tmp_path, caplog):
    table = prices()
    splits = load(save(table, tmp_path), Options(window=5))
    assert restored(splits)["S04"].shape == (2,)
    high = table.loc[table["symbol"] == "S04", "high"].astype(float)
    np.testing.assert_allclose(np.concatenate(restored(splits)["S04"].to_list()), high.iloc[2:], rtol=1e-6)
    assert len(warnings_of(caplog)) == 1
    assert "20 oldest days" in warnings_of(caplog)[0]
    assert "20 windows of 5 days" in splits.source


def test_min_days_keeps_shorter_stocks_and_everyones_most_recent_days(tmp_path, caplog):
    table = prices().drop(index=[*range(0, 4), *range(DAYS, DAYS + 5)])  # S00 has 8 days left, S01 has 7
    splits = load(save(table, tmp_path), Options(min_days=8))
    assert "S00" in restored(splits)
    assert "S01" not in restored(splits)
    high = table.loc[table["symbol"] == "S04", "high"].astype(float)
    np.testing.assert_allclose(restored(splits)["S04"], high.iloc[-8:], rtol=1e-6)
    assert len(warnings_of(caplog)) == 1
    assert "1 stocks with fewer than 8 days dropped" in warnings_of(caplog)[0]


# Faults that are repaired, or dropped with a count


def test_a_missing_price_takes_the_day_before(tmp_path, caplog):
    table = prices()
    table.loc[table["symbol"].eq("S02"), "high"] = [*["10"] * 5, "", "NA", *["20"] * 5]
    values = restored(load(save(table, tmp_path), Options()))["S02"]
    np.testing.assert_allclose(values, [10] * 7 + [20] * 5, rtol=1e-6)
    assert len(warnings_of(caplog)) == 1
    assert "2 missing prices: 2 took the price of the day before, 0 before" in warnings_of(caplog)[0]


def test_days_before_the_first_price_are_dropped_and_never_filled_from_another_stock(tmp_path, caplog):
    table = prices()
    table.loc[[2 * DAYS, 2 * DAYS + 1], "high"] = ""
    table.loc[table["symbol"] == "S05", "high"] = ""
    splits = load(save(table, tmp_path), Options(min_days=10))
    high = table.loc[table["symbol"] == "S02", "high"].iloc[2:].astype(float)
    np.testing.assert_allclose(restored(splits)["S02"], high, rtol=1e-6)
    assert "S05" not in restored(splits)
    (message,) = warnings_of(caplog)
    assert "0 took the price of the day before, 14 before a stock's first price dropped, with 1 stocks" in message


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
    assert "3 rows repeat a stock, day and price" in warnings_of(caplog)[0]


def test_a_constant_series_is_dropped_and_named(tmp_path, caplog):
    table = prices()
    table.loc[table["symbol"].isin(["S02", "S06"]), "high"] = "5"
    assert set(sequences(load(save(table, tmp_path), Options())).index) == set(SYMBOLS) - {"S02", "S06"}
    (message,) = warnings_of(caplog)
    assert "2 constant sequences dropped, of S02, S06" in message


def test_a_constant_window_is_dropped_and_the_stocks_others_are_kept(tmp_path, caplog):
    table = prices()
    table.loc[range(2 * DAYS, 2 * DAYS + 6), "high"] = "5"
    all_of = sequences(load(save(table, tmp_path), Options(window=6)))
    assert len(all_of.loc[["S02"]]) == 1
    assert len(all_of) == 19
    assert "1 constant sequences dropped, of S02" in warnings_of(caplog)[0]


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
    folder = write_folder(prices(), tmp_path)
    save(prices().iloc[:DAYS].drop(columns="symbol").assign(high="7"), folder, "S00.csv")
    message = refusal(folder)
    assert f"{folder / 'S00.csv'}, row 2, and {folder / 'S00_data.csv'}, row 2," in message


def test_a_fault_in_a_folder_names_the_file_and_its_row(tmp_path):
    folder = write_folder(prices(), tmp_path)
    save(prices().iloc[:DAYS].assign(high=[*["5"] * 6, "x", *["6"] * 5]), folder, "S00_data.csv")
    assert refusal(folder).startswith(f"{folder / 'S00_data.csv'}, row 8, column high: a price must be a number")


def test_a_missing_column_is_refused_with_the_columns_that_there_are(tmp_path):
    path = save(prices().drop(columns="high"), tmp_path)
    assert "no column 'high'; the columns are symbol, date, open, low, close, volume" in refusal(path)
    assert "no column 'symbol'" in refusal(save(prices().drop(columns="symbol"), tmp_path))
    assert "no column 'date'" in refusal(save(prices().drop(columns="date"), tmp_path))
    assert "more than one column 'high'" in refusal(save(prices().rename(columns={"low": "high"}), tmp_path))


def test_an_unknown_symbol_is_refused_with_those_close_to_it(tmp_path):
    message = refusal(save(prices(), tmp_path), symbols="S01,s05x")
    assert "'s05x' is not in" in message
    assert "S05" in message.split("close to it")[1]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("prices.csv", b"", "the file or its first line is empty"),
        ("prices.csv", b"symbol,date,high\n", "holds no rows"),
        ("prices.csv", b"symbol,date,high\n\n\n", "holds no rows"),
        ("prices.csv", b"symbol,date,high\nA,2015-01-05,1,2\n", "more cells than the header"),
        ("prices.csv", b"symbol,date,high\nA,2015-01-05,1\nA,2015-01-06,1,2\n", "cannot be read"),
        ("prices.csv", b'symbol,date,high\n"A,2015-01-05,1\n', "cannot be read"),
        ("prices.csv", b"\xff\xfe\x00s\x00y", "not UTF-8 text"),
        ("prices.csv.gz", b"symbol,date,high\n", "cannot be read"),
        ("prices.csv.gz", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03abc", "cannot be read"),
        ("prices.parquet", b"symbol,date,high\n", "cannot be read"),
        ("prices.parquet", b"", "cannot be read"),
        ("prices.xlsx", b"", "must be a folder or end in .csv.gz, .csv, .parquet"),
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
    assert "its days are 2015-01-05 to 2015-01-20" in refusal(save(prices(), tmp_path), start="2016-01-01")


def test_a_column_without_a_price_is_refused(tmp_path):
    assert "no row has a price" in refusal(save(prices().assign(high=""), tmp_path))


@pytest.mark.parametrize("options", [{"symbols": "S01,S02,S03,S04"}, {"window": 13}, {"min_days": 99}])
def test_fewer_than_five_stocks_are_refused(tmp_path, options):
    assert "at least 5 are needed to split 60/20/20 by stock" in refusal(save(prices(), tmp_path), **options)


def test_constant_stocks_count_among_those_dropped_below_five(tmp_path):
    table = prices(SYMBOLS[:5])
    table.loc[:DAYS, "high"] = "5"
    assert "4 stocks left, at least 5" in refusal(save(table, tmp_path))


# The normaliser


def test_the_two_steps_by_hand():
    values_NT, scale = normalise(np.array([[2.0, 4.0, 8.0, 6.0]]))
    np.testing.assert_allclose(values_NT, [[0, 1 / 3, 1, 2 / 3]], rtol=1e-6)
    assert values_NT.dtype == np.float32
    assert (scale.minimum_N[0], scale.maximum_N[0], scale.mean_N[0]) == (2.0, 8.0, 0.375)


def test_statistics_come_from_the_seen_days_alone():
    values_NT, scale = normalise(np.array([[2.0, 4.0, 8.0, 100.0]]), seen=3)
    assert (scale.minimum_N[0], scale.maximum_N[0]) == (2.0, 8.0)
    assert values_NT[0, :3].mean() == pytest.approx(0.5)
    assert restore(values_NT, scale)[0, 3] == pytest.approx(100, rel=1e-6)


@pytest.mark.parametrize(
    ("prices_NT", "seen", "message"),
    [
        ([[1.0, 2.0], [3.0, 3.0]], None, "sequence 1 is constant over its 2 seen days"),
        ([[3.0, 3.0, 4.0]], 2, "sequence 0 is constant over its 2 seen days"),
        ([[1.0, np.nan]], None, "finite and > 0"),
        ([[1.0, 0.0]], None, "finite and > 0"),
        ([[1.0, 2.0]], 1, "seen must be 2 to T = 2"),
        ([[1.0, 2.0]], 3, "seen must be 2 to T = 2"),
    ],
)
def test_what_cannot_be_normalised_is_refused(prices_NT, seen, message):
    with pytest.raises(ValueError, match=message):
        normalise(np.array(prices_NT), seen=seen)


# Splits


def test_all_the_windows_of_a_stock_are_in_one_split(tmp_path):
    all_of = sequences(load(save(prices(), tmp_path), Options(window=3)))
    assert len(all_of) == 40
    assert (all_of.groupby("symbol")["split"].nunique() == 1).all()
    assert all_of.groupby("split").size().to_dict() == {"train": 24, "validation": 8, "test": 8}


def test_a_stocks_values_do_not_depend_on_the_other_stocks(tmp_path):
    table = prices()
    before = sequences(load(save(table, tmp_path), Options()))
    table.loc[table["symbol"] == "S00", "high"] = [str(1000 * (day + 1)) for day in range(DAYS)]
    after = sequences(load(save(table, tmp_path), Options()))
    pd.testing.assert_frame_equal(before.drop(index="S00"), after.drop(index="S00"))
    assert before.loc["S00", "maximum"] != after.loc["S00", "maximum"]


def test_a_split_is_shuffled_so_that_its_head_is_a_sample(tmp_path):
    info = load(save(prices(), tmp_path), Options(window=3)).train.info
    assert info is not None
    assert info["symbol"].tolist() != info["symbol"].sort_values().tolist()
    assert info["symbol"].head(8).nunique() > 2


@pytest.mark.parametrize("window", [None, 4])
def test_a_day_held_out_leaves_no_trace_in_the_others(tmp_path, window):
    table = prices()
    path = save(table, tmp_path)
    before = sequences(load(path, Options(window=window), hold_out_last=True))
    table.loc[DAYS - 1 :: DAYS, "high"] = "9999"  # every stock's last day
    after = sequences(load(save(table, tmp_path), Options(window=window), hold_out_last=True))
    pd.testing.assert_frame_equal(before.drop(columns="values"), after.drop(columns="values"))
    np.testing.assert_array_equal(*(np.stack([row[:-1] for row in part["values"]]) for part in (before, after)))
    assert (np.stack(list(after["values"]))[:, -1] > np.stack(list(before["values"]))[:, -1]).any()
    np.testing.assert_allclose([row[:-1].mean() for row in after["values"]], 0.5, rtol=1e-5)


def test_without_a_day_held_out_the_last_day_does_scale_the_others(tmp_path):
    table = prices()
    before = sequences(load(save(table, tmp_path), Options()))
    table.loc[DAYS - 1 :: DAYS, "high"] = "9999"
    after = sequences(load(save(table, tmp_path), Options()))
    assert (before["mean"] != after["mean"]).all()


def test_a_sequence_that_varies_on_the_held_out_day_alone_is_constant(tmp_path, caplog):
    table = prices()
    table.loc[table["symbol"] == "S02", "high"] = [*["5"] * (DAYS - 1), "6"]
    path = save(table, tmp_path)
    assert "S02" not in sequences(load(path, Options(), hold_out_last=True)).index
    assert "1 constant sequences dropped, of S02" in warnings_of(caplog)[0]
    assert "S02" in sequences(load(path, Options())).index


def test_holding_a_day_out_needs_three_others(tmp_path):
    with pytest.raises(ValueError, match="a sequence must have at least 4 days here, got 2"):
        load(save(prices(), tmp_path), Options(window=2), hold_out_last=True)


# All 505 stocks


@pytest.fixture(scope="module")
def real() -> Path:
    if not REAL.is_file():
        pytest.skip(f"{REAL.name}, the table of all 505 stocks, is not beside the repository")
    return REAL


@pytest.mark.parametrize("field", ["high", "open"])
def test_all_505_stocks_follow_the_two_steps_and_come_back(real, field):
    table = pd.read_csv(real).sort_values(["symbol", "date"])
    table[field] = table.groupby("symbol")[field].ffill()
    histories = dict(list(table.dropna(subset=[field]).groupby("symbol")[field]))
    assert len(histories) == 505
    for symbol, history in histories.items():
        x = history.to_numpy()
        y = (x - x.min()) / x.max()
        values_NT, scale = normalise(x[None])
        np.testing.assert_allclose(values_NT[0], y / (2 * y.mean()), rtol=1e-6, err_msg=symbol)
        assert values_NT[0].mean(dtype=np.float64) == pytest.approx(0.5, rel=1e-6)
        np.testing.assert_allclose(restore(values_NT, scale)[0], x, rtol=1e-6, err_msg=symbol)


def test_the_505_stocks_load_as_they_are(real, caplog):
    splits = load(real, Options())
    assert "479 stocks" in splits.source
    all_of = sequences(splits)
    assert len(all_of) == 479
    assert all_of["values"].map(len).eq(1007).all()
    np.testing.assert_allclose([row.mean(dtype=np.float64) for row in all_of["values"]], 0.5, rtol=1e-6)
    assert ["8 missing prices" in line for line in warnings_of(caplog)] == [True, False]
    assert "26 stocks with fewer than 1,007 days dropped" in warnings_of(caplog)[1]
    assert len(sequences(load(real, Options(min_days=16)))) == 505
