"""Apply a trained model to new sequences: errors, anomalies, codes, classes and forecasts, in a table."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence

from ae.data.sequences.options import LAYOUTS
from sweeps.cli import run_command
from sweeps.config.parser import Parser
from sweeps.config.synonyms import APPLY_OPTIONS
from sweeps.config.values import number, path, positive, share

READING = ("layout", "id_column", "time_column", "columns", "label_column", "window", "stride")
"""Options of the task `sequences` that new data may need otherwise."""
MOST_STEPS = 10_000
"""Steps of a forecast, at most: each takes a pass over the whole sequence."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""

    def work() -> None:
        """Parse and apply; imports wait until the command line is known to be right."""
        options = command_line().parse(arguments)
        from rich.console import Console

        from sweeps.pipeline.apply import Request, apply  # with torch, which --help does without

        given = vars(options)
        reading = {name: given.pop(name) for name in READING}
        changed = {name: value for name, value in reading.items() if value is not None}
        apply(Request(**given, reading=changed), Console())

    return run_command(work)


def command_line() -> Parser:
    """The options."""
    parser = Parser(prog="python sweeps/apply.py", description=__doc__, own_synonyms=APPLY_OPTIONS)
    parser.add_argument(
        "folder", type=path, metavar="RESULTS_DIR", help="a results folder, or its best/ copied to any place"
    )
    parser.add_argument("--data", type=path, required=True, metavar="PATH", help="new sequences: a file or folder")
    parser.add_argument(
        "--output", type=path, required=True, metavar="FILE", help="the table to write: .csv, .parquet or .npz"
    )
    parser.add_argument("--per-step", action="store_true", help="also write OUTPUT.steps: one row per time step")
    parser.add_argument(
        "--steps", type=forecast_steps, metavar="N", help="steps to forecast, by a model of --predict (default: 1)"
    )
    found = parser.add_argument_group("anomalies")
    found.add_argument(
        "--threshold",
        type=threshold,
        metavar="KIND",
        help="quantile or best-f1 of the validation errors, or a number (default: best-f1 if known, else quantile)",
    )
    found.add_argument(
        "--quantile", type=quantile, metavar="Q", help="share of the validation errors below it (default: 0.99)"
    )
    found.add_argument("--normal", metavar="VALUE", help="the label that is no anomaly (default: that of the training)")
    reading = parser.add_argument_group("the columns of the new data (default: as in the training)")
    reading.add_argument("--layout", metavar="KIND", help=", ".join(LAYOUTS))
    reading.add_argument("--id-column", metavar="NAME", help="the column that names a row's sequence")
    reading.add_argument("--time-column", metavar="NAME", help="the column that orders the rows of a sequence")
    reading.add_argument("--columns", metavar="NAMES", help="the columns of values, in the order of the training")
    reading.add_argument("--label-column", metavar="NAME", help="labels, which are compared with what the model says")
    reading.add_argument("--window", type=positive, metavar="T", help="steps of a window")
    reading.add_argument("--stride", type=positive, metavar="N", help="steps from one window to the next")
    return parser


def forecast_steps(text: str) -> int:
    """A number of steps from 1 to `MOST_STEPS`."""
    if not 1 <= (value := positive(text)) <= MOST_STEPS:
        raise argparse.ArgumentTypeError(f"must be from 1 to {MOST_STEPS:,} steps, got {text!r}")
    return value


def threshold(text: str) -> str | float:
    """A kind of threshold, or a number."""
    spelled = text.strip().lower().replace("_", "-")
    if spelled in ("quantile", "best-f1"):
        return spelled
    try:
        value = number(text)
    except argparse.ArgumentTypeError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"must be quantile, best-f1 or a number >= 0, got {text!r}")
    return value


def quantile(text: str) -> float:
    """A share from 0 to 1."""
    value = share(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be from 0 to 1, got {text!r}")
    return value


if __name__ == "__main__":
    sys.exit(main())
