"""Compare sweeps of one task: a table, a chart of the best value so far against its cost, and a page of all of them."""

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

        from sweeps.pipeline.compared_page import write_compared  # with pandas and matplotlib
        from sweeps.report.comparison import compare

        compare(options.folders, options.output or [], write_compared, Console())

    return run_command(work)


def command_line() -> Parser:
    """The options."""
    parser = Parser(prog="python sweeps/compare.py", description=__doc__)
    parser.add_argument(
        "folders", type=path, nargs="+", metavar="RESULTS_DIR", help="a results folder, results/TASK/NAME"
    )
    parser.add_argument(
        "--output",
        type=path,
        action="append",
        metavar="FILE",
        help="a .png or an .html, overwritten if it exists; may be given twice (default: a new compare.png and a new "
        "compare.html beside the first folder)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
