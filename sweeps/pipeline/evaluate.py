"""The best model of a finished sweep, evaluated once more on a test split."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_type_hints

from rich.console import Console

from ae import tasks
from ae.errors import UserError
from ae.saved import DESCRIPTION, describe, load
from ae.splits import Split
from ae.task import Task
from sweeps.config import plan_file
from sweeps.config.space import HYPERPARAMETERS
from sweeps.config.words import SMOKE, settings
from sweeps.storage import data_hash
from sweeps.storage.folder import BEST, PLAN
from sweeps.tracking.display import say

FACTS = {"data": str | None, "options": dict, "subset": int | None, "test": dict}
"""What a finished sweep saves with its model, besides the task and the configuration, and of which types."""


def evaluate(folder: Path, data: Path | None, console: Console) -> None:
    """Print every metric of the best model, one line each, next to that of the sweep if the data is the same.

    Other data is split again. If the task names its sequences, such as stocks, the last line warns that the sweep may
    have trained on some of them.

    Args:
        folder: the results folder.
        data: to evaluate on; None means the data of the sweep.
        console: where to.

    Raises:
        UserError: if the folder holds no saved model, or the data cannot be read or is not what the sweep began with.
    """
    best = folder / BEST
    if not os.path.isdir(best):  # False for a name that is too long
        raise UserError(f"{folder}: not the results folder of a sweep with a saved model: it has no {BEST}/")
    task, saved = _finished(best)
    path = data or (Path(saved["data"]) if saved["data"] else None)
    say(console, f"{task.name}: reading {path or 'the data'}, and testing the model in {best}")
    splits = task.load(path, saved["options"])
    plan = plan_file.load(folder) if (folder / PLAN).exists() else None
    if data is None and path and plan:
        data_hash.check(path, plan.data_sha256)
    if data is None and saved["subset"]:
        splits = splits.subset(saved["subset"])
    metrics = _metrics(task, best, splits.test)
    model = settings(saved["configuration"], [*HYPERPARAMETERS, "seed"])
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


def _metrics(task: Task, best: Path, split: Split) -> dict[str, float]:
    import torch

    from ae.training import final_metrics

    torch.set_num_threads(1)  # as in the sweep
    return final_metrics(task, load(best), split)


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
    return task, {**saved, "options": task.options(**saved["options"])}


def _check_types(facts: Mapping[str, Any], types: Mapping[str, Any], best: Path) -> None:
    for name, wanted in types.items():
        if name not in facts:
            raise UserError(f"{best / DESCRIPTION}: {name} is missing; the file is damaged")
        if isinstance(facts[name], bool) or not isinstance(facts[name], wanted):
            raise UserError(f"{best / DESCRIPTION}: {name} cannot be {facts[name]!r}; the file is damaged")
