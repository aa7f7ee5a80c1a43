"""Show a sweep that is running or has ended: how far it is, its best trials, or one of them. Changes nothing."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from sweeps.cli import run_command
from sweeps.config.parser import Parser
from sweeps.config.synonyms import SHOW_OPTIONS
from sweeps.config.values import duration_s, path, positive


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""

    def work() -> None:
        """Parse and show; imports wait until the command line is known to be right."""
        options = command_line().parse(arguments)
        from rich.console import Console

        if options.trial:
            from sweeps.report.trial_page import show_trial

            show_trial(options.folder, options.trial, Console())
            return
        from sweeps.report.terminal import show  # with pandas, which --help does without

        show(options.folder, options.watch, options.trials, Console())

    return run_command(work)


def command_line() -> Parser:
    """The options."""
    parser = Parser(prog="python sweeps/show.py", description=__doc__, own_synonyms=SHOW_OPTIONS)
    parser.add_argument("folder", type=path, metavar="RESULTS_DIR", help="a results folder, results/TASK/NAME")
    one = parser.add_mutually_exclusive_group()
    one.add_argument(
        "--watch",
        type=seconds,
        nargs="?",
        const=2.0,
        metavar="S",
        help="refresh every S seconds (2), or 1m and the like, until the sweep ends",
    )
    one.add_argument(
        "--trial",
        metavar="NAME",
        help="one trial (0003) or retraining (0003-seed1): configuration, curve, events, checkpoints, error",
    )
    parser.add_argument("--trials", type=positive, default=10, metavar="N", help="lines of the table (default: 10)")
    return parser


def seconds(text: str) -> float:
    """A duration above 0."""
    if (value := duration_s(text)) <= 0:
        raise argparse.ArgumentTypeError(f"must be a duration > 0, got {text!r}")
    return value


if __name__ == "__main__":
    sys.exit(main())
