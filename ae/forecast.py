"""How well a model that reconstructs and predicts foresees prices that it has not seen.

A forecast at origin t sees the days 1 to t alone: they are normalised by their own minimum, maximum and mean, so that
nothing of day t + 1 or later leaks into what the model reads. The test stocks are unseen, their calendar is not: the
model was trained on the same days of other stocks. Beside every forecast stands persistence: tomorrow's price is
today's.

Shape suffixes: N stocks, T days, S days ahead.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ae.data import price_scale
from ae.model import LSTM_AE
from ae.task import Split
from ae.training import forward

ORIGINS = 20
"""Days from which the next day is forecast, evenly spaced over the second half of each sequence."""


def rolling(model: LSTM_AE, split: Split) -> dict[str, float]:
    """Errors of the next day's forecast over rolling origins of all the stocks, and of persistence at the same days.

    Returns:
        forecast_mse and persistence_mse, in the normalised units of each origin's seen days; forecast_rmse_dollars and
        persistence_rmse_dollars, in prices; forecast_skill = 1 - forecast_mse / persistence_mse, 0 for a forecast as
        good as persistence, negative for a worse one, NaN where no price moved.
    """
    prices_NT = price_scale.prices_of(split)
    days = prices_NT.shape[1]
    origins = np.unique(np.linspace(max(2, days // 2), days - 1, ORIGINS).round().astype(int))
    pairs = [_next_day(model, prices_NT[:, : origin + 1]) for origin in origins]
    errors, dollars, naive, naive_dollars = (np.concatenate(column) for column in zip(*pairs, strict=True))
    mse, naive_mse = float(np.mean(errors**2)), float(np.mean(naive**2))
    return {
        "forecast_mse": mse,
        "persistence_mse": naive_mse,
        "forecast_skill": 1 - mse / naive_mse if naive_mse else float("nan"),
        "forecast_rmse_dollars": float(np.sqrt(np.mean(dollars**2))),
        "persistence_rmse_dollars": float(np.sqrt(np.mean(naive_dollars**2))),
    }


def _next_day(model: LSTM_AE, prices_NT: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Errors (N,) at the last day, which is not shown: forecast, same in prices, persistence, same in prices."""
    seen = prices_NT.shape[1] - 1
    prices_NT = prices_NT[price_scale.moving(prices_NT[:, :seen])]  # a constant history has no scale
    values_NT, scale = price_scale.normalise(prices_NT, seen=seen)
    forecast_NT = _predict(model, values_NT[:, :seen])
    forecast_prices_N = price_scale.restore(forecast_NT[:, -1:], scale)[:, 0]
    return (
        (forecast_NT[:, -1] - values_NT[:, -1]).astype(np.float64),
        forecast_prices_N - prices_NT[:, -1],
        (values_NT[:, -2] - values_NT[:, -1]).astype(np.float64),
        prices_NT[:, -2] - prices_NT[:, -1],
    )


def recursive(model: LSTM_AE, prices_NT: NDArray[np.float64]) -> NDArray[np.float64]:
    """From the first half of each sequence, the second half, a day at a time, each forecast read as if it were seen.

    Args:
        model: has a prediction head.
        prices_NT: whole histories; only the first T // 2 days of them are looked at.

    Returns:
        forecast prices (N, S) of the S = T - T // 2 days that follow.

    Raises:
        ValueError: if a first half is constant.
    """
    half = prices_NT.shape[1] // 2
    values_NT, scale = price_scale.normalise(prices_NT[:, :half])
    for _ in range(prices_NT.shape[1] - half):
        values_NT = np.concatenate([values_NT, _predict(model, values_NT)[:, -1:]], axis=1)
    return price_scale.restore(values_NT[:, half:], scale)


def _predict(model: LSTM_AE, values_NT: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the prediction head says (N, T) of each next day."""
    prediction_NTO = forward(model, values_NT[:, :, None]).prediction_BTO
    assert prediction_NTO is not None
    predicted_NT: NDArray[np.float32] = prediction_NTO.numpy()[:, :, 0]
    return predicted_NT
