"""A trained model in a folder, and back."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ae.configuration import Configuration
from ae.model import LSTM_AE
from ae.tasks import find

WEIGHTS, DESCRIPTION = "weights.pt", "model.json"


def save(folder: Path, task: str, configuration: Configuration, weights: dict[str, Tensor], **facts: Any) -> None:
    """Write `weights.pt` (a state dict) and `model.json` (task, configuration and further facts) into a new folder."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({name: weight.cpu() for name, weight in weights.items()}, folder / WEIGHTS)
    description = {"task": task, "configuration": asdict(configuration), **facts}
    (folder / DESCRIPTION).write_text(json.dumps(description, indent=2) + "\n")


def describe(folder: Path | str) -> dict[str, Any]:
    """What `model.json` says: "task", "configuration" (a Configuration) and the facts saved with them.

    Raises:
        ValueError: if the folder holds no saved model, or a damaged one.
    """
    path = Path(folder) / DESCRIPTION
    try:
        description = json.loads(path.read_text())
        return {**description, "configuration": Configuration(**description["configuration"])}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path}: not a saved model: {error}") from None


def load(folder: Path | str) -> LSTM_AE:
    """The model saved in a results folder's `best/`, in evaluation mode on the CPU.

    No code is run from the files: the description is JSON and the weights load with `weights_only=True`.

    Raises:
        ValueError: if the folder holds no saved model, or a damaged one.
    """
    description = describe(folder)
    model = find(description["task"]).build(description["configuration"])
    path = Path(folder) / WEIGHTS
    try:
        model.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
    except Exception as error:  # torch raises a dozen kinds for a damaged file; each means the same to the reader
        raise ValueError(f"{path}: weights cannot be loaded: {str(error).splitlines()[0]}") from None
    return model.eval()
