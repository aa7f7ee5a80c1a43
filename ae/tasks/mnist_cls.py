"""Classify MNIST digits read row by row, while reconstructing them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ae.configuration import Configuration
from ae.data import mnist
from ae.splits import Splits
from ae.task import Budget, Objective, Task

if TYPE_CHECKING:
    from torch import Tensor

    from ae.batches import Batch
    from ae.model import LSTM_AE


def measure(model: LSTM_AE, batch: Batch) -> dict[str, Tensor]:
    """loss = (MSE + cross-entropy) / 2; mse of the pixels in [0, 1]; cross_entropy in nats; accuracy in [0, 1]."""
    from torch.nn import functional

    labels_B = batch.labels_B
    assert labels_B is not None
    output = model(batch.inputs_BTF)
    mse = functional.mse_loss(output.reconstruction_BTO, batch.inputs_BTF)
    cross_entropy = functional.cross_entropy(output.logits_BC, labels_B)
    accuracy = (output.logits_BC.argmax(dim=1) == labels_B).float().mean()
    return {"loss": (mse + cross_entropy) / 2, "mse": mse, "cross_entropy": cross_entropy, "accuracy": accuracy}


def draw(model: LSTM_AE, splits: Splits, folder: Path) -> list[Path]:
    """The confusion matrix, digits with their reconstructions, and digits that are classified wrongly."""
    from ae.figures.images import confusion_matrix, first_of_each, image_pairs, wrong_images
    from ae.training import forward_all

    split = splits.test
    assert split.labels_N is not None
    output = forward_all(model, split.inputs_NTF)
    assert output.logits_BC is not None
    predicted_N = output.logits_BC.argmax(dim=1).numpy()
    images = (split.inputs_NTF, output.reconstruction_BTO.numpy())
    return [
        confusion_matrix(split.labels_N, predicted_N, folder / "confusion_matrix.png"),
        image_pairs(*images, *first_of_each(split.labels_N), folder / "reconstructions.png"),
        wrong_images(split.inputs_NTF, split.labels_N, predicted_N, folder / "wrong_digits.png"),
    ]


TASK = Task(
    description="classify and reconstruct MNIST digits, 28 rows of 28 pixels; loss (MSE + cross-entropy) / 2",
    load=mnist.load,
    model={"input_size": mnist.SIDE, "output_size": mnist.SIDE, "labels": mnist.CLASSES},
    measure=measure,
    objective=Objective(metric="accuracy", mode="max"),
    base=Configuration(batch_size=64),
    budget=Budget(max_epochs=15, eval_every=1, grace_period=4, reduction_factor=2),
    figures=draw,
)
