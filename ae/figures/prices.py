"""Pictures of stock prices in dollars, of their reconstructions and of forecasts.

Every function writes one PNG file and returns its path. Shape suffixes: N sequences, T days, S forecast days.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ae.data import price_scale
from ae.figures import BLUE, GREY, ORANGE, write
from ae.splits import Split, Splits


def price_histories(splits: Splits, symbols: Sequence[str], path: Path) -> Path:
    """Prices of the stocks with these symbols; if none of them is in the data, of as many others."""
    parts = (splits.train, splits.validation, splits.test)
    info = pd.concat([_info(part) for part in parts], ignore_index=True)
    prices_NT = np.concatenate([price_scale.prices_of(part) for part in parts])
    field = info["field"].iloc[0]
    shown = [symbol for symbol in symbols if symbol in set(info["symbol"])]
    shown = shown or sorted(info["symbol"].unique())[: len(symbols)]
    figure = Figure(figsize=(8.0, 4.0))
    axes = figure.subplots()
    for symbol, colour in zip(shown, (BLUE, ORANGE), strict=False):
        rows = info[info["symbol"] == symbol].sort_values("first_date")
        days = np.concatenate([_dates(row, prices_NT.shape[1]) for _, row in rows.iterrows()])
        axes.plot(days, prices_NT[rows.index].ravel(), color=colour, lw=1, label=symbol)
    _finish(axes, f"Daily prices: {', '.join(shown)}", field)
    return write(figure, path)


def price_reconstructions(split: Split, reconstructed_NT: NDArray[np.float32], path: Path) -> Path:
    """Each sequence of a small split with its reconstruction, in dollars; reconstructions may lack the last day."""
    prices_NT = price_scale.prices_of(split)
    again_NT = price_scale.restore(reconstructed_NT, price_scale.Scale.from_info(_info(split)))
    figure = Figure(figsize=(8.0, 2.7 * len(split)))
    for index, (axes, row) in enumerate(zip(_rows(figure, len(split)), _series(split), strict=True)):
        days = _dates(row, prices_NT.shape[1])
        known = days[: again_NT.shape[1]]
        rmse = float(np.sqrt(np.mean((again_NT[index] - prices_NT[index, : len(known)]) ** 2)))
        axes.plot(days, prices_NT[index], color=BLUE, lw=1.2, label="prices")
        axes.plot(known, again_NT[index], color=ORANGE, lw=1.2, ls="--", label="reconstructed")
        _finish(axes, f"{_name(row)}: RMSE {rmse:.3g} dollars", row["field"])
    figure.tight_layout()
    return write(figure, path)


def price_forecasts(split: Split, forecast_NS: NDArray[np.float64], path: Path) -> Path:
    """Each sequence of a small split, with the forecast of its last S days and with persistence."""
    prices_NT = price_scale.prices_of(split)
    start = prices_NT.shape[1] - forecast_NS.shape[1]
    figure = Figure(figsize=(8.0, 2.7 * len(split)))
    for index, (axes, row) in enumerate(zip(_rows(figure, len(split)), _series(split), strict=True)):
        days = _dates(row, prices_NT.shape[1])
        truth_S, naive = prices_NT[index, start:], prices_NT[index, start - 1]
        rmse, naive_rmse = (float(np.sqrt(np.mean((guess - truth_S) ** 2))) for guess in (forecast_NS[index], naive))
        axes.plot(days, prices_NT[index], color=BLUE, lw=1.2, label="prices")
        axes.plot(days[start:], forecast_NS[index], color=ORANGE, lw=1.2, label="forecast, recursive")
        axes.hlines(naive, days[start], days[-1], color=GREY, ls=":", label="persistence")
        axes.axvline(days[start], color=GREY, lw=0.8)
        title = f"RMSE {rmse:.3g} dollars over {len(truth_S)} days, persistence {naive_rmse:.3g}"
        _finish(axes, f"{_name(row)}: {title}", row["field"])
    figure.tight_layout()
    return write(figure, path)


def _rows(figure: Figure, count: int) -> list[Axes]:
    return list(figure.subplots(count, 1, squeeze=False)[:, 0]) if count else []


def _info(split: Split) -> pd.DataFrame:
    assert split.info is not None
    return split.info


def _series(split: Split) -> list[pd.Series[Any]]:
    """The rows of info, one per sequence."""
    return [row for _, row in _info(split).iterrows()]


def _name(row: pd.Series[Any]) -> str:
    return f"{row['symbol']}, test stock, {row['first_date']:%Y-%m} to {row['last_date']:%Y-%m}"


def _dates(row: pd.Series[Any], days: int) -> NDArray[np.datetime64]:
    """The days of a sequence, spaced evenly from the first to the last; weekends and holidays are ignored."""
    return pd.date_range(row["first_date"], row["last_date"], periods=days).to_numpy()


def _finish(axes: Axes, title: str, field: str) -> None:
    locator = AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.set(xlabel="date", ylabel=f"{field} price, dollars")
    axes.set_title(title, fontsize=10)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8)
