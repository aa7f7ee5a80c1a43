"""The benchmarks: their command line, and `sequences` with tiny settings."""

import importlib
import json
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--repeats", "0"], "argument --repeats: must be a whole number >= 1, got '0'"),
        (["--trials", "100,1"], "argument --trials: must be a whole number >= 2, got '1'"),
        (["--methods", "pca,pcb"], "argument --methods: must be of sweep, training, tutorial, "),
        (["steps"], "no benchmark steps; they are step, agreement, "),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, message, monkeypatch, capsys, request):
    monkeypatch.syspath_prepend(request.config.rootpath / "benchmarks")
    monkeypatch.setattr(sys, "argv", ["run.py", *arguments])
    with pytest.raises(SystemExit) as end:
        importlib.import_module("run").main()
    error = capsys.readouterr().err
    assert end.value.code == 2
    assert message in error
    assert error.count("\n") == 1


@pytest.fixture
def benchmarks(monkeypatch, request):
    """Imports a module of the benchmarks."""
    monkeypatch.syspath_prepend(request.config.rootpath / "benchmarks")
    return importlib.import_module


def tiny(benchmarks, folder, *methods):
    """Settings of a run that takes seconds."""
    quick = benchmarks("settings").QUICK
    return replace(quick, folder=folder / "results", sequences=folder, methods=methods)


def rows_of(folder, name):
    table = json.loads((folder / "results" / f"sequences-{name}.json").read_text())
    return {row["method"]: row for row in table["rows"]}


def test_every_method_is_measured(benchmarks, tmp_path):
    sets, methods = benchmarks("sequence_sets"), ("training", "tutorial", "sequitur", "pca", "pca8", "forest")
    heights = np.random.default_rng(0).normal(size=(60, 12)).cumsum(axis=1)
    heights[40:] += 10
    labelled = pd.DataFrame(heights).assign(label=np.repeat(["a", "b"], [40, 20]))
    labelled.to_csv(tmp_path / "walks.csv", index=False)
    options = sets.Options(label_column="label", normal="a")
    data = sets.SequenceSet(name="walks", data="walks.csv", options=options, measure=sets.detection)
    benchmarks("sequences").table(data, tiny(benchmarks, tmp_path, *methods))
    rows = rows_of(tmp_path, "walks")
    assert len(rows) == len(methods) - (not benchmarks("peers.sequitur_model").is_installed())
    assert all(0 <= float(row["area under ROC"]) <= 1 and row["time (s)"] > 0 for row in rows.values())
    assert float(rows["isolation forest"]["area under ROC"]) > 0.9
    assert rows["ours: one training"]["epochs"] == rows["ECG tutorial"]["epochs"] == "2 of 2"


def test_what_is_not_there_is_left_out_in_a_line(benchmarks, tmp_path, capsys):
    benchmarks("sequences").run(tiny(benchmarks, tmp_path, "sequitur", "pca8"))
    said = capsys.readouterr().out
    assert said.count("sequitur is not installed, so it is left out") == (
        not benchmarks("peers.sequitur_model").is_installed()
    )
    assert said.count("is not there, so") == 2  # heart beats are embedded, the other data is not
    assert float(rows_of(tmp_path, "ecg5000")["PCA, 8 components"]["area under ROC"]) > 0.9


def test_runs_of_other_methods_stay(benchmarks, tmp_path):
    sequences = benchmarks("sequences")
    for method in ("pca8", "forest"):
        sequences.run(tiny(benchmarks, tmp_path, method))
    assert list(rows_of(tmp_path, "ecg5000")) == ["PCA, 8 components", "isolation forest"]


def test_an_anomaly_in_a_series_is_found(benchmarks, tmp_path):
    sets, sequences = benchmarks("sequence_sets"), benchmarks("sequences")
    steps = np.arange(1200)
    wave = np.sin(steps / 8)
    is_anomaly = (steps >= 700) & (steps < 706)
    for name, values, marks in (("a", wave, 0 * steps), ("b", wave + is_anomaly, is_anomaly.astype(int))):
        pd.DataFrame({"timestamp": steps, "value": values, "is_anomaly": marks}).to_csv(
            tmp_path / f"{name}.csv", index=False
        )
    options = sets.Options(test_data="b.csv", label_column="is_anomaly")
    data = sets.SequenceSet(name="wave", data="a.csv", options=options, measure=sets.series)
    sequences.table(data, tiny(benchmarks, tmp_path, "pca8"))
    row = rows_of(tmp_path, "wave")["PCA, 8 components"]
    assert (row["found"], row["flagged"], row["false alarms"]) == ("1 of 1", "1 of 1", "0")
    assert float(row["ahead"]) > 10


def test_classes_are_told_by_head_and_by_neighbours(benchmarks, tmp_path):
    sets, sequences = benchmarks("sequence_sets"), benchmarks("sequences")
    ids = np.repeat(np.arange(40), 6)
    heights = pd.DataFrame({"id": ids, "x": ids % 2 + np.tile(np.arange(6) / 10, 40), "label": ids % 2})
    for name in ("a.csv", "b.csv"):
        heights.to_csv(tmp_path / name, index=False)
    options = sets.Options(test_data="b.csv", classify=True, id_column="id", label_column="label")
    data = sets.SequenceSet(name="heights", data="a.csv", options=options, measure=sets.classes)
    sequences.table(data, tiny(benchmarks, tmp_path, "training", "mean-step"))
    rows = rows_of(tmp_path, "heights")
    assert rows["mean step"]["nearest neighbour"] == "1.0000"
    assert rows["mean step"]["class head"] is None
    assert 0 <= float(rows["ours: one training"]["class head"]) <= 1


@pytest.mark.slow
def test_the_sweep_is_run_as_a_command(benchmarks, tmp_path):
    benchmarks("sequences").run(tiny(benchmarks, tmp_path, "sweep"))
    row = rows_of(tmp_path, "ecg5000")["ours: a sweep"]
    assert 0 <= float(row["area under ROC"]) <= 1
    assert row["time (s)"] > 1
