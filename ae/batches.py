"""Batches of a split on one device.

Shape suffixes: N sequences, B batch, T time steps, F features, S time steps of all sequences together.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ae.splits import Split

EVALUATION_STEPS = 28_000
"""Time steps of all sequences together in one forward pass of an evaluation: 1,000 images of 28 rows."""
POOL = 32
"""Batches that are cut from one pool of sequences, sorted by length, where lengths differ."""


def evaluation_batch(steps: int) -> int:
    """Sequences of `steps` time steps in one forward pass of an evaluation."""
    return max(1, EVALUATION_STEPS // steps)


@dataclass(frozen=True, slots=True)
class Batch:
    """Some sequences, as long as the longest of them."""

    inputs_BTF: Tensor
    """0 after the end of a sequence."""
    labels_B: Tensor | None = None
    lengths_B: Tensor | None = None
    """Time steps of each sequence; None if all have T."""
    real_BTF: Tensor | None = None
    """True where there is a value: before the end of its sequence, and not missing in the data; None if all are."""

    def __len__(self) -> int:
        return len(self.inputs_BTF)

    def without_last(self) -> Batch:
        """The batch without each sequence's last step."""
        inputs_BTF, lengths_B = self.inputs_BTF[:, :-1], None if self.lengths_B is None else self.lengths_B - 1
        real_BTF = None if self.real_BTF is None else self.real_BTF[:, :-1]
        if lengths_B is not None:
            inside_BT1 = (torch.arange(inputs_BTF.shape[1], device=inputs_BTF.device) < lengths_B[:, None]).unsqueeze(2)
            inputs_BTF = inputs_BTF * inside_BT1
            real_BTF = inside_BT1.expand_as(inputs_BTF) if real_BTF is None else real_BTF & inside_BT1
        return replace(self, inputs_BTF=inputs_BTF, lengths_B=lengths_B, real_BTF=real_BTF)


class DeviceSplit:
    """A split as tensors on one device; all runs on that device share it."""

    def __init__(self, split: Split, device: str) -> None:
        def on_device(values: NDArray[Any]) -> Tensor:
            return torch.from_numpy(values).to(device)

        self.split = split
        with warnings.catch_warnings():  # arrays in shared memory are read-only; nothing here writes to them
            warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
            self.steps_SF = on_device(split.steps_SF)
            self.labels_N = None if split.labels_N is None else on_device(split.labels_N)
            self.observed_SF = None if split.observed_SF is None else on_device(split.observed_SF)
            self.starts_N, self.lengths_N = on_device(split.starts_N), on_device(split.lengths_N)
            self.centre_NF = None if split.centre_NF is None else on_device(split.centre_NF)
            self.spread_NF = None if split.spread_NF is None else on_device(split.spread_NF)
        is_plain = split.is_dense and split.observed_SF is None and split.centre_NF is None
        self.inputs_NTF = self.steps_SF.view(len(split), -1, split.features) if is_plain else None
        """All sequences, if they have one length and follow each other, and are complete."""
        self.is_even = bool((split.lengths_N == split.lengths_N[:1]).all())
        """Whether all sequences have one length."""
        self.longest = int(split.lengths_N.max())

    def __len__(self) -> int:
        return len(self.starts_N)

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.steps_SF.device

    def batch(self, where: Tensor | slice) -> Batch:
        """The sequences at an index tensor or slice."""
        labels_B = None if self.labels_N is None else self.labels_N[where]
        if self.inputs_NTF is not None:
            return Batch(self.inputs_NTF[where], labels_B)
        starts_B, lengths_B = self.starts_N[where], self.lengths_N[where]
        longest = self.longest if self.is_even else int(lengths_B.max())
        steps_T = torch.arange(longest, device=self.device)
        inside_BT1 = (steps_T < lengths_B[:, None]).unsqueeze(2)
        where_BT = starts_B[:, None] + steps_T
        if not self.is_even:  # steps after the end of the last sequence do not exist
            where_BT = torch.minimum(where_BT, (starts_B + lengths_B - 1)[:, None])
        inputs_BTF, real_BTF = self.steps_SF[where_BT], None
        if self.centre_NF is not None and self.spread_NF is not None:
            inputs_BTF = (inputs_BTF - self.centre_NF[where, None]) / self.spread_NF[where, None]
        if not self.is_even:
            inputs_BTF, real_BTF = inputs_BTF * inside_BT1, inside_BT1.expand_as(inputs_BTF)
        if self.observed_SF is not None:
            real_BTF = self.observed_SF[where_BT] & inside_BT1
        return Batch(inputs_BTF, labels_B, None if self.is_even else lengths_B, real_BTF)

    def shuffled(self, batch_size: int, generator: torch.Generator) -> list[Tensor]:
        """The indices (B,) of every batch of an epoch, in a random order.

        Sequences of similar lengths share a batch, so that little of it is padding: pools of some batches are sorted by
        length and cut, then all batches are shuffled.
        """
        order_N = torch.randperm(len(self), generator=generator).to(self.device)
        if self.is_even:
            return list(order_N.split(batch_size))
        pools = [pool[self.lengths_N[pool].argsort(stable=True)] for pool in order_N.split(batch_size * POOL)]
        batches = [batch for pool in pools for batch in pool.split(batch_size)]
        return [batches[at] for at in torch.randperm(len(batches), generator=generator).tolist()]

    def in_order(self) -> Iterator[tuple[Tensor | slice, Batch]]:
        """Every batch of an evaluation and where its sequences are: in order, or by length if lengths differ."""
        if self.is_even:
            size = evaluation_batch(self.longest)
            for start in range(0, len(self), size):
                where = slice(start, start + size)
                yield where, self.batch(where)
            return
        lengths_N = self.lengths_N.cpu().numpy()
        order_N = np.argsort(lengths_N, kind="stable")
        first = 0
        while first < len(self):
            last = first + 1
            while last < len(self) and (last + 1 - first) * lengths_N[order_N[last]] <= EVALUATION_STEPS:
                last += 1
            where_B = torch.from_numpy(order_N[first:last]).to(self.device)
            yield where_B, self.batch(where_B)
            first = last


def cpu_batches(split: Split) -> Iterator[tuple[slice | NDArray[np.int64], Batch]]:
    """The batches of an evaluation on the CPU, and where their sequences are in the arrays of the split."""
    for where, batch in DeviceSplit(split, "cpu").in_order():
        yield where if isinstance(where, slice) else where.numpy(), batch
