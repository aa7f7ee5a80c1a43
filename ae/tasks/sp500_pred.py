"""Reconstruct the price histories of S&P 500 stocks and predict, on each day, the price of the next day.

The encoder sees the days 1 to T - 1, so the predictions for the days 2 to T - 1 are partly reconstruction; only the
prediction for day T is a forecast. `pred_mse` covers all of them, `last_day_mse` only day T. The test adds
`forecast_mse` over rolling origins, and persistence to compare it with (`ae/forecast.py`).

A decoder that starts with the last day knows it best, and that is the day the forecast begins from. Validation with
patches of 19 days, mixed training stocks, hidden size 120, clip 1, averaged weights and the one-cycle schedule to
0.005 over 1,000 epochs: the loss is 0.0031 and last_day_mse 0.0017, and nothing diverges. With the chrono start and
without these options the loss is 0.0052 after 300 epochs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ae import forecast
from ae.configuration import Configuration
from ae.data import price_scale, sp500
from ae.splits import Splits
from ae.task import Budget, Objective, Task, features_alone
from ae.tasks.sp500_rec import PRICES_SPACE, SHOWN_STOCKS

if TYPE_CHECKING:
    from torch import Tensor

    from ae.batches import Batch
    from ae.model import LSTM_AE


def measure(model: LSTM_AE, batch: Batch) -> dict[str, Tensor]:
    """loss = (rec_mse + pred_mse) / 2, of days 1 to T - 1 and 2 to T; last_day_mse of day T; in normalised units."""
    from torch.nn import functional

    seen_BTF, next_BTF = batch.inputs_BTF[:, :-1], batch.inputs_BTF[:, 1:]
    output = model(seen_BTF)
    rec_mse = functional.mse_loss(output.reconstruction_BTO, seen_BTF)
    pred_mse = functional.mse_loss(output.prediction_BTO, next_BTF)
    last_day_mse = functional.mse_loss(output.prediction_BTO[:, -1], next_BTF[:, -1])
    return {"loss": (rec_mse + pred_mse) / 2, "rec_mse": rec_mse, "pred_mse": pred_mse, "last_day_mse": last_day_mse}


def remark(test: Mapping[str, float]) -> str:
    """One sentence for the report: whether the forecast beats persistence."""
    skill = test["forecast_skill"]
    if math.isnan(skill):
        return "No price moved on the forecast days, so the forecast cannot be compared with persistence."
    verb = "beats" if skill > 0 else "loses to" if skill < 0 else "equals"
    return (
        f"The forecast of a test stock's unseen next day {verb} persistence (tomorrow = today): "
        f"MSE {test['forecast_mse']:.3g} against {test['persistence_mse']:.3g}, skill {skill:.3g}; "
        f"RMSE {test['forecast_rmse_dollars']:.3g} against {test['persistence_rmse_dollars']:.3g} dollars."
    )


def draw(model: LSTM_AE, splits: Splits, folder: Path) -> list[Path]:
    """Three test stocks, reconstructed and with the second half forecast from the first; two well-known stocks.

    The forecast is left out if no test stock moves in its first half.
    """
    from ae.figures.prices import price_forecasts, price_histories, price_reconstructions
    from ae.training import forward_all

    three = sp500.first_stocks(splits.test, 3)
    reconstructed_NT = forward_all(model, three.inputs_NTF[:, :-1]).reconstruction_BTO.numpy()[:, :, 0]
    paths = [price_reconstructions(three, reconstructed_NT, folder / "reconstructions.png")]
    prices_NT = price_scale.prices_of(three)
    if price_scale.moving(prices_NT[:, : prices_NT.shape[1] // 2]).all():
        forecast_NS = forecast.recursive(model, prices_NT)
        paths.append(price_forecasts(three, forecast_NS, folder / "forecast.png"))
    return [*paths, price_histories(splits, SHOWN_STOCKS, folder / "prices.png")]


TASK = Task(
    description="reconstruct S&P 500 prices and predict the next day; loss (MSE + MSE of the prediction) / 2",
    load=partial(sp500.load, hold_out_last=True),
    options=sp500.Options,
    measure=measure,
    objective=Objective(metric="loss", mode="min"),
    base=Configuration(
        lr=0.005,
        batch_size=16,
        init="orthogonal",
        schedule="one-cycle",
        decode="backward",
        patch=19,
        mix=0.5,
        average=0.99,
    ),
    budget=Budget(max_epochs=600, eval_every=10, grace_period=50, reduction_factor=3, retrain_epochs=3000, top_k=1),
    space=PRICES_SPACE,
    figures=draw,
    units=price_scale.units,
    model=lambda train: {**features_alone(train), "predict": True},
    test_metrics=lambda model, splits: forecast.rolling(model, splits.test),
    remark=remark,
)
