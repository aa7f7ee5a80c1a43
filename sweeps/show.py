"""Show a sweep that is running or has ended: how far it is, its best trials, or one of them. Changes nothing."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from sweeps.cli import run_command
from sweeps.config.parser import Parser
from sweeps.config.synonyms import SHOW_OPTIONS
from sweeps.config.values import duration_s, place, positive, shown_folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""

    def work() -> None:
        """Parse and show; imports wait until the command line is known to be right."""
        options = command_line().parse(arguments)
        from rich.console import Console

        console = Console()
        if options.serve:
            from sweeps.pipeline.serve import serve, told  # with torch and Optuna

            serve(options.folders, options.port, told(console))
            return
        folder = shown_folder(options.folders, options.port)
        if options.trial:
            from sweeps.report.trial_page import show_trial

            show_trial(folder, options.trial, console)
            return
        from sweeps.report.terminal import show  # with pandas, which --help does without

        show(folder, options.watch, options.trials, console)

    return run_command(work)


def command_line() -> Parser:
    """The options."""
    parser = Parser(prog="python sweeps/show.py", description=__doc__, own_synonyms=SHOW_OPTIONS)
    parser.add_argument(
        "folders",
        type=place,
        nargs="+",
        metavar="RESULTS_DIR",
        help="a results folder, results/TASK/NAME; with --serve also STORAGE/TASK/NAME, or several",
    )
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
    one.add_argument(
        "--serve",
        action="store_true",
        help="serve the page of the sweep to this machine, live while it runs; with several folders, they are compared",
    )
    parser.add_argument("--port", type=port, metavar="N", help="of --serve (default: the first free one from 8270 on)")
    parser.add_argument("--trials", type=positive, default=10, metavar="N", help="lines of the table (default: 10)")
    return parser


def port(text: str) -> int:
    """A port that a user may serve at."""
    if not (text.isdecimal() and 1024 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"must be a whole number from 1024 to 65535, got {text!r}")
    return int(text)


def seconds(text: str) -> float:
    """A duration above 0."""
    if (value := duration_s(text)) <= 0:
        raise argparse.ArgumentTypeError(f"must be a duration > 0, got {text!r}")
    return value


if __name__ == "__main__":
    sys.exit(main())
