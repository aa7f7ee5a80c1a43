"""Show a sweep that is running or has ended: how far it is, the best trials, their learning curves. Changes nothing."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence

from rich.console import Console

from sweeps.cli import run_command
from sweeps.config.arguments import Parser, path
from sweeps.report.terminal import show


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    options = command_line().parse(arguments)
    return run_command(lambda: show(options.folder, options.watch, options.trials, Console()))


def command_line() -> Parser:
    """The options."""
    parser = Parser(prog="python sweeps/show.py", description=__doc__, allow_abbrev=False)
    parser.add_argument("folder", type=path, metavar="RESULTS_DIR", help="a results folder, results/TASK/NAME")
    parser.add_argument(
        "--watch",
        type=seconds,
        nargs="?",
        const=2.0,
        metavar="S",
        help="refresh every S seconds (2) until the sweep ends",
    )
    parser.add_argument(
        "--trials", type=number_of_trials, default=10, metavar="N", help="lines of the table (default: 10)"
    )
    return parser


def seconds(text: str) -> float:
    """Seconds above 0."""
    try:
        if 0 < float(text) < math.inf:
            return float(text)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"must be seconds > 0, got {text!r}")


def number_of_trials(text: str) -> int:
    """A whole number from 1."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"must be a whole number >= 1, got {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
