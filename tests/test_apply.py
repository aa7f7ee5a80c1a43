"""Applying a saved model to new sequences: what is in the tables, against one sequence at a time."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from applied_models import OneByOne, applied, ragged, save_long, save_models, save_series, table

from ae.scoring import quantile_of, thinned


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the models: one of each kind, called by what it was trained on."""
    return save_models(tmp_path_factory.mktemp("models"))


def check(found, sequences, one_by_one):
    """The main table, against its sequences one by one."""
    assert len(found) == len(sequences)
    for row, values_TF in zip(found.to_dict("records"), sequences, strict=True):
        steps_T, _, z_H, _ = one_by_one(values_TF)
        assert row["steps"] == len(values_TF)
        assert row["error"] == pytest.approx(steps_T.mean(), rel=1e-5)
        assert row["worst_error"] == pytest.approx(steps_T.max(), rel=1e-5)
        assert row["worst_step"] == steps_T.argmax()
        np.testing.assert_allclose([row[f"z_{unit}"] for unit in range(1, 7)], z_H, atol=1e-6)


def test_sequences_of_different_lengths_in_a_long_table(place, tmp_path):
    sequences = ragged(25, seed=3)
    applied(place / "long", "--data", save_long(tmp_path / "new.csv", sequences), "--output", tmp_path / "out.csv")
    found = table(tmp_path / "out.csv")
    check(found, sequences, OneByOne(place / "long"))
    assert list(found["name"]) == [f"u{at}" for at in range(25)]
    assert (found["first"] == 10).all()
    assert list(found["worst"]) == list(found["worst_step"] + 10)  # in the table's own hours


def test_one_sequence_per_row_an_array_and_a_folder(place, tmp_path):
    values_NT = np.random.default_rng(2).normal(size=(12, 8)).round(4)
    sequences = list(values_NT[:, :, None])
    pd.DataFrame(values_NT, columns=[f"t{at}" for at in range(8)]).to_csv(tmp_path / "rows.csv", index=False)
    np.save(tmp_path / "rows.npy", values_NT)
    (tmp_path / "folder").mkdir()
    for at, one in enumerate(values_NT):
        np.savetxt(tmp_path / "folder" / f"{at:02}.csv", one, header="value", comments="")
    for data in ("rows.csv", "rows.npy", "folder"):
        more = ("--layout", "series") if data == "folder" else ()
        applied(place / "rows", "--data", tmp_path / data, "--output", tmp_path / "out.csv", *more)
        check(table(tmp_path / "out.csv"), sequences, OneByOne(place / "rows"))


def test_steps_with_missing_values_do_not_count(place, tmp_path):
    sequences = ragged(10, seed=4)
    for one in sequences:
        one[1, 0] = np.nan
    sequences[2][:] = np.nan
    data = save_long(tmp_path / "new.csv", sequences)
    output = applied(place / "long", "--data", data, "--output", tmp_path / "out.csv", "--per-step")
    assert f"{9 + 2 * len(sequences[2])} missing values" in output
    assert "1 sequence without any value, so without an error: u2" in output
    found, steps = table(tmp_path / "out.csv"), table(tmp_path / "out.steps.csv")
    assert found["error"].isna().tolist() == [at == 2 for at in range(10)]
    assert not found["anomaly"][2]
    model = OneByOne(place / "long")
    for at in (0, 1, 3):
        filled = pd.DataFrame(sequences[at]).ffill().bfill().to_numpy()
        _, restored_TF, _, _ = model(filled)
        wrong_TF = model.scaled(filled) - model.scaled(restored_TF)
        squares_TF = np.where(np.isnan(sequences[at]), np.nan, wrong_TF**2)
        assert found["error"][at] == pytest.approx(np.nanmean(squares_TF), rel=1e-4)
        mine = steps[steps["name"] == f"u{at}"]
        np.testing.assert_allclose(mine["error"], np.nanmean(squares_TF, axis=1), rtol=1e-4)
        np.testing.assert_allclose(mine[["value_a", "value_b"]], sequences[at])
        np.testing.assert_allclose(mine[["reconstruction_a", "reconstruction_b"]], restored_TF, rtol=1e-5)
        np.testing.assert_allclose(mine["difference_b"], mine["value_b"] - mine["reconstruction_b"])
        assert list(mine["index"]) == [10 + step for step in range(len(filled))]


def test_the_class_is_the_likeliest_and_accuracy_is_told(place, tmp_path):
    sequences, labels = ragged(20, seed=5), ["yes", "no", "maybe", "other"] * 5
    data = save_long(tmp_path / "new.csv", sequences, labels)
    output = applied(place / "classes", "--data", data, "--output", tmp_path / "out.csv")
    found = table(tmp_path / "out.csv")
    names = sorted(["yes", "no", "maybe"])
    for row, values_TF in zip(found.to_dict("records"), sequences, strict=True):
        chances = OneByOne(place / "classes")(values_TF)[3]
        assert row["class"] == names[chances.argmax()]
        assert row["probability"] == pytest.approx(chances.max(), rel=1e-5)
    assert f"accuracy {(found['class'] == found['label']).mean():.4f} of 20 labels" in output


@pytest.mark.parametrize("model", ["predict", "own-scale"])
def test_a_forecast_is_that_of_a_loop(place, tmp_path, model):
    sequences = ragged(8, seed=6)
    data = save_long(tmp_path / "new.csv", sequences)
    applied(place / model, "--data", data, "--output", tmp_path / "out.npz", "--steps", "3")
    forecast_NKF = np.load(tmp_path / "out.npz")["forecast"]
    assert forecast_NKF.shape == (8, 3, 2)
    one_by_one = OneByOne(place / model)
    for values_TF, forecast_KF in zip(sequences, forecast_NKF, strict=True):
        if model == "own-scale":
            one_by_one.centre_F, one_by_one.spread_F = values_TF.mean(axis=0), values_TF.std(axis=0)
        np.testing.assert_allclose(forecast_KF, one_by_one.forecast(values_TF, 3), rtol=1e-4, atol=1e-4)


def test_a_model_that_predicts_forecasts_one_step_unless_told(place, tmp_path):
    data = save_long(tmp_path / "new.csv", ragged(3))
    applied(place / "predict", "--data", data, "--output", tmp_path / "out.csv")
    assert [name for name in table(tmp_path / "out.csv") if "forecast" in name] == ["forecast_1_a", "forecast_1_b"]


def test_windows_of_a_series_are_merged_per_step(place, tmp_path):
    data = save_series(tmp_path / "new.csv", steps=107, seed=7, labels=True)
    arguments = ("--data", data, "--output", tmp_path / "out.csv", "--per-step", "--threshold", "1.0")
    output = applied(place / "series", *arguments)
    windows, steps = table(tmp_path / "out.csv"), table(tmp_path / "out.steps.csv")
    series_TF = pd.read_csv(data)[["value"]].to_numpy()
    starts = [*range(0, 88, 3), 87]  # the last one ends with the series
    assert list(windows["first_step"]) == sorted(set(starts))
    check(
        windows.assign(worst_step=windows["worst_step"] - windows["first_step"]),
        [series_TF[start : start + 20] for start in sorted(set(starts))],
        OneByOne(place / "series"),
    )
    scores, errors, outputs = ([[] for _ in range(107)] for _ in range(3))
    for start in sorted(set(starts)):
        steps_T, restored_TF, _, _ = OneByOne(place / "series")(series_TF[start : start + 20])
        for at in range(20):
            scores[start + at].append(steps_T.mean())
            errors[start + at].append(steps_T[at])
            outputs[start + at].append(restored_TF[at, 0])
    for name, each in (("score", scores), ("error", errors), ("reconstruction", outputs)):
        np.testing.assert_allclose(steps[name], [np.mean(one) for one in each], rtol=1e-5)
    intervals = []
    for at, score in enumerate(map(np.mean, scores)):
        if score > 1.0 and intervals and intervals[-1][1] == at - 1:
            intervals[-1][1] = at
        elif score > 1.0:
            intervals.append([at, at])
    found = table(tmp_path / "out.intervals.csv")
    assert len(intervals) >= 2
    assert found[["start", "end"]].to_numpy().tolist() == [[500 + 10 * a, 500 + 10 * b] for a, b in intervals]
    for (first, last), row in zip(intervals, found.to_dict("records"), strict=True):
        assert row["severity"] == pytest.approx(max(np.mean(one) for one in scores[first : last + 1]), rel=1e-5)
        assert row["worst"] == 500 + 10 * (first + int(np.argmax([np.mean(one) for one in errors[first : last + 1]])))
    assert f"{len(intervals)} intervals of flagged steps" in output


def test_a_series_shorter_than_a_window_is_one_window(place, tmp_path):
    data = save_series(tmp_path / "new.csv", steps=9)
    applied(place / "series", "--data", data, "--output", tmp_path / "out.csv")
    check(table(tmp_path / "out.csv"), [pd.read_csv(data)[["value"]].to_numpy()], OneByOne(place / "series"))


def test_several_series_are_cut_each_with_intervals_of_its_own(place, tmp_path):
    sequences = ragged(4, seed=8, features=1, shortest=50, longest=60)
    frame = pd.read_csv(save_long(tmp_path / "new.csv", sequences)).rename(columns={"a": "value"})
    frame.to_csv(tmp_path / "new.csv", index=False)
    arguments = ("--data", tmp_path / "new.csv", "--output", tmp_path / "out.csv", "--id-column", "unit")
    applied(place / "series", *arguments, "--threshold", "0")
    found = table(tmp_path / "out.intervals.csv")
    assert list(found["name"]) == ["u0", "u1", "u2", "u3"]
    assert list(found["steps"]) == [len(one) for one in sequences]
    assert list(found["severity"]) == list(found["score"])


def test_another_window_and_stride(place, tmp_path):
    data = save_series(tmp_path / "new.csv", steps=100)
    more = ("--window", "30", "--stride", "10")
    applied(place / "series", "--data", data, "--output", tmp_path / "out.csv", *more)
    assert list(table(tmp_path / "out.csv")["first_step"]) == [0, 10, 20, 30, 40, 50, 60, 70]


def test_thresholds(place, tmp_path):
    data = save_long(tmp_path / "new.csv", ragged(40, seed=9), ["yes", "no"] * 20)
    described = json.loads((place / "normal" / "model.json").read_text())
    errors, best = described["validation_errors"]["sorted"], described["thresholds"]["best_f1"]
    for options, threshold in [
        ((), best),
        (("--threshold", "best-f1"), best),
        (("--threshold", "quantile"), np.quantile(errors, 0.99)),
        (("--quantile", "30%"), np.quantile(errors, 0.3)),
        (("--threshold", "quantile", "--quantile", "0"), min(errors)),
        (("--threshold", "0.75"), 0.75),
    ]:
        output = applied(place / "normal", "--data", data, "--output", tmp_path / "out.csv", *options)
        found = table(tmp_path / "out.csv")
        assert list(found["anomaly"]) == list(found["error"] > threshold)
        assert f"anomalies: {found['anomaly'].sum()} (" in output
        assert "all but label yes as anomalies: ROC area 0." in output


def test_precision_and_recall_are_those_at_the_threshold(place, tmp_path):
    data = save_long(tmp_path / "new.csv", ragged(40, seed=9), ["yes", "no"] * 20)
    output = applied(place / "normal", "--data", data, "--output", tmp_path / "out.csv", "--threshold", "1")
    found = table(tmp_path / "out.csv")
    is_wrong = found["label"] != "yes"
    hits = (found["anomaly"] & is_wrong).sum()
    assert f"precision {hits / found['anomaly'].sum():.4f}, recall {hits / is_wrong.sum():.4f}" in output
    other = applied(
        place / "normal", "--data", data, "--output", tmp_path / "out.csv", "--threshold", "1", "--normal", "no"
    )
    assert "all but label no as anomalies" in other


@pytest.mark.parametrize("count", [1, 2, 1999, 2000, 2001, 30_000])
def test_any_quantile_follows_from_the_errors_that_are_kept(count):
    errors = np.random.default_rng(count).lognormal(size=count)
    kept = json.loads(json.dumps(thinned(errors)))
    assert len(kept["sorted"]) <= 2000
    for share in (0, 0.5, 0.9, 0.99, 0.999, 1):
        is_exact = count <= 2000 or share >= 0.99
        assert quantile_of(kept, share) == pytest.approx(np.quantile(errors, share), rel=1e-12 if is_exact else 0.01)


def test_every_kind_of_output_has_the_same_values(place, tmp_path):
    data = save_long(tmp_path / "new.csv", ragged(15, seed=10), ["yes", "no", "maybe"] * 5)
    for ending in ("csv", "parquet", "npz"):
        applied(place / "classes", "--data", data, "--output", tmp_path / f"out.{ending}", "--per-step")
    csv, parquet, arrays = table(tmp_path / "out.csv"), table(tmp_path / "out.parquet"), np.load(tmp_path / "out.npz")
    pd.testing.assert_frame_equal(csv, parquet, check_dtype=False)
    assert parquet["anomaly"].dtype == bool
    assert arrays["z"].shape == (15, 6)
    for name in arrays.files:
        if name != "z":
            assert arrays[name].tolist() == parquet[name].tolist()
    np.testing.assert_array_equal(arrays["z"], parquet[[f"z_{unit}" for unit in range(1, 7)]])
    assert np.load(tmp_path / "out.steps.npz")["value"].shape == (len(table(tmp_path / "out.steps.parquet")), 2)


def test_a_results_folder_its_model_and_a_copy_of_it_are_the_same(place, tmp_path):
    shutil.copytree(place / "long", tmp_path / "sweep" / "best")
    data = save_long(tmp_path / "new.csv", ragged(5))
    tables = []
    for folder in (tmp_path / "sweep", tmp_path / "sweep" / "best", place / "long"):
        applied(folder, "--data", data, "--output", tmp_path / "out.csv")
        tables.append((tmp_path / "out.csv").read_bytes())
    assert tables[0] == tables[1] == tables[2]
