"""Reconstruct MNIST digits read row by row."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ae.configuration import Configuration
from ae.data import mnist
from ae.measures import beside_pca, pca, reconstruction
from ae.splits import Splits
from ae.task import Budget, Objective, Task

if TYPE_CHECKING:
    from ae.model import LSTM_AE


def draw(model: LSTM_AE, splits: Splits, folder: Path) -> list[Path]:
    """Three test digits with their reconstructions, and one digit per class with its own."""
    from ae.figures.images import first_of_each, image_pairs
    from ae.training import forward_all

    labels_N = splits.test.labels_N
    assert labels_N is not None
    images_NRP = splits.test.inputs_NTF.reshape(-1, mnist.SIDE, mnist.SIDE)
    classes, titles = first_of_each(labels_N)
    first = range(min(3, len(images_NRP)))
    chosen = [*first, *classes]
    reconstructed_NTF = forward_all(model, splits.test.inputs_NTF[chosen]).reconstruction_BTO.numpy()
    pairs = (images_NRP[chosen], reconstructed_NTF.reshape(-1, mnist.SIDE, mnist.SIDE))
    three = [f"digit {labels_N[index]}" for index in first]
    return [
        image_pairs(*pairs, first, three, folder / "reconstructions.png"),
        image_pairs(*pairs, range(len(first), len(chosen)), titles, folder / "reconstructions_by_class.png"),
    ]


TASK = Task(
    description="reconstruct MNIST digits, 28 rows of 28 pixels; loss MSE",
    load=mnist.load,
    model={"input_size": mnist.SIDE, "output_size": mnist.SIDE},
    measure=reconstruction,
    objective=Objective(metric="loss", mode="min"),
    base=Configuration(batch_size=64),
    budget=Budget(max_epochs=15, eval_every=1, grace_period=2, reduction_factor=2),
    figures=draw,
    baseline=pca,
    remark=beside_pca,
)
