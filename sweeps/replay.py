"""Replay schedulers over the learning curves of a sweep that ran with --scheduler none: what each would cost and find.

The recorded trials run again in simulated time under the sweep's own schedulers, on any number of workers. The table is
printed and written to replay.csv, the chart to figures/replay.png, both in the results folder.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ae.words import did_you_mean, nearest
from sweeps.cli import run_command
from sweeps.config import synonyms
from sweeps.config.choices import SCHEDULERS
from sweeps.config.parser import Parser
from sweeps.config.values import path, positive, positives

EPILOG = """\
example:
  python sweeps/run.py --task mnist-cls --scheduler none --name full      every trial to its last epoch, once
  python sweeps/replay.py results/mnist-cls/full                          every scheduler on it, in seconds
  python sweeps/replay.py results/mnist-cls/full --check results/mnist-cls/asha --workers 2

Exit status: 0 done, 2 bad input.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""

    def work() -> None:
        options = command_line().parse(arguments)
        from rich.console import Console

        from sweeps.pipeline.replay import replay  # with pandas and matplotlib, which --help does without

        replay(**vars(options), console=Console())

    return run_command(work)


def command_line() -> Parser:
    """The options, named like the arguments of `sweeps.pipeline.replay.replay`."""
    parser = Parser(
        prog="python sweeps/replay.py",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=path, metavar="RESULTS_DIR", help="a results folder, results/TASK/NAME")
    parser.add_argument(
        "--scheduler",
        dest="schedulers",
        type=scheduler_names,
        default=[name for name in SCHEDULERS if name != "none"],
        metavar="NAMES",
        help=f"of {', '.join(SCHEDULERS)}, separated by commas (default: all but none)",
    )
    parser.add_argument(
        "--grace-period",
        dest="grace_periods",
        type=positives,
        metavar="LIST",
        help="in epochs (default: 1, 2 and 4 times the sweep's own)",
    )
    parser.add_argument(
        "--reduction-factor",
        dest="reduction_factors",
        type=positives,
        metavar="LIST",
        help="default: the sweep's own",
    )
    parser.add_argument("--workers", type=positives, default=[1, 2, 8, 64], metavar="LIST", help="default: 1,2,8,64")
    parser.add_argument(
        "--patience",
        type=positive,
        metavar="N",
        help="end a trial after N reports without an improvement by more than 0.1 %% of its best (default: never)",
    )
    parser.add_argument(
        "--output", type=path, metavar="DIR", help="where the table and the chart go (default: RESULTS_DIR)"
    )
    parser.add_argument(
        "--check", type=path, metavar="DIR", help="a real sweep of the same trials: only compare it with its replay"
    )
    return parser


def scheduler_names(text: str) -> list[str]:
    """Schedulers, separated by commas."""
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in SCHEDULERS:
            meant = did_you_mean(nearest(name, SCHEDULERS, synonyms.SCHEDULERS))
            rule = f"must be of {', '.join(SCHEDULERS)}, separated by commas"
            raise argparse.ArgumentTypeError(f"{rule}, got {name!r}{meant}")
    return names


if __name__ == "__main__":
    sys.exit(main())
