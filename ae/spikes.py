"""Gradients far larger than usual, whose steps are skipped.

A step of Adam is never much longer than its step size, but it goes where one batch sends it, and its second moment
remembers a large gradient for a thousand steps. What is usual is taken from the steps of the epochs before, so that a
GPU need not be waited for at every step.

Source: Chowdhery et al. 2022, https://arxiv.org/abs/2204.02311, section 5.1 (batches around a spike are skipped). The
rule, on the distribution of the norms' logarithms, is our own.
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from typing import Any

import torch
from torch import Tensor

WINDOW = 1000
"""Steps that say what is usual."""
LEAST = 50
"""Steps that it takes to say so; before, only a norm that is not finite is a spike."""
DEVIATIONS = 6.0
"""Standard deviations of log(norm) above its mean at which a spike begins."""
FACTOR = 20.0
"""A spike is at least so many times the geometric mean of the norms: in calm training they hardly vary."""
FINITE = torch.finfo(torch.float32).max


class Spikes:
    """Decides which steps are skipped, and counts them."""

    def __init__(self) -> None:
        self.limit = FINITE
        """The largest norm of a gradient in this epoch that is no spike."""
        self.skipped = 0
        """Steps skipped so far."""
        self.known: deque[float] = deque(maxlen=WINDOW)
        """The norms of the steps before this epoch."""
        self.norms: list[float | Tensor] = []
        """Those of this epoch; on a GPU they stay there."""

    def has_spike(self, norm: Tensor) -> bool:
        """Take in the norm of a step's gradient, on the CPU; returns whether it is a spike."""
        self.norms.append(value := norm.item())
        return not value <= self.limit  # also NaN

    def found_spike(self, norm: Tensor) -> Tensor:
        """The same without waiting for a GPU: 1.0 for a spike, 0.0 otherwise."""
        self.norms.append(norm)
        return (norm <= self.limit).logical_not().float()

    def end_epoch(self) -> bool:
        """Learn what is usual from the steps of this epoch, skipped ones included: the usual may change.

        Returns:
            Whether most of the norms were finite. If not, skipping steps does not help: nothing is learned any more.
        """
        norms = [float(norm) for norm in torch.as_tensor(self.norms)]
        self.norms.clear()
        self.skipped += sum(not norm <= self.limit for norm in norms)
        self.known.extend(norm for norm in norms if 0 < norm <= FINITE)
        self.limit = _limit(self.known)
        return 2 * sum(norm <= FINITE for norm in norms) >= len(norms)

    def state_dict(self) -> dict[str, Any]:
        """All that a restored run needs, between two epochs."""
        return {"skipped": self.skipped, "known": list(self.known)}

    def load_state_dict(self, state: dict[str, Any] | None) -> None:
        """Resume where `state_dict` was taken; None for a run that was saved before there were spikes."""
        self.norms.clear()
        self.skipped, self.known = (state or {}).get("skipped", 0), deque((state or {}).get("known", ()), WINDOW)
        self.limit = _limit(self.known)


def _limit(known: deque[float]) -> float:
    if len(known) < LEAST:
        return FINITE
    logs = [math.log(norm) for norm in known]
    above = max(DEVIATIONS * statistics.pstdev(logs), math.log(FACTOR))
    return min(FINITE, math.exp(min(700.0, statistics.fmean(logs) + above)))
