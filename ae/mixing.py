"""Training sequences mixed with others of their batch.

Shape suffixes: B batch, T time steps, F features.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ae.batches import Batch

PARTS = 3
"""Sequences that one is mixed from: itself, and two of its length that may be the same."""


def mixed(batch: Batch, alpha: float) -> Batch:
    """A batch of random convex combinations of its sequences, by torch's global random generator; without labels.

    Each sequence is mixed with two others of the same length, by shares from a symmetric Dirichlet distribution. A
    value is real where it is in all three.

    Args:
        batch: of any lengths.
        alpha: the Dirichlet's parameter, > 0; the smaller, the nearer to one of the three.

    Source: Zhang et al. 2018, https://arxiv.org/abs/1710.09412, for labelled data and pairs.
    """
    who_3B = torch.stack([torch.arange(len(batch), device=batch.inputs_BTF.device), *_partners(batch)])
    parameters_3 = torch.full((PARTS,), alpha, device=batch.inputs_BTF.device)
    shares_B3 = torch.distributions.Dirichlet(parameters_3, validate_args=False).sample((len(batch),))
    inputs_BTF = torch.zeros_like(batch.inputs_BTF)
    for who_B, shares_B in zip(who_3B, shares_B3.T, strict=True):
        inputs_BTF += shares_B[:, None, None] * batch.inputs_BTF[who_B]
    real_BTF = None if batch.real_BTF is None else batch.real_BTF[who_3B].all(dim=0)
    return replace(batch, inputs_BTF=inputs_BTF, real_BTF=real_BTF, labels_B=None)


def _partners(batch: Batch) -> list[Tensor]:
    """Twice a random sequence of the same length for each, (B,)."""
    count, device = len(batch), batch.inputs_BTF.device
    if batch.lengths_B is None:
        return [torch.randint(count, (count,), device=device) for _ in range(PARTS - 1)]
    order_B = batch.lengths_B.argsort(stable=True)
    lengths_B = batch.lengths_B[order_B]
    firsts_B = torch.searchsorted(lengths_B, batch.lengths_B)
    sizes_B = torch.searchsorted(lengths_B, batch.lengths_B, right=True) - firsts_B
    draws = [torch.rand(count, device=device) for _ in range(PARTS - 1)]
    return [order_B[firsts_B + (draw_B * sizes_B).long().clamp(max=sizes_B - 1)] for draw_B in draws]
