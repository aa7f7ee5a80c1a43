"""Many tiny trials: what the controller costs, and how that grows."""

from __future__ import annotations

import tempfile
from itertools import product
from pathlib import Path
from typing import Any

import tables
from settings import Settings
from sweeps_command import Sweep, sweep

SAMPLERS = ("random", "tpe")
TINY = ("--search", "optuna", "--subset", "16", "--max-epochs", "1", "--eval-every", "1", "--scheduler", "none")
REMARKS = (
    "Trials of one epoch on 16 sequences, two at once: nearly all of a trial's time is the controller's.",
    "first, last tenth: seconds between two reports, mean over the first and the last tenth of the trials.",
    "driver: the largest resident memory of the command's own process (VmHWM), Ray's processes not counted.",
    "report: from the best model's being saved to report.html's being written.",
)


def run(settings: Settings) -> None:
    """Run a sweep of each size with each sampler; a row each."""
    rows = []
    for sampler, trials in product(SAMPLERS, settings.trials):
        print(f"scale: {trials} trials, {sampler}", end=" ", flush=True)
        with tempfile.TemporaryDirectory() as made:
            done = sweep([*TINY, "--sampler", sampler, "--trials", str(trials)], "scale", Path(made))
            rows.append({"sampler": sampler, "trials": trials} | measures(done))
        print(f"{done.ended.wall_s:.0f} s", flush=True)
    tables.save(settings.folder, "scale", rows, raw=rows, remarks=REMARKS)


def measures(done: Sweep) -> dict[str, Any]:
    """Times, memory and disk of one sweep."""
    walls_s = list(done.reports["wall_s"])
    tenth = max(1, len(walls_s) // 10)
    files = [path for path in done.folder.rglob("*") if path.is_file()]
    saved, written = (done.folder / name for name in ("best/model.json", "report.html"))
    return {
        "wall (s)": done.ended.wall_s,
        "first tenth (s a trial)": (walls_s[tenth] - walls_s[0]) / tenth,
        "last tenth (s a trial)": (walls_s[-1] - walls_s[-1 - tenth]) / tenth,
        "driver (MB)": done.ended.peak_mb,
        "folder (MB)": sum(path.stat().st_size for path in files) / 1e6,
        "files": len(files),
        "report (s)": written.stat().st_mtime - saved.stat().st_mtime,
    }
