"""A trained model saved in a folder, and loaded again."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ae.configuration import Configuration
from ae.errors import UserError
from ae.files import Damaged, load_torch, torch_bytes
from ae.tasks import find

if TYPE_CHECKING:
    from torch import Tensor

    from ae.model import LSTM_AE

WEIGHTS, DESCRIPTION = "weights.pt", "model.json"


def save(folder: Path, task: str, configuration: Configuration, weights: dict[str, Tensor], **facts: Any) -> None:
    """Write `weights.pt` (a state dict) and `model.json` (task, configuration, more facts), replacing older ones.

    Args:
        folder: made if it does not exist.
        task: name of the task.
        configuration: how the model was trained.
        weights: the model's state dict, on any device.
        facts: values that JSON can hold; `describe` returns them.

    Raises:
        OSError: if the files cannot be written; the older ones stay.
    """
    folder.mkdir(parents=True, exist_ok=True)
    description = {"task": task, "configuration": asdict(configuration), **facts}
    files = {
        WEIGHTS: torch_bytes({name: weight.cpu() for name, weight in weights.items()}),
        DESCRIPTION: (json.dumps(description, indent=2) + "\n").encode(),
    }
    for name, content in files.items():
        (folder / (name + ".part")).write_bytes(content)
    for name in files:
        os.replace(folder / (name + ".part"), folder / name)


def describe(folder: Path | str) -> dict[str, Any]:
    """What `model.json` says: "task", "configuration" (a Configuration) and the facts saved with them.

    Raises:
        UserError: if the folder holds no saved model, or a damaged one.
    """
    path = Path(folder) / DESCRIPTION
    if not os.path.exists(path):  # unlike Path.exists, False if the name is too long
        raise UserError(f"{path}: no such file; a saved model is a folder such as best/ of a finished sweep")
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(description, dict) or not {"task", "configuration"} <= description.keys():
            raise ValueError("it must have a task and a configuration")
        return {**description, "configuration": Configuration(**description["configuration"])}
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise UserError(f"{path}: not a saved model: {error}") from None


def load(folder: Path | str) -> LSTM_AE:
    """The model saved in a folder, such as the `best/` of a results folder; in evaluation mode, on the CPU.

    No code in the files is run: the description is JSON, and the weights load with `weights_only=True`.

    Raises:
        UserError: if the folder holds no saved model, or a damaged one.
    """
    description = describe(folder)
    task, configuration = find(description["task"]), description["configuration"]
    path = Path(folder) / WEIGHTS
    what = f"{path}: weights cannot be loaded"
    try:
        weights = _float32_weights(load_torch(path.read_bytes(), what), configuration.hidden_size)
        model = task.build(configuration)
        model.load_state_dict(weights)
    except Damaged as error:
        raise UserError(str(error)) from None
    except (OSError, ValueError, RuntimeError) as error:  # torch's RuntimeError: other names or shapes
        raise UserError(f"{what}: {' '.join(str(error).split())}") from None
    return model.eval()


def _float32_weights(weights: Any, hidden_size: int) -> dict[str, Tensor]:
    """The state dict as it is, if it may belong to a model of that width.

    Raises:
        ValueError: if it is no state dict of float32 tensors, or has another width. The width is checked before a
            model is built, since a damaged description may ask for one that does not fit into memory.
    """
    import torch

    if not isinstance(weights, dict) or not all(isinstance(name, str) for name in weights):
        raise ValueError("they must be a state dict")
    if not all(isinstance(weight, torch.Tensor) and weight.dtype == torch.float32 for weight in weights.values()):
        raise ValueError("all of them must be float32 tensors")
    recurrent = weights.get("encoder.weight_hh_l0")
    if recurrent is None or recurrent.ndim != 2:
        raise ValueError("encoder.weight_hh_l0 must be a matrix")
    if recurrent.shape[1] != hidden_size:
        raise ValueError(f"hidden_size must be {hidden_size}, as {DESCRIPTION} says, got {recurrent.shape[1]}")
    return weights
