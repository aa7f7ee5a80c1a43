"""This project's own command line, run and read back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

import machine
from processes import Ended, python

FINAL = ("--top-k", "1", "--seeds", "1", "--retrain-epochs", "1")
"""The least of what follows the search: the best configuration, retrained once, for an epoch."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sweep:
    """A sweep that ended."""

    ended: Ended
    folder: Path
    """Its results folder."""
    reports: pd.DataFrame
    """Rows of curves.csv of the search, in the order of time: trial, epoch, val_loss, train_s, wall_s and so on.

    wall_s is in seconds since the command's process was started; in the file it is since the search began.
    """


def sweep(arguments: Sequence[str], name: str, folder: Path) -> Sweep:
    """Run `sweeps/run.py --task synthetic` with `arguments`.

    Args:
        arguments: further options of the command line.
        name: of the results folder and of the log, NAME.log.
        folder: where both go.

    Raises:
        RuntimeError: if it fails.
    """
    command = ["sweeps/run.py", "--task", "synthetic", *FINAL, *arguments, "--results", str(folder), "--name", name]
    ended = python(command, folder=machine.ROOT, log=folder / f"{name}.log")
    results = folder / "synthetic" / name
    curves = pd.read_csv(results / "curves.csv", dtype={"trial": str})
    reports = curves[curves["phase"] == "search"].sort_values("wall_s")
    began_s = (results / "ray" / "search" / "tuner.pkl").stat().st_mtime - ended.started  # Tune writes it first of all
    return Sweep(ended=ended, folder=results, reports=reports.assign(wall_s=reports["wall_s"] + began_s))
