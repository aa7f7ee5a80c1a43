"""What the tests of a storage share: the sweep, and its events cut back to an earlier moment."""

from __future__ import annotations

import json

from sweeps.records.tables import read_curves

TASK = "synthetic-smooth"
SPACE = "lr: [0.01, 0.003]\nhidden_size: [8]\nbatch_size: 32\n"
TINY = ("--subset", "60", "--max-epochs", "3", "--eval-every", "1", "--scheduler", "none", "--max-concurrent", "1")


def begun(place):
    """The command line of the sweep of these tests, its storage and its results in a folder."""
    few = ("--space", place / "space.yaml", "--top-k", "1", "--seeds", "1", "--name", "sweep")
    return ["--task", TASK, *TINY, *map(str, few), "--storage", str(place / "shared")]


def cut_back(place, reports):
    """Make the events those of an earlier moment: up to the first event after so many reports."""
    kept, seen = [], 0
    for line in (place / "events.jsonl").read_text().splitlines(keepends=True):
        if seen == reports and '"ended"' not in line:
            break
        seen += '"event":"reported"' in line
        kept.append(line)
    (place / "events.jsonl").write_text("".join(kept))


def unfinish(folder):
    """Take the end of the session away: the sweep may go on."""
    lines = (folder / "events.jsonl").read_text().splitlines(keepends=True)
    assert '"session_ended"' in lines[-1]
    (folder / "events.jsonl").write_text("".join(lines[:-1]))


def reports(folder):
    """How many reports the events have."""
    return (folder / "events.jsonl").read_text().count('"event":"reported"')


def found(folder):
    """What does not depend on where, when and in how many sessions a sweep was run."""
    summary = json.loads((folder / "summary.json").read_text())
    curves = read_curves(folder)[["phase", "trial", "epoch", "train_loss", "val_loss"]]
    return {key: summary[key] for key in ("best", "retrained", "test")}, sorted(curves.itertuples(index=False))
