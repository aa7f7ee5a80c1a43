"""Reconstruct independent uniform noise, which no model can compress: the context vector must store every value.

A decoder that starts with the first step stays at the mean value for 10 to 45 epochs. One that starts with the last
step, which the encoder has just read, learns from the first epoch. Validation MSE with hidden size 120, clip 1,
orthogonal start, backward decoding and the one-cycle schedule (the mean value has 0.083):

| peak lr, epochs | 10 | 50 | 75 | 100 |
| --- | --- | --- | --- | --- |
| 0.01, 100 | | 0.0127 | 0.0050 | 0.0029 |
| 0.005, 150 | 0.0668 | 0.0135 | | |
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ae.configuration import Configuration
from ae.data import signals
from ae.measures import beside_pca, pca, reconstruction
from ae.splits import Splits
from ae.task import UNLABELLED_SPACE, Budget, Objective, Task

if TYPE_CHECKING:
    from ae.model import LSTM_AE


def draw(model: LSTM_AE, splits: Splits, folder: Path) -> list[Path]:
    """Two test signals with their reconstructions, and three training signals."""
    from ae.figures.signals import example_signals, signal_pairs
    from ae.training import forward_all

    shown_NT1 = splits.test.inputs_NTF[:2]
    reconstructed_NT1 = forward_all(model, shown_NT1).reconstruction_BTO.numpy()
    return [
        signal_pairs(shown_NT1[:, :, 0], reconstructed_NT1[:, :, 0], folder / "reconstructions.png"),
        example_signals(splits.train.inputs_NTF[:3, :, 0], folder / "examples.png"),
    ]


TASK = Task(
    description="reconstruct 10,000 signals of 50 independent uniform values in [0, 1]; loss MSE",
    load=partial(signals.load, signals.uniform),
    measure=reconstruction,
    objective=Objective(metric="loss", mode="min"),
    base=Configuration(batch_size=32, init="orthogonal", schedule="one-cycle", decode="backward"),
    budget=Budget(max_epochs=300, eval_every=5, grace_period=25, reduction_factor=4),
    space=UNLABELLED_SPACE,
    figures=draw,
    baseline=pca,
    remark=beside_pca,
)
