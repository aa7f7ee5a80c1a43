"""The model, the data and the loops of the peers, written as PyTorch's tutorials write them.

Shape suffixes: N sequences, B batch, T time steps, F features, H hidden units.

Source: https://docs.pytorch.org/tutorials/beginner/basics/optimization_tutorial.html
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

LEARNING_RATES, CLIPS, HIDDEN_SIZES = (0.001, 0.01), (1.0, None), (30, 60, 120)
"""The grid, 12 points."""
BATCH_SIZE, VALIDATION_BATCH_SIZE = 32, 256
EVAL_EVERY = 5
"""Epochs between two validations."""

Batches = DataLoader[tuple[Tensor, ...]]


class Autoencoder(nn.Module):
    """Encoder and decoder of one layer each; the decoder reads the encoder's last hidden state at every step."""

    def __init__(self, features: int, hidden_size: int) -> None:
        super().__init__()
        self.encoder = nn.LSTM(features, hidden_size, batch_first=True)
        self.decoder = nn.LSTM(hidden_size, hidden_size, batch_first=True)
        self.output = nn.Linear(hidden_size, features)

    def forward(self, inputs_BTF: Tensor) -> Tensor:
        """The reconstruction, (B, T, F)."""
        _, (hidden_1BH, _) = self.encoder(inputs_BTF)
        context_BTH = hidden_1BH[-1].unsqueeze(1).repeat(1, inputs_BTF.shape[1], 1)
        decoded_BTH, _ = self.decoder(context_BTH)
        return self.output(decoded_BTH)


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What every peer is given."""

    data: str
    """An .npz file with the arrays `train` and `validation`, (N, T, F)."""
    events: str
    """A .csv file that every validation adds a row to: seconds since the epoch, trial, epoch, loss."""
    folder: str
    """For whatever files the peer's tool writes."""
    epochs: int

    def record(self, trial: str, epoch: int, loss: float) -> None:
        """Add a row; a row is so short that processes do not cut into each other's."""
        with Path(self.events).open("a") as file:
            file.write(f"{time.time()},{trial},{epoch},{loss}\n")


def read_job() -> Job:
    """The command line of a peer."""
    parser = argparse.ArgumentParser()
    for name in ("data", "events", "folder"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--epochs", type=int, required=True)
    return Job(**vars(parser.parse_args()))


def load_data(path: str) -> tuple[Batches, Batches]:
    """Loaders of the training and the validation data."""
    arrays = np.load(path)
    train, validation = (TensorDataset(torch.from_numpy(arrays[name])) for name in ("train", "validation"))
    return (
        DataLoader(train, batch_size=BATCH_SIZE, shuffle=True),
        DataLoader(validation, batch_size=VALIDATION_BATCH_SIZE),
    )


def train_epoch(model: nn.Module, optimizer: torch.optim.Optimizer, batches: Batches, clip: float | None) -> float:
    """One pass over the data; returns the mean training loss."""
    model.train()
    total, count = 0.0, 0
    for (inputs_BTF,) in batches:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(inputs_BTF), inputs_BTF)
        loss.backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        total += loss.item() * len(inputs_BTF)
        count += len(inputs_BTF)
    return total / count


@torch.no_grad()
def validate(model: nn.Module, batches: Batches) -> float:
    """The mean loss over the data."""
    model.eval()
    total, count = 0.0, 0
    for (inputs_BTF,) in batches:
        total += nn.functional.mse_loss(model(inputs_BTF), inputs_BTF).item() * len(inputs_BTF)
        count += len(inputs_BTF)
    return total / count


def is_validated(epoch: int, epochs: int) -> bool:
    """Whether a trial of `epochs` validates after `epoch`, counted from 1: every fifth and the last."""
    return epoch % EVAL_EVERY == 0 or epoch == epochs


def name_of(lr: float, clip: float | None, hidden_size: int) -> str:
    """A trial's name."""
    return f"lr {lr:g} clip {clip} hidden {hidden_size}"
