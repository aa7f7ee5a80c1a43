"""The 12-point grid on `synthetic`: wall time to the end and to the same best value, of each contender."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import pictures
import tables
from ae import tasks
from ae.task import NoOptions
from peers.tutorial import EVAL_EVERY
from processes import python
from settings import HERE, Settings
from sweeps_command import sweep

PEERS = ("notebook", "ray_getting_started", "optuna_processes")
OURS = {
    "ours, 1 worker": ("--scheduler", "none", "--max-concurrent", "1"),
    "ours, 2 workers": ("--scheduler", "none", "--max-concurrent", "2"),
    "ours, 2 workers, stock core": ("--scheduler", "none", "--max-concurrent", "2", "--core", "stock"),
    "ours, 2 workers, ASHA": ("--scheduler", "asha", "--max-concurrent", "2"),
}
FULL = (*PEERS, *(name for name in OURS if "ASHA" not in name))
"""The contenders that train all 12 trials to their last epoch."""
NEAR = 1.05
"""A loss within 5 % of another one is at most this many times it."""
REMARKS = (
    "Every contender is a process, timed from its start: interpreter, imports, data, all 12 trials. Ours is its "
    "command line, with the retraining of the best configuration for one epoch, the test split and the report.",
    "best: the smallest validation loss (MSE) of any trial. The reference is the largest of these among the contenders "
    "that train the whole grid: the best value that all of them reach.",
    "to best, to 5 %: seconds until any trial's validation loss is at most the reference, or 1.05 times it; a dash: "
    "never. Ratios are to the row 'ours, 2 workers'.",
    "Threads: notebook as many as torch takes by itself; all others one thread a trial, and as many trials at once as "
    "there are cores, unless the row says otherwise.",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """One run of one contender."""

    wall_s: float
    events: list[tuple[float, float]]
    """(seconds since its process was started, validation loss), in the order of time."""

    @property
    def best(self) -> float:
        """The smallest validation loss."""
        return min(loss for _, loss in self.events)

    def reached_s(self, loss: float) -> float | None:
        """Seconds to the first validation loss that is at most `loss`; None for never."""
        return next((wall_s for wall_s, one in self.events if one <= loss), None)


def run(settings: Settings) -> None:
    """Run every contender as often as the settings say, in turns; a row each."""
    outcomes: dict[str, list[Outcome]] = {name: [] for name in (*PEERS, *OURS)}
    with tempfile.TemporaryDirectory() as made:
        data = write_data(Path(made) / "data.npz", settings.subset)
        for repeat in range(settings.grid_repeats):
            for place, name in enumerate(outcomes, start=1):
                print(f"grid: repeat {repeat + 1}, {place}/{len(outcomes)}: {name}", end=" ", flush=True)
                folder = Path(made) / f"{repeat}-{place}"
                folder.mkdir()
                outcome = _own(name, folder, settings) if name in OURS else _peer(name, folder, data, settings)
                outcomes[name].append(outcome)
                print(f"{outcome.wall_s:.1f} s, best validation loss {outcome.best:.6f}", flush=True)
    raw = {name: [{"wall_s": one.wall_s, "events": one.events} for one in runs] for name, runs in outcomes.items()}
    size = f"{settings.epochs} epochs a trial, {settings.subset:,} training sequences, batches of 32."
    spread = f"Medians of {settings.grid_repeats} runs, in which the contenders take turns."
    if settings.grid_repeats == 1:
        spread = "One run of each contender, so there is no spread."
    tables.save(settings.folder, "grid", table(outcomes), raw=raw, remarks=(size, spread, *REMARKS))
    curves = {name: best_so_far(runs[0]) for name, runs in outcomes.items()}
    ends_s = {name: runs[0].wall_s for name, runs in outcomes.items()}
    pictures.best_against_wall(curves, ends_s, settings.folder / "grid.png")


def write_data(path: Path, subset: int) -> Path:
    """The training and validation splits of `synthetic`, cut as --subset cuts them."""
    splits = tasks.find("synthetic").load(None, NoOptions()).subset(subset)
    np.savez(path, train=splits.train.inputs_NTF, validation=splits.validation.inputs_NTF)
    return path


def table(outcomes: Mapping[str, Sequence[Outcome]]) -> list[dict[str, Any]]:
    """A row a contender: seconds to the end, to the reference and to within 5 % of it, and ratios."""
    reference = max(one.best for name in FULL for one in outcomes[name])
    measures: dict[str, Callable[[Outcome], float | None]] = {
        "wall (s)": lambda one: one.wall_s,
        "to best (s)": lambda one: one.reached_s(reference),
        "to 5 % (s)": lambda one: one.reached_s(NEAR * reference),
    }
    rows = []
    for name, runs in outcomes.items():
        row: dict[str, Any] = {"contender": name, "best": f"{median(one.best for one in runs):.6f}"}
        for title, measure in measures.items():
            seconds = [_middle(measure, some) for some in (runs, outcomes["ours, 2 workers"])]
            row[title] = seconds[0]
            row[f"{title.removesuffix(' (s)')}, ratio"] = seconds[0] / seconds[1] if all(seconds) else None
        rows.append(row)
    return rows


def _middle(measure: Callable[[Outcome], float | None], runs: Sequence[Outcome]) -> Any:
    """The median over runs; None if a run has no value."""
    values = [measure(one) for one in runs]
    return None if None in values else median(value for value in values if value is not None)


def best_so_far(outcome: Outcome) -> list[tuple[float, float]]:
    """The events at which the best loss so far improved."""
    curve: list[tuple[float, float]] = []
    for wall_s, loss in outcome.events:
        if not curve or loss < curve[-1][1]:
            curve.append((wall_s, loss))
    return curve


def _peer(name: str, folder: Path, data: Path, settings: Settings) -> Outcome:
    events = folder / "events.csv"
    job = ["--data", str(data), "--events", str(events), "--folder", str(folder), "--epochs", str(settings.epochs)]
    ended = python(["-m", f"peers.{name}", *job], folder=HERE, log=folder / "log")
    with events.open() as file:
        rows = sorted((float(clock) - ended.started, float(loss)) for clock, _, _, loss in csv.reader(file))
    return Outcome(wall_s=ended.wall_s, events=[row for row in rows if row[1] == row[1]])


def _own(name: str, folder: Path, settings: Settings) -> Outcome:
    epochs, every = str(settings.epochs), str(min(EVAL_EVERY, settings.epochs))
    budget = ["--max-epochs", epochs, "--eval-every", every, "--grace-period", every, "--subset", str(settings.subset)]
    done = sweep([*budget, *OURS[name]], "grid", folder)
    reports = done.reports.dropna(subset="val_loss")
    return Outcome(wall_s=done.ended.wall_s, events=list(zip(reports["wall_s"], reports["val_loss"], strict=True)))
