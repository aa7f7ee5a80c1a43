"""The time of one training step, against nn.LSTM and against the machine's own matrix products.

Shape suffixes: N sequences, T time steps, F features, H hidden units.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

import pictures
import tables
from ae import tasks
from ae.batches import DeviceSplit
from ae.configuration import Configuration
from ae.splits import Split
from ae.training import Training
from peers import tutorial
from settings import Settings
from timing import MILLISECONDS, alternate, medians

SEQUENCES = ((28, 28), (50, 1))
"""(T, F): the rows of an MNIST image; the signals of `synthetic`."""
STEPS = 32
"""Training steps of one timed call: an epoch over as many batches, so that starting an epoch is in the time too."""
LARGE = 512
"""Rows and columns of the square matrices whose product shows what the core can do at best."""
CORES = ("stock", "fast")
OPTIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "time_features 32": {"time_features": 32},
    "decode backward": {"decode": "backward"},
    "patch 2": {"patch": 2},
    "latent_size 32": {"latent_size": 32},
    "these four": {"time_features": 32, "decode": "backward", "patch": 2, "latent_size": 32},
    "mix 0.5": {"mix": 0.5},
    "noise 0.1": {"noise": 0.1},
    "weight_decay 0.01": {"weight_decay": 0.01},
    "average 0.99": {"average": 0.99},
    "layers 2": {"layers": 2},
}
OPTION_SIZES = (60, 32)
"""Hidden size and batch of the steps with options."""
OPTION_REMARKS = (
    f"A step as in `step`, T 50, F 1, hidden {OPTION_SIZES[0]}, batch {OPTION_SIZES[1]}, with one option at a time; "
    "auto: the core that trains it, the fast one but for several layers.",
)
REMARKS = (
    "A step: fetch the batch, forward, loss, backward, clip to norm 1, Adam; float32, one thread; medians of blocks "
    "that take turns.",
    "tutorial: nn.LSTM, DataLoader, Adam and loss.item() each step, as PyTorch's tutorials write them; stock and fast: "
    "this project's Training with that core.",
    "GFLOP/s of the fast step: the least floating-point operations that a step needs over its whole time; gate "
    "functions, loss, clipping and Adam are in the time and not in the operations.",
    f"sgemm: torch.mm of (batch, H) x (H, 4H), the product of one time step, and of {LARGE} x {LARGE} matrices.",
)


def run(settings: Settings) -> None:
    """Time every shape; a row each."""
    torch.set_num_threads(1)
    rows, raw = [], []
    for (steps, features), hidden, batch in product(SEQUENCES, settings.hidden_sizes, settings.batch_sizes):
        print(f"step: T {steps}, F {features}, H {hidden}, batch {batch}", flush=True)
        times = _measure(steps, features, hidden, batch, settings)
        rows.append(_row(steps, features, hidden, batch, medians(times)))
        raw.append({"T": steps, "F": features, "H": hidden, "batch": batch, "ms": times})
    tables.save(settings.folder, "step", rows, raw=raw, remarks=REMARKS)
    pictures.step_ratios(rows, settings.folder / "step.png")
    _with_options(settings)


def _with_options(settings: Settings) -> None:
    """Time a step with each option; a row each."""
    (steps, features), (hidden, batch) = SEQUENCES[1], OPTION_SIZES
    inputs_NTF = np.random.default_rng(0).random((STEPS * batch, steps, features), dtype=np.float32)
    epochs = {
        f"{option}/{core}": _own_epoch(inputs_NTF, hidden, batch, core, **changes)
        for option, changes in OPTIONS.items()
        for core in ("stock", "auto")
    }
    print("step: with each option", flush=True)
    times = alternate(epochs, settings.repeats, settings.block_s)
    ms = {name: value / STEPS for name, value in medians(times).items()}
    rows = [
        {"option": option, "stock (ms)": ms[f"{option}/stock"], "auto (ms)": ms[f"{option}/auto"]}
        | {"auto / auto without": ms[f"{option}/auto"] / ms["none/auto"]}
        for option in OPTIONS
    ]
    tables.save(settings.folder, "options", rows, raw=times, remarks=OPTION_REMARKS)


def minimal_gflop(steps: int, features: int, hidden: int, batch: int) -> float:
    """The least 1e9 floating-point operations that a training step of the autoencoder needs.

    A product of (m, k) and (k, n) matrices counts 2 m k n. Forward: the encoder multiplies inputs and hidden states by
    (F, 4H) and (H, 4H) at each of T steps; the decoder the same with (H, 4H), and its context, which is the same at
    every step, once. Backward costs twice the forward pass, a gradient of each factor, but for the gradient of the
    inputs, which nobody wants. The output layer (H, F) counts three products.
    """
    gates = 2 * batch * 4 * hidden
    encoder = steps * gates * (features + hidden)
    decoder = steps * gates * hidden + gates * hidden
    inputs_gradient = steps * gates * features
    output = 3 * 2 * batch * steps * hidden * features
    return (3 * (encoder + decoder) - inputs_gradient + output) / 1e9


def _measure(steps: int, features: int, hidden: int, batch: int, settings: Settings) -> dict[str, list[float]]:
    """Milliseconds of a training step of each variant, and of each of the two products."""
    random = np.random.default_rng(0)
    inputs_NTF = random.random((STEPS * batch, steps, features), dtype=np.float32)
    epochs: dict[str, Callable[[], object]] = {"tutorial": _tutorial_epoch(inputs_NTF, hidden, batch)}
    for core in CORES:
        epochs[core] = _own_epoch(inputs_NTF, hidden, batch, core)
    small, large = torch.rand(batch, hidden), torch.rand(LARGE, LARGE)
    weights = torch.rand(hidden, 4 * hidden)
    calls = epochs | {"sgemm": lambda: torch.mm(small, weights), "sgemm, large": lambda: torch.mm(large, large)}
    times = alternate(calls, settings.repeats, settings.block_s)
    return {name: [one / STEPS for one in values] if name in epochs else values for name, values in times.items()}


def _tutorial_epoch(inputs_NTF: np.ndarray[Any, Any], hidden: int, batch: int) -> Callable[[], float]:
    torch.manual_seed(0)
    model = tutorial.Autoencoder(inputs_NTF.shape[2], hidden)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    batches = DataLoader(TensorDataset(torch.from_numpy(inputs_NTF)), batch_size=batch, shuffle=True)
    return lambda: tutorial.train_epoch(model, optimizer, batches, 1.0)


def _own_epoch(
    inputs_NTF: np.ndarray[Any, Any], hidden: int, batch: int, core: str, **options: Any
) -> Callable[[], float]:
    split = DeviceSplit(Split.dense(inputs_NTF), "cpu")
    configuration = Configuration(hidden_size=hidden, batch_size=batch, lr=1e-3, clip=1.0, **options)
    return Training(tasks.find("synthetic"), configuration, split, split, core=core).train_epoch


def _row(steps: int, features: int, hidden: int, batch: int, ms: dict[str, float]) -> dict[str, Any]:
    speed = minimal_gflop(steps, features, hidden, batch) / ms["fast"] * MILLISECONDS
    product_speed = 2 * batch * hidden * 4 * hidden / 1e9 / ms["sgemm"] * MILLISECONDS
    return {
        "T": steps,
        "F": features,
        "H": hidden,
        "batch": batch,
        **{f"{name} (ms)": ms[name] for name in ("tutorial", *CORES)},
        "tutorial / fast": ms["tutorial"] / ms["fast"],
        "stock / fast": ms["stock"] / ms["fast"],
        "fast (GFLOP/s)": speed,
        "sgemm (GFLOP/s)": product_speed,
        "sgemm, large (GFLOP/s)": 2 * LARGE**3 / 1e9 / ms["sgemm, large"] * MILLISECONDS,
        "fast / sgemm": speed / product_speed,
    }
