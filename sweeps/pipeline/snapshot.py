"""A sweep that runs or ran, as its results folder has it; nothing is locked, and nothing is written."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeps.config.arguments import parser
from sweeps.config.plan import Plan
from sweeps.config.planning import resumed_plan
from sweeps.engine import session as engine
from sweeps.pipeline import retraining
from sweeps.records import history, tables
from sweeps.records.ledger import PAUSED, RUNNING, Ledger
from sweeps.search import journal, study
from sweeps.storage.folder import Unusable, in_use

QUIET_S = 300.0
"""Seconds without a report after which a sweep that no session of this machine has is taken for one that is over."""
READS = 3
"""Attempts to read tables and study that say the same; a sweep that runs may write between the two."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """What there is of a sweep."""

    plan: Plan
    search: Ledger
    """Open trials are "running", or "paused" where ASHA lets them wait; other schedulers do not tell."""
    retraining: Ledger
    """Empty before it begins."""
    summary: dict[str, Any] | None
    """`summary.json`; None if the sweep has not come to its report."""
    running: bool
    """Whether a session on this machine has it."""
    quiet_s: float | None
    """Seconds since the last report; None before the first."""

    @property
    def goes_on(self) -> bool:
        """Whether it does as far as one can tell: on this machine, or by a late report on another."""
        return self.running or (self.quiet_s is not None and self.quiet_s < QUIET_S)

    @property
    def test(self) -> Mapping[str, Any] | None:
        """Mean, standard deviation and values of the winner's objective on the test split; None before the test."""
        test: Mapping[str, Any] | None = self.summary and self.summary["test"]
        return test and test[self.plan.task.objective.metric]


def plan_of(folder: Path) -> Plan:
    """The plan of the sweep in a results folder.

    Raises:
        ValueError: if there is none.
    """
    try:
        return resumed_plan(parser().parse_args(["--resume", str(folder)]), [])
    except Unusable as error:
        raise Unusable(str(error).removeprefix("--resume ")) from None


def read(folder: Path) -> Snapshot:
    """The sweep in a results folder, as of now.

    Raises:
        ValueError: if there is none, or it is damaged; it names the file.
    """
    plan = plan_of(folder)
    for attempt in range(READS):
        try:
            search, retrained = _phases(plan)
            break
        except Unusable:
            if attempt == READS - 1:
                raise
            time.sleep(0.1)
    curves = folder / tables.CURVES
    quiet_s = time.time() - curves.stat().st_mtime if curves.exists() else None
    return Snapshot(
        plan=plan,
        search=search,
        retraining=retrained,
        summary=_summary(folder),
        running=in_use(folder),
        quiet_s=quiet_s,
    )


def _phases(plan: Plan) -> tuple[Ledger, Ledger]:
    search = study.ledger_of(plan)
    history.restore(search, _configurations(plan))
    turns = engine.early_stopping(plan.scheduler, plan.budget, search, slots=1)
    for entry in search.entries.values():
        if entry.open:
            entry.status = PAUSED if turns.waits(entry.name) else RUNNING
    runs = retraining.runs(plan, retraining.select(plan, search))
    retrained = retraining.ledger_of(plan, search, runs)
    for entry in retrained.entries.values():
        entry.status = RUNNING if entry.open else entry.status
    return search, retrained


def _configurations(plan: Plan) -> dict[str, dict[str, Any]]:
    """Of every trial that was asked for, by name."""
    path = plan.folder / journal.STUDY
    if not path.exists():
        return {}
    try:
        return study.configurations(journal.study(plan.folder), plan.base)
    except (OSError, *journal.DAMAGED) as error:
        raise Unusable(f"{path}: not a whole Optuna study: {error}") from None


def _summary(folder: Path) -> dict[str, Any] | None:
    path = folder / "summary.json"
    if not path.exists():
        return None
    try:
        summary: dict[str, Any] = json.loads(path.read_text())
        if not isinstance(summary, dict) or "test" not in summary or not isinstance(summary.get("search"), dict):
            raise ValueError("a key is missing")
        return summary
    except ValueError as error:
        raise Unusable(f"{path}: not the summary of a sweep: {error}") from None
