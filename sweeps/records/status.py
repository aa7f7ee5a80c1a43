"""How far a sweep is, as its results folder has it; nothing is locked for long, and nothing is written."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ae.errors import UserError
from sweeps.config.plan import Plan
from sweeps.config.plan_file import load
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import TrialLog
from sweeps.storage.folder import SUMMARY, is_locked

QUIET_S = 300.0
"""Seconds without an event after which a sweep of another machine is taken to have ended."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepStatus:
    """A running, paused or ended sweep."""

    plan: Plan
    log: SweepLog
    summary: dict[str, Any] | None
    """`summary.json`; None if the sweep has not come to its report."""
    is_running: bool
    """Whether a process on this machine holds its lock, or one on another machine wrote an event recently."""
    quiet_s: float | None
    """Seconds since the last event; None before the first."""

    @property
    def search(self) -> TrialLog:
        """The trials of the search."""
        return self.log.search

    @property
    def retraining(self) -> TrialLog:
        """The retrainings; empty before they begin."""
        return self.log.retraining

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.log.is_finished and not self.is_running

    @property
    def test(self) -> Mapping[str, Any] | None:
        """Mean, standard deviation and values of the winner's objective on the test split; None before the test."""
        test: Mapping[str, Any] | None = self.summary and self.summary["test"]
        return test and test[self.plan.task.objective.metric]


def read_status(folder: Path) -> SweepStatus:
    """The sweep in a results folder, as of now.

    Raises:
        UserError: if there is none, or it is damaged; it names the file.
    """
    plan = load(folder)
    log = SweepLog.read(plan)
    return SweepStatus(
        plan=plan,
        log=log,
        summary=_summary(folder),
        is_running=is_running(log),
        quiet_s=_quiet_s(log),
    )


def is_running(log: SweepLog, is_copy: bool = False) -> bool:
    """Whether a process on this machine holds the lock of a sweep, or one on another machine wrote an event recently.

    Args:
        log: of the sweep.
        is_copy: whether its folder is a copy, which the process that runs the sweep does not lock.
    """
    elsewhere = bool(log.host) and log.host != socket.gethostname()
    quiet_s = _quiet_s(log)
    lately = quiet_s is not None and quiet_s < QUIET_S and not log.ended_as
    return (not is_copy and is_locked(log.plan.folder)) or ((elsewhere or is_copy) and lately)


def _quiet_s(log: SweepLog) -> float | None:
    return None if log.last_time is None else max(0.0, time.time() - log.last_time)


def labels(plans: Sequence[Plan]) -> list[str]:
    """The names of the sweeps; the folder in place of a name that is there twice."""
    names = [plan.name for plan in plans]
    return [name if names.count(name) == 1 else str(plan.folder) for name, plan in zip(names, plans, strict=True)]


def _summary(folder: Path) -> dict[str, Any] | None:
    path = folder / SUMMARY
    if not path.exists():
        return None
    try:
        summary: dict[str, Any] = json.loads(path.read_text())
        if not isinstance(summary, dict) or "test" not in summary or not isinstance(summary.get("search"), dict):
            raise ValueError("a key is missing")
        return summary
    except ValueError as error:
        raise UserError(f"{path}: not the summary of a sweep: {error}") from None
