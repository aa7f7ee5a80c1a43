"""The best model of a finished sweep, evaluated once more on a test split."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import numpy as np
from rich.console import Console

from ae import tasks
from ae.errors import UserError
from ae.saved import DESCRIPTION, describe, load
from ae.splits import Split, Splits
from ae.task import Task
from ae.words import counted, did_you_mean
from sweeps.config import plan_file
from sweeps.config.words import SMOKE, settings
from sweeps.storage import data_hash
from sweeps.storage.folder import BEST, PLAN
from sweeps.tracking.display import say

if TYPE_CHECKING:
    from ae.model import LSTM_AE

FACTS = {"data": str | None, "options": dict, "subset": int | None, "test": dict, "class_names": list | None}
"""What a finished sweep saves with its model, besides the task and the configuration, and of which types."""

LISTED = 10
"""Names of classes in a message, at most."""


def evaluate(folder: Path, data: Path | None, console: Console) -> None:
    """Print every metric of the best model, one line each, next to that of the sweep if the data is the same.

    Other data is split again. If the task names its sequences, such as stocks, the last line warns that the sweep may
    have trained on some of them.

    Args:
        folder: the results folder.
        data: to evaluate on; None means the data of the sweep.
        console: where to.

    Raises:
        UserError: if the folder holds no saved model, or the data cannot be read, is not what the sweep began with, or
            has other features or classes than the model.
    """
    best = folder / BEST
    if not os.path.isdir(best):  # False for a name that is too long
        hint = did_you_mean(plan_file.nearest_folder(folder))
        raise UserError(f"{folder}: not the results folder of a sweep with a saved model: it has no {BEST}/{hint}")
    task, saved = _finished(best)
    if data and "prepared" in saved:
        apply = f"python sweeps/apply.py {best} --data {data} --output scores.csv"
        raise UserError(
            f"the model's own scaling holds for other data, not a scaling of its own; score it with {apply}"
        )
    path = data or (Path(saved["data"]) if saved["data"] else None)
    say(console, f"{task.name}: reading {path or 'the data'}, and testing the model in {best}")
    splits = task.load(path, saved["options"])
    plan = plan_file.load(folder) if (folder / PLAN).exists() else None
    if data is None and path and plan:
        data_hash.check([path, *plan.data_paths[1:]], plan.data_sha256)
    if data is None and saved["subset"]:
        splits = splits.subset(saved["subset"])
    metrics = _metrics(task, best, splits, saved["class_names"] or [], path or best)
    model = settings(saved["configuration"], [name for name in saved["configuration"].stated if name != "epochs"])
    lines = [f"{task.name}, {len(splits.test):,} test sequences: {splits.source}"]
    lines.append(f"model: {model}; the winner's seed with the best validation")
    if data is None:
        _check_types(saved["test"], dict.fromkeys(metrics, float), best)
    for name, value in metrics.items():
        before = "" if data else f"   in the sweep {saved['test'][name]:.8g}"
        lines.append(f"  {name:<16} {value:.8g}{before}")
    if plan and plan.smoke:
        lines.append(f"note: {SMOKE}")
    if data and splits.test.info is not None:
        lines.append("note: this data is split again; the sweep may have trained on some of these sequences")
    say(console, "\n".join(lines))


def _metrics(task: Task, best: Path, splits: Splits, class_names: list[Any], data: Path) -> dict[str, float]:
    import torch

    from ae.training import final_metrics

    torch.set_num_threads(1)  # as in the sweep
    model = load(best)
    return final_metrics(task, model, replace(splits, test=_as_trained(splits.test, model, class_names, data)))


def _as_trained(split: Split, model: LSTM_AE, class_names: list[Any], data: Path) -> Split:
    """A split with the numbers that its classes had in training.

    Args:
        split: to evaluate the model on.
        model: with or without a head for classes.
        class_names: of the training data, in the order of the model's classes.
        data: names the split's data in messages.

    Raises:
        UserError: if the split's sequences have another number of features, or a class that the model does not know.
    """
    if split.features != model.input_size:
        rule = f"the model takes {counted(model.input_size, 'feature')} per time step"
        raise UserError(f"{data}: {rule}, such as the pixels of an image's row, got {split.features}")
    if model.classify is None or split.labels_N is None or split.class_names is None:
        return split
    if model.classify.out_features != len(class_names):
        rule = f"there must be {model.classify.out_features}, as the model has"
        raise UserError(f"{data}: {len(class_names)} class_names in {DESCRIPTION}: {rule}; the file is damaged")
    there = [split.class_names[label] for label in np.unique(split.labels_N)]
    if unknown := [name for name in there if name not in class_names]:
        known = ", ".join(map(str, class_names[:LISTED])) + ", ..." * (len(class_names) > LISTED)
        raise UserError(f"{data}: class {unknown[0]} is unknown to the model; its {len(class_names)} are {known}")
    numbers_C = np.array([class_names.index(name) if name in there else -1 for name in split.class_names])
    return replace(split, labels_N=numbers_C[split.labels_N], class_names=tuple(class_names))


def _finished(best: Path) -> tuple[Task, dict[str, Any]]:
    """The task, and the facts saved with the model, "options" as the task's own.

    Raises:
        UserError: if the sweep was not tested, or a fact is missing or of the wrong type.
    """
    saved = describe(best)
    task = tasks.find(saved["task"])
    if "test" not in saved:
        raise UserError(f"{best}: the sweep was interrupted before its test; resume it, or evaluate a finished one")
    _check_types(saved, FACTS, best)
    types = get_type_hints(task.options)
    _check_types(saved["options"], {name: types.get(name, ()) for name in saved["options"]}, best)
    options = task.options(**saved["options"])
    return task.with_options(options), {**saved, "options": options}


def _check_types(facts: Mapping[str, Any], types: Mapping[str, Any], best: Path) -> None:
    for name, wanted in types.items():
        if name not in facts:
            raise UserError(f"{best / DESCRIPTION}: {name} is missing; the file is damaged")
        is_strange = isinstance(facts[name], bool) and bool not in (get_args(wanted) or (wanted,))
        if is_strange or not isinstance(facts[name], wanted):
            raise UserError(f"{best / DESCRIPTION}: {name} cannot be {facts[name]!r}; the file is damaged")
