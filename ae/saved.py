"""A trained model in a folder, and back."""

from __future__ import annotations

import io
import json
import os
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ae.configuration import Configuration
from ae.errors import UserError
from ae.model import LSTM_AE
from ae.tasks import find

WEIGHTS, DESCRIPTION = "weights.pt", "model.json"


def save(folder: Path, task: str, configuration: Configuration, weights: dict[str, Tensor], **facts: Any) -> None:
    """Write `weights.pt` (a state dict) and `model.json` (task, configuration, further facts), over what is there.

    Raises:
        OSError: if they cannot be written; what was there stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()  # a file that cannot be written is a RuntimeError of torch's
    torch.save({name: weight.cpu() for name, weight in weights.items()}, content)
    description = {"task": task, "configuration": asdict(configuration), **facts}
    files = {WEIGHTS: content.getvalue(), DESCRIPTION: (json.dumps(description, indent=2) + "\n").encode()}
    for name, whole in files.items():
        (folder / (name + ".part")).write_bytes(whole)
    for name in files:
        os.replace(folder / (name + ".part"), folder / name)


def describe(folder: Path | str) -> dict[str, Any]:
    """What `model.json` says: "task", "configuration" (a Configuration) and the facts saved with them.

    Raises:
        UserError: if the folder holds no saved model, or a damaged one.
    """
    path = Path(folder) / DESCRIPTION
    if not os.path.exists(path):  # False for a name too long
        raise UserError(f"{path}: there is no such file, and so no saved model; give a finished sweep's best/")
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(description, dict) or not {"task", "configuration"} <= description.keys():
            raise ValueError("it has no task and configuration")
        return {**description, "configuration": Configuration(**description["configuration"])}
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise UserError(f"{path}: not a saved model: {error}") from None


def load(folder: Path | str) -> LSTM_AE:
    """The model saved in a results folder's `best/`, in evaluation mode on the CPU.

    No code is run from the files: the description is JSON and the weights load with `weights_only=True`.

    Raises:
        UserError: if the folder holds no saved model, or a damaged one.
    """
    description = describe(folder)
    task, configuration = find(description["task"]), description["configuration"]
    path = Path(folder) / WEIGHTS
    try:
        weights = _weights(path, configuration.hidden_size)
        model = task.build(configuration)
        model.load_state_dict(weights)
    except Exception as error:  # torch raises a dozen kinds for a damaged file; each means the same to the reader
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path}: weights cannot be loaded: {reason}") from None
    return model.eval()


def _weights(path: Path, hidden_size: int) -> dict[str, Tensor]:
    """The state dict in a file, undamaged and of a model of that width; an error of any kind where it is not."""
    with zipfile.ZipFile(path) as file:  # torch does not look at its checksums
        damaged = file.testzip()
    if damaged:
        raise ValueError(f"{damaged} in it is damaged")
    weights: dict[str, Tensor] = torch.load(path, weights_only=True, map_location="cpu")
    if any(weight.dtype != torch.float32 for weight in weights.values()):
        raise ValueError("they must be float32")
    width = weights["encoder.weight_hh_l0"].shape[-1]
    if width != hidden_size:  # asked before a model of that width takes memory
        raise ValueError(f"they have hidden_size {width}, {DESCRIPTION} says {hidden_size}")
    return weights
