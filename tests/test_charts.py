"""Pictures of a sweep."""

import math

import numpy as np
import pandas as pd
import pytest
from matplotlib import colormaps
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import imread
from optuna.distributions import CategoricalDistribution

from ae.figures import DPI
from ae.task import Objective
from sweeps.records.ledger import DIVERGED, FAILED, STOPPED, Entry, Ledger
from sweeps.report import charts, importance

LOSS = Objective(metric="loss", mode="min")
SEEDS = ["0003-seed1", "0003-seed2", "0003-seed3"]


def curves(reports):
    """Noisy losses of three seeds, a report every 5 epochs."""
    rng, epochs, parts = np.random.default_rng(0), 5 * np.arange(1, reports + 1), []
    for trial in SEEDS:
        losses = {f"{name}_loss": (1 / epochs + 0.004) * rng.uniform(0.8, 1.2, reports) for name in ("train", "val")}
        parts.append(pd.DataFrame({"trial": trial, "epoch": epochs, **losses}))
    return pd.concat(parts)


def inked(path):
    """The share of a picture's pixels that have a strong colour."""
    pixels = imread(path)[:, :, :3]
    return float((pixels.max(axis=2) - pixels.min(axis=2) > 0.4).mean())


def test_the_curves_of_many_reports_are_lines_and_no_bands(tmp_path):
    entries = [Entry(name=name, configuration={"lr": 0.01}) for name in SEEDS]
    retrained = charts.retraining_curves(curves(600), LOSS, tmp_path / "retrained.png")
    search = charts.learning_curves(curves(600), entries, entries, 3, ["lr"], LOSS, tmp_path / "search.png")
    assert inked(retrained) < 0.02
    assert inked(search) < 0.04


def test_a_trial_that_was_stopped_is_marked_where_its_line_ends(tmp_path):
    entry = Entry(name="0000", configuration={"lr": 0.01}, status=STOPPED)
    losses = [0.5] * 49 + [1.0]
    table = pd.DataFrame({"trial": "0000", "epoch": range(1, 51), "val_loss": losses})
    path = charts.learning_curves(table, [entry], [entry], 1, ["lr"], LOSS, tmp_path / "x.png")
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
    entry = Entry(name="0000", configuration={"lr": 0.01, "hidden_size": 8}, best=0.5)
    path = charts.parallel_coordinates([entry], ["lr", "hidden_size"], LOSS, tmp_path / "one.png")
    drawn = imread(path)[:, : 11 * DPI // 3, :3]  # without the scale of ranks
    assert (np.abs(drawn - colormaps["viridis"](0)[:3]).max(axis=2) < 0.02).sum() > 1000


def test_no_picture_is_drawn_of_no_trial_that_can_be_chosen(tmp_path):
    ledger = Ledger("search", tmp_path, LOSS, 3, 10)
    for name, status, best in (("0000", FAILED, 0.1), ("0001", DIVERGED, 0.2), ("0002", STOPPED, math.inf)):
        ledger.entries[name] = Entry(name=name, configuration={"lr": 0.01}, status=status, best=best)
    assert charts.parallel_coordinates(ledger.ranked(), ["lr"], LOSS, tmp_path / "none.png") is None
    assert not (tmp_path / "none.png").exists()


def grid(values):
    """A search of every combination of two step sizes and two widths, and what each came to, epoch by epoch."""
    points = [(lr, width) for lr in (0.001, 0.01) for width in (8, 16)]
    entries = [
        Entry(name=f"000{place}", configuration={"lr": lr, "hidden_size": width}, epoch=9, best_epoch=1)
        for place, (lr, width) in enumerate(points)
    ]
    rows = [
        {"trial": entry.name, "epoch": epoch, "val_loss": value}
        for entry, losses in zip(entries, values, strict=True)
        for epoch, value in enumerate(losses, start=1)
    ]
    space = {"lr": CategoricalDistribution((0.001, 0.01)), "hidden_size": CategoricalDistribution((8, 16))}
    return pd.DataFrame(rows), entries, space, list(space), LOSS


def test_over_a_whole_grid_the_shares_are_those_of_the_means():
    shares, epoch = importance.importances(*grid([[1.0], [3.0], [5.0], [11.0]]))
    assert epoch == 1
    assert shares == pytest.approx({"lr": 9 / 14, "hidden_size": 4 / 14}), "and 1 / 14 in combination"
    assert list(shares) == ["lr", "hidden_size"]


def test_the_shares_over_a_whole_grid_are_exact_however_many_trials_it_has():
    points = [(lr, width) for lr in range(20) for width in range(20)]
    entries = [
        Entry(name=f"{place:04d}", configuration={"lr": lr, "hidden_size": width}, epoch=1, best_epoch=1)
        for place, (lr, width) in enumerate(points)
    ]
    rows = [
        {"trial": entry.name, "epoch": 1, "val_loss": float(3 * lr + width)}
        for entry, (lr, width) in zip(entries, points, strict=True)
    ]
    space = {name: CategoricalDistribution(range(20)) for name in ("lr", "hidden_size")}
    shares, _ = importance.importances(pd.DataFrame(rows), entries, space, list(space), LOSS)
    assert shares == pytest.approx({"lr": 0.9, "hidden_size": 0.1})


def test_a_jump_after_the_best_epoch_decides_nothing():
    steady, jumping = [[5, 1], [5, 3], [9, 5], [9, 8]], [[5, 1, 900], [5, 3, 3], [9, 5, 5], [9, 8, 8]]
    assert importance.importances(*grid(jumping))[0] == importance.importances(*grid(steady))[0]


def test_without_a_whole_grid_the_shares_are_estimated_and_leave_room_for_combinations():
    curves, entries, *rest = grid([[1.0], [1.1], [5.0], [5.2]])
    twin = Entry(name="0004", configuration=entries[3].configuration, epoch=9, best_epoch=1)
    curves = pd.concat([curves, pd.DataFrame([{"trial": "0004", "epoch": 1, "val_loss": 5.1}])])
    shares, _ = importance.importances(curves, [*entries, twin], *rest)
    assert shares["lr"] > 0.8
    assert sum(shares.values()) <= 1


def test_no_clipping_is_one_of_the_estimated_hyperparameters():
    clips = (None, 0.25, None, 4.0, 1.0)
    entries = [
        Entry(name=f"000{place}", configuration={"clip": clip}, epoch=1, best_epoch=1)
        for place, clip in enumerate(clips)
    ]
    rows = [{"trial": entry.name, "epoch": 1, "val_loss": float(place)} for place, entry in enumerate(entries)]
    space = {"clip": CategoricalDistribution((None, 0.25, 1.0, 4.0))}
    assert importance.importances(pd.DataFrame(rows), entries, space, ["clip"], LOSS)[0]


def test_a_curve_under_another_one_is_dashed_on_top(tmp_path):
    entries = [Entry(name=name, configuration={"lr": 0.01}) for name in ("0000", "0001", "0002")]
    lines = {"0000": [4.0, 3.0, 2.0], "0001": [4.0, 3.0], "0002": [4.0, 3.5]}
    rows = [
        {"trial": name, "epoch": epoch, "val_loss": value} for name in lines for epoch, value in enumerate(lines[name])
    ]
    whole = charts.learning_curves(pd.DataFrame(rows), entries, entries, 1, ["lr"], LOSS, tmp_path / "x.png")
    drawn = imread(whole)[:600, :, :3]  # without the legend
    for colour in charts.COLOURS[:3]:
        assert (np.abs(drawn - to_rgb(colour)).max(axis=2) < 0.02).sum() > 100, f"{colour} is to be seen"
