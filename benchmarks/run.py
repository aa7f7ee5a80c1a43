"""The benchmarks: each writes NAME.json and NAME.md; the README beside this file says what each measures."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import NoReturn

import agreement
import candidates
import grid
import overhead
import redrawn
import samplers
import scale
import sequences
import step
import winner
from sequence_methods import METHODS
from settings import QUICK, Settings

BENCHMARKS = {
    "step": step.run,
    "agreement": agreement.run,
    "candidates": candidates.run,
    "grid": grid.run,
    "winner": winner.run,
    "overhead": overhead.run,
    "scale": scale.run,
    "samplers": samplers.run,
    "redrawn": redrawn.run,
    "sequences": sequences.run,
}


def main() -> int:
    """Run what the command line names; returns the exit status."""
    own = parser()
    options = own.parse_args()
    names = options.names or list(BENCHMARKS)
    unknown = sorted(set(names) - set(BENCHMARKS))
    if unknown:
        own.error(f"no benchmark {', '.join(unknown)}; they are {', '.join(BENCHMARKS)}")
    given = {one.name: getattr(options, one.name, None) for one in fields(Settings)}
    settings = replace(
        QUICK if options.quick else Settings(), **{name: value for name, value in given.items() if value is not None}
    )
    for name in names:
        started = time.perf_counter()
        print(f"== {name}", flush=True)
        BENCHMARKS[name](settings)
        print(f"== {name}: {time.perf_counter() - started:.0f} s, written to {settings.folder}", flush=True)
    return 0


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """One line and exit status 2."""
        self.exit(2, f"error: {message}\n")


def parser() -> Parser:
    """The command line; what is left out comes from `Settings`."""
    parser = Parser(prog="python benchmarks/run.py", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)} (default: all)")
    parser.add_argument(
        "--quick", action="store_true", help="tiny settings, to show that all works; into build/benchmarks"
    )
    parser.add_argument("--repeats", type=_number, metavar="N", help="timed blocks a variant, of step and candidates")
    parser.add_argument("--grid-repeats", type=_number, metavar="N", help="runs of each contender of grid")
    parser.add_argument("--epochs", type=_number, metavar="N", help="epochs of a trial of grid")
    parser.add_argument("--subset", type=_number, metavar="N", help="training sequences of grid")
    parser.add_argument("--sequences", type=Path, metavar="FOLDER", help="the data of sequences")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the results of the sweeps of sequences")
    parser.add_argument("--methods", type=_methods, metavar="NAME,NAME", help=f"of sequences: {', '.join(METHODS)}")
    parser.add_argument("--peer-cap-s", type=_number, metavar="S", help="CPU time of a peer of sequences")
    parser.add_argument("--sequence-seeds", type=_number, metavar="N", help="runs of each method of sequences")
    parser.add_argument("--trials", type=_counts, metavar="N,N", help="sizes of the sweeps of scale, from 2")
    return parser


def _number(text: str, least: int = 1) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"must be a whole number >= {least}, got {text!r}")
    return int(text)


def _counts(text: str) -> tuple[int, ...]:
    return tuple(_number(count, 2) for count in text.split(","))


def _methods(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if unknown := [name for name in names if name not in METHODS]:
        raise argparse.ArgumentTypeError(f"must be of {', '.join(METHODS)}, got {unknown[0]!r}")
    return names


if __name__ == "__main__":
    sys.exit(main())
