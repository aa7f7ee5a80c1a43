"""A trained model saved in a folder, and loaded again."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ae.configuration import Configuration
from ae.errors import UserError
from ae.files import Damaged, load_torch, torch_bytes

if TYPE_CHECKING:
    from torch import Tensor

    from ae.model import LSTM_AE

WEIGHTS, DESCRIPTION = "weights.pt", "model.json"


def save(
    folder: Path,
    task: str,
    configuration: Configuration,
    model: Mapping[str, Any],
    weights: dict[str, Tensor],
    **facts: Any,
) -> None:
    """Write `weights.pt` (a state dict) and `model.json` (all the rest), replacing older ones.

    Args:
        folder: made if it does not exist.
        task: name of the task.
        configuration: how the model was trained.
        model: arguments of LSTM_AE other than hidden_size, such as `Task.model` gives.
        weights: the model's state dict, on any device.
        facts: values that JSON can hold; `describe` returns them.

    Raises:
        OSError: if the files cannot be written; the older ones stay.
    """
    folder.mkdir(parents=True, exist_ok=True)
    description = {"task": task, "configuration": asdict(configuration), "model": dict(model), **facts}
    files = {
        WEIGHTS: torch_bytes({name: weight.cpu() for name, weight in weights.items()}),
        DESCRIPTION: (json.dumps(description, indent=2) + "\n").encode(),
    }
    for name, content in files.items():
        (folder / (name + ".part")).write_bytes(content)
    for name in files:
        os.replace(folder / (name + ".part"), folder / name)


def describe(folder: Path | str) -> dict[str, Any]:
    """What `model.json` says: "task", "configuration" (a Configuration), "model" (for LSTM_AE), and further facts.

    Raises:
        UserError: if the folder holds no saved model, or a damaged one.
    """
    path = Path(folder) / DESCRIPTION
    if not os.path.exists(path):  # unlike Path.exists, False if the name is too long
        raise UserError(f"{path}: no such file; a saved model is a folder such as best/ of a finished sweep")
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(description, dict) or not {"task", "configuration", "model"} <= description.keys():
            raise ValueError("it must have a task, a configuration and a model")
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
    path = Path(folder) / WEIGHTS
    what = f"{path}: weights cannot be loaded"
    try:
        weights = _float32_weights(load_torch(path.read_bytes(), what))
        model = _model_of(weights, description)
    except Damaged as error:
        raise UserError(str(error)) from None
    except (OSError, ValueError) as error:
        raise UserError(f"{what}: {' '.join(str(error).split())}") from None
    return model.eval()


def _float32_weights(weights: Any) -> dict[str, Tensor]:
    """The state dict as it is.

    Raises:
        ValueError: if it is no state dict of float32 tensors.
    """
    import torch

    if not isinstance(weights, dict) or not all(isinstance(name, str) for name in weights):
        raise ValueError("they must be a state dict")
    if not all(isinstance(weight, torch.Tensor) and weight.dtype == torch.float32 for weight in weights.values()):
        raise ValueError("all of them must be float32 tensors")
    return weights


def _model_of(weights: dict[str, Tensor], description: Mapping[str, Any]) -> LSTM_AE:
    """The model that a description asks for, with these weights.

    Raises:
        ValueError: if the weights are those of another model. That is checked before the model takes memory: a damaged
            description may ask for one that does not fit.
    """
    import torch

    from ae.model import LSTM_AE

    configuration, sizes = description["configuration"], description["model"]
    try:
        with torch.device("meta"):
            model = LSTM_AE(hidden_size=configuration.hidden_size, architecture=configuration.architecture, **sizes)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise ValueError(f"{DESCRIPTION} asks for a model that cannot be: {sizes!r}") from None
    wanted = {name: weight.shape for name, weight in model.state_dict().items()}
    if wanted != {name: weight.shape for name, weight in weights.items()}:
        raise ValueError(
            f"they are not those of the model in {DESCRIPTION}, hidden_size {configuration.hidden_size}, {sizes!r}"
        )
    model.to_empty(device="cpu").load_state_dict(weights)
    return model
