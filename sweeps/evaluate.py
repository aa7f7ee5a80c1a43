"""Evaluate the best model of a sweep again on the test split: the same figures, or a reason why not."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from ae import tasks
from ae.saved import describe, load
from ae.training import final_metrics
from sweeps.options import Parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status, 2 for a folder or data that cannot be read."""
    parser = Parser(prog="python sweeps/evaluate.py", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="RESULTS_DIR", help="a results folder, results/TASK/NAME")
    parser.add_argument("--data", type=Path, metavar="PATH", help="other data (default: what the sweep used)")
    options = parser.parse_args(arguments)
    try:
        print(report(options.folder / "best", options.data))
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def report(folder: Path, data: Path | None) -> str:
    """Every metric of a saved model on a test split, a line each, beside the sweep's own where the data is the same.

    Raises:
        ValueError: if the folder holds no saved model, or the data cannot be read.
    """
    saved = describe(folder)
    task = tasks.find(saved["task"])
    if "test" not in saved:
        raise ValueError(f"{folder}: the sweep was interrupted before its test; evaluate a finished one")
    path = data or (Path(saved["data"]) if saved["data"] else None)
    splits = task.load(path, task.options(**saved["options"]))
    if data is None and saved["subset"]:
        splits = splits.subset(saved["subset"])
    metrics = final_metrics(task, load(folder), splits.test)
    lines = [f"{task.name}, {len(splits.test):,} test sequences: {splits.source}"]
    for name, value in metrics.items():
        before = "" if data else f"   in the sweep {saved['test'][name]:.8g}"
        lines.append(f"  {name:<16} {value:.8g}{before}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
