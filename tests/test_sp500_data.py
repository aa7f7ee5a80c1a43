"""Stock prices: formats, the embedded sample, and options."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from stock_tables import DAYS, SYMBOLS, prices, refusal, restored, save, save_folder, sequences, warnings_of

from ae.data import sp500
from ae.data.sp500 import Options, load
from ae.errors import UserError

# Formats


def test_a_table_gives_one_sequence_a_stock_that_restores_to_its_prices(tmp_path, caplog):
    table = prices()
    splits = load(save(table, tmp_path), Options())
    assert [len(split) for split in (splits.train, splits.validation, splits.test)] == [6, 2, 2]
    assert splits.train.inputs_NTF.shape == (6, DAYS, 1)
    for symbol, values in restored(splits).items():
        expected = table.loc[table["symbol"] == symbol, "high"].astype(float)
        np.testing.assert_allclose(values, expected, rtol=1e-6)
    of_prices = ["field", "minimum", "maximum", "mean"]
    assert list(splits.train.info.columns) == ["symbol", "first_date", "last_date", *of_prices]
    assert set(splits.train.info["field"]) == {"high"}
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
        pytest.param(save_folder, id="folder"),
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
    with pytest.raises(UserError, match=r".") as caught:
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
    assert ": 1 stock with fewer than 8 days dropped" in warnings_of(caplog)[0]
