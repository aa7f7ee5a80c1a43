"""What a trial costs beside its training: short trials of the grid, two at once."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import pandas as pd

import tables
from settings import Settings
from sweeps_command import sweep

WORKERS = 2
REMARKS = (
    "gap: seconds between the last report of a trial and the start of the next trial's first step in the same worker.",
    "curves.csv has, for each report, when it came to the driver (wall_s) and how long it trained and validated "
    "(train_s); a trial starts at its first wall_s - train_s and ends at its last wall_s. Each trial, in the order of "
    "their starts, follows the one that ended last before it among those that no other one follows.",
    f"share in training: the sum of train_s of the 12 trials over {WORKERS} times the wall time, of the search from "
    "its first step to its last report, and of the whole command.",
)

Span = tuple[float, float]
"""Start and end of a trial in seconds."""


def run(settings: Settings) -> None:
    """Run one sweep and take its time apart."""
    epochs = str(settings.overhead_epochs)
    budget = ["--max-epochs", epochs, "--eval-every", "1", "--subset", str(settings.overhead_subset)]
    print(f"overhead: 12 trials of {epochs} epochs, {WORKERS} workers", flush=True)
    with tempfile.TemporaryDirectory() as made:
        done = sweep([*budget, "--scheduler", "none", "--max-concurrent", str(WORKERS)], "overhead", Path(made))
    spans, train_s = trial_spans(done.reports), float(done.reports["train_s"].sum())
    search_s = max(end for _, end in spans) - min(start for start, _ in spans)
    gaps_s = gaps(spans)
    row = {
        "trials": len(spans),
        "training a trial (s)": train_s / len(spans),
        "gap, median (s)": median(gaps_s),
        "gap, largest (s)": max(gaps_s),
        "search (s)": search_s,
        "share in training, search": train_s / (WORKERS * search_s),
        "command (s)": done.ended.wall_s,
        "share in training, command": train_s / (WORKERS * done.ended.wall_s),
    }
    raw = {"spans_s": spans, "gaps_s": gaps_s, "train_s": train_s}
    tables.save(settings.folder, "overhead", [row], raw=raw, remarks=REMARKS)


def trial_spans(reports: pd.DataFrame) -> list[Span]:
    """When each trial's first step started and its last report came, ordered by the start."""
    spans = []
    for _, rows in reports.groupby("trial"):
        first, last = rows.iloc[0], rows.iloc[-1]
        spans.append((float(first["wall_s"] - first["train_s"]), float(last["wall_s"])))
    return sorted(spans)


def gaps(spans: Sequence[Span]) -> list[float]:
    """Seconds between a trial's end and the start of the one that took its place; none for a worker's first trial."""
    free: list[float] = []
    gaps_s = []
    for start, end in spans:
        before = [one for one in free if one <= start]
        if before:
            free.remove(max(before))
            gaps_s.append(start - max(before))
        free.append(end)
    return gaps_s
