"""The figures of a report. One that fails costs that figure; the report then says why it is missing."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from pathlib import Path

from ae.splits import Splits
from sweeps.records.result import SweepResult
from sweeps.records.tables import curves
from sweeps.records.trials import RETRAIN, SEARCH
from sweeps.report import charts, importance
from sweeps.report.guard import attempt
from sweeps.storage.folder import FIGURES

Drawing = Callable[[], Iterable[Path | None]]
"""Draws some figures; returns their files, and None in place of a figure that has nothing to show."""


def draw_figures(result: SweepResult, splits: Splits, now: Callable[[str], None]) -> dict[str, list[str]]:
    """Draw every figure that the sweep has come to into `figures/`.

    Args:
        result: of the sweep; what goes wrong is added to its problems.
        splits: the data of the task's own figures.
        now: is told what is being drawn, in words.

    Returns:
        The PNG files, base64-encoded, by section of the report: "curves", "space", "retrained", "test".
    """
    found: dict[str, list[str]] = {}
    for section, what, drawing in _drawings(result, splits):
        now(what)
        found.setdefault(section, []).extend(attempt(result, what, _encoded(drawing), []))
    return found


def _drawings(result: SweepResult, splits: Splits) -> Iterable[tuple[str, str, Drawing]]:
    """Section, description and drawing of each figure, in the order of the report."""
    folder = result.plan.folder / FIGURES
    if result.search.epochs:
        yield "curves", "the learning curves", lambda: [_learning_curves(result, folder / "learning_curves.png")]
        yield "space", "the parallel coordinates", lambda: [_parallel(result, folder / "parallel_coordinates.png")]
        yield "space", "the chart of importance", lambda: [_importance(result, folder / "importance.png")]
    if result.retrained:
        yield "retrained", "the retraining curves", lambda: [_retraining(result, folder / "retraining_curves.png")]
    if result.tested:
        yield "test", "the figures of the task", lambda: _of_the_task(result, splits, folder)


def _encoded(drawing: Drawing) -> Callable[[], list[str]]:
    return lambda: [base64.b64encode(path.read_bytes()).decode() for path in drawing() if path]


def _learning_curves(result: SweepResult, path: Path) -> Path:
    table = curves(result.log)
    search = table[table["phase"] == SEARCH]
    return charts.learning_curves(search, result.search, result.plan.top_k, result.plan.varied, path)


def _parallel(result: SweepResult, path: Path) -> Path | None:
    return charts.parallel_coordinates(result.search.ranked(), result.plan.varied, result.search.objective, path)


def _importance(result: SweepResult, path: Path) -> Path | None:
    return importance.draw(*result.importance, result.search.objective, path)


def _retraining(result: SweepResult, path: Path) -> Path:
    table, names = curves(result.log), [model.name for model in result.retrained[0].models]
    retraining = table[table["trial"].isin(names) & (table["phase"] == RETRAIN)]
    return charts.retraining_curves(retraining, result.search.objective, path)


def _of_the_task(result: SweepResult, splits: Splits, folder: Path) -> list[Path]:
    """The winner's best model on the test split."""
    task, winner = result.plan.task, result.retrained[0]
    model = task.build(winner.config, splits.train)
    model.load_state_dict(winner.best_model(task.objective).weights)
    return task.figures(model.eval(), splits, folder)
