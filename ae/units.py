"""From values in the data's own units to what a model reads, and back, as the first and last part of an exported graph.

They say in torch what the loaders of the tasks do in NumPy.

Shape suffixes: B batch, T time steps, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

CONSTANT = 1e-4
"""A sequence whose deviation is smaller keeps its size; `ae.data.sequences.scaling.own_scale` has the same rule."""
MISSING = 0.1
"""Share of missing values in an example of data that may have some."""


class Inputs(NamedTuple):
    """What a model reads; value = input * spread + centre, where both have the shape (B, 1, F), or fewer dimensions."""

    inputs_BTF: Tensor
    """float32."""
    real_BTF: Tensor | None
    """True where there is a value; None if there is one everywhere."""
    centre: Tensor
    """float64."""
    spread: Tensor
    """float64."""


class Units(nn.Module):
    """Input = (value - centre) / spread, the same for every sequence.

    Args:
        centre_F: one value, or one for each feature.
        spread_F: the same.

    Attributes:
        has_lengths: whether sequences of a batch may have lengths of their own.
    """

    def __init__(self, centre_F: Sequence[float] = (0.0,), spread_F: Sequence[float] = (1.0,)) -> None:
        super().__init__()
        self.centre_F: Tensor
        self.spread_F: Tensor
        self.register_buffer("centre_F", torch.tensor(centre_F, dtype=torch.float64))
        self.register_buffer("spread_F", torch.tensor(spread_F, dtype=torch.float64))
        self.has_lengths = False

    def forward(self, values_BTF: Tensor, lengths_B: Tensor | None = None) -> Inputs:
        """What the model reads.

        Args:
            values_BTF: float64, in the data's own units.
            lengths_B: int64, from 1 to T, if `has_lengths`.
        """
        return Inputs(self.scaled(values_BTF), None, self.centre_F, self.spread_F)

    def scaled(self, values_BTF: Tensor) -> Tensor:
        """Values on the scale of the training data, float32."""
        return ((values_BTF - self.centre_F) / self.spread_F).float()

    def example(self, batch: int, steps: int, features: int, generator: torch.Generator) -> Tensor:
        """Random values (B, T, F) that such data may have."""
        noise_BTF = torch.randn(batch, steps, features, generator=generator, dtype=torch.float64)
        return noise_BTF * self.spread_F + self.centre_F


class SequenceUnits(Units):
    """The units of a user's own sequences, in which NaN is a missing value, as `Prepared` and `fill` prepare them.

    Args:
        centre_F, spread_F: of the training data.
        own: each sequence also has its own mean and deviation taken away.
        has_lengths: as in `Units`.
    """

    def __init__(self, centre_F: Sequence[float], spread_F: Sequence[float], *, own: bool, has_lengths: bool) -> None:
        super().__init__(centre_F, spread_F)
        self.own = own
        self.has_lengths = has_lengths

    def forward(self, values_BTF: Tensor, lengths_B: Tensor | None = None) -> Inputs:
        """As `Units.forward`; values after the end of a sequence do not matter."""
        inside_BT1 = _inside(values_BTF, lengths_B)
        real_BTF = ~torch.isnan(values_BTF) & inside_BT1
        inputs_BTF = self.scaled(self._filled(values_BTF, real_BTF))
        if not self.own:
            return Inputs(inputs_BTF, real_BTF, self.centre_F, self.spread_F)
        mean_B1F, deviation_B1F = _own_scale(inputs_BTF.double(), inside_BT1)
        return Inputs(
            inputs_BTF=(inputs_BTF - mean_B1F.float()) / deviation_B1F.float(),
            real_BTF=real_BTF,
            centre=mean_B1F * self.spread_F + self.centre_F,
            spread=deviation_B1F * self.spread_F,
        )

    def _filled(self, values_BTF: Tensor, real_BTF: Tensor) -> Tensor:
        """Every missing value replaced by the one before it, the first ones by the next, or all by the centre.

        The values that are there are moved together: the k-th one of a feature to slot k. A step reads the slot that
        belongs to the number of values so far. A running maximum would be simpler, but ONNX has only a running sum.
        """
        batch, steps, _ = values_BTF.shape
        number_BTF = real_BTF.to(torch.int64).cumsum(dim=1)
        nowhere = steps + 1
        slot_BTF = torch.where(real_BTF, number_BTF, nowhere)
        slots_BSF = self.centre_F.expand(batch, steps + 2, -1).scatter(1, slot_BTF, values_BTF)
        return slots_BSF.gather(1, number_BTF.clamp(min=1))

    def example(self, batch: int, steps: int, features: int, generator: torch.Generator) -> Tensor:
        """As `Units.example`, with missing values."""
        values_BTF = super().example(batch, steps, features, generator)
        is_missing_BTF = torch.rand(values_BTF.shape, generator=generator) < MISSING
        return values_BTF.masked_fill(is_missing_BTF, torch.nan)


class PriceUnits(Units):
    """Prices > 0, each sequence scaled by its own ones, as `ae.data.price_scale.normalise` does; a constant is NaN."""

    def forward(self, values_BTF: Tensor, lengths_B: Tensor | None = None) -> Inputs:
        """As `Units.forward`."""
        minimum_B1F, maximum_B1F = values_BTF.amin(dim=1, keepdim=True), values_BTF.amax(dim=1, keepdim=True)
        y_BTF = (values_BTF - minimum_B1F) / maximum_B1F
        size_B1F = 2 * y_BTF.mean(dim=1, keepdim=True)
        return Inputs((y_BTF / size_B1F).float(), None, minimum_B1F, size_B1F * maximum_B1F)

    def example(self, batch: int, steps: int, features: int, generator: torch.Generator) -> Tensor:
        """A random walk of two days or more."""
        noise_BTF = torch.randn(batch, max(2, steps), features, generator=generator, dtype=torch.float64)
        return 100 * torch.exp(0.02 * noise_BTF.cumsum(dim=1))


def _inside(values_BTF: Tensor, lengths_B: Tensor | None) -> Tensor:
    """True for the steps of a sequence, (B, T, 1), or for all, (1, T, 1)."""
    steps_T = torch.arange(values_BTF.shape[1], device=values_BTF.device)
    if lengths_B is None:
        return (steps_T >= 0)[None, :, None]
    return (steps_T < lengths_B[:, None]).unsqueeze(2)


def _own_scale(scaled_BTF: Tensor, inside_BT1: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each sequence over its own steps, (B, 1, F) each; a constant feature has deviation 1."""
    count_B11 = inside_BT1.sum(dim=1, keepdim=True)
    mean_B1F = torch.where(inside_BT1, scaled_BTF, 0.0).sum(dim=1, keepdim=True) / count_B11
    squares_BTF = torch.where(inside_BT1, (scaled_BTF - mean_B1F) ** 2, 0.0)
    deviation_B1F = torch.sqrt(squares_BTF.sum(dim=1, keepdim=True) / count_B11)
    return mean_B1F, torch.where(deviation_B1F < CONSTANT, 1.0, deviation_B1F)
