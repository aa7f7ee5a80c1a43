"""Evaluate the best model of a sweep again on the test split: the same figures, or a reason why not."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from sweeps.cli import run_command
from sweeps.config.parser import Parser
from sweeps.config.values import path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""

    def work() -> None:
        options = command_line().parse(arguments)
        from rich.console import Console

        from sweeps.pipeline.evaluate import evaluate  # with torch, which --help does without

        evaluate(options.folder, options.data, Console())

    return run_command(work)


def command_line() -> Parser:
    """The options."""
    parser = Parser(prog="python sweeps/evaluate.py", description=__doc__)
    parser.add_argument("folder", type=path, metavar="RESULTS_DIR", help="a results folder, results/TASK/NAME")
    parser.add_argument("--data", type=path, metavar="PATH", help="other data (default: what the sweep used)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
