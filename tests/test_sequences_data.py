"""Users' sequences: files, layouts, windows, missing values, scaling and splits."""

import gzip

import numpy as np
import pandas as pd
import pytest
from user_sequences import refused

from ae.data.sequences.load import load
from ae.data.sequences.options import Options
from ae.errors import UserError

PARTS = ("train", "validation", "test", "abnormal_validation", "abnormal_test")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def long_frame(rng):
    """40 sequences of 25 steps with two features."""
    ids, times = np.repeat(np.arange(40), 25), np.tile(np.arange(25), 40)
    return pd.DataFrame({"unit": ids, "cycle": times, "speed": rng.random(1000), "heat": 1e6 + 100 * rng.random(1000)})


def names_of(splits):
    return {part: set(getattr(splits, part).info["name"]) for part in PARTS if getattr(splits, part) is not None}


def restored(splits, part):
    """Every sequence of a part by name, in the data's units."""
    from ae.data.sequences.prepared import Prepared

    split, scaler = getattr(splits, part), Prepared.from_json(splits.prepared).scaler
    return {name: scaler.restored(split.sequence(at)) for at, name in enumerate(split.info["name"])}


def test_an_id_column_makes_a_sequence_of_the_rows_that_share_it(tmp_path, long_frame):
    long_frame.sample(frac=1.0, random_state=0).to_csv(tmp_path / "long.csv", index=False)
    splits = load(tmp_path / "long.csv", Options())
    assert [len(getattr(splits, part)) for part in PARTS[:3]] == [24, 8, 8]
    for part in PARTS[:3]:
        for name, values in restored(splits, part).items():
            rows = long_frame[long_frame["unit"] == int(name)]
            np.testing.assert_allclose(values, rows[["speed", "heat"]], rtol=1e-5, atol=1e-3)
    assert "id 'unit', time 'cycle', values speed, heat" in splits.source
    assert splits.prepared["columns"] == ["speed", "heat"]


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".parquet", ".tsv"])
def test_every_table_format_gives_the_same_sequences(tmp_path, long_frame, ending):
    write = {".csv": {"sep": ","}, ".csv.gz": {"sep": ","}, ".tsv": {"sep": "\t"}}
    path = tmp_path / f"long{ending}"
    if ending == ".parquet":
        long_frame.to_parquet(path)
    else:
        long_frame.to_csv(path, index=False, **write[ending])
    long_frame.to_csv(tmp_path / "plain.csv", index=False)
    found, wanted = load(path, Options()), load(tmp_path / "plain.csv", Options())
    np.testing.assert_allclose(found.train.steps_SF, wanted.train.steps_SF, rtol=1e-6)


def test_columns_named_like_steps_make_one_sequence_per_row(tmp_path, rng):
    values = rng.random((20, 6))
    frame = pd.DataFrame(values, columns=[f"t{step:02}" for step in range(6)]).assign(kind=["a", "b"] * 10)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    splits = load(tmp_path / "rows.csv", Options(label_column="kind"))
    assert splits.train.inputs_NTF.shape == (12, 6, 1)
    assert splits.train.class_names == ("a", "b")
    assert sorted(splits.train.labels_N.tolist()) == [0] * 6 + [1] * 6, "each class is split on its own"
    for part in PARTS[:3]:
        for name, sequence in restored(splits, part).items():
            np.testing.assert_allclose(sequence[:, 0], values[int(name) - 2], rtol=1e-5)


def test_a_table_without_a_header_has_numbered_columns(tmp_path, rng):
    np.savetxt(tmp_path / "ucr.tsv", np.column_stack([np.arange(20) % 2, rng.random((20, 8))]), delimiter="\t")
    splits = load(tmp_path / "ucr.tsv", Options(layout="rows", label_column="1"))
    assert splits.train.inputs_NTF.shape == (12, 8, 1)
    assert splits.train.class_names == ("0", "1")


def test_one_long_series_is_cut_into_windows_split_by_time(tmp_path):
    frame = pd.DataFrame({"timestamp": pd.date_range("2026-01-01", periods=1000, freq="h"), "value": np.arange(1000.0)})
    frame.to_csv(tmp_path / "series.csv", index=False)
    splits = load(tmp_path / "series.csv", Options(window=50, stride=10))
    steps = {part: np.concatenate([*restored(splits, part).values()]) for part in PARTS[:3]}
    assert len(splits.train) == 56
    assert steps["train"].max() < 600 <= steps["validation"].min()
    assert steps["validation"].max() < 800 <= steps["test"].min()
    assert len(splits.train.steps_SF) == 600, "windows that overlap share their steps"
    assert splits.test.info["first"].iloc[0] == pd.Timestamp("2026-01-01") + pd.Timedelta(hours=800)


def test_windows_of_one_sequence_are_in_one_split(tmp_path, long_frame):
    long_frame.to_csv(tmp_path / "long.csv", index=False)
    names = names_of(load(tmp_path / "long.csv", Options(window=10, stride=5)))
    assert sum(map(len, names.values())) == len(set().union(*names.values())) == 40


def test_a_group_is_in_one_split(tmp_path, long_frame):
    long_frame.assign(patient=long_frame["unit"] // 4).to_csv(tmp_path / "long.csv", index=False)
    names = names_of(load(tmp_path / "long.csv", Options(group_column="patient")))
    groups = {part: {int(name) // 4 for name in found} for part, found in names.items()}
    assert sum(map(len, groups.values())) == 10
    assert [len(groups[part]) for part in PARTS[:3]] == [6, 2, 2]


def test_missing_values_are_filled_from_before_and_not_real(tmp_path, long_frame, caplog):
    holes = long_frame.copy()
    holes.loc[[3, 4], "speed"] = np.nan
    holes.loc[25, "heat"] = np.nan
    holes.loc[50:74, ["speed", "heat"]] = np.nan
    holes.loc[75:99, "heat"] = np.nan
    holes.to_csv(tmp_path / "holes.csv", index=False)
    splits = load(tmp_path / "holes.csv", Options())
    found, observed = {}, {}
    for part in PARTS[:3]:
        found |= restored(splits, part)
        split = getattr(splits, part)
        for at, name in enumerate(split.info["name"]):
            start = split.starts_N[at]
            observed[name] = split.observed_SF[start : start + split.lengths_N[at]]
    assert "2" not in found, "a sequence without any value is dropped"
    assert found["0"][3:5, 0] == pytest.approx(long_frame["speed"][2], rel=1e-5)
    assert found["1"][0, 1] == pytest.approx(long_frame["heat"][26], rel=1e-6)
    assert not observed["0"][3:5, 0].any()
    assert observed["0"].sum() == 48
    centre = splits.prepared["scaler"]["centre"][1]
    assert found["3"][:, 1] == pytest.approx(centre, rel=1e-6), "a feature that a sequence lacks is the training mean"
    assert "78 missing values" in caplog.text
    assert "1 sequence without any value dropped: 2" in caplog.text


@pytest.mark.parametrize("scale", ["standard", "minmax", "robust", "none"])
def test_scaling_is_fitted_on_the_training_split_alone(tmp_path, long_frame, scale):
    long_frame.to_csv(tmp_path / "long.csv", index=False)
    before = load(tmp_path / "long.csv", Options(scale=scale))
    tested = [int(name) for name in before.test.info["name"]]
    other = long_frame.copy()
    other.loc[other["unit"].isin(tested), "speed"] *= 1000
    other.to_csv(tmp_path / "other.csv", index=False)
    after = load(tmp_path / "other.csv", Options(scale=scale))
    assert after.prepared["scaler"] == before.prepared["scaler"]
    np.testing.assert_array_equal(after.train.steps_SF, before.train.steps_SF)
    speed = before.train.steps_SF[:, 0]
    rule = {
        "standard": (abs(speed.mean()) < 1e-3 and abs(speed.std() - 1) < 1e-3),
        "minmax": (speed.min() == 0 and speed.max() == 1),
        "robust": abs(np.median(speed)) < 1e-6,
        "none": set(speed) <= set(long_frame["speed"].astype(np.float32)),
    }
    assert rule[scale]


def test_per_sequence_scaling_takes_each_window_s_own_mean_and_deviation_away(tmp_path, rng):
    series = np.cumsum(rng.normal(size=(600, 2)), axis=0)
    np.save(tmp_path / "series.npy", series)
    splits = load(tmp_path / "series.npy", Options(layout="series", window=40, stride=7, scale="per-sequence"))
    inputs = splits.validation.inputs_NTF
    np.testing.assert_allclose(inputs.mean(axis=1), 0.0, atol=1e-3)
    np.testing.assert_allclose(inputs.std(axis=1), 1.0, atol=1e-2)


def test_a_constant_feature_becomes_zero(tmp_path, long_frame):
    long_frame.assign(heat=7.5).to_csv(tmp_path / "long.csv", index=False)
    assert (load(tmp_path / "long.csv", Options()).train.steps_SF[:, 1] == 0).all()


def test_one_class_alone_trains_and_the_others_are_kept_for_validation_and_test(tmp_path, rng):
    frame = pd.DataFrame(rng.random((60, 5)), columns=list("01234")).assign(beat=["n", "n", "v"] * 20)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    splits = load(tmp_path / "rows.csv", Options(label_column="beat", normal="n"))
    assert [len(getattr(splits, part)) for part in PARTS] == [24, 8, 8, 10, 10]
    for part in PARTS:
        assert set(getattr(splits, part).info["label"]) == ({"v"} if part.startswith("ab") else {"n"})
    assert sum(map(len, names_of(splits).values())) == 60


def test_windows_with_an_abnormal_step_are_abnormal(tmp_path):
    frame = pd.DataFrame({"step": range(1000), "value": np.sin(np.arange(1000.0)), "is_anomaly": 0})
    frame.loc[[100, 700, 905], "is_anomaly"] = 1
    frame.to_csv(tmp_path / "series.csv", index=False)
    splits = load(tmp_path / "series.csv", Options(normal="0", window=20, stride=20))
    assert splits.abnormal_validation.info["offset"].tolist() == [700]
    assert splits.abnormal_test.info["offset"].tolist() == [900]
    assert 100 not in splits.train.info["offset"].tolist()
    assert splits.prepared["columns"] == ["value"], "a column named is_anomaly is a label, not a feature"


def test_a_file_of_its_own_can_be_the_test_split(tmp_path, long_frame):
    long_frame.to_csv(tmp_path / "train.csv", index=False)
    long_frame.assign(unit=long_frame["unit"] + 100).to_csv(tmp_path / "test.csv", index=False)
    splits = load(tmp_path / "train.csv", Options(test_data=str(tmp_path / "test.csv")))
    assert names_of(splits)["test"] == {str(number) for number in range(100, 140)}
    assert [len(splits.train), len(splits.validation)] == [30, 10]
    long_frame[["unit", "cycle", "speed"]].to_csv(tmp_path / "test.csv", index=False)
    text = refused(tmp_path / "train.csv", test_data=str(tmp_path / "test.csv"))
    assert "its features must be those of --data (speed, heat), got speed" in text


def test_each_file_of_a_folder_is_a_sequence(tmp_path, long_frame):
    for unit, rows in long_frame.groupby("unit"):
        rows[["cycle", "speed", "heat"]].head(5 + unit).to_csv(tmp_path / f"machine-{unit}.csv", index=False)
    splits = load(tmp_path, Options())
    assert set().union(*names_of(splits).values()) == {f"machine-{unit}" for unit in range(40)}
    assert splits.train.lengths_N.max() > splits.train.lengths_N.min()


@pytest.mark.parametrize(
    ("content", "options", "line"),
    [
        ("a,b\n1,2\n3,4\n", {}, "cannot tell what the columns a, b mean; give --layout rows, --layout series"),
        ("a,b\n1,2\n3,x\n5,6\n", {"layout": "series"}, "row 3, column b: a value must be a number"),
        ("a,b\n1,2\n", {"layout": "long"}, "the long layout needs --id-column; the columns are a, b"),
        ("a,a\n1,2\n", {}, "two columns are called 'a'"),
        ("t,v\n1,1\n1,2\n", {}, "rows 2 and 3 have the same t; give --id-column"),
        ("id,t,v\n1,1,1\n1,1,2\n", {}, "rows 2 and 3 have the same t in one sequence"),
        ("t,v\nyesterday,1\n2,2\n", {}, "row 2, column t: must be a time or a number"),
        ("t,v\n1,1\n2,2\n", {"columns": "vv"}, "--columns vv: there is no such column; did you mean v?"),
        ("t,v\n1,1\n2,2\n", {"label_column": "nothing"}, "--label-column nothing: there is no such column"),
        ("id,v\na,1\nb,2\n", {}, "every sequence has one step; a sequence needs two"),
        ("id,v\na,1\na,2\nb,2\nb,1\n", {}, "too few sequences to"),
        (
            "id,v\na,inf\na,2\n",
            {},
            "step 1 of sequence a, v: a value must lie within 1e+30 of 0, or be missing, got inf",
        ),
        ("id,v,w\na,,\na,,\n", {}, "every value is missing"),
        ("name,place\na,b\n", {"layout": "series"}, "no column of numbers"),
        ("id,v\na,1\na,2\n", {"classify": True}, "--classify needs labels; name their column by --label-column"),
        ("", {}, "its first line is empty"),
    ],
)
def test_what_is_wrong_with_a_table_is_said_in_one_line(tmp_path, content, options, line):
    (tmp_path / "table.csv").write_text(content)
    assert line in refused(tmp_path / "table.csv", **options)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"layout": "wide"}, "--layout must be one of rows, long, series, got 'wide'"),
        ({"scale": "log"}, "--scale must be one of"),
        ({"split": "60-40"}, "--split must be three numbers > 0, to train, validate and test, such as 60/20/20"),
        ({"split": "80/20"}, "got '80/20'; with --test-data two are enough"),
        ({"window": 1}, "--window must be >= 2 steps"),
        ({"classify": True, "normal": "1"}, "--classify and --normal do not go together"),
        ({"layout": "rows", "id_column": "a"}, "--id-column goes with --layout long"),
    ],
)
def test_options_that_cannot_be_are_refused(options, line):
    with pytest.raises(UserError, match=line):
        Options(**options)


def test_a_split_does_not_depend_on_the_order_of_the_columns_or_on_the_seed_of_a_sweep(tmp_path, long_frame):
    long_frame.to_csv(tmp_path / "one.csv", index=False)
    long_frame[["heat", "cycle", "speed", "unit"]].to_csv(tmp_path / "two.csv", index=False)
    assert names_of(load(tmp_path / "one.csv", Options())) == names_of(load(tmp_path / "two.csv", Options()))


def test_the_same_bytes_in_gzip_are_the_same_data(tmp_path, long_frame):
    text = long_frame.to_csv(index=False).encode()
    (tmp_path / "a.csv").write_bytes(text)
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(text))
    one, other = load(tmp_path / "a.csv", Options()), load(tmp_path / "b.csv.gz", Options())
    np.testing.assert_array_equal(one.test.steps_SF, other.test.steps_SF)
