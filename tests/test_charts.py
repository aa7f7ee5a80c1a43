"""Charts of a sweep, and what they are drawn from."""

import html
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib import colormaps
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import imread
from sweep_logs import ask, end, plan_of, report

from ae.configuration import Configuration
from ae.figures import DPI
from ae.task import Objective
from sweeps.config.arguments import parser
from sweeps.config.new_plan import new_plan
from sweeps.records.result import SweepResult
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import DIVERGED, FAILED, FINISHED, STOPPED, Report, TrialLog, TrialRecord
from sweeps.report import charts, importance
from sweeps.report.guard import attempt
from sweeps.report.page import closing_words, write_report
from sweeps.search.importance import importances

LOSS = Objective(metric="loss", mode="min")
SEEDS = ["0003-seed1", "0003-seed2", "0003-seed3"]


def log_of(losses, status=FINISHED, configs=()):
    """A search with these losses: by trial, one value per epoch."""
    log = TrialLog("search", LOSS, len(losses), max_epochs=100)
    configs = configs or [Configuration(lr=0.01)] * len(losses)
    for (name, values), config in zip(losses.items(), configs, strict=True):
        record = log.records[name] = TrialRecord(name=name, config=config, status=status)
        for epoch, value in enumerate(values, 1):
            report = Report(epoch, value, {"loss": value}, train_s=1.0, wall_s=1.0, time=0.0, best=None)
            record.add(report, LOSS)
    return log


def table_of(log):
    """The search's reports as a table."""
    rows = [
        {"trial": record.name, "epoch": report.epoch, "val_loss": report.metrics["loss"]}
        for record in log.trials
        for report in record.reports
    ]
    return pd.DataFrame(rows)


def curves(reports):
    """Noisy losses of three seeds, a report every 5 epochs."""
    rng, epochs, parts = np.random.default_rng(0), 5 * np.arange(1, reports + 1), []
    for trial in SEEDS:
        losses = {f"{name}_loss": (1 / epochs + 0.004) * rng.uniform(0.8, 1.2, reports) for name in ("train", "val")}
        parts.append(pd.DataFrame({"trial": trial, "epoch": epochs, **losses}))
    return pd.concat(parts)


def inked(path):
    """The share of an image's pixels that have a strong colour."""
    pixels = imread(path)[:, :, :3]
    return float((pixels.max(axis=2) - pixels.min(axis=2) > 0.4).mean())


def test_the_curves_of_many_reports_are_lines_and_no_bands(tmp_path):
    log = log_of({name: [1.0] for name in SEEDS})
    retrained = charts.retraining_curves(curves(600), LOSS, tmp_path / "retrained.png")
    search = charts.learning_curves(curves(600), log, 3, ["lr"], tmp_path / "search.png")
    assert inked(retrained) < 0.02
    assert inked(search) < 0.04


def test_a_trial_that_was_stopped_is_marked_where_its_line_ends(tmp_path):
    log = log_of({"0000": [0.5] * 49 + [1.0]}, STOPPED)
    path = charts.learning_curves(table_of(log), log, 1, ["lr"], tmp_path / "x.png")
    drawn = imread(path)[: 4 * DPI, :, :3]  # without the legend
    line, mark = (
        np.nonzero(np.abs(drawn - to_rgb(colour)).max(axis=2) < 0.02)[0].mean()
        for colour in (charts.COLOURS[0], charts.GREY)
    )
    assert abs(line - mark) < 10, "pixels"


@pytest.mark.parametrize(
    ("values", "mode", "scale"),
    [
        ([0.051, 0.0039], "min", "log"),
        ([0.98, 0.8], "min", "linear"),
        ([1, -1], "min", "linear"),
        ([0.8, math.nan, 0.98], "max", "logit"),
        ([0.3, 0.8], "max", "linear"),
        ([0.8, 1.0], "max", "linear"),
        ([math.nan], "max", "linear"),
    ],
)
def test_an_axis_has_the_scale_that_tells_its_values_apart(values, mode, scale):
    axes = Figure().subplots()
    charts.scale(axes, pd.Series(values), mode)
    assert axes.get_yscale() == scale


def test_one_trial_alone_is_the_best_and_the_darkest(tmp_path):
    ranked = log_of({"0000": [0.5]}).ranked()
    path = charts.parallel_coordinates(ranked, ["lr", "hidden_size"], LOSS, tmp_path / "one.png")
    drawn = imread(path)[:, : 11 * DPI // 3, :3]  # without the scale of ranks
    assert (np.abs(drawn - colormaps["viridis"](0)[:3]).max(axis=2) < 0.02).sum() > 1000


def test_no_chart_is_drawn_if_no_trial_can_be_selected(tmp_path):
    log = log_of({"0000": [0.1], "0001": [0.2], "0002": [math.inf]})
    for record, status in zip(log.trials, (FAILED, DIVERGED, STOPPED), strict=True):
        record.status = status
    assert charts.parallel_coordinates(log.ranked(), ["lr"], LOSS, tmp_path / "none.png") is None
    assert not (tmp_path / "none.png").exists()


def searched(space, points, losses):
    """The plan of a search over a space, and its log: what each point came to, one value per epoch."""
    plan = new_plan(parser().parse(["--task", "synthetic"]), [])
    configs = [replace(plan.base, **dict(zip(space, point, strict=True))) for point in points]
    log = log_of({f"{place:04d}": values for place, values in enumerate(losses)}, configs=configs)
    return replace(plan, space=space), log


def grid(losses):
    """A search over every combination of two step sizes and two widths."""
    points = [(lr, width) for lr in (0.001, 0.01) for width in (8, 16)]
    return searched({"lr": [0.001, 0.01], "hidden_size": [8, 16]}, points, losses)


def test_over_a_whole_grid_the_shares_are_those_of_the_means():
    shares, epoch = importances(*grid([[1.0], [3.0], [5.0], [11.0]]))
    assert epoch == 1
    assert shares == pytest.approx({"lr": 9 / 14, "hidden_size": 4 / 14}), "and 1 / 14 in combination"
    assert list(shares) == ["lr", "hidden_size"]


def test_the_shares_over_a_whole_grid_are_exact_however_many_trials_it_has():
    values = list(range(1, 21))
    points = [(lr, width) for lr in values for width in values]
    losses = [[float(3 * lr + width)] for lr, width in points]
    shares, _ = importances(*searched({"lr": values, "hidden_size": values}, points, losses))
    assert shares == pytest.approx({"lr": 0.9, "hidden_size": 0.1})


def test_a_jump_after_the_best_epoch_decides_nothing():
    steady, jumping = [[5, 1], [5, 3], [9, 5], [9, 8]], [[5, 1, 900], [5, 3, 3], [9, 5, 5], [9, 8, 8]]
    assert importances(*grid(jumping))[0] == importances(*grid(steady))[0]


def test_without_a_whole_grid_the_shares_are_estimated_and_leave_room_for_combinations():
    points = [(0.001, 8), (0.001, 16), (0.01, 8), (0.01, 16), (0.01, 16)]
    losses = [[1.0], [1.1], [5.0], [5.2], [5.1]]
    shares, _ = importances(*searched({"lr": [0.001, 0.01], "hidden_size": [8, 16]}, points, losses))
    assert shares["lr"] > 0.8
    assert sum(shares.values()) <= 1


def test_no_clipping_is_one_of_the_estimated_hyperparameters():
    points = [(clip,) for clip in (None, 0.25, None, 4.0, 1.0)]
    losses = [[float(place)] for place in range(5)]
    assert importances(*searched({"clip": [None, 0.25, 1.0, 4.0]}, points, losses))[0]


def test_the_shares_are_drawn_if_there_are_any(tmp_path):
    assert importance.draw({}, 0, LOSS, tmp_path / "none.png") is None
    assert inked(importance.draw({"lr": 0.9, "clip": 0.05}, 7, LOSS, tmp_path / "shares.png")) > 0.05


def test_a_curve_under_another_one_is_dashed_on_top(tmp_path):
    log = log_of({"0000": [4.0, 3.0, 2.0], "0001": [4.0, 3.0], "0002": [4.0, 3.5]})
    whole = charts.learning_curves(table_of(log), log, 1, ["lr"], tmp_path / "x.png")
    drawn = imread(whole)[:600, :, :3]  # without the legend
    for colour in charts.COLOURS[:3]:
        assert (np.abs(drawn - to_rgb(colour)).max(axis=2) < 0.02).sum() > 100, f"{colour} is to be seen"


@pytest.fixture
def result(tmp_path):
    """A sweep of one trial, interrupted before anything was retrained."""
    plan = plan_of(tmp_path, task="synthetic")
    log = SweepLog(plan)
    ask(log, "0000")
    report(log, "0000", 5, 0.25)
    end(log, "0000")
    return SweepResult(plan=plan, log=log, source="nowhere", interrupted=True)


def test_a_figure_that_cannot_be_drawn_costs_that_figure_alone(result, monkeypatch):
    def broken(*_):
        raise KeyError("lr")

    monkeypatch.setattr(charts, "parallel_coordinates", broken)
    write_report(result, splits=None)
    folder = result.plan.folder
    assert (folder / "figures" / "learning_curves.png").exists()
    problem = "the parallel coordinates could not be made: KeyError: 'lr' (test_charts.py:"
    (line,) = result.problems
    assert line.startswith(problem)
    assert line.endswith("; the traceback is in errors.log")
    assert "in broken" in (folder / "errors.log").read_text()
    assert line in html.unescape((folder / "report.html").read_text())
    assert f"warning: {line}" in closing_words(result)


def test_work_that_fails_twice_in_the_same_way_is_noted_once(result):
    for _ in range(2):
        assert attempt(result, "the baseline", lambda: 1 / 0, default=-1) == -1
    assert len(result.problems) == 1
    assert (result.plan.folder / "errors.log").read_text().count("Traceback") == 1


def test_a_full_disk_is_no_problem_of_a_figure(result):
    def full():
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        attempt(result, "the baseline", full, default=None)
    assert not result.problems
