"""The best model of a sweep as one file that needs none of this program."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from ae import exported, saved, tasks
from ae.applied import Applied
from ae.errors import UserError
from ae.exported import CASES, OPSET, TOLERANCE, Graph
from ae.files import write_whole
from ae.words import counted
from sweeps.config.choices import EXPORTS, check_choice
from sweeps.pipeline.places import check_file, model_folder
from sweeps.tracking.display import say
from sweeps.tracking.steps import Step

if TYPE_CHECKING:
    from torch import Tensor

PACKAGES = {"onnx": ("onnx", "onnxscript", "onnxruntime"), "torch": (), "safetensors": ("safetensors",)}
"""What each form needs besides PyTorch; all of it is in the extra "export"."""


def export(folder: Path, form: str, output: Path | None, console: Console) -> Path:
    """Write a model; it is compared with PyTorch first.

    Args:
        folder: a results folder, or a saved model.
        form: one of `EXPORTS`.
        output: the file, which replaces an older one; None takes the folder's name, in the current folder, if there is
            no such file.
        console: is told what was written.

    Returns:
        The file.

    Raises:
        UserError: if there is no model, a package is missing, or the file cannot be written; an older one stays.
    """
    check_choice("to", form, EXPORTS)
    best = model_folder(folder)
    path = output or Path(f"{folder.absolute().name or 'model'}{EXPORTS[form]}")
    check_file(path, [EXPORTS[form]])
    if output is None and os.path.exists(path):
        raise UserError(f"{path} is there already; name it by --output to replace it, or give another name")
    missing = [package for package in PACKAGES[form] if importlib.util.find_spec(package) is None]
    if missing:
        fix = "pip install 'lstm-ae-sweeps[export]'"
        raise UserError(f"--to {form} needs {', '.join(missing)}, which is not installed; {fix}")
    with Step(console, f"writing {path}"):
        graph, facts = _graph(best)
        content, remark = _content(graph, form, facts)
        try:
            write_whole(path, content)
        except OSError as error:
            why = error.strerror or error
            raise UserError(f"--output {path}: cannot be written: {why}; give another --output") from None
    say(console, f"{remark}\nwritten: {path}, {len(content):,} bytes")
    return path


def _graph(best: Path) -> tuple[Graph, dict[str, str]]:
    """The whole model, and what a reader of the file should know.

    Raises:
        UserError: if the saved model is damaged, or its task is gone.
    """
    described = saved.describe(best)
    units = tasks.find(described["task"]).units
    applied = Applied.load(best) if "prepared" in described else None  # checks all of it
    network = applied.network if applied else saved.load(best)
    try:
        return Graph(network, units(described)).eval(), _metadata(described, applied)
    except KeyError as error:
        raise UserError(f"{best / saved.DESCRIPTION}: {error} is missing; the file is damaged") from None


def _metadata(described: Mapping[str, Any], applied: Applied | None) -> dict[str, str]:
    """Texts: names as they are, everything else as JSON."""
    facts: dict[str, Any] = {"task": described["task"], "version": _version()}
    facts["data_sha256"] = described.get("data_sha256")
    facts["classes"] = described.get("class_names")
    facts["model"] = described["model"]
    facts["configuration"] = asdict(described["configuration"])
    if applied:
        prepared = described["prepared"]
        facts |= {"features": prepared["columns"], "window": prepared["window"], "scaler": prepared["scaler"]}
        facts |= {"threshold": applied.threshold(), "thresholds": dict(applied.thresholds)}
    there = {name: fact for name, fact in facts.items() if fact is not None}
    return {name: fact if isinstance(fact, str) else json.dumps(fact) for name, fact in there.items()}


def _version() -> str | None:
    try:
        return importlib.metadata.version("lstm-ae-sweeps")
    except importlib.metadata.PackageNotFoundError:  # a checkout that was never installed
        return None


def _content(graph: Graph, form: str, facts: Mapping[str, str]) -> tuple[bytes, str]:
    """The file, and what is to be said about it.

    Raises:
        RuntimeError: if the file does not do what the model does.
    """
    if form == "safetensors":
        content = exported.weights_alone(graph, facts)
        return content, f"{counted(len(graph.network.state_dict()), 'tensor')}, the state dict of ae.LSTM_AE"
    if form == "onnx":
        content = exported.onnx_graph(graph, facts)
        run, kind = exported.run_onnx(content), f"ONNX, opset {OPSET}"
    else:
        content = exported.torch_program(graph, facts)
        run, kind = exported.run_torch(content), "a program for torch.export.load"
    difference = exported.largest_difference(graph, run)
    if not difference <= TOLERANCE:
        raise RuntimeError(f"{kind} differs from PyTorch by {difference:.2g}; at most {TOLERANCE:g} is allowed")
    checked = f"checked on {len(CASES)} batches, largest difference from PyTorch {difference:.1g}"
    return content, f"{kind}; {checked}\n{_signature(graph)}"


def _signature(graph: Graph) -> str:
    """The inputs and outputs with their shapes."""
    inputs = graph.example(batch=2, steps=3)
    parts = {"inputs": inputs, "outputs": graph(**inputs)}
    return "\n".join(
        f"{what}: {', '.join(f'{name} ({_shape(values)})' for name, values in named.items())}"
        for what, named in parts.items()
    )


def _shape(values: Tensor) -> str:
    axes = ["batch", "steps"][: max(1, values.ndim - 1)]
    return ", ".join([*axes, *([str(values.shape[-1])] if values.ndim > 1 else [])])
