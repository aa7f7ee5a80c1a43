"""Users' sequences as they come: folders, times, labels, arrays, gaps, and what is refused."""

import re

import numpy as np
import pandas as pd
import pytest

from ae import saved
from ae.configuration import Configuration
from ae.data.sequences.load import load
from ae.data.sequences.options import Options
from ae.errors import UserError
from sweeps import evaluate


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def run(rng):
    """Makes the table of one sequence: its steps, and two features."""
    return lambda steps: pd.DataFrame({"step": range(steps), "speed": rng.random(steps), "heat": 9 + rng.random(steps)})


@pytest.fixture
def write(tmp_path):
    """Writes text or a table to a file below tmp_path, and returns its path."""

    def written(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else content.to_csv(index=False))
        return path

    return written


def refused(path, **options):
    with pytest.raises(UserError) as caught:
        load(path, Options(**options))
    text = str(caught.value)
    assert "\n" not in text
    return text


def all_info(splits):
    return pd.concat([splits.train.info, splits.validation.info, splits.test.info])


# Folders


def test_subfolders_are_classes(tmp_path, write, run):
    for kind in ("walk", "fall"):
        for number in range(8):
            write(f"{kind}/{number}.csv", run(5 + number))
    splits = load(tmp_path, Options(classify=True))
    assert splits.train.class_names == ("fall", "walk")
    info = all_info(splits)
    assert (info["name"].str.split("/").str[0] == info["label"]).all()
    assert "the subfolders fall, walk are the classes; leave --label-column out" in refused(tmp_path, label_column="y")


def test_files_of_a_folder_may_order_their_columns_differently_but_must_have_the_same(tmp_path, write, run):
    for number in range(8):
        table = run(6).assign(heat=1000.0)
        write(f"{number}.csv", table if number % 2 else table[["heat", "step", "speed"]])
    write("notes.txt", "what the columns mean")
    splits = load(tmp_path, Options(scale="none"))
    heat = splits.prepared["columns"].index("heat")
    assert (splits.train.steps_SF[:, heat] == 1000).all()
    write("9.csv", run(6).rename(columns={"heat": "cold"}))
    assert "9 has the features speed, cold, 0 has heat, speed" in refused(tmp_path)


@pytest.mark.parametrize("names", [("X_TRAIN.csv", "X_TEST.csv"), ("train/a.csv", "test/a.csv")])
def test_a_folder_with_a_training_and_a_test_part_is_refused_with_the_options_for_it(tmp_path, write, run, names):
    for name in names:
        write(name, run(9))
    text = refused(tmp_path)
    assert "has parts to train and to test; give --data '" in text
    assert text.endswith(("X_TEST.csv'", "test'"))


# .ts files


def test_a_ts_file_has_sequences_of_any_lengths_and_their_classes(request):
    pytest.importorskip("aeon")
    folder = request.config.rootpath.parent / "shared/data/sequences"
    if not folder.exists():
        pytest.skip("needs ../shared")
    options = Options(classify=True, test_data=str(folder / "japanesevowels_test.ts.gz"), scale="none")
    splits = load(folder / "japanesevowels_train.ts.gz", options)
    assert [len(splits.train) + len(splits.validation), len(splits.test)] == [270, 370]
    assert (splits.test.lengths_N.min(), splits.test.lengths_N.max(), splits.test.features) == (7, 29, 12)
    assert splits.train.class_names == tuple("123456789")
    first = splits.test.info["name"].tolist().index("0")
    assert splits.test.sequence(first)[0, 0] == pytest.approx(1.635533)
    assert "names a column of a table" in refused(folder / "japanesevowels_train.ts.gz", label_column="y")


def test_a_ts_file_without_aeon_or_damaged_is_refused(tmp_path):
    (tmp_path / "x.ts").write_text("@data\nnothing\n")
    assert re.search("aeon, which is not installed; pip install 'lstm-ae-sweeps|is empty", refused(tmp_path / "x.ts"))


# What the rows mean


@pytest.mark.parametrize(("header", "gap"), [("a", ""), ("a,b", ","), ("a;b", ";")])
def test_a_blank_row_inside_a_series_is_a_missing_step(write, rng, header, gap):
    rows = [gap.join(f"{value:.3f}" for value in rng.random(len(header) // 2 + 1)) for _ in range(100)]
    rows[30] = gap
    path = write("series.csv", "\n".join([header, *rows, gap, "", ""]))
    splits = load(path, Options(layout="series", window=10, stride=1))
    assert "one series of 100 steps" in splits.source
    assert (~splits.train.observed_SF).any(axis=1).tolist() == [step == 30 for step in range(60)]


def test_steps_in_columns_may_have_an_id_beside_them(write, rng):
    table = pd.DataFrame(rng.random((20, 6)), columns=[f"t{step}" for step in range(6)])
    splits = load(write("rows.csv", table.assign(id=[f"{at:03}" for at in range(20)])), Options())
    assert splits.train.inputs_NTF.shape == (12, 6, 1)
    assert set(all_info(splits)["name"]) == {f"{at:03}" for at in range(20)}, "an id keeps its zeros"


def test_a_wide_table_has_as_many_steps_as_columns(write, rng):
    names = [f"t{step}" for step in range(3000)]
    splits = load(write("wide.csv", pd.DataFrame(rng.random((6, 3000)).round(2), columns=names)), Options())
    assert splits.train.inputs_NTF.shape[1:] == (3000, 1)


def test_numbers_may_have_decimal_commas(write):
    rows = "\n".join(f"{step};{step},5" for step in range(50))
    splits = load(write("comma.csv", f"time;value\n{rows}\n"), Options(window=5, scale="none"))
    np.testing.assert_array_equal(splits.train.steps_SF[:, 0], np.arange(30) + 0.5)


# Times


@pytest.mark.parametrize(
    "form",
    [
        "%Y-%m-%d %H:%M",
        "%Y-%m-%dT%H:%M:%SZ",
        "%d.%m.%Y %H:%M",
        "%m/%d/%Y %I:%M %p",
        "%Y/%m/%d, %H:%M",
        "%b %d, %Y %H:%M",
    ],
)
def test_times_order_the_rows_whatever_their_form(write, form):
    times = pd.date_range("2026-01-20", periods=600, freq="h")
    table = pd.DataFrame({"time": times.strftime(form), "value": np.arange(600.0)})
    path = write("series.csv", table.sample(frac=1.0, random_state=0))
    splits = load(path, Options(window=20, scale="none"))
    np.testing.assert_array_equal(splits.train.steps_SF[:, 0], np.arange(360.0))
    assert splits.train.info["first"].iloc[0] == times[0]


def test_times_with_zones_are_one_order(write):
    times = pd.date_range("2026-10-24", periods=200, freq="h", tz="Europe/Berlin")
    table = pd.DataFrame({"time": times.map(lambda time: time.isoformat()), "value": np.arange(200.0)})
    splits = load(write("series.csv", table), Options(window=10, scale="none"))
    np.testing.assert_array_equal(splits.train.steps_SF[:, 0], np.arange(120.0))
    assert splits.train.info["first"].iloc[0] == pd.Timestamp("2026-10-23 22:00"), "in UTC"


@pytest.mark.parametrize(
    ("times", "line"),
    [
        (["01/02/2026", "02/02/2026", "03/02/2026"], "the days could be MM/DD/YYYY or DD/MM/YYYY; write them as"),
        (["2026-01-01", "", "2026-01-03"], "row 3, column time: is empty; must be a time or a number"),
        (["2026-01-01", "soon", "2026-01-03"], "row 3, column time: must be a time or a number, got 'soon'"),
        (["1", "inf", "3"], "row 2, column time: must be a time or a number, got '1'"),
    ],
)
def test_times_that_cannot_be_told_are_refused(write, times, line):
    assert line in refused(write("series.csv", pd.DataFrame({"time": times, "value": [1.0, 2.0, 3.0]})))


# Labels, ids and groups


@pytest.mark.parametrize(
    ("labels", "typed", "name"),
    [([0, 1], "1.0", "1"), ([0.0, 1.0], "1", "1"), ([0.5, 1.5], "1.50", "1.5"), ([False, True], "true", "True")],
)
def test_the_normal_class_may_be_written_otherwise(write, rng, labels, typed, name):
    table = pd.DataFrame(rng.random((20, 4)), columns=list("0123")).assign(kind=labels * 10)
    splits = load(write("rows.csv", table), Options(label_column="kind", normal=typed))
    assert set(all_info(splits)["label"]) == {name}
    assert len(splits.abnormal_test) == 5


def test_numbers_with_gaps_are_the_same_classes_as_without(write, rng):
    table = pd.DataFrame(rng.random((20, 4)), columns=list("0123"))
    splits = load(write("rows.csv", table.assign(kind=[1.0, np.nan] * 10)), Options(label_column="kind"))
    assert set(all_info(splits)["label"]) == {"1", ""}
    path = write("rows.csv", table.assign(kind=[1.0, 2.0] * 9 + [1.0, np.nan]))
    assert "sequence 21 has no label; fill it in, or remove the" in refused(path, label_column="kind", classify=True)


@pytest.mark.parametrize("options", [{"id_column": "who"}, {"id_column": "step", "group_column": "who"}])
def test_every_row_needs_its_id_and_group(write, options):
    path = write("long.csv", "who,step,value\na,1,1\na,1,2\n,2,3\n,2,4\n")
    assert "row 4, column who: is empty; every row needs an id or a group" in refused(path, **options)


def test_a_sequence_of_one_step_has_nothing_to_predict(write, caplog):
    ids = np.repeat(np.arange(20), [1, 3] * 10)
    path = write("long.csv", pd.DataFrame({"id": ids, "value": np.arange(40.0)}))
    assert len(all_info(load(path, Options()))) == 20
    assert len(all_info(load(path, Options(predict=True)))) == 10
    assert "10 sequences of one step dropped, as it has no next step" in caplog.text


# What does not go together


@pytest.mark.parametrize(
    ("shape", "options", "line"),
    [
        ((9, 5), {"id_column": "a"}, "--id-column names a column of a table, and this file has none; leave it out"),
        ((9, 5), {"label_column": "a"}, "--label-column names a column of a table"),
        ((9, 5), {"layout": "long"}, "an array of shape (9, 5) is no long layout"),
        ((9, 5, 2), {"layout": "series"}, "an array of shape (9, 5, 2) is no series layout"),
        ((9,), {"layout": "rows"}, "--layout rows needs an array (N, T) or (N, T, F), got shape (9,)"),
        ((9, 5), {"stride": 2}, "--stride goes with --window, or with one long series"),
        ((9, 5), {"window": 20}, "--window must be <= the longest sequence, 9 steps, got 20"),
        ((9, 1), {}, "every sequence has one step"),
    ],
)
def test_options_that_do_not_fit_an_array_are_refused(tmp_path, rng, shape, options, line):
    np.save(tmp_path / "x.npy", rng.random(shape))
    assert line in refused(tmp_path / "x.npy", **options)


def test_groups_are_for_several_sequences(write):
    table = pd.DataFrame({"time": range(50), "value": range(50), "who": 1})
    assert "--group-column is for several sequences" in refused(write("series.csv", table), group_column="who")


def test_a_file_that_is_no_array_is_refused(tmp_path):
    (tmp_path / "x.npy").write_text("1,2,3")
    assert "cannot be read: it has no arrays of NumPy" in refused(tmp_path / "x.npy")


def test_an_outlier_that_no_float32_holds_does_not_become_infinite(write, rng):
    values = 1e-10 * rng.random(100)
    values[90] = 1e29
    path = write("series.csv", pd.DataFrame({"time": range(100), "value": values}))
    splits = load(path, Options(window=5))
    assert np.isfinite(splits.test.steps_SF).all()
    assert splits.test.steps_SF.max() > 1e37


def test_other_data_is_not_evaluated_with_a_scaling_of_its_own(tmp_path, capsys):
    facts = {"data": None, "options": {}, "subset": None, "test": {}, "class_names": None, "prepared": {}}
    saved.save(tmp_path / "best", "sequences", Configuration(), {"input_size": 1, "output_size": 1}, {}, **facts)
    assert evaluate.main([str(tmp_path), "--data", str(tmp_path / "new.csv")]) == 2
    assert f"python sweeps/apply.py {tmp_path}/best --data {tmp_path}/new.csv" in capsys.readouterr().err
