"""The LSTM autoencoder of the best-known tutorial on anomalies in heart beats, as its page describes it.

Two LSTMs encode (F to 2 E, 2 E to E), the last hidden state is repeated, two LSTMs decode (E to E, E to 2 E), and a
linear layer gives the values. The loss is the sum of absolute errors, which is also the score of a sequence. Adam with
step size 0.001 sees one sequence at a time, always in the same order; the weights of the epoch with the smallest
validation loss are kept.

Source: https://curiousily.com/posts/time-series-anomaly-detection-using-lstm-autoencoder-with-pytorch-in-python/

Shape suffixes: B batch, T time steps, F features, E width of the embedding.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence

import torch
from torch import Tensor, nn

EMBEDDING = 128
EPOCHS = 150
LR = 1e-3


class RecurrentAutoencoder(nn.Module):
    """The page's model, for sequences of one feature."""

    def __init__(self, features: int, width: int = EMBEDDING) -> None:
        super().__init__()
        self.encoder = nn.ModuleList([_lstm(features, 2 * width), _lstm(2 * width, width)])
        self.decoder = nn.ModuleList([_lstm(width, width), _lstm(width, 2 * width)])
        self.output = nn.Linear(2 * width, features)

    def forward(self, inputs_BTF: Tensor) -> Tensor:
        """The reconstruction, (B, T, F)."""
        wide_BTE, _ = self.encoder[0](inputs_BTF)
        _, (last_1BE, _) = self.encoder[1](wide_BTE)
        repeated_BTE = last_1BE[0].unsqueeze(1).expand(-1, inputs_BTF.shape[1], -1)
        narrow_BTE, _ = self.decoder[0](repeated_BTE)
        again_BTE, _ = self.decoder[1](narrow_BTE)
        return self.output(again_BTE)


def _lstm(inputs: int, units: int) -> nn.LSTM:
    return nn.LSTM(inputs, units, batch_first=True)


def train(
    train: Sequence[Tensor], validation: Sequence[Tensor], *, epochs: int = EPOCHS, cap_s: float = float("inf")
) -> tuple[RecurrentAutoencoder, int]:
    """A model as the page trains it; torch's global generator seeds it.

    Args:
        train, validation: sequences (1, T, F).
        epochs: 150 on the page.
        cap_s: seconds of CPU time after which no further epoch begins.

    Returns:
        The model of the best epoch, and the number of epochs trained.
    """
    model = RecurrentAutoencoder(train[0].shape[2])
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)
    criterion = nn.L1Loss(reduction="sum")
    best, best_loss, trained, began = model.state_dict(), float("inf"), 0, time.process_time()
    while trained < epochs and time.process_time() - began < cap_s:
        model.train()
        for sequence_1TF in train:
            optimizer.zero_grad()
            criterion(model(sequence_1TF), sequence_1TF).backward()
            optimizer.step()
        trained += 1
        loss = sum(errors(model, validation)) / len(validation)
        if loss < best_loss:
            best, best_loss = copy.deepcopy(model.state_dict()), loss
    model.load_state_dict(best)
    return model.eval(), trained


@torch.no_grad()
def errors(model: RecurrentAutoencoder, batches: Sequence[Tensor]) -> list[float]:
    """The sum of the absolute errors of each sequence of some batches (B, T, F)."""
    model.eval()
    sums = [(model(inputs_BTF) - inputs_BTF).abs().sum(dim=(1, 2)) for inputs_BTF in batches]
    return torch.cat(sums).tolist()
