"""Whether the fast core trains to the losses of nn.LSTM: every task's reference configuration, with both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch

import tables
from ae import tasks
from ae.batches import DeviceSplit
from ae.configuration import Configuration
from ae.task import Task
from ae.training import Training
from settings import Settings

EPOCHS = 3
OPTIONS: dict[str, Any] = {"time_features": 16, "decode": "backward", "patch": 2, "latent_size": 40}
"""Everything that the fast core runs besides two plain LSTMs."""
NUDGE = 1e-7
"""Relative change of the starting weights that a rounding of float32 makes."""
REMARKS = (
    f"Reference configuration of each task (lr 0.001, clip 1, hidden 60 or the task's own), {EPOCHS} epochs; then with "
    "all the options that the fast core runs: 16 time features, a backward decoder, patches of 2, a latent size of 40.",
    "fast: the largest relative difference of any epoch's training and validation loss from nn.LSTM's.",
    f"nudged: the same of nn.LSTM itself, started from weights that differ by {NUDGE:g} of their size: what rounding "
    "alone grows to in training. The cores agree where fast is of the size of nudged, or below it; where it is nan or "
    "inf, a loss was not finite, and they do not.",
)


def run(settings: Settings) -> None:
    """Train every task three times, without and with options; a row each."""
    torch.set_num_threads(1)
    rows = []
    for name in tasks.names():
        print(f"agreement: {name}", flush=True)
        task = tasks.find(name)
        rows += [_row(task, task.base, name, settings)]
        rows += [_row(task, replace(task.base, **OPTIONS), f"{name}, options", settings)]
    tables.save(settings.folder, "agreement", rows, raw=rows, remarks=REMARKS)


def _row(task: Task, config: Configuration, name: str, settings: Settings) -> dict[str, Any]:
    whole = task.load(None, task.options())
    splits = whole.subset(max(1, settings.agreement_time_steps // whole.train.inputs_NTF.shape[1]))
    train, validation = DeviceSplit(splits.train, "cpu"), DeviceSplit(splits.validation, "cpu")
    stock = list(_losses(Training(task, config, train, validation, "stock")))
    fast = list(_losses(Training(task, config, train, validation, "fast")))
    nudged = list(_losses(_nudged(Training(task, config, train, validation, "stock"))))
    return {
        "task": name,
        "training sequences": len(train),
        "loss, first epoch": f"{stock[0]:.7g}",
        "fast core's": f"{fast[0]:.7g}",
        "fast, first epoch": _difference(fast[:2], stock[:2]),
        f"fast, {EPOCHS} epochs": _difference(fast, stock),
        f"nudged, {EPOCHS} epochs": _difference(nudged, stock),
    }


def _losses(training: Training) -> Iterator[float]:
    """The training and the validation loss of each epoch, one after the other."""
    for _ in range(EPOCHS):
        yield training.train_epoch()
        yield training.validate()["loss"]


def _nudged(training: Training) -> Training:
    with torch.no_grad():
        for weights in training.model.parameters():
            weights.mul_(1 + NUDGE * torch.randn_like(weights))
    return training


def _difference(losses: list[float], reference: list[float]) -> float:
    return float(np.max(np.abs(np.divide(losses, reference) - 1)))  # max() would hide a NaN
