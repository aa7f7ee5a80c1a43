"""Rewrites everything that follows from a sweep's events."""

from __future__ import annotations

from pathlib import Path

from sweeps.config import plan_file
from sweeps.records.sweep_log import SweepLog
from sweeps.records.tables import write_tables
from sweeps.report.guard import output_file
from sweeps.search.journal import write_study
from sweeps.storage.folder import CURVES, STUDY, TENSORBOARD, TRIALS, locked
from sweeps.tracking.tensorboard import TensorBoard


def rebuild(folder: Path) -> list[str]:
    """Write the tables, the Optuna study and TensorBoard's files of a sweep from `plan.json` and `events.jsonl`.

    `summary.json` and `report.html` stay as they are: they also need the models.

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
    written = [folder / name for name in (TRIALS, CURVES, STUDY, TENSORBOARD)]
    return [str(path) for path in written if path.exists()]
