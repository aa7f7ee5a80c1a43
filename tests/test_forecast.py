"""Forecasts of prices: what they may see, and what stands beside them."""

import numpy as np
import pytest
import torch
from stock_tables import DAYS, prices, save

from ae import forecast, tasks
from ae.batches import Batch
from ae.data import price_scale, sp500
from ae.model import Output
from ae.splits import Split

TASK = tasks.find("sp500-pred")
ONE_FEATURE = Split.dense(np.zeros((1, 2, 1), np.float32))


@pytest.fixture
def split():
    whole = TASK.load(None, sp500.Options(window=60)).test
    first_NT = price_scale.prices_of(whole)[:, :30]
    moving = np.flatnonzero(first_NT.min(axis=1) < first_NT.max(axis=1))[:6]
    return Split.dense(whole.inputs_NTF[moving], info=whole.info.iloc[moving].reset_index(drop=True))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return TASK.build(TASK.base, ONE_FEATURE).eval()


class Persistence(torch.nn.Module):
    """Says that tomorrow is today; stands in for a model."""

    def forward(self, inputs_BTF):
        return Output(inputs_BTF, None, inputs_BTF)


def test_a_model_that_repeats_today_is_exactly_as_good_as_persistence(split):
    found = forecast.rolling(Persistence(), split)
    assert found["forecast_skill"] == pytest.approx(0.0, abs=1e-6)
    assert found["forecast_mse"] == pytest.approx(found["persistence_mse"], rel=1e-6)
    assert found["forecast_rmse_dollars"] == pytest.approx(found["persistence_rmse_dollars"], rel=1e-4)


def test_prices_that_stand_still_have_no_skill_and_no_verdict(split, model):
    still = price_scale.prices_of(split)
    still[:, 20:] = still[:, 19:20]
    values_NT, scale = price_scale.normalise(still)
    columns = {"minimum": scale.minimum_N, "maximum": scale.maximum_N, "mean": scale.mean_N}
    split = Split.dense(values_NT[:, :, None], info=split.info.assign(**columns))
    found = forecast.rolling(model, split)
    assert np.isnan(found["forecast_skill"])
    assert TASK.remark(found).startswith("No price moved")


def test_persistence_in_dollars_is_the_day_s_change(split, model):
    prices_NT = price_scale.prices_of(split)
    days = prices_NT.shape[1]
    origins = np.unique(np.linspace(days // 2, days - 1, forecast.ORIGINS).round().astype(int))
    changes = prices_NT[:, origins] - prices_NT[:, origins - 1]
    found = forecast.rolling(model, split)["persistence_rmse_dollars"]
    assert found == pytest.approx(np.sqrt(np.mean(changes**2)), rel=1e-5)


def test_a_recursive_forecast_sees_the_first_half_alone(split, model):
    prices_NT = price_scale.prices_of(split)
    changed = prices_NT.copy()
    changed[:, 30:] *= 3.0
    np.testing.assert_array_equal(forecast.recursive(model, prices_NT), forecast.recursive(model, changed))
    assert forecast.recursive(model, prices_NT).shape == (6, 30)


def test_the_last_day_leaves_no_trace_in_what_the_model_reads(split):
    prices_NT = price_scale.prices_of(split)
    later = prices_NT.copy()
    later[:, -1] *= 5.0
    first, second = (price_scale.normalise(p, seen=59)[0][:, :-1] for p in (prices_NT, later))
    np.testing.assert_array_equal(first, second)


def test_the_loss_is_the_mean_of_both_and_the_last_day_is_named_apart(model):
    inputs = torch.rand(4, 10, 1)
    metrics = TASK.measure(model, Batch(inputs))
    output = model(inputs[:, :-1])
    rec = ((output.reconstruction_BTO - inputs[:, :-1]) ** 2).mean()
    pred = ((output.prediction_BTO - inputs[:, 1:]) ** 2).mean()
    torch.testing.assert_close(metrics["loss"], (rec + pred) / 2)
    torch.testing.assert_close(metrics["last_day_mse"], ((output.prediction_BTO[:, -1] - inputs[:, -1]) ** 2).mean())


@pytest.mark.parametrize(("skill", "verb"), [(0.2, "beats"), (-0.2, "loses to")])
def test_the_report_says_plainly_who_wins(skill, verb):
    names = ("forecast_mse", "persistence_mse", "forecast_rmse_dollars", "persistence_rmse_dollars")
    assert f"{verb} persistence" in TASK.remark({"forecast_skill": skill, **dict.fromkeys(names, 1.0)})


def test_a_history_that_stands_still_before_the_origin_is_no_crash(split, model):
    prices_NT = price_scale.prices_of(split)
    prices_NT[0, :40] = 10.0
    values_NT, scale = price_scale.normalise(prices_NT)
    info = split.info.assign(minimum=scale.minimum_N, maximum=scale.maximum_N, mean=scale.mean_N)
    still = Split.dense(values_NT[:, :, None], info=info)
    assert np.isfinite(list(forecast.rolling(model, still).values())).all()


@pytest.mark.parametrize(
    ("still", "drawn"), [(0, ["reconstructions", "forecast", "prices"]), (DAYS // 2, ["reconstructions", "prices"])]
)
def test_a_first_half_in_which_nothing_moves_has_no_picture_of_its_forecast(model, tmp_path, still, drawn):
    table = prices()
    table.loc[table.groupby("symbol").cumcount() < still, "high"] = "5"
    splits = TASK.load(save(table, tmp_path), sp500.Options())
    assert np.isfinite(forecast.rolling(model, splits.test)["forecast_mse"])
    assert [path.stem for path in TASK.figures(model, splits, tmp_path)] == drawn
