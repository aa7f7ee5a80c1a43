"""Users' sequences as they come: folders, times, labels, arrays, gaps, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from user_sequences import refused

from ae import saved
from ae.configuration import Configuration
from ae.data.sequences.load import load
from ae.data.sequences.options import Options
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


def all_info(splits):
    return pd.concat([splits.train.info, splits.validation.info, splits.test.info])


# Folders


@pytest.mark.parametrize("options", [{"id_column": "unit"}, {"id_column": "unit", "label_column": "kind"}])
def test_files_of_a_folder_hold_several_sequences_if_an_id_column_says_so(tmp_path, write, run, options):
    for site in "ab":
        units = [run(4 + at).assign(unit=at, kind="xy"[at % 2]) for at in range(6)]
        write(f"{site}.csv", pd.concat(units))
    splits = load(tmp_path, Options(**options))
    assert set(all_info(splits)["name"]) == {f"{site}/{at}" for site in "ab" for at in range(6)}
    assert "12 sequences of 4 to 9 steps, from 2 files" in splits.source
    for name, steps in zip(splits.train.info["name"], splits.train.lengths_N, strict=True):
        assert steps == 4 + int(name[-1])
    if "label_column" in options:
        assert (splits.train.info["label"] == splits.train.info["name"].str[-1].map(lambda at: "xy"[int(at) % 2])).all()


def test_files_of_a_folder_hold_one_sequence_per_row_if_the_layout_says_so(tmp_path, write, rng):
    values = {site: rng.random((6, 5)) for site in "ab"}
    for site, values_NT in values.items():
        write(f"{site}.csv", pd.DataFrame(values_NT, columns=list("01234")))
        np.save(tmp_path / "arrays.npy", values_NT) if site == "a" else None
    (tmp_path / "arrays").mkdir()
    (tmp_path / "arrays.npy").rename(tmp_path / "arrays" / "a.npy")
    np.save(tmp_path / "arrays" / "b.npy", values["b"])
    for folder, first in ((tmp_path, 2), (tmp_path / "arrays", 0)):
        splits = load(folder, Options(layout="rows", scale="none"))
        for at, name in enumerate(splits.train.info["name"]):
            site, _, row = name.partition("/")
            np.testing.assert_allclose(splits.train.sequence(at)[:, 0], values[site][int(row) - first], rtol=1e-6)


def test_options_for_tables_are_refused_for_a_folder_of_arrays(tmp_path, rng):
    for number in range(5):
        np.save(tmp_path / f"{number}.npy", rng.random((9, 2)))
    assert len(all_info(load(tmp_path, Options()))) == 5
    for option in ("id_column", "time_column", "columns", "label_column", "group_column"):
        words = f"0.npy: --{option.replace('_', '-')} names a column of a table, and this file has none; leave it out"
        assert words in refused(tmp_path, **{option: "a"})
    np.save(tmp_path / "5.npy", rng.random((3, 9, 2)))
    assert "an array of shape (3, 9, 2) is no series layout; give --layout rows, or none" in refused(tmp_path)


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


def test_groups_are_for_several_sequences(write):
    table = pd.DataFrame({"time": range(50), "value": range(50), "who": 1})
    assert "--group-column is for several sequences" in refused(write("series.csv", table), group_column="who")


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
