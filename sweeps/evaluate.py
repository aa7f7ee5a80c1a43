"""Evaluate the best model of a sweep again on the test split: the same figures, or a reason why not."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console

from sweeps.cli import run_command
from sweeps.config.arguments import Parser, path
from sweeps.pipeline.evaluate import evaluate


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = Parser(prog="python sweeps/evaluate.py", description=__doc__, allow_abbrev=False)
    parser.add_argument("folder", type=path, metavar="RESULTS_DIR", help="a results folder, results/TASK/NAME")
    parser.add_argument("--data", type=path, metavar="PATH", help="other data (default: what the sweep used)")
    options = parser.parse(arguments)
    return run_command(lambda: evaluate(options.folder, options.data, Console()))


if __name__ == "__main__":
    sys.exit(main())
