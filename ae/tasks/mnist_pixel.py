"""Reconstruct MNIST digits read pixel by pixel, T = 784.

A hard task for an LSTM: the decoder gets the same input 784 times and must keep time by itself. The plain start
(U(-1/sqrt(H), 1/sqrt(H)), lr 0.001, clip 1) does not leave the plateau of a constant grey, MSE 0.094, in ten epochs of
2,000 images; an orthogonal start with a forget bias of 1 leaves it, but falls back again and again, whatever the clipping.
PIXEL_FINDINGS
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ae.data import mnist
from ae.task import NoOptions, Split, Splits
from ae.tasks import mnist_rec


def load(folder: Path | None, options: NoOptions | None = None) -> Splits:
    """As `mnist.load`, but an image is a sequence of 784 pixels: inputs (N, 784, 1)."""
    splits = mnist.load(folder)
    return replace(
        splits, train=_pixels(splits.train), validation=_pixels(splits.validation), test=_pixels(splits.test)
    )


def _pixels(split: Split) -> Split:
    return replace(split, inputs_NTF=split.inputs_NTF.reshape(len(split), -1, 1))


TASK = replace(
    mnist_rec.TASK,
    description="reconstruct MNIST digits, 784 steps of one pixel; loss MSE",
    load=load,
    model={"input_size": 1, "output_size": 1},
    subset=2000,
    smoke_subset=128,
)
