"""TensorBoard's files: one run per trial, with its hyperparameters and its learning curves."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.summary_pb2 import Summary
from tensorboardX.record_writer import RecordWriter, register_writer_factory
from tensorboardX.summary import hparams

from sweeps.config.words import hyperparameter
from sweeps.records.trials import ENDED, Report, TrialLog, TrialRecord

FOLDER = "tensorboard"
VERSION = "brain.Event:2"
"""First record of every file, by which TensorBoard recognises it."""


class AppendingFactory:
    """Lets tensorboardX append to a file; by itself it would begin a new one at every open."""

    def directory_check(self, path: str) -> None:
        """The folder is made by whoever opens the file."""

    def open(self, path: str) -> IO[bytes]:
        """A file to append to."""
        return Path(path.removeprefix("append:")).open("ab")


register_writer_factory("append", AppendingFactory())


class TensorBoard:
    """Writes a phase into `tensorboard/PHASE/TRIAL/`, one file per trial.

    A file is open only while something is written, so that thousands of trials hold no file and no thread. A later
    session rewrites the runs of earlier ones from their records, so that no point is missing or duplicated.
    Retrainings that are no longer selected keep their runs.

    Args:
        folder: the results folder.
        log: of the phase.
        varied: hyperparameters that tell the trials apart.
    """

    def __init__(self, folder: Path, log: TrialLog, varied: Sequence[str]) -> None:
        self.log, self.varied = log, varied
        self.folder = folder / FOLDER / log.phase
        self.begun: set[str] = set()
        """Trials whose file has its head."""

    def open(self) -> None:
        """Write the runs of earlier sessions."""
        for record in self.log.trials:
            if record.reports:
                reports = [self._report_event(report) for report in record.reports]
                end = [_end_event(record.reports[-1].time)] if record.status in ENDED else []
                self._write_new(record, [*self._head_events(record, record.reports[0].time), *reports, *end])

    def begin(self, record: TrialRecord) -> None:
        """Begin the trial's file with its hyperparameters, unless it has one."""
        if record.name not in self.begun:
            self._write_new(record, self._head_events(record, time.time()))

    def report(self, record: TrialRecord) -> None:
        """Add the points of a report."""
        self._append(record, [self._report_event(record.reports[-1])])

    def end(self, record: TrialRecord) -> None:
        """Tell TensorBoard's table of hyperparameters that the trial is over."""
        self.begin(record)
        self._append(record, [_end_event(time.time())])

    def tick(self) -> None:
        """Everything is written at once."""

    def close(self) -> None:
        """No file is open."""

    def _head_events(self, record: TrialRecord, began: float) -> list[Event]:
        values = {name: getattr(record.config, name) for name in self.varied}
        shown = {name: hyperparameter(value) if value is None else value for name, value in values.items()}
        metric = self.log.objective.metric
        experiment, start, _ = hparams(shown, {f"validation/{metric}": None, f"best/{metric}": None})
        version = Event(wall_time=began, file_version=VERSION)
        return [version, *(Event(wall_time=began, summary=summary) for summary in (experiment, start))]

    def _report_event(self, report: Report) -> Event:
        values = {"training/loss": report.train_loss}
        values |= {f"validation/{name}": value for name, value in report.metrics.items()}
        if report.best is not None:
            values[f"best/{self.log.objective.metric}"] = report.best
        summary = Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()])
        return Event(wall_time=report.time, step=report.epoch, summary=summary)

    def _write_new(self, record: TrialRecord, events: list[Event]) -> None:
        run = self.folder / record.name
        shutil.rmtree(run, ignore_errors=True)
        run.mkdir(parents=True)
        self.begun.add(record.name)
        self._append(record, events)

    def _append(self, record: TrialRecord, events: list[Event]) -> None:
        writer = RecordWriter(f"append:{self.folder / record.name / 'events.out.tfevents.0'}")
        for event in events:
            writer.write(event.SerializeToString())
        writer.close()


def _end_event(wall_time: float) -> Event:
    return Event(wall_time=wall_time, summary=hparams({}, {})[2])
