"""The whole 12-point grid on `synthetic`, 300 epochs: time to the winner with ASHA, against a notebook's time.

A notebook's 3,600 epochs take hours, and each is as long as the next: it is run for some epochs of every trial, before
our sweep and after it, and its whole time is estimated from those.
"""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

import tables
from grid import write_data
from peers.tutorial import CLIPS, EVAL_EVERY, HIDDEN_SIZES, LEARNING_RATES
from processes import python
from settings import HERE, Settings
from sweeps_command import sweep

TRIALS = len(CLIPS) * len(HIDDEN_SIZES) * len(LEARNING_RATES)
REMARKS = (
    f"notebook: run for {EVAL_EVERY} epochs of each trial with one validation, before our sweep and after it; its "
    "whole time is what those took, as many times as the grid has them, mean of the two. It names the winner when its "
    "last trial ends. Its start is left out: the first trial counts as the quickest of the others.",
    "ours: the command as users type it, with ASHA by the task's defaults and 2 workers, from the start of its process "
    "to its end: the retraining of the winner for one epoch, the test split and the report are in it.",
    "best: the smallest validation loss (MSE). The notebook's is not known, as its trials are not trained to their "
    "end; results/reference/synthetic/full has what the same grid finds without early stopping.",
)


def run(settings: Settings) -> None:
    """Run the notebook's sample, our sweep, and the sample again; two rows."""
    with tempfile.TemporaryDirectory() as made:
        data = write_data(Path(made) / "data.npz", settings.subset)
        samples = {"before": _notebook(Path(made), data, "before", settings)}
        own = _own(Path(made), settings)
        samples["after"] = _notebook(Path(made), data, "after", settings)
    whole_s = mean(samples.values())
    notebook = {"contender": "notebook", "epochs trained": TRIALS * settings.winner_epochs, "best": None}
    ours = {"contender": "ours, 2 workers, ASHA", "epochs trained": own["epochs"], "best": f"{own['best']:.6f}"}
    rows = [
        notebook | {"wall (s)": whole_s, "ratio": whole_s / own["wall (s)"]},
        ours | {"wall (s)": own["wall (s)"], "ratio": 1.0},
    ]
    size = f"{settings.winner_epochs} epochs a trial, {settings.subset:,} training sequences, batches of 32."
    tables.save(settings.folder, "winner", rows, raw={"notebook (s)": samples, "ours": own}, remarks=(size, *REMARKS))


def _notebook(folder: Path, data: Path, when: str, settings: Settings) -> float:
    """Seconds of the whole grid, estimated from some epochs of each trial."""
    print(f"winner: notebook, {EVAL_EVERY} epochs a trial, {when}", end=" ", flush=True)
    events = folder / f"{when}.csv"
    job = ["--data", str(data), "--events", str(events), "--folder", str(folder), "--epochs", str(EVAL_EVERY)]
    python(["-m", "peers.notebook", *job], folder=HERE, log=folder / f"{when}.log")
    with events.open() as file:
        blocks_s = np.diff([float(row[0]) for row in csv.reader(file)])
    whole_s = float(blocks_s.sum() + blocks_s.min()) * settings.winner_epochs / EVAL_EVERY
    print(f"{whole_s:.0f} s for the whole grid", flush=True)
    return whole_s


def _own(folder: Path, settings: Settings) -> dict[str, Any]:
    print("winner: ours", end=" ", flush=True)
    budget = ["--max-epochs", str(settings.winner_epochs), "--subset", str(settings.subset), "--max-concurrent", "2"]
    done = sweep(budget, "winner", folder)
    losses = done.reports.dropna(subset="val_loss")
    print(f"{done.ended.wall_s:.0f} s, best validation loss {losses['val_loss'].min():.6f}", flush=True)
    return {
        "wall (s)": done.ended.wall_s,
        "search (s)": float(losses["wall_s"].max()),
        "epochs": int(done.reports.groupby("trial")["epoch"].max().sum()),
        "best": float(losses["val_loss"].min()),
    }
