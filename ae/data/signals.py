"""Random signals from a fixed seed: every call makes the same ones.

Shape suffixes: N sequences, T time steps, K sines per signal.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ae.errors import UserError
from ae.splits import SPLIT_SEED, Split, Splits
from ae.task import NoOptions

COUNT, STEPS, SINES = 10_000, 50, 3

Make = Callable[[np.random.Generator], NDArray[np.float64]]


def uniform(random: np.random.Generator) -> NDArray[np.float64]:
    """Independent values, uniform on [0, 1], which cannot be compressed. Mean 1/2, variance 1/12. Shape (N, T)."""
    return random.random((COUNT, STEPS))


def smooth(random: np.random.Generator) -> NDArray[np.float64]:
    """Sums of three sines in [0, 1], mean about 1/2. Shape (N, T).

    Each sine has 1 to 4 periods per signal, a random phase, and an amplitude uniform on [0, 1/6]: the three sum to at
    most 1/2.
    """
    turns_NK1 = random.uniform(1.0, 4.0, (COUNT, SINES, 1))
    phase_NK1 = random.uniform(0.0, 2 * np.pi, (COUNT, SINES, 1))
    amplitude_NK1 = random.uniform(0.0, 0.5 / SINES, (COUNT, SINES, 1))
    time_T = np.arange(STEPS) / STEPS
    return 0.5 + (amplitude_NK1 * np.sin(2 * np.pi * turns_NK1 * time_T + phase_NK1)).sum(axis=1)


def load(make: Make, path: Path | None, options: NoOptions | None = None) -> Splits:
    """10,000 signals of 50 steps, 60 % to train, 20 % to validate, 20 % to test.

    Args:
        make: one of the functions above.
        path: must be None; the signals come from a seed, not from a file.
        options: ignored; these tasks have none.

    Raises:
        UserError: if a path is given.
    """
    if path is not None:
        raise UserError(f"--data {path}: the synthetic tasks generate their own signals; leave --data out")
    signals_NT1 = make(np.random.default_rng(SPLIT_SEED)).astype(np.float32)[:, :, None]
    parts = np.split(signals_NT1, [round(0.6 * COUNT), round(0.8 * COUNT)])
    train, validation, test = (Split.dense(part) for part in parts)
    source = f"{COUNT:,} {make.__name__} random signals of {STEPS} steps, made from a fixed seed"
    return Splits(train=train, validation=validation, test=test, source=source)
