"""Sequences of one's own: this project beside what people use instead, on three public data sets.

Every method learns from the same training split, chooses by the same validation split and is measured on the same test
split. Runs of a method replace its earlier ones in the results; those of other methods stay.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch

import machine
import tables
from ae.data.sequences.load import load
from ae.errors import UserError
from ae.splits import Splits
from peers import sequitur_model
from sequence_methods import METHODS, Problem
from sequence_sets import NEAR, SETS, SequenceSet
from settings import Settings

REMARKS = (
    "Medians over the seeds, with the smallest and the largest value where they differ. A dash: the method cannot do "
    "this, or has no such thing.",
    "time (s), CPU (s): from the loaded splits to the trained model, on one thread, with the validations that the "
    "method makes. The sweep's time is that of the whole command as a user types it, from the start of its process, on "
    "all cores: search, retraining of three configurations with three seeds each, test and report.",
    "load: the machine's one-minute load average as a run began, the mean of the runs; more than the cores means that "
    "other programs made wall times longer. CPU times do not have that.",
    "width: of the code (hidden units, embedding, components). epochs: trained, of those that the method's page or "
    "package takes by default. A peer begins no epoch after {cap:.0f} s of CPU time; one that was stopped by this runs "
    "with one seed only.",
)
MEASURES = {
    "ecg5000": "area under ROC: of the reconstruction error, 58 normal test beats against 104 abnormal ones; all "
    "methods learn from 175 normal beats.",
    "ucr135": f"found: the highest score of the test series lies within {NEAR} steps of the true anomaly; ahead: the "
    "highest score there as a multiple of the highest elsewhere. flagged: an interval above the threshold (99 % of the "
    "validation windows) is there; false alarms: flagged intervals that are not.",
    "japanesevowels": "class head: its accuracy. nearest neighbour: accuracy of the training sequence with the nearest "
    "code. 'mean step' has the mean of a sequence's steps in place of a code.",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One method with one seed."""

    method: str
    seed: int
    found: dict[str, Any]
    width: int | None
    epochs: int | None
    wanted: int | None
    wall_s: float
    cpu_s: float | None
    """None for the sweep, whose processes are not ours."""
    load: float
    commit: str

    @property
    def is_capped(self) -> bool:
        """Whether it trained for fewer epochs than it should."""
        return self.epochs is not None and self.wanted is not None and self.epochs < self.wanted


def run(settings: Settings) -> None:
    """A table per data set that is there."""
    if "sequitur" in settings.methods and not sequitur_model.is_installed():
        print("sequences: sequitur is not installed, so it is left out; pip install -e '.[bench]'", flush=True)
    for data in SETS:
        table(data, settings)


def table(data: SequenceSet, settings: Settings) -> None:
    """Run the methods on one data set, as often as there are seeds; writes its table."""
    missing = [path for path in data.files(settings.sequences) if not path.exists()]
    if missing:
        print(f"sequences: {missing[0]} is not there, so {data.name} is left out; --sequences FOLDER", flush=True)
        return
    try:
        splits = load(data.path(settings.sequences), data.own_options(settings.sequences))
    except UserError as error:
        print(f"sequences: {data.name} is left out: {error}", flush=True)
        return
    runs = _runs(data, splits, settings)
    runs = sorted([*runs, *_kept(data, settings)], key=lambda one: (list(METHODS).index(one.method), one.seed))
    keys = list(dict.fromkeys(key for one in runs for key in one.found))
    rows = [_row(name, mine, keys) for name in METHODS if (mine := [one for one in runs if one.method == name])]
    remarks = [remark.format(cap=settings.peer_cap_s) for remark in REMARKS]
    remarks += [MEASURES[data.name]] if data.name in MEASURES else []
    tables.save(settings.folder, _name(data), rows, raw=[asdict(one) for one in runs], remarks=remarks)


def _name(data: SequenceSet) -> str:
    return f"sequences-{data.name}"


def _kept(data: SequenceSet, settings: Settings) -> list[Run]:
    """Earlier runs of the methods that do not run now."""
    path = settings.folder / f"{_name(data)}.json"
    before = json.loads(path.read_text())["raw"] if path.exists() else []
    return [Run(**one) for one in before if one["method"] in METHODS and one["method"] not in settings.methods]


def _runs(data: SequenceSet, splits: Splits, settings: Settings) -> list[Run]:
    print(f"sequences: {splits.source}", flush=True)
    runs: list[Run] = []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(settings.sequence_seeds):
            problem = Problem(
                data=data,
                splits=splits,
                options=data.own_options(settings.sequences),
                seed=seed,
                folder=settings.sequences,
                scratch=settings.keep or Path(scratch),
                cap_s=settings.peer_cap_s,
                epochs=settings.sequence_epochs,
                trials=settings.sequence_trials,
            )
            capped = {one.method for one in runs if one.is_capped}
            found = [_run(name, problem) for name in settings.methods if name not in capped]
            runs += [one for one in found if one is not None]
    torch.set_num_threads(threads)
    return runs


def _run(name: str, problem: Problem) -> Run | None:
    label, method = METHODS[name]
    load_before, clock, cpu = os.getloadavg()[0], time.perf_counter(), time.process_time()
    fitted = method(problem)
    wall_s, cpu_s = time.perf_counter() - clock, time.process_time() - cpu
    if fitted is None or (found := problem.data.measure(fitted, problem.splits)) is None:
        return None
    shown = ", ".join(f"{key} {_shown(value)}" for key, value in found.items())
    print(f"sequences: {problem.data.name}, seed {problem.seed}, {label}: {shown}, {wall_s:.1f} s", flush=True)
    return Run(
        method=name,
        seed=problem.seed,
        found=found,
        width=fitted.width,
        epochs=fitted.epochs,
        wanted=fitted.wanted,
        wall_s=wall_s if fitted.wall_s is None else fitted.wall_s,
        cpu_s=cpu_s if fitted.wall_s is None else None,
        load=load_before,
        commit=machine.describe()["commit"],
    )


def _row(name: str, runs: Sequence[Run], keys: Sequence[str]) -> dict[str, Any]:
    """A line of the table."""
    cpus = [one.cpu_s for one in runs if one.cpu_s is not None]
    epochs = {f"{one.epochs} of {one.wanted}": None for one in runs if one.epochs is not None}
    return {
        "method": METHODS[name][0],
        "width": _spread([one.width for one in runs]),
        **{key: _spread([one.found.get(key) for one in runs]) for key in keys},
        "epochs": "; ".join(epochs) or None,
        "seeds": len(runs),
        "time (s)": median(one.wall_s for one in runs),
        "CPU (s)": median(cpus) if cpus else None,
        "load": sum(one.load for one in runs) / len(runs),
    }


def _spread(values: Sequence[Any]) -> str | None:
    """The median and the range; of truths, how many there are."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    if isinstance(known[0], bool):
        return f"{sum(known)} of {len(known)}"
    middle, least, most = median(known), min(known), max(known)
    return _shown(middle) if least == most else f"{_shown(middle)} ({_shown(least)} to {_shown(most)})"


def _shown(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
