"""One training run as data."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from ae.errors import UserError

INITIALISATIONS = ("uniform", "orthogonal", "chrono")
SCHEDULES = ("constant", "one-cycle")


@dataclass(frozen=True, kw_only=True, slots=True)
class Configuration:
    """All that defines one training run; equal configurations give equal results on one machine."""

    hidden_size: int = 60
    """Width H of the context vector z, in units."""
    lr: float = 1e-3
    """Adam step size; under the one-cycle schedule, the peak step size."""
    clip: float | None = 1.0
    """Largest L2 norm of the gradient; None never clips."""
    batch_size: int = 32
    """Sequences per gradient step."""
    init: str = "uniform"
    """Initialisation: "uniform" (PyTorch's), "orthogonal" (forget bias 1), "chrono" (memories of 1 to 1,000 steps)."""
    schedule: str = "constant"
    """Step size over the run: "constant", or "one-cycle" (rises for 30 % of the steps, then anneals to nearly 0)."""
    epochs: int = 300
    """Passes over the training split; the one-cycle schedule spans all of them."""
    seed: int = 0
    """Seeds the starting weights and the order of the batches."""

    def __post_init__(self) -> None:
        for name in ("hidden_size", "batch_size", "epochs"):
            value = getattr(self, name)
            if isinstance(value, bool) or not (isinstance(value, int) and value >= 1):
                raise UserError(f"{name} must be a whole number >= 1, got {value!r}")
        if not (_is_number(self.lr) and self.lr > 0):
            raise UserError(f"lr must be a number > 0, got {self.lr!r}")
        if self.clip is not None and not (_is_number(self.clip) and self.clip > 0):
            raise UserError(f"clip must be a number > 0, or none for no clipping, got {self.clip!r}")
        for name, allowed in (("init", INITIALISATIONS), ("schedule", SCHEDULES)):
            if getattr(self, name) not in allowed:
                raise UserError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        if not (isinstance(self.seed, int) and 0 <= self.seed < 2**32):
            raise UserError(f"seed must be a whole number from 0 to 2**32 - 1, got {self.seed!r}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
