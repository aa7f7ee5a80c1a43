"""Rewrites everything that follows from a sweep's events."""

from __future__ import annotations

from pathlib import Path

from sweeps.config import plan_file
from sweeps.config.plan import Plan
from sweeps.pipeline.selection import recorded
from sweeps.records.result import SweepResult
from sweeps.records.sweep_log import SweepLog
from sweeps.records.tables import write_tables
from sweeps.report.guard import output_file
from sweeps.report.page import remark_of, write_page, write_summary
from sweeps.report.page_figures import model_figures
from sweeps.report.page_read import read_page, take_over
from sweeps.search.importance import importances
from sweeps.search.journal import write_study
from sweeps.storage.folder import CURVES, REPORT, STUDY, SUMMARY, TENSORBOARD, TRIALS, locked
from sweeps.tracking.tensorboard import TensorBoard


def rebuild(folder: Path) -> list[str]:
    """Write the tables, the Optuna study, TensorBoard's files, the summary and the page of a sweep from its events.

    A sweep that was killed before its report has no summary and no page. The page shows the figures that are there.

    Args:
        folder: the results folder.

    Returns:
        What was written, one path each.

    Raises:
        UserError: if the folder is not that of a sweep, is in use or cannot be written, or its events are damaged.
    """
    plan = plan_file.load(folder)
    with locked(folder), output_file(folder):
        log = SweepLog.read(plan)
        write_tables(log)
        write_study(plan, log)
        for phase, varied in ((log.search, plan.varied), (log.retraining, [*plan.varied, "seed"])):
            runs = TensorBoard(folder, phase, varied)
            runs.open()
            runs.close()
        if log.ended_as and log.search.records:
            result = result_of(plan, log)
            summary = write_summary(result)
            remark = take_over(result, read_page(folder)) or remark_of(result, summary)
            result.importance = importances(plan, log.search)
            write_page(result, model_figures(folder), remark)
    written = [folder / name for name in (TRIALS, CURVES, STUDY, TENSORBOARD, SUMMARY, REPORT)]
    return [str(path) for path in written if path.exists()]


def result_of(plan: Plan, log: SweepLog) -> SweepResult:
    """What a sweep found so far, as the events tell it."""
    return SweepResult(
        plan=plan,
        log=log,
        source="",
        device=log.device,
        versions=log.versions,
        retrained=recorded(plan, log),
        interrupted=log.ended_as == "interrupted",
        total_s=log.search.recorded_s + log.retraining.recorded_s if log.total_s is None else log.total_s,
    )
