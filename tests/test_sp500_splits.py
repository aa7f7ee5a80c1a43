"""Stock prices: the normaliser, the split by stock, and all 505 stocks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from stock_tables import DAYS, REAL, prices, save, sequences, warnings_of

from ae.data.price_scale import normalise, restore
from ae.data.sp500 import Options, load
from ae.errors import UserError

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
        ([[1.0, 2.0]], 1, "seen must be from 2 to T = 2"),
        ([[1.0, 2.0]], 3, "seen must be from 2 to T = 2"),
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


def test_a_test_stock_that_moves_like_one_outside_the_test_is_named(tmp_path, caplog):
    table = prices(days=70)
    where = sequences(load(save(table, tmp_path), Options()))["split"]
    assert warnings_of(caplog) == []
    tested, trained = (where.index[where == split][0] for split in ("test", "train"))
    twice = table.loc[table["symbol"] == trained, "high"].astype(float) * 2
    table.loc[table["symbol"] == tested, "high"] = twice.map("{:.2f}".format).to_numpy()
    load(save(table, tmp_path), Options())
    assert warnings_of(caplog)[0].endswith(
        f": 1 test stock moving like a training or validation stock, so the test is too easy: {tested} like {trained}"
    )
    caplog.clear()
    load(save(table, tmp_path), Options(min_days=70, symbols=",".join({*where.index} - {trained})))
    assert warnings_of(caplog) == []


def test_a_sequence_that_varies_on_the_held_out_day_alone_is_constant(tmp_path, caplog):
    table = prices()
    table.loc[table["symbol"] == "S02", "high"] = [*["5"] * (DAYS - 1), "6"]
    path = save(table, tmp_path)
    assert "S02" not in sequences(load(path, Options(), hold_out_last=True)).index
    assert ": 1 constant sequence dropped: S02" in warnings_of(caplog)[0]
    assert "S02" in sequences(load(path, Options())).index


def test_holding_a_day_out_needs_three_others(tmp_path):
    with pytest.raises(UserError, match="a sequence must have at least 4 days for this task, got 2"):
        load(save(prices(), tmp_path), Options(window=2), hold_out_last=True)


@pytest.mark.parametrize("price", ["1e-9", "1e300"])
def test_a_held_out_price_that_float32_loses_in_the_scale_of_the_others_is_refused(tmp_path, price):
    table = prices()
    table.loc[DAYS - 1 :: DAYS, "high"] = price
    path = save(table, tmp_path)
    with pytest.raises(UserError, match=r"the last price of S0\d is too far from the prices before it"):
        load(path, Options(), hold_out_last=True)
    assert len(sequences(load(path, Options()))) == 10


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
    missing, short, *splits_left = warnings_of(caplog)
    assert "8 missing prices" in missing
    assert "26 stocks with fewer than 1,007 days dropped" in short
    assert [line.split(": ")[1] for line in splits_left] == ["DISCA", "DISCK"]
    assert len(sequences(load(real, Options(min_days=16)))) == 505
