"""Users' sequences in files that are no tables: .npy, .npz, .ts and .arff."""

import gzip

import numpy as np
import pytest
from user_sequences import refused

from ae.data.sequences.load import load
from ae.data.sequences.options import Options

PARTS = ("train", "validation", "test")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def write_ts(tmp_path):
    """Writes a .ts file; gives its path."""

    def write_ts(*lines, classes="a b"):
        path = tmp_path / "x.ts"
        told = ("# a comment", "@problemName x", "@timeStamps false", f"@classLabel {classes and f'true {classes}'}")
        path.write_text("\n".join([*told, "@data", *lines]) + "\n")
        return path

    return write_ts


def sequences_of(splits):
    """Every sequence by name, with its class."""
    each = [getattr(splits, part) for part in PARTS]
    return {
        name: (split.sequence(at), split.info["label"].iloc[at] if "label" in split.info else None)
        for split in each
        for at, name in enumerate(split.info["name"])
    }


@pytest.mark.parametrize(
    ("array", "count", "shape"),
    [((20, 9), 20, (9, 1)), ((20, 9, 3), 20, (9, 3))],
)
def test_arrays_are_one_sequence_per_row(tmp_path, rng, array, count, shape):
    values = rng.random(array)
    np.save(tmp_path / "x.npy", values)
    splits = load(tmp_path / "x.npy", Options(scale="none"))
    assert sum(len(getattr(splits, part)) for part in PARTS) == count
    assert splits.train.inputs_NTF.shape[1:] == shape
    for at, name in enumerate(splits.test.info["name"]):
        np.testing.assert_allclose(splits.test.sequence(at), values[int(name)].reshape(shape), rtol=1e-6)


def test_an_npz_file_may_have_labels_or_one_array_per_sequence(tmp_path, rng):
    np.savez(tmp_path / "labelled.npz", x=rng.random((30, 7)), y=np.arange(30) % 3)
    assert load(tmp_path / "labelled.npz", Options(classify=True)).train.class_names == ("0", "1", "2")
    np.savez(tmp_path / "ragged.npz", **{f"run{at}": rng.random((3 + at, 2)) for at in range(10)})
    splits = load(tmp_path / "ragged.npz", Options())
    lengths = np.concatenate([getattr(splits, part).lengths_N for part in PARTS])
    assert sorted(lengths.tolist()) == list(range(3, 13))


def test_nothing_is_unpickled(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([1, "a", None], dtype=object))
    assert "it holds Python objects, which are not unpickled" in refused(tmp_path / "objects.npy")


def test_an_arff_file_has_its_nominal_attribute_as_label(tmp_path, rng):
    rows = "\n".join(",".join(map(str, rng.random(4))) + f",{'ab'[at % 2]}" for at in range(20))
    attributes = "\n".join(f"@attribute att{at} numeric" for at in range(1, 5))
    (tmp_path / "x.arff").write_text(f"@relation r\n{attributes}\n@attribute target {{a,b}}\n@data\n{rows}\n")
    splits = load(tmp_path / "x.arff", Options(classify=True))
    assert splits.train.class_names == ("a", "b")
    assert splits.train.inputs_NTF.shape == (12, 4, 1)


@pytest.mark.parametrize(
    ("shape", "options", "line"),
    [
        ((9, 5), {"id_column": "a"}, "--id-column names a column of a table, and this file has none; leave it out"),
        ((9, 5), {"label_column": "a"}, "--label-column names a column of a table"),
        ((9, 5), {"layout": "long"}, "an array of shape (9, 5) is no long layout; give --layout rows, or none"),
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


def test_a_file_that_is_no_array_is_refused(tmp_path):
    (tmp_path / "x.npy").write_text("1,2,3")
    assert "cannot be read: it has no arrays of NumPy" in refused(tmp_path / "x.npy")


def test_a_ts_file_has_sequences_of_any_lengths_and_their_classes(write_ts, tmp_path, rng):
    given = [rng.random((3 + at % 4, 2)).round(3) for at in range(20)]
    given[7][1, 0] = np.nan
    lines = [
        ":".join(",".join("?" if np.isnan(cell) else str(cell) for cell in one[:, at]) for at in range(2))
        for one in given
    ]
    lines = [f"{line}:{'ab'[at % 2]}" for at, line in enumerate(lines)]
    path = write_ts(lines[0], "", "% another comment", *lines[1:])
    splits = load(path, Options(scale="none"))
    assert "20 sequences of 3 to 6 steps" in splits.source
    for name, (found_TF, label) in sequences_of(splits).items():
        there = ~np.isnan(given[int(name)])
        np.testing.assert_allclose(found_TF[there], given[int(name)][there], rtol=1e-6)
        assert label == "ab"[int(name) % 2]
    assert sum(int((~part.observed_SF).sum()) for part in (getattr(splits, each) for each in PARTS)) == 1
    (tmp_path / "y.ts.gz").write_bytes(gzip.compress(path.read_bytes()))
    packed = load(tmp_path / "y.ts.gz", Options(scale="none"))
    np.testing.assert_array_equal(packed.train.steps_SF, splits.train.steps_SF)
    assert "names a column of a table" in refused(path, label_column="y")


def test_a_target_of_a_regression_in_a_ts_file_is_no_class(write_ts, tmp_path):
    lines = [f"1,2,{at}:{at / 7}" for at in range(9)]
    path = write_ts(*lines)
    path.write_text(path.read_text().replace("@classLabel", "@targetLabel"))
    splits = load(path, Options(scale="none"))
    assert splits.train.labels_N is None
    assert splits.train.inputs_NTF.shape[1:] == (3, 1)


def test_the_files_of_the_archive_are_read(request):
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


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        (["1,2:a", "1,x:b"], "line 7: values must be numbers, separated by commas, got '1,x'"),
        (["1,2:1,2:a", "1,2:b"], "line 7: must have 2 features as the first sequence, got 1"),
        (["1,2:1,2,3:a"], "line 6: its features have 2 and 3 steps"),
        (["1,2:a", "1,2"], "line 7: must end with one of the classes of @classLabel, got '1,2'"),
        (["1,2:c"], "line 6: must end with one of the classes of @classLabel, got 'c'"),
        (["a"], "line 6: has no values"),
        ([], "no sequence follows @data"),
    ],
)
def test_what_is_wrong_with_a_ts_file_is_said_in_one_line(write_ts, lines, line):
    assert f"x.ts: cannot be read: {line}" in refused(write_ts(*lines))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "@timeStamps true\n@data\n(0,1),(1,2)\n",
            "line 1: steps with time stamps are not read",
        ),
        ("@problemName x\n1,2,3\n", "line 2: must begin with @ or # before @data, got '1,2,3'"),
        ("", "no line says @data"),
        ("\x1f\x8b", "line 1: must begin with @"),
    ],
)
def test_a_file_that_is_no_ts_file_is_refused(tmp_path, text, line):
    (tmp_path / "x.ts").write_text(text)
    assert line in refused(tmp_path / "x.ts")


def test_a_relational_arff_file_has_sequences_with_several_features(tmp_path, rng):
    given = rng.random((20, 2, 5)).round(3)
    rows = [
        "'" + "\\n".join(",".join(map(str, one_T)) for one_T in one_FT) + f"',{'ab'[at % 2]}"
        for at, one_FT in enumerate(given)
    ]
    steps = "\n".join(f"  @attribute t{step} numeric" for step in range(5))
    text = f"@relation r\n@attribute all relational\n{steps}\n@end all\n@attribute kind {{a,b}}\n@data\n"
    (tmp_path / "x.arff").write_text(text + "\n".join(rows) + "\n")
    splits = load(tmp_path / "x.arff", Options(classify=True, scale="none"))
    assert splits.train.class_names == ("a", "b")
    assert splits.train.inputs_NTF.shape == (12, 5, 2)
    for name, (found_TF, label) in sequences_of(splits).items():
        np.testing.assert_allclose(found_TF, given[int(name)].T, rtol=1e-6)
        assert label == "ab"[int(name) % 2]
    assert "--columns names a column of a table" in refused(tmp_path / "x.arff", columns="t0")
