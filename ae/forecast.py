"""Forecasts of unseen prices, compared with persistence: tomorrow's price equals today's.

A forecast at origin t sees only the days 1 to t. They are normalised with their own minimum, maximum and mean, so
nothing of day t + 1 or later leaks into the model's input. The test stocks are unseen, but not the calendar: the model
was trained on the same days of other stocks.

Shape suffixes: N stocks, T days, S forecast days.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ae.data import price_scale
from ae.splits import Split

if TYPE_CHECKING:
    from ae.model import LSTM_AE

ORIGINS = 20
"""Number of days whose next day is forecast, evenly spaced over the second half of each sequence."""


def rolling(model: LSTM_AE, split: Split) -> dict[str, float]:
    """Errors of next-day forecasts over rolling origins of all stocks, and of persistence on the same days.

    Args:
        model: has a prediction head; on the CPU.
        split: prices with `info`, as `ae.data.sp500.load` makes it.

    Returns:
        forecast_mse, persistence_mse: in units normalised by the days that each origin has seen.
        forecast_rmse_dollars, persistence_rmse_dollars: in dollars.
        forecast_skill: 1 - forecast_mse / persistence_mse; 0 is as good as persistence, negative is worse; NaN if no
            price moved.
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
    """Errors (N,) on the hidden last day: of the forecast, the same in dollars, of persistence, the same in dollars."""
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
    """Forecast the second half of each sequence from the first, day by day; each forecast becomes input for the next.

    Args:
        model: has a prediction head; on the CPU.
        prices_NT: whole histories, of which only the first T // 2 days are used.

    Returns:
        Forecast prices (N, S) of the S = T - T // 2 days that follow.

    Raises:
        ValueError: if a first half is constant.
    """
    half = prices_NT.shape[1] // 2
    values_NT, scale = price_scale.normalise(prices_NT[:, :half])
    for _ in range(prices_NT.shape[1] - half):
        values_NT = np.concatenate([values_NT, _predict(model, values_NT)[:, -1:]], axis=1)
    return price_scale.restore(values_NT[:, half:], scale)


def _predict(model: LSTM_AE, values_NT: NDArray[np.float32]) -> NDArray[np.float32]:
    """The prediction (N, T) of each next day."""
    from ae.training import forward_all

    prediction_NTO = forward_all(model, values_NT[:, :, None]).prediction_BTO
    assert prediction_NTO is not None
    predicted_NT: NDArray[np.float32] = prediction_NTO.numpy()[:, :, 0]
    return predicted_NT
