"""TensorBoard's files: a run a trial, with its hyperparameters and its learning curves."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.summary_pb2 import Summary
from tensorboardX.record_writer import RecordWriter, register_writer_factory
from tensorboardX.summary import hparams

from sweeps.config.words import hyperparameter
from sweeps.records import tables
from sweeps.records.ledger import Entry, Ledger
from sweeps.storage.folder import Unusable

FOLDER = "tensorboard"
METRICS = ("train_loss", "val_")
"""How the names of the metrics begin in a report."""
VERSION = "brain.Event:2"
"""First record of every file, by which TensorBoard knows it."""


class Appending:
    """Lets tensorboardX go on with a file; it would begin a new one at every open."""

    def directory_check(self, path: str) -> None:
        """The folder is made by whoever opens the file."""

    def open(self, path: str) -> IO[bytes]:
        """A file to append to."""
        return Path(path.removeprefix("append:")).open("ab")


register_writer_factory("append", Appending())


class TensorBoard:
    """Writes a phase's runs into `tensorboard/PHASE/TRIAL/`.

    A file a trial, opened for each report alone: thousands of trials hold no file and no thread. The rows of
    `curves.csv` are the truth: a later session writes the earlier ones' runs anew from them, so that no point is lost
    or there twice. Those of retrainings that are selected no more stay as they are.

    Args:
        ledger: the phase, as earlier sessions left it.
        varied: hyperparameters that tell the trials apart.
    """

    def __init__(self, ledger: Ledger, varied: list[str]) -> None:
        self.ledger, self.varied, self.objective = ledger, varied, ledger.objective
        self.folder = ledger.folder / FOLDER / ledger.phase
        self.best: dict[str, float | None] = {}

    def open(self) -> None:
        """The runs of earlier sessions, anew.

        Raises:
            Unusable: if the table has a row that was not written by a sweep, naming it.
        """
        ledger = self.ledger
        rows = [row for row in tables.rows(ledger.folder / tables.CURVES) if row.get("phase") == ledger.phase]
        others = {row["trial"] for row in rows} - ledger.entries.keys()
        for run in self.folder.glob("*"):
            if run.name not in others:
                shutil.rmtree(run, ignore_errors=True)
        table, began = ledger.folder / tables.CURVES, time.time() - ledger.gone_s
        try:
            for row in rows:
                if row["trial"] in ledger.entries:
                    entry = ledger.entries[row["trial"]]
                    self.begin(entry)
                    metrics = {name: float(value) for name, value in row.items() if name.startswith(METRICS)}
                    self.report(entry, int(row["epoch"]), metrics, began + float(row["wall_s"]))
        except ValueError as error:
            raise Unusable(f"{table}: not the table of a sweep: {error}; begin a new sweep") from None
        for entry in ledger.entries.values():
            if entry.epoch and not entry.open:
                self.end(entry)

    def begin(self, entry: Entry) -> None:
        """A trial starts: its hyperparameters."""
        if entry.name in self.best:
            return
        self.best[entry.name] = None
        (self.folder / entry.name).mkdir(parents=True)
        shown = {name: entry.configuration[name] for name in self.varied}
        shown = {name: hyperparameter(value) if value is None else value for name, value in shown.items()}
        metric = self.objective.metric
        experiment, start, _ = hparams(shown, {f"validation/{metric}": None, f"best/{metric}": None})
        now = time.time()
        self._append(
            entry,
            Event(wall_time=now, file_version=VERSION),
            *(Event(wall_time=now, summary=summary) for summary in (experiment, start)),
        )

    def report(self, entry: Entry, epoch: int, metrics: Mapping[str, float], wall_time: float) -> None:
        """A trial reports: "train_loss", and "val_" and each metric, at an epoch; `wall_time` in seconds since 1970."""
        values, metric = {_tag(name): value for name, value in metrics.items()}, self.objective.metric
        if self.objective.better(metrics[f"val_{metric}"], self.best[entry.name]):
            self.best[entry.name] = metrics[f"val_{metric}"]
        if (best := self.best[entry.name]) is not None:
            values[f"best/{metric}"] = best
        summary = Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()])
        self._append(entry, Event(wall_time=wall_time, step=epoch, summary=summary))

    def end(self, entry: Entry) -> None:
        """A trial ended."""
        self._append(entry, Event(wall_time=time.time(), summary=hparams({}, {})[2]))

    def close(self) -> None:
        """Nothing is open."""

    def _append(self, entry: Entry, *events: Event) -> None:
        writer = RecordWriter(f"append:{self.folder / entry.name / 'events.out.tfevents.0'}")
        for event in events:
            writer.write(event.SerializeToString())
        writer.close()


def _tag(name: str) -> str:
    """ "val_loss" is validation/loss, "train_loss" training/loss."""
    kind, _, metric = name.partition("_")
    return f"{'validation' if kind == 'val' else 'training'}/{metric}"
