"""Reconstruct MNIST digits read pixel by pixel, T = 784.

A hard task for an LSTM: the decoder gets the same input 784 times, so it must count the steps itself. These starts were
tried, with hidden size 60, batch size 32 and 2,000 images; the numbers are validation MSE (a constant grey has 0.094):

| start | lr, clip | what happened |
| --- | --- | --- |
| uniform (PyTorch's) | 0.001, 1 | stays at the constant: 0.0939 after 10 epochs |
| orthogonal, forget bias 1 | 0.001, 0.1 | improves, then gets worse: 0.0908 after 4, 0.0960 after 6, 0.0911 after 10 |
| orthogonal, forget bias 1 | one-cycle to 0.003, 1 | improves, then gets worse: 0.0921 after 2, 0.0939 after 8 |
| uniform with chrono biases | 0.002, 0.5 | improves in every epoch: 0.0853 after 5 |
| chrono (orthogonal, memories of 1 to 1,000 steps) | 0.002, 0.5 | improves in every epoch: 0.0839 after 5 |
| chrono | one-cycle to 0.005, 0.1 | improves in every epoch: 0.0796 after 20 |

So the chrono start with a small clip matters most without a clock. Time features are one: the decoder no longer has to
count. With 32 of them, the chrono start and the one-cycle schedule over 30 epochs (a PCA as wide has 0.005):

| hidden size, lr, clip; after epoch | 2 | 7 | 12 | 20 | 30 |
| --- | --- | --- | --- | --- | --- |
| 96, 0.005, 0.1 | 0.0847 | 0.0564 | 0.0328 | 0.0177 | 0.0146 |
| 120, 0.01, 1 | 0.0817 | 0.0503 | 0.0216 | | |
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ae.configuration import Configuration
from ae.data import mnist
from ae.errors import UserError
from ae.splits import Split, Splits
from ae.task import Budget, NoOptions
from ae.tasks import mnist_rec

if TYPE_CHECKING:
    from ae.model import LSTM_AE


def load(folder: Path | None, options: NoOptions | None = None) -> Splits:
    """Like `mnist.load`, but each image is a sequence of its pixels, row by row: inputs (N, 784, 1) for 28 x 28.

    Raises:
        UserError: also if the images are not square, as the figures take them to be.
    """
    splits = mnist.load(folder)
    rows, pixels = splits.train.inputs_NTF.shape[1:]
    if rows != pixels:
        raise UserError(f"{folder}: images must be square for mnist-pixel, got {rows} x {pixels}; mnist-rec takes any")
    return replace(
        splits, train=_pixels(splits.train), validation=_pixels(splits.validation), test=_pixels(splits.test)
    )


def _pixels(split: Split) -> Split:
    pixels = Split.dense(split.inputs_NTF.reshape(len(split), -1, 1), split.labels_N)
    return replace(pixels, class_names=split.class_names)


def draw(model: LSTM_AE, splits: Splits, folder: Path) -> list[Path]:
    """The pictures of mnist-rec."""
    return mnist_rec.draw(model, splits, folder, side=math.isqrt(splits.test.inputs_NTF.shape[1]))


TASK = replace(
    mnist_rec.TASK,
    description="reconstruct images pixel by pixel, such as MNIST's 784 pixels; loss MSE",
    load=load,
    base=Configuration(lr=0.005, clip=0.1, batch_size=32, init="chrono", schedule="one-cycle", time_features=32),
    figures=draw,
    budget=Budget(max_epochs=30, eval_every=5, grace_period=5, reduction_factor=3),
    space={
        "lr": {"low": 5e-4, "high": 1e-2, "log": True},
        "clip": [None, 0.1, 0.5, 1.0],
        "hidden_size": {"low": 32, "high": 128, "step": 16},
        "batch_size": [16, 32, 64],
        "init": ["orthogonal", "chrono"],
        "schedule": ["constant", "one-cycle"],
        "time_features": [8, 16, 32],
    },
    subset=2000,
    smoke_subset=128,
)
