"""The figures of the task sequences, and the simple methods beside its models."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.image import imread
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

from ae import baselines, measures, next_steps, scoring
from ae.configuration import Configuration
from ae.data.sequences.options import Options
from ae.data.sequences.prepared import Prepared
from ae.figures.codes import two_axes
from ae.figures.sequences import index_of, sample
from ae.merging import intervals
from ae.series import merged
from ae.tasks import find
from ae.training import final_metrics
from ae.verdicts import verdicts

WIDTH = 6


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def files(tmp_path, rng):
    """Files of users: rows of one length, sequences of several lengths with holes, and one long series."""
    rows = pd.DataFrame(rng.random((60, 9)), columns=[f"t{step}" for step in range(9)])
    rows.assign(**{"class": np.arange(60) % 3}).to_csv(tmp_path / "rows.csv", index=False)
    lengths = rng.integers(5, 20, 50)
    ids = np.repeat(np.arange(50), lengths)
    times = pd.date_range("2026-01-01", periods=len(ids), freq="h")
    frame = pd.DataFrame(
        {"unit": ids, "time": times, "heat": 1e3 + rng.random(len(ids)), "speed": rng.random(len(ids))}
    )
    frame.loc[rng.random(len(ids)) < 0.2, "heat"] = np.nan
    frame.assign(kind=ids % 2).to_csv(tmp_path / "long.csv", index=False)
    steps = np.arange(600)
    series = pd.DataFrame({"time": 5 * steps, "a": np.sin(steps / 5), "b": rng.random(600), "is_anomaly": 0})
    series.loc[rng.random(600) < 0.1, "b"] = np.nan
    for first in (400, 410, 550):
        series.loc[first : first + 3, "is_anomaly"] = 1
    series.to_csv(tmp_path / "series.csv", index=False)
    return tmp_path


@pytest.fixture
def made(files):
    """The task, the splits and an untrained model for a file and options."""

    def made(name, **options):
        chosen = Options(**options)
        task = find("sequences").with_options(chosen)
        splits = task.load(files / name, chosen)
        torch.manual_seed(0)
        return task, splits, task.build(replace(task.base, hidden_size=WIDTH), splits.train).eval()

    return made


ALWAYS = ["errors", "worst_reconstructions", "best_reconstructions", "codes"]


@pytest.mark.parametrize(
    ("name", "options", "more"),
    [
        ("rows.csv", {}, []),
        ("rows.csv", {"normal": "1"}, ["detection"]),
        ("rows.csv", {"classify": True}, ["confusion_matrix"]),
        ("rows.csv", {"predict": True, "scale": "per-sequence"}, ["forecasts"]),
        ("long.csv", {}, []),
        (
            "long.csv",
            {"scale": "per-sequence", "normal": "0", "label_column": "kind", "predict": True},
            ["detection", "forecasts"],
        ),
        ("long.csv", {"classify": True, "predict": True, "label_column": "kind"}, ["confusion_matrix", "forecasts"]),
        ("long.csv", {"window": 4, "stride": 1}, []),
        ("series.csv", {"window": 20, "stride": 3}, ["series"]),
        ("series.csv", {"window": 20, "normal": "0", "predict": True}, ["detection", "forecasts", "series"]),
        ("series.csv", {"window": 20, "classify": True, "split": "70/10/20"}, ["confusion_matrix", "series"]),
    ],
)
def test_each_kind_of_data_has_its_figures_and_every_number_of_the_test(made, tmp_path, name, options, more):
    task, splits, model = made(name, **options)
    paths = task.figures(model, splits, tmp_path / "figures")
    assert sorted(path.stem for path in paths) == sorted([*ALWAYS, *more])
    for path in paths:
        height, width, _ = imread(path).shape
        assert 500 < width < 1400, path.name
        assert 300 < height < 1600, path.name
    test = final_metrics(task, model, splits)
    beside = task.baseline(splits, replace(task.base, hidden_size=WIDTH))
    assert np.isfinite([*test.values(), *beside.values()]).all()
    said = task.remark(test | beside)
    assert ("area under ROC" in said) == ("detection" in more)
    assert ("class head" in said) == ("confusion_matrix" in more)
    assert ("persistence" in said) == ("forecasts" in more)
    assert ("several lengths" in said) == (name == "long.csv" and "window" not in options)


def test_a_test_split_of_one_short_sequence_is_drawn(made, tmp_path):
    task, splits, model = made("long.csv", predict=True)
    few = replace(
        splits, validation=splits.validation.head(1), test=splits.test.take([int(splits.test.lengths_N.argmin())])
    )
    assert {path.stem for path in task.figures(model, few, tmp_path)} >= {"errors", "worst_reconstructions", "codes"}


@pytest.mark.parametrize("scale", ["standard", "per-sequence"])
def test_the_steps_of_a_series_have_the_mean_error_of_all_windows_that_hold_them(made, scale):
    _, splits, model = made("series.csv", window=20, stride=3, scale=scale, normal="0")
    prepared, parts = Prepared.from_json(splits.prepared), [splits.test, splits.abnormal_test]
    found = merged(model, parts, prepared)
    first = min(int(part.info["offset"].min()) for part in parts)
    errors, outputs = ([[] for _ in found.errors_P] for _ in range(2))
    for part in parts:
        for at, offset in enumerate(part.info["offset"]):
            inputs_TF = part.sequence(at)
            with torch.inference_mode():
                output_TF = model(torch.from_numpy(inputs_TF.copy())[None]).reconstruction_BTO[0].numpy()
            real_TF = part.observed_SF[part.starts_N[at] : part.starts_N[at] + 20]
            restored_TF = prepared.scaler.restored(part.unscaled(output_TF, at))
            for step in range(20):
                outputs[offset - first + step].append(restored_TF[step])
                squares_F = (output_TF[step] - inputs_TF[step])[real_TF[step]] ** 2
                errors[offset - first + step].append(squares_F.mean())
    np.testing.assert_allclose(found.errors_P, [np.mean(each) if each else np.nan for each in errors], rtol=1e-4)
    wanted_PF = [np.mean(each, axis=0) if each else [np.nan] * 2 for each in outputs]
    np.testing.assert_allclose(found.reconstructed_PF, wanted_PF, rtol=1e-4, atol=1e-5)


def test_the_steps_of_a_series_have_the_data_s_values_index_and_anomalies(made, files):
    _, splits, model = made("series.csv", window=20, stride=3, normal="0")
    found = merged(model, [splits.test, splits.abnormal_test], Prepared.from_json(splits.prepared))
    given = pd.read_csv(files / "series.csv").set_index("time")
    rows = given.loc[found.index_P]
    covered_P = ~np.isnan(found.errors_P)
    np.testing.assert_allclose(found.values_PF[covered_P], rows[["a", "b"]][covered_P], atol=1e-5)
    np.testing.assert_array_equal(found.unusual_P[covered_P], rows["is_anomaly"][covered_P] == 1)
    assert intervals(found.unusual_P) == [(550 - 480, 554 - 480)]


def test_adjacent_flagged_steps_are_one_interval():
    assert intervals(np.array([True, False, True, True, False, False, True])) == [(0, 1), (2, 4), (6, 7)]
    assert intervals(np.zeros(3, dtype=bool)) == []


def test_the_index_of_a_sequence_is_that_of_the_data(made, files):
    _, splits, _ = made("long.csv")
    given = pd.read_csv(files / "long.csv", parse_dates=["time"])
    for at, name in enumerate(splits.test.info["name"]):
        np.testing.assert_array_equal(index_of(splits.test, at), given[given["unit"] == int(name)]["time"])


def test_a_sample_is_as_large_as_asked_and_spans_all(made):
    _, splits, _ = made("rows.csv")
    assert (
        sample(splits.train, 7).info["name"].tolist()
        == splits.train.info["name"].iloc[[0, 6, 12, 18, 23, 29, 35]].tolist()
    )
    assert sample(splits.train, 36) is splits.train


def test_a_pca_is_that_of_the_other_tasks_where_nothing_is_missing(made):
    _, splits, _ = made("rows.csv")
    found, wanted = (
        baselines.beside(splits, 4, classify=False, predict=False),
        measures.pca(splits, Configuration(hidden_size=4)),
    )
    assert found["pca_mse"] == pytest.approx(wanted["pca_mse"], rel=1e-5)
    assert found["pca_components"] == wanted["pca_components"] == 4


def test_missing_values_do_not_count_in_the_error_of_a_pca(made):
    _, splits, _ = made("series.csv", window=20, stride=7)
    split = splits.test
    linear = PCA(3).fit(splits.train.inputs_NTF.reshape(len(splits.train), -1).astype(float))
    inputs_ND = split.inputs_NTF.reshape(len(split), -1)
    squares_NTF = (linear.inverse_transform(linear.transform(inputs_ND)) - inputs_ND).reshape(len(split), 20, 2) ** 2
    real_NTF = split.observed_SF[split.starts_N[:, None] + np.arange(20)]
    wanted = [squares_TF[real_TF].mean() for squares_TF, real_TF in zip(squares_NTF, real_NTF, strict=True)]
    np.testing.assert_allclose(baselines.pca(splits.train, 3)[0](split), wanted, rtol=1e-4)


def test_areas_under_roc_are_those_of_sklearn(made):
    _, splits, model = made("rows.csv", normal="1")
    beside = baselines.beside(splits, 4, classify=False, predict=False)
    score = baselines.pca(splits.train, 4)[0]
    normal_N, abnormal_N = score(splits.test), score(splits.abnormal_test)
    truth = np.repeat([0, 1], [len(normal_N), len(abnormal_N)])
    assert beside["pca_roc_auc"] == pytest.approx(roc_auc_score(truth, np.concatenate([normal_N, abnormal_N])))
    errors = [scoring.sequence_errors(model, part) for part in (splits.test, splits.abnormal_test)]
    wins = (errors[1][:, None] > errors[0]).mean()
    assert find("sequences").test_metrics(model, splits)["roc_auc"] == pytest.approx(wins)


def test_the_nearest_training_sequence_gives_the_class(made):
    _, splits, model = made("rows.csv", classify=True)
    train, test = splits.train, splits.test
    nearest_N = ((test.inputs_NTF[:, None] - train.inputs_NTF) ** 2).sum(axis=(2, 3)).argmin(axis=1)
    assert baselines.neighbours_of_values(splits) == (train.labels_N[nearest_N] == test.labels_N).mean()
    with torch.inference_mode():
        codes = [model.encode(torch.from_numpy(part.inputs_NTF)).numpy() for part in (test, train)]
    nearest_N = ((codes[0][:, None] - codes[1]) ** 2).sum(axis=2).argmin(axis=1)
    assert baselines.neighbours_of_codes(model, splits) == (train.labels_N[nearest_N] == test.labels_N).mean()


def test_a_forecast_is_that_of_each_sequence_alone_step_by_step(made):
    _, splits, model = made("long.csv", predict=True)
    few = next_steps.without_last(splits.test.head(4), 2)
    found_NSF = next_steps.next_steps(model, few, 3)
    for at in range(4):
        inputs_TF = torch.from_numpy(few.sequence(at).copy())
        for step in range(3):
            with torch.inference_mode():
                next_F = model(inputs_TF[None]).prediction_BTO[0, -1]
            np.testing.assert_allclose(found_NSF[at, step], next_F, atol=1e-5)
            inputs_TF = torch.cat([inputs_TF, next_F[None]])


def test_a_forecast_knows_nothing_of_the_steps_after_it(made):
    _, splits, model = made("long.csv", predict=True, scale="per-sequence")
    split = splits.test
    changed_SF = split.steps_SF.copy()
    changed_SF[split.starts_N + split.lengths_N - 1] += 1000
    forecasts = [
        next_steps.next_step(model, next_steps.without_last(each, 1))
        for each in (split, replace(split, steps_SF=changed_SF))
    ]
    np.testing.assert_allclose(*forecasts, rtol=1e-4, atol=1e-3)


def test_persistence_repeats_the_step_before_the_last_one(made):
    _, splits, _ = made("long.csv", predict=True)
    split, squares = splits.test, []
    for start, length in zip(split.starts_N, split.lengths_N, strict=True):
        before_F, last_F = split.steps_SF[start + length - 2 : start + length]
        squares += ((last_F - before_F)[split.observed_SF[start + length - 1]] ** 2).tolist()
    assert baselines.beside(splits, 4, classify=False, predict=True)["persistence_mse"] == pytest.approx(
        np.mean(squares)
    )


def test_the_axes_of_a_map_are_the_principal_ones(rng):
    codes_NH = rng.normal(size=(50, 5)) * (1, 3, 2, 1, 1)
    places_N2, shares_2 = two_axes(codes_NH)
    linear = PCA(2).fit(codes_NH)
    np.testing.assert_allclose(shares_2, linear.explained_variance_ratio_)
    np.testing.assert_allclose(np.abs(places_N2), np.abs(linear.transform(codes_NH)), atol=1e-9)


@pytest.mark.parametrize(
    ("rivals", "words"),
    [
        (
            {"pca_roc_auc": 0.95, "forest_roc_auc": 0.9},
            "beats a PCA of the same width (0.9500) and an isolation forest",
        ),
        (
            {"pca_roc_auc": 0.99, "forest_roc_auc": 0.9},
            "loses to a PCA of the same width (0.9900); the autoencoder beats",
        ),
        (
            {"pca_roc_auc": 0.971, "forest_roc_auc": 0.9},
            "equals a PCA of the same width (0.9710); the autoencoder beats",
        ),
    ],
)
def test_the_report_says_whether_a_simple_method_detects_as_well(rivals, words):
    own = {"roc_auc": 0.97, "f1": 0.9, "precision": 0.85, "recall": 0.95, "loss": 0.2}
    said = " ".join(verdicts({**own, **rivals, "pca_mse": 0.1, "pca_components": 4, "mean_mse": 1.0}))
    assert words in said
    assert "the autoencoder loses to a PCA with 4 components, test MSE 0.2 against 0.1" in said


@pytest.mark.parametrize(("own", "verb"), [(0.9, "loses to"), (0.97, "beats")])
def test_the_report_says_who_classifies_best(own, verb):
    test = {"accuracy": own, "neighbour_accuracy": 0.95, "value_neighbour_accuracy": own + 0.005, "loss": 0.2}
    (said,) = verdicts(test)
    assert f"it {verb} the nearest training sequence by z (95.0 %)" in said
    assert "it equals the nearest training sequence by its values" in said
