"""What an event changes about one trial."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sweeps.records.trials import ENDED, PAUSED, RUNNING, Report, TrialLog, TrialRecord
from sweeps.records.work import Work, shape_of

STATUS_AFTER = {"paused": PAUSED, "promoted": RUNNING, "resumed": RUNNING, "reopened": PAUSED}
"""The status that an event gives a trial."""


def apply(event: Mapping[str, Any], log: TrialLog, work: Work, at_s: float) -> None:
    """Take in an event about a trial that was asked for.

    Args:
        event: of that trial.
        log: of its phase.
        work: the running sums of the phase.
        at_s: seconds that all sessions had taken.

    Raises:
        ValueError: if there is no such event, or it cannot come now.
    """
    kind, record = event["event"], log.records[event["trial"]]
    work.take_out(record)
    if kind in STATUS_AFTER:
        record.status, record.reason = STATUS_AFTER[kind], ""
        if kind == "promoted":
            log.add_fact(kind, record)
    elif kind == "reported":
        _report(event, log, work, record)
    elif kind == "repeated":
        record.train_s += float(event["train_s"])
    elif kind == "retried":
        record.retried = str(event["reason"])
    elif kind == "ended":
        _end(event, log, record)
    else:
        raise ValueError(f"there is no event {kind!r}")
    if kind != "reported":
        record.note(kind, at_s, str(event.get("reason", "")))
    work.put_in(record, float(event["time"]))


def _report(event: Mapping[str, Any], log: TrialLog, work: Work, record: TrialRecord) -> None:
    report = Report(
        epoch=int(event["epoch"]),
        train_loss=float(event["train_loss"]),
        metrics={str(name): float(value) for name, value in event["metrics"].items()},
        train_s=float(event["train_s"]),
        wall_s=float(event["wall_s"]),
        time=float(event["time"]),
        best=None,
        per_seed=tuple(map(float, event.get("per_seed", ()))),
        skipped=int(event.get("skipped", 0)),
        rolled_back=int(event.get("rolled_back", 0)),
    )
    if report.epoch <= record.epoch:
        raise ValueError(f"epoch {report.epoch} of trial {record.name} was reported before")
    log.check_seeds(report)
    epochs = log.seeds_per_trial * (report.epoch - record.epoch)
    work.report(record.name, shape_of(record.config), epochs, report.train_s, report.time)
    record.add(report, log.objective)
    record.status = RUNNING
    record.warning = str(event.get("warning") or record.warning)
    log.recorded_s = max(log.recorded_s, report.wall_s)
    log.add_fact("reported", record, record.reports[-1])


def _end(event: Mapping[str, Any], log: TrialLog, record: TrialRecord) -> None:
    if event["status"] not in ENDED:
        raise ValueError(f"a trial cannot end as {event['status']!r}")
    record.status, record.reason = event["status"], str(event["reason"])
    log.recorded_s = max(log.recorded_s, float(event["wall_s"]))
    log.add_fact("ended", record)
