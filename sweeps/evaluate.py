"""Evaluate the best model of a sweep again on the test split: the same figures, or a reason why not."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_type_hints

import torch

from ae import tasks
from ae.saved import DESCRIPTION, describe, load
from ae.task import Task
from ae.training import final_metrics
from sweeps.config.arguments import Parser, exit_status
from sweeps.config.space import HYPERPARAMETERS
from sweeps.config.words import settings
from sweeps.storage import data_hash
from sweeps.storage.folder import RECORD, read

FACTS = {"data": str | None, "options": dict, "subset": int | None, "test": dict}
"""What a finished sweep saves beside the task and the configuration, and of which types."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status, 2 for a folder or data that cannot be read."""
    parser = Parser(prog="python sweeps/evaluate.py", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="RESULTS_DIR", help="a results folder, results/TASK/NAME")
    parser.add_argument("--data", type=Path, metavar="PATH", help="other data (default: what the sweep used)")
    options = parser.parse(arguments)
    torch.set_num_threads(1)  # as in the sweep
    return exit_status(lambda: print(report(options.folder / "best", options.data)))


def report(folder: Path, data: Path | None) -> str:
    """Every metric of a saved model on a test split, a line each, beside the sweep's own where the data is the same.

    Other data is split anew; where a task names its sequences, by stock say, the last line warns of known ones.

    Raises:
        ValueError: if the folder holds no saved model, or the data cannot be read or is not what the sweep began with.
    """
    if not os.path.isdir(folder):  # False for a name too long
        raise ValueError(f"{folder.parent}: no results folder of a sweep that has its model: it has no {folder.name}/")
    task, saved = _finished(folder)
    path = data or (Path(saved["data"]) if saved["data"] else None)
    splits = task.load(path, saved["options"])
    if data is None and path and (folder.parent / RECORD).exists():
        data_hash.check(path, read(folder.parent).data_sha256)
    if data is None and saved["subset"]:
        splits = splits.subset(saved["subset"])
    metrics = final_metrics(task, load(folder), splits.test)
    model = settings(asdict(saved["configuration"]), [*HYPERPARAMETERS, "seed"])
    lines = [f"{task.name}, {len(splits.test):,} test sequences: {splits.source}"]
    lines.append(f"model: {model}; the winner's best in validation")
    if data is None:
        _check_types(saved["test"], dict.fromkeys(metrics, float), folder)
    for name, value in metrics.items():
        before = "" if data else f"   in the sweep {saved['test'][name]:.8g}"
        lines.append(f"  {name:<16} {value:.8g}{before}")
    if data and splits.test.info is not None:
        lines.append("note: this data is split anew; the sweep may have trained on some of these sequences")
    return "\n".join(lines)


def _finished(folder: Path) -> tuple[Task, dict[str, Any]]:
    """The task, and the facts saved with the model, "options" as the task's own; ValueError where one cannot be."""
    saved = describe(folder)
    task = tasks.find(saved["task"])
    if "test" not in saved:
        raise ValueError(f"{folder}: the sweep was interrupted before its test; evaluate a finished one")
    _check_types(saved, FACTS, folder)
    types = get_type_hints(task.options)
    _check_types(saved["options"], {name: types.get(name, ()) for name in saved["options"]}, folder)
    return task, {**saved, "options": task.options(**saved["options"])}


def _check_types(facts: Mapping[str, Any], types: Mapping[str, Any], folder: Path) -> None:
    for name, wanted in types.items():
        if name not in facts:
            raise ValueError(f"{folder / DESCRIPTION}: {name} is missing; the file is damaged")
        if isinstance(facts[name], bool) or not isinstance(facts[name], wanted):
            raise ValueError(f"{folder / DESCRIPTION}: {name} cannot be {facts[name]!r}; the file is damaged")


if __name__ == "__main__":
    sys.exit(main())
