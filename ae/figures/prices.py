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
from ae.figures import BLUE, GREY, ORANGE, FigureData, write
from ae.figures.lines import Shown, lines_data
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
    axes, each = figure.subplots(), list[Shown]()
    for symbol, colour in zip(shown, (BLUE, ORANGE), strict=False):
        rows = info[info["symbol"] == symbol].sort_values("first_date")
        days = np.concatenate([_dates(row, prices_NT.shape[1]) for _, row in rows.iterrows()])
        prices_T = prices_NT[rows.index].ravel()
        axes.plot(days, prices_T, color=colour, lw=1, label=symbol)
        each.append(_shown(symbol, days, prices_T, np.full(len(days), np.nan)))
    title = f"Daily prices: {', '.join(shown)}"
    _finish(axes, title, field)
    return write(figure, path, lines_data(each, [f"{field} price, dollars"], title, "reconstruction"))


def price_reconstructions(split: Split, reconstructed_NT: NDArray[np.float32], path: Path) -> Path:
    """Each sequence of a small split with its reconstruction, in dollars; reconstructions may lack the last day."""
    prices_NT = price_scale.prices_of(split)
    again_NT = price_scale.restore(reconstructed_NT, price_scale.Scale.from_info(_info(split)))
    figure, each = Figure(figsize=(8.0, 2.7 * len(split))), list[Shown]()
    for index, (axes, row) in enumerate(zip(_rows(figure, len(split)), _series(split), strict=True)):
        days = _dates(row, prices_NT.shape[1])
        known = days[: again_NT.shape[1]]
        rmse = float(np.sqrt(np.mean((again_NT[index] - prices_NT[index, : len(known)]) ** 2)))
        axes.plot(days, prices_NT[index], color=BLUE, lw=1.2, label="prices")
        axes.plot(known, again_NT[index], color=ORANGE, lw=1.2, ls="--", label="reconstructed")
        title = f"{_name(row)}: RMSE {rmse:.3g} dollars"
        _finish(axes, title, row["field"])
        output_T = np.full(len(days), np.nan)
        output_T[: len(known)] = again_NT[index]
        each.append(_shown(title, days, prices_NT[index], output_T))
    figure.tight_layout()
    return write(figure, path, _data(each, split, "Test stocks with their reconstructions", "reconstruction"))


def price_forecasts(split: Split, forecast_NS: NDArray[np.float64], path: Path) -> Path:
    """Each sequence of a small split, with the forecast of its last S days and with persistence."""
    prices_NT = price_scale.prices_of(split)
    start = prices_NT.shape[1] - forecast_NS.shape[1]
    figure, each = Figure(figsize=(8.0, 2.7 * len(split))), list[Shown]()
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
        output_T = np.full(len(days), np.nan)
        output_T[start:] = forecast_NS[index]
        each.append(_shown(f"{_name(row)}: {title}", days, prices_NT[index], output_T))
    figure.tight_layout()
    title = "Test stocks: the last days, forecast from the days before them, step by step"
    return write(figure, path, _data(each, split, title, "forecast"))


def _shown(title: str, days: NDArray[Any], prices_T: NDArray[Any], output_T: NDArray[Any]) -> Shown:
    columns = {"given_TF": prices_T[:, None], "output_TF": output_T[:, None]}
    return Shown(title=title, index_T=days, features=[0], **columns)


def _data(each: Sequence[Shown], split: Split, title: str, what: str) -> FigureData:
    fields = _info(split)["field"]
    return lines_data(each, [f"{fields.iloc[0] if len(fields) else ''} price, dollars"], title, what)


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
