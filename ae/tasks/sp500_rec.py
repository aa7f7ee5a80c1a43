"""Reconstruct the price histories of S&P 500 stocks.

A history of 1,007 days is too long for an LSTM with PyTorch's initialisation: its output stays constant. Validation
MSE after 16 epochs on 479 stocks (287 in training), with hidden size 60 and clip 1 (a constant has 0.078):

| start | batch size, lr | MSE |
| --- | --- | --- |
| uniform (PyTorch's) | 8, 0.001 | 0.0778 |
| orthogonal, forget bias 1 | 16, 0.001 | 0.0784 |
| chrono (orthogonal, memories of 1 to 1,000 steps) | 32, 0.001 | 0.0329 |
| chrono | 16, 0.001 | 0.0276 |
| chrono | 16, 0.01 | 0.0186 |

Patches of 53 days make 19 steps of the 1,007. The model then learns the 287 training stocks by heart, and convex
combinations of them as training sequences help against that. Validation MSE with hidden size 120, clip 1, the
orthogonal start and the one-cycle schedule to 0.005 (chrono without patches: 0.0051 after 300 epochs):

| patch, mix, decode, averaged weights | epochs | training | MSE |
| --- | --- | --- | --- |
| 19, 0.5, backward, no | 600 | 0.0017 | 0.0039 |
| 53, 0.5, forward, no | 600 | 0.0011 | 0.0034 |
| 53, 1.0, backward, 0.99 | 1,500 | 0.0004 | 0.0024 |
| the same, and noise 0.03 | 1,200 of 1,500 | 0.0006 | 0.0025, as without at that epoch |
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ae.configuration import Configuration
from ae.data import price_scale, sp500
from ae.measures import beside_pca, pca, reconstruction
from ae.splits import Splits
from ae.task import UNLABELLED_SPACE, Budget, Objective, Task

if TYPE_CHECKING:
    from ae.model import LSTM_AE

SHOWN_STOCKS = ("AMZN", "GOOGL")


def test_metrics(model: LSTM_AE, splits: Splits) -> dict[str, float]:
    """rmse_dollars: the root mean squared error of the reconstructed prices, in dollars."""
    from ae.training import forward_all

    split = splits.test
    assert split.info is not None
    reconstructed_NT = forward_all(model, split.inputs_NTF).reconstruction_BTO.numpy()[:, :, 0]
    errors_NT = price_scale.restore(reconstructed_NT, price_scale.Scale.from_info(split.info)) - price_scale.prices_of(
        split
    )
    return {"rmse_dollars": float(np.sqrt(np.mean(errors_NT**2)))}


def draw(model: LSTM_AE, splits: Splits, folder: Path) -> list[Path]:
    """Three test stocks with their reconstructions, in dollars, and the histories of two well-known stocks."""
    from ae.figures.prices import price_histories, price_reconstructions
    from ae.training import forward_all

    three = sp500.first_stocks(splits.test, 3)
    reconstructed_NT = forward_all(model, three.inputs_NTF).reconstruction_BTO.numpy()[:, :, 0]
    return [
        price_reconstructions(three, reconstructed_NT, folder / "reconstructions.png"),
        price_histories(splits, SHOWN_STOCKS, folder / "prices.png"),
    ]


PRICES_SPACE = {**UNLABELLED_SPACE, "batch_size": [8, 16, 32], "patch": [19, 53, 106]}
"""The wide space, with patches that leave few enough steps."""

TASK = Task(
    description="reconstruct the daily prices of S&P 500 stocks, each scaled to a mean of 1/2; loss MSE",
    load=sp500.load,
    options=sp500.Options,
    measure=reconstruction,
    objective=Objective(metric="loss", mode="min"),
    base=Configuration(
        lr=0.005,
        batch_size=16,
        init="orthogonal",
        schedule="one-cycle",
        decode="backward",
        patch=53,
        mix=1.0,
        average=0.99,
    ),
    budget=Budget(max_epochs=1500, eval_every=25, grace_period=100, reduction_factor=3),
    space=PRICES_SPACE,
    figures=draw,
    units=price_scale.units,
    test_metrics=test_metrics,
    baseline=pca,
    remark=beside_pca,
)
