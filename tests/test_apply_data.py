"""New data for a saved model: found by name, named by options, or refused in one line."""

import numpy as np
import pandas as pd
import pytest
from applied_models import applied, ragged, refused, save_long, save_model, save_models, table

from ae.data.sequences.options import Options


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the models: one of each kind, called by what it was trained on."""
    return save_models(tmp_path_factory.mktemp("models"))


def test_features_are_found_by_name_in_any_order(place, tmp_path):
    data = save_long(tmp_path / "new.csv", ragged(5))
    applied(place / "long", "--data", data, "--output", tmp_path / "out.csv")
    pd.read_csv(data)[["b", "hour", "unit", "a"]].to_csv(tmp_path / "turned.csv", index=False)
    applied(place / "long", "--data", tmp_path / "turned.csv", "--output", tmp_path / "turned.out.csv")
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "turned.out.csv").read_bytes()


def test_columns_of_another_name_are_named_by_options(place, tmp_path):
    data = save_long(tmp_path / "new.csv", ragged(5))
    applied(place / "long", "--data", data, "--output", tmp_path / "out.csv")
    names = {"unit": "wo", "hour": "wann", "a": "x", "b": "y"}
    pd.read_csv(data).rename(columns=names).assign(z=1.0).to_csv(tmp_path / "other.csv", index=False)
    options = ("--id-column", "wo", "--time-column", "wann", "--columns", "x,y")
    applied(place / "long", "--data", tmp_path / "other.csv", "--output", tmp_path / "other.out.csv", *options)
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "other.out.csv").read_bytes()


def test_the_labels_and_groups_of_the_training_need_not_be_there(tmp_path):
    frame = pd.read_csv(save_long(tmp_path / "old.csv", ragged(30)))
    frame["kind"], frame["ward"] = frame["unit"].str[-1], frame["unit"].str[-1].astype(int)
    frame.to_csv(tmp_path / "old.csv", index=False)
    options = {"label_column": "kind", "group_column": "ward", "id_column": "unit"}
    save_model(tmp_path / "model", tmp_path / "old.csv", **options)
    for columns in (["unit", "hour", "a", "b"], list(frame)):
        frame[columns].to_csv(tmp_path / "new.csv", index=False)
        applied(tmp_path / "model", "--data", tmp_path / "new.csv", "--output", tmp_path / "out.csv")
        assert len(table(tmp_path / "out.csv")) == 30


@pytest.mark.parametrize(
    ("model", "data", "more", "message"),
    [
        ("long", "three.csv", (), "was trained on 2 features, a, b; got 3, a, b, c; name them by --columns"),
        ("long", "one.csv", (), "was trained on 2 features, a, b; got 1, a; bring all of them"),
        ("long", "names.csv", (), "was trained on 2 features, a, b; got q instead; rename it, or"),
        ("long", "rows.npy", (), "was trained on 2 features, a, b; got 1, value"),
        ("long", "none.csv", (), "none.csv: there is no such file or folder"),
        ("long", "good.csv", ("--steps", "2"), "--steps needs a model trained with --predict"),
        ("long", "good.csv", ("--threshold", "best-f1"), "--threshold best-f1 needs a model trained with --normal"),
        ("long", "good.csv", ("--threshold", "high"), "--threshold must be quantile, best-f1 or a number >= 0"),
        ("long", "good.csv", ("--threshold", "1", "--quantile", "0.5"), "--quantile goes with --threshold quantile"),
        ("long", "good.csv", ("--quantile", "99"), "--quantile must be from 0 to 1"),
        (
            "long",
            "good.csv",
            ("--id-column", "units"),
            "--id-column units: there is no such column; did you mean unit?",
        ),
        ("long", "good.csv", ("--layout", "wide"), "--layout must be one of rows, long, series"),
        ("long", "infinite.csv", (), "infinite.csv: step 2 of sequence u0, a: a value must lie within"),
        ("predict", "good.csv", ("--steps", "0"), "--steps must be a whole number >= 1"),
        ("predict", "good.csv", ("--steps", "1e9"), "--steps must be from 1 to 10,000 steps"),
        ("gone", "good.csv", (), "gone: not a results folder or a saved model: there is no such folder"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line_and_an_older_output_stays(
    place, tmp_path, model, data, more, message
):
    good = pd.read_csv(save_long(tmp_path / "good.csv", ragged(5)))
    good.assign(c=1.0).to_csv(tmp_path / "three.csv", index=False)
    good.drop(columns="b").to_csv(tmp_path / "one.csv", index=False)
    good.rename(columns={"b": "q"}).to_csv(tmp_path / "names.csv", index=False)
    good.assign(a=[1.0, np.inf, *[0.0] * (len(good) - 2)]).to_csv(tmp_path / "infinite.csv", index=False)
    np.save(tmp_path / "rows.npy", np.zeros((4, 6)))
    (tmp_path / "out.csv").write_text("older")
    arguments = (place / model, "--data", tmp_path / data, "--output", tmp_path / "out.csv", *more)
    assert message in refused(*arguments)
    assert (tmp_path / "out.csv").read_text() == "older"
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".part")]


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("new.csv", "is the file of --data; give another name"),
        ("out.xlsx", "must end in .csv, .parquet, .npz"),
        ("none/out.csv", "there is no folder"),
        ("folder.csv", "is a folder; give the name of a file"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused_first(place, tmp_path, output, message):
    data = save_long(tmp_path / "new.csv", ragged(5))
    (tmp_path / "folder.csv").mkdir()
    before = data.read_bytes()
    assert message in refused(place / "long", "--data", data, "--output", tmp_path / output)
    assert data.read_bytes() == before


def test_a_model_of_another_task_is_told_apart(swept, tmp_path):
    message = refused(swept, "--data", tmp_path / "new.csv", "--output", tmp_path / "out.csv")
    assert "it must be a model of the task sequences" in message
    assert "this one is of mnist-cls, evaluate.py tests it" in message


def test_every_option_that_reads_data_is_one_of_the_task():
    from sweeps.apply import READING

    assert set(READING) <= set(Options.__dataclass_fields__)
