"""Rewrite what follows from a sweep's events: tables, Optuna study, TensorBoard files, summary.json, report.html.

The figures stay as they are: they also need the models.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from sweeps.cli import run_command
from sweeps.config.parser import Parser
from sweeps.config.values import path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""

    def work() -> None:
        options = command_line().parse(arguments)
        from sweeps.pipeline.rebuild import rebuild  # with torch and Optuna, which --help does without

        print("\n".join(rebuild(options.folder)))

    return run_command(work)


def command_line() -> Parser:
    """The options."""
    parser = Parser(
        prog="python sweeps/rebuild.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=path, metavar="RESULTS_DIR", help="a results folder, results/TASK/NAME")
    return parser


if __name__ == "__main__":
    sys.exit(main())
