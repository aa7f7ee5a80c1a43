"""A sweep as the live page shows it: all of it once, then what is new."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sweeps.config import plan_file
from sweeps.pipeline.rebuild import result_of
from sweeps.records.followed import FollowedLog
from sweeps.records.result import SweepResult
from sweeps.records.status import is_running, labels
from sweeps.records.trials import TrialRecord
from sweeps.report.page import remark_of
from sweeps.report.page_data import answer, found, notices, now, sweep_data
from sweeps.report.page_figures import model_figures
from sweeps.report.page_read import read_page, take_over
from sweeps.report.page_trials import columns_of, metrics_of, trial
from sweeps.search.importance import importances
from sweeps.storage.folder import PLAN

IMPORTANCE_S = 60.0
"""Seconds between two looks at what decides the objective, at least: it takes a second or two of a core."""


class LiveSweep:
    """One sweep that is looked at while it may run.

    Args:
        folder: its results folder.
        bring_down: brings a copy of a sweep that is stored elsewhere up to date; None if the folder is its own.

    Raises:
        UserError: if the folder is not that of a sweep.
    """

    def __init__(self, folder: Path, bring_down: Callable[[], None] | None = None) -> None:
        self.folder, self.bring_down = folder, bring_down
        self.followed, self.plan_text = FollowedLog(plan_file.load(folder)), self._plan_text()
        self.is_running = False
        self.importance: tuple[dict[str, float], int] = ({}, 0)
        self.importance_at, self.ended = -IMPORTANCE_S, -1
        self.refresh()

    def refresh(self) -> None:
        """Take in what happened since the last time.

        Raises:
            UserError: if the sweep cannot be read any more.
        """
        if self.bring_down:
            self.bring_down()
        text = self._plan_text()
        if self.followed.is_replaced or (text and text != self.plan_text):
            self.followed, self.plan_text = FollowedLog(plan_file.load(self.folder)), text
        self.followed.read_on()
        self.is_running = is_running(self.followed.log, is_copy=self.bring_down is not None)
        self._look_at_importance()

    @property
    def key(self) -> str:
        """Changes when a reader must read everything anew: the plan, the metrics, a sweep that ended or resumed."""
        log = self.followed.log
        facts = (self.plan_text, self.is_running, log.session, metrics_of(log.search))
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:12]

    @property
    def line(self) -> int:
        """The number of the last event that is shown."""
        return self.followed.line

    def whole(self) -> dict[str, Any]:
        """Everything about the sweep, as the final page has it."""
        result = self._result()
        page = None if self.is_running else read_page(self.folder)
        remark = take_over(result, page) or remark_of(result, result.summary())
        return sweep_data(result, model_figures(self.folder), self._state(result), remark)

    def since(self, line: int) -> dict[str, Any]:
        """What changed after an event; nothing but the clock if nothing did."""
        result = self._result()
        patch: dict[str, Any] = {"now": now(result, self._state(result))}
        changed = self.followed.since(line)
        if not changed and line == self.line:
            return patch
        columns, metrics, is_over = columns_of(result.plan), metrics_of(result.search), not self.is_running

        def shown(records: dict[str, TrialRecord]) -> list[dict[str, Any]]:
            return [
                trial(one, columns, metrics, is_over, seen) for one, seen in changed if records.get(one.name) is one
            ]

        return patch | {
            "notices": notices(result, is_over),
            "answer": answer(result, ""),
            "trials": shown(result.search.records),
            "runs": shown(result.log.retrainings),
            **found(result),
        }

    def _result(self) -> SweepResult:
        log = self.followed.log
        result = result_of(log.plan, log)
        result.importance = self.importance
        return result

    def _state(self, result: SweepResult) -> str:
        if self.is_running:
            return "running"
        return "finished" if result.tested else result.log.ended_as or "not running"

    def _plan_text(self) -> str:
        try:
            return (self.folder / PLAN).read_text(encoding="utf-8")
        except OSError:  # a copy that is being replaced
            return ""

    def _look_at_importance(self) -> None:
        log = self.followed.log
        if log.search.ended == self.ended or time.monotonic() - self.importance_at < IMPORTANCE_S * self.is_running:
            return
        self.ended, self.importance_at = log.search.ended, time.monotonic()
        try:
            self.importance = importances(log.plan, log.search)
        except (ValueError, ArithmeticError):  # an estimate over too few trials; the next look may have enough
            self.importance = ({}, 0)


def labelled(sweeps: Sequence[LiveSweep]) -> list[dict[str, Any]]:
    """All about some sweeps, each with a name of its own."""
    names = labels([sweep.followed.log.plan for sweep in sweeps])
    return [sweep.whole() | {"label": name} for sweep, name in zip(sweeps, names, strict=True)]


def state_of(sweeps: Sequence[LiveSweep]) -> str:
    """Where the updates of some sweeps are, in a word that a browser gives back when it connects again."""
    return "_".join(f"{sweep.key}-{sweep.line}" for sweep in sweeps)


def updates(sweeps: Sequence[LiveSweep], since: str) -> list[dict[str, Any]] | None:
    """What is new about each sweep; None if the reader must read everything anew.

    Args:
        sweeps: all that are shown.
        since: what `state_of` said when the reader was up to date.
    """
    known = [one.rpartition("-") for one in since.split("_")]
    keys = [key for key, _, line in known if line.isdecimal()]
    if keys != [sweep.key for sweep in sweeps]:
        return None
    lines = [int(line) for _, _, line in known]
    if any(line > sweep.line for line, sweep in zip(lines, sweeps, strict=True)):
        return None
    return [sweep.since(line) for line, sweep in zip(lines, sweeps, strict=True)]
