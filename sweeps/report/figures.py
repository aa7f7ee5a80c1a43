"""The figures of a report. One that fails costs that figure; the report then says why it is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ae.splits import Splits
from sweeps.records.result import SweepResult
from sweeps.records.tables import curves
from sweeps.records.trials import RETRAIN, SEARCH
from sweeps.report import charts, importance
from sweeps.report.guard import attempt
from sweeps.report.page_figures import model_figures
from sweeps.storage.folder import FIGURES


def draw_figures(result: SweepResult, splits: Splits, now: Callable[[str], None]) -> list[dict[str, Any]]:
    """Draw every figure that the sweep has come to into `figures/`.

    Args:
        result: of the sweep; what goes wrong is added to its problems.
        splits: the data of the task's own figures.
        now: is told what is being drawn, in words.

    Returns:
        The figures of the best model, as the page shows them.
    """
    for what, drawing in _charts(result):
        now(what)
        attempt(result, what, drawing, None)
    if not result.tested:
        return []
    what = "the figures of the task"
    now(what)
    folder = result.plan.folder
    none: list[dict[str, Any]] = []
    return attempt(result, what, lambda: model_figures(folder, _of_the_task(result, splits, folder / FIGURES)), none)


def _charts(result: SweepResult) -> Iterable[tuple[str, Callable[[], Path | None]]]:
    """Description and drawing of each chart of the sweep itself, as PNG; the page draws its own from the same data."""
    folder = result.plan.folder / FIGURES
    if result.search.epochs:
        yield "the learning curves", lambda: _learning_curves(result, folder / "learning_curves.png")
        yield "the parallel coordinates", lambda: _parallel(result, folder / "parallel_coordinates.png")
        yield "the chart of importance", lambda: _importance(result, folder / "importance.png")
    if result.retrained:
        yield "the retraining curves", lambda: _retraining(result, folder / "retraining_curves.png")


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
