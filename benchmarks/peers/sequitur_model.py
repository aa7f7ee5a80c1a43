"""An LSTM autoencoder of the package sequitur, trained by its `quick_train` as its README shows.

The README's example has one hidden layer of 64 and no activation functions; the width is the caller's, here 64 too.
`quick_train` takes one sequence at a time, always in the same order, with Adam, step size 0.001, for 50 epochs.

Source: https://github.com/shobrook/sequitur, version 1.2.4

Shape suffixes: T time steps, F features, E width of the encoding.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

EPOCHS = 50
HIDDEN = [64]
WIDTH = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Trained:
    """What `quick_train` gave."""

    encoder: Any
    decoder: Any
    epochs: int

    @torch.no_grad()
    def code(self, sequence_TF: Tensor) -> Tensor:
        """The encoding, (E,)."""
        return self.encoder(sequence_TF)

    @torch.no_grad()
    def error(self, sequence_TF: Tensor) -> float:
        """The mean squared error of the reconstruction."""
        return ((self.decoder(self.encoder(sequence_TF), len(sequence_TF)) - sequence_TF) ** 2).mean().item()


def is_installed() -> bool:
    """Whether the package is there; it comes with `pip install -e '.[bench]'`."""
    return find_spec("sequitur") is not None


def train(train: Sequence[Tensor], *, epochs: int = EPOCHS, cap_s: float = float("inf")) -> Trained:
    """A model as the README trains it; torch's global generator seeds it.

    Args:
        train: sequences (T, F).
        epochs: 50 by default in `quick_train`.
        cap_s: as many epochs are trained as fit into these seconds of CPU time, by what a first one takes.
    """
    from sequitur import quick_train
    from sequitur.models import LSTM_AE

    def trained(count: int) -> tuple[Any, Any, Any, Any]:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="size_average and reduce args will be deprecated")
            return quick_train(
                LSTM_AE, train, encoding_dim=WIDTH, epochs=count, h_dims=HIDDEN, h_activ=None, out_activ=None
            )

    if cap_s < float("inf"):
        began = time.process_time()
        trained(1)
        epochs = max(1, min(epochs, int(cap_s / (time.process_time() - began))))
    encoder, decoder, _, _ = trained(epochs)
    return Trained(encoder=encoder.eval(), decoder=decoder.eval(), epochs=epochs)
