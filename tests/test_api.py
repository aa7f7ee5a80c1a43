"""Sweeps from Python: arrays, lists and tables in, tables and a model out."""

import numpy as np
import pandas as pd
import pytest

import sweeps
from ae.errors import UserError

FEW = {
    "max_epochs": 2, "eval_every": 1, "grace_period": 1, "top_k": 1, "seeds": 1,
    "space": {"hidden_size": [3, 4]}, "search": "grid",
}  # fmt: skip


@pytest.fixture
def waves():
    """40 sequences of 4 to 12 steps of two features."""
    rng = np.random.default_rng(0)
    return [np.sin(rng.random((4 + at % 9, 2)) * 6) for at in range(40)]


@pytest.mark.usefixtures("one_ray")
def test_a_list_of_arrays_becomes_a_model_that_scores_and_encodes(waves, tmp_path):
    result = sweeps.sweep(data=waves, name="a", results=tmp_path, **FEW)
    assert result.folder == tmp_path / "sequences" / "a"
    assert set(result.trials["trial"]) >= {"0000", "0001"}
    assert list(result.curves["trial"].unique()) == [*dict.fromkeys(result.curves["trial"])]
    assert result.best["hidden_size"] in (3, 4)
    assert result.report.is_file()
    assert result.test["loss"] > 0
    scores, codes = result.score(waves), result.encode(waves)
    assert scores.shape == (40,)
    assert codes.shape == (40, result.best["hidden_size"])
    assert result.score(waves[3:4]) == pytest.approx(scores[3:4], rel=1e-5)
    assert result.is_anomaly(waves).dtype == bool
    assert f"{result.test['loss']:.4g}" in result._repr_html_()
    again = sweeps.Result(result.folder)
    assert again.summary == result.summary != {}


@pytest.mark.usefixtures("one_ray")
def test_a_dataframe_with_labels_becomes_a_classifier(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.random((30, 6)), columns=list("012345")).assign(kind=["a", "b", "c"] * 10)
    result = sweeps.sweep(data=frame, label_column="kind", classify=True, name="b", results=tmp_path, **FEW)
    assert set(result.classify(frame)) <= {"a", "b", "c"}
    assert 0 <= result.test["accuracy"] <= 1


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"data": "nowhere.csv"}, "there is no such file or folder"),
        ({"data": [["a", "b"]]}, "data must be a path, an array of numbers, a DataFrame, or a list of arrays"),
        ({"data": np.zeros((20, 5)), "trails": 5}, "no option is called --trails; did you mean --trials?"),
        ({"data": np.zeros((20, 5)), "labels": [1, 2]}, "must have one label per sequence (20), got 2"),
        ({"data": np.zeros((2, 2, 2, 2))}, "an array must be (N, T, F), (N, T) or (T,), got 4 dimensions"),
        ({"data": pd.DataFrame({"a": [1.0]}), "labels": [1]}, "labels go with arrays"),
    ],
)
def test_a_mistake_is_an_exception_with_one_line(tmp_path, given, line):
    with pytest.raises(UserError) as caught:
        sweeps.sweep(results=tmp_path, name="c", **given)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "sequences" / "c").exists()


def test_a_folder_that_is_no_sweep_is_refused(tmp_path):
    with pytest.raises(UserError, match="not the results folder of a sweep"):
        sweeps.Result(tmp_path)


def test_nothing_heavy_is_imported_until_it_is_used():
    with pytest.raises(AttributeError, match="has no attribute 'swep'"):
        _ = sweeps.swep
