"""Data that is read in parts gives what the whole gives; damaged models and files give one line."""

import gzip
import itertools
import json

import numpy as np
import pandas as pd
import pytest
from applied_models import applied, ragged, refused, save_long, save_model, save_series, table
from fuzzing import check, fuzz
from hypothesis import given
from hypothesis import strategies as st

from ae.data.sequences import stream
from ae.merging import StepMeans, Steps, joined
from sweeps import apply

FACTS = ("name", "steps", "first_step", "first", "last", "worst_step", "worst", "label", "class", "step", "index")
"""Columns that must be equal, not only close."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a model of long tables, one of series, one of rows, and new data for each."""
    place = tmp_path_factory.mktemp("streams")
    sequences, labels = ragged(80), ["yes", "no"] * 40
    for one in sequences[::7]:
        one[:2, 0] = np.nan
        one[-1, 1] = np.nan
    save_long(place / "long.csv", sequences, labels)
    save_model(place / "long", place / "long.csv", predict=True)
    save_model(place / "windows", place / "long.csv", window=5, stride=2, predict=True)
    save_series(place / "old.csv", labels=True)
    save_series(place / "series.csv", steps=333, seed=1, labels=True, gaps=True)
    save_model(place / "series", place / "old.csv", window=20, stride=3)
    save_model(place / "apart", place / "old.csv", window=5, stride=20)
    values_NT = np.random.default_rng(1).normal(size=(60, 8)).round(4)
    rows = pd.DataFrame(values_NT, columns=[f"t{at}" for at in range(8)])
    rows.to_csv(place / "rows.csv", index=False)
    save_model(place / "rows", place / "rows.csv", scale="per-sequence")
    np.save(place / "rows.npy", values_NT)
    np.save(place / "series.npy", pd.read_csv(place / "series.csv")["value"].to_numpy())
    pd.read_csv(place / "long.csv").to_parquet(place / "long.parquet")
    (place / "series.csv.gz").write_bytes(gzip.compress((place / "series.csv").read_bytes()))
    return place


@pytest.fixture
def in_parts(monkeypatch):
    """Reads every file in parts of so many bytes."""

    def in_parts(size):
        monkeypatch.setattr(stream, "WHOLE", 0)
        monkeypatch.setattr(stream, "PART", size)

    return in_parts


def same(one, other):
    assert list(one) == list(other)
    for name in one:
        if name in FACTS:
            pd.testing.assert_series_equal(one[name], other[name])
        elif name != "anomaly":  # a value at the threshold may round to either side
            np.testing.assert_allclose(one[name], other[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("size", "more"), [(300, ["--per-step"]), (1000, []), (2500, ["--per-step"])])
@pytest.mark.parametrize(
    ("model", "data"),
    [
        ("long", "long.csv"),
        ("long", "long.parquet"),
        ("windows", "long.csv"),
        ("series", "series.csv"),
        ("series", "series.csv.gz"),
        ("series", "series.npy"),
        ("apart", "series.csv"),
        ("rows", "rows.csv"),
        ("rows", "rows.npy"),
    ],
)
def test_parts_give_what_the_whole_gives(place, tmp_path, in_parts, model, data, size, more):
    arguments = (place / model, "--data", place / data, *more, "--threshold", "0.9", "--output")
    whole = applied(*arguments, tmp_path / "whole.csv")
    in_parts(size)
    parts = applied(*arguments, tmp_path / "parts.csv")
    for what in ("", ".steps", ".intervals"):
        if (tmp_path / f"whole{what}.csv").exists():
            same(table(tmp_path / f"whole{what}.csv"), table(tmp_path / f"parts{what}.csv"))
    told = [[line for line in text.splitlines() if "written" in line or "steps" in line] for text in (whole, parts)]
    told = [[line.replace("whole", "parts") for line in lines] for lines in told]
    assert told[0] == told[1]


def test_a_file_in_parts_really_is_read_in_parts(place, in_parts):
    from ae.data.sequences.options import Options

    for name in ("long.csv", "long.parquet", "series.csv", "rows.npy", "series.npy"):
        assert len(list(stream.chunks(place / name, Options()))) == 1
    in_parts(600)
    for name in ("long.csv", "long.parquet", "series.csv", "rows.npy"):
        assert len(list(stream.chunks(place / name, Options()))) > 3


def test_rows_that_are_not_together_are_refused_where_they_cannot_be_sorted(place, tmp_path, in_parts):
    frame = pd.read_csv(place / "long.csv")
    mixed = frame.sample(frac=1.0, random_state=0)
    mixed.to_csv(tmp_path / "new.csv", index=False)
    arguments = (place / "long", "--data", tmp_path / "new.csv", "--output", tmp_path / "out.csv")
    applied(*arguments)
    assert len(table(tmp_path / "out.csv")) == 80
    in_parts(1000)
    assert "must be together and in the order of time" in refused(*arguments)
    pd.read_csv(place / "series.csv").iloc[::-1].to_csv(tmp_path / "new.csv", index=False)
    backwards = (place / "series", "--data", tmp_path / "new.csv", "--output", tmp_path / "other.csv")
    assert "must be together and in the order of time" in refused(*backwards)


def test_a_wrong_cell_far_into_a_file_is_named_and_nothing_is_written(place, tmp_path, in_parts):
    lines = (place / "series.csv").read_text().splitlines()
    lines[300] = "3490,oops,0"
    (tmp_path / "new.csv").write_text("\n".join(lines))
    in_parts(800)
    message = refused(place / "series", "--data", tmp_path / "new.csv", "--output", tmp_path / "out.csv")
    assert "new.csv, row 301, column value: a value must be a number" in message
    assert [path.name for path in tmp_path.iterdir()] == ["new.csv"]


@fuzz(40)
@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=4),
    window=st.integers(1, 12),
    stride=st.integers(1, 15),
    seed=st.integers(0, 9),
    cuts=st.lists(st.integers(1, 40), max_size=5),
)
def test_merging_is_that_of_a_slow_loop(lengths, window, stride, seed, cuts):
    from ae.data.sequences.blocks import blocks
    from ae.data.sequences.raw import raw_of
    from ae.data.sequences.stream import Chunk

    rng = np.random.default_rng(seed)
    names = [f"s{at}" for at in range(len(lengths))]
    values = [rng.normal(size=(length, 1)) for length in lengths]
    whole = np.concatenate(values)
    owner = np.repeat(np.arange(len(lengths)), lengths)
    edges = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    chunks = []
    for first, end in itertools.pairwise(edges):
        inside = owner[first:end]
        pieces = [whole[first:end][inside == one] for one in np.unique(inside)]
        called = [names[one] for one in np.unique(inside)]
        chunks.append(Chunk(raw=raw_of(pieces, names=called, columns=("v",), understood=""), is_open=True))
    means, found, intervals, windows = StepMeans(1), [], [], 0
    for block in blocks(chunks, "data", window=window, stride=stride):
        means.begin(len(block.windows.values_SF))
        for start, length in zip(block.windows.starts_N, block.windows.lengths_N, strict=True):
            error = block.windows.values_SF[start : start + length].mean()
            means.add(np.arange(start, start + length), np.full((length, 1), error))
            windows += 1
        rows = np.arange(block.final)
        piece = np.searchsorted(block.starts_P, rows, side="right") - 1
        scores = means.take(block.final)[:, 0]
        found += scores.tolist()
        at = rows - block.starts_P[piece] + block.offsets_P[piece]
        steps = Steps(
            names_R=block.names_P[piece],
            numbers_R=block.numbers_P[piece],
            steps_R=at,
            index_R=at,
            scores_R=scores,
            errors_R=scores,
        )
        intervals = joined(intervals, steps.flagged(0.1))
    slow, total, slow_intervals = [], 0, []
    for number, one in enumerate(values):
        starts = list(range(0, len(one) - window + 1, stride))
        if not starts or starts[-1] + window < len(one):
            starts.append(max(0, len(one) - window))
        total += len(starts)
        for step in range(len(one)):
            over = [one[s : s + window].mean() for s in starts if s <= step < s + window]
            slow.append(np.mean(over) if over else np.nan)
            if slow[-1] > 0.1:
                if slow_intervals and slow_intervals[-1][0] == number and slow_intervals[-1][2] == step - 1:
                    slow_intervals[-1][2] = step
                else:
                    slow_intervals.append([number, step, step])
    assert windows == total
    np.testing.assert_allclose(found, slow, atol=1e-12)
    if not np.isclose(slow, 0.1, atol=1e-9).any():
        assert [[one.number, one.first, one.last] for one in intervals] == slow_intervals


@fuzz(60)
@given(data=st.data())
def test_a_damaged_model_is_applied_or_gives_one_line(place, data):
    """One value of model.json is lost or another."""
    described = json.loads((place / "series" / "model.json").read_text())
    part, path = described, []
    while isinstance(part, (dict, list)) and part and (not path or data.draw(st.booleans())):
        key = data.draw(st.sampled_from(sorted(part) if isinstance(part, dict) else range(len(part))))
        path.append(key)
        part = part[key]
    last, inside = path.pop(), described
    for key in path:
        inside = inside[key]
    if data.draw(st.booleans()):
        del inside[last]
    else:
        others = [None, True, -1, 0, 1.5, 10**400, float("nan"), float("inf"), "x", [], {}, [1], {"a": 1}]
        inside[last] = data.draw(st.sampled_from(others))
    folder = place / "damaged"
    folder.mkdir(exist_ok=True)
    (folder / "model.json").write_text(json.dumps(described))
    (folder / "weights.pt").write_bytes((place / "series" / "weights.pt").read_bytes())
    check(apply.main, folder, "--data", place / "series.npy", "--output", place / "fuzzed.csv")


@fuzz(60)
@given(data=st.data(), name=st.sampled_from(["long.csv", "long.parquet", "rows.npy", "series.csv.gz"]))
def test_damaged_data_is_applied_or_gives_one_line(place, data, name):
    content = bytearray((place / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(1, len(content)))]
    path = place / f"damaged.{name.partition('.')[2]}"
    path.write_bytes(bytes(content))
    model = place / name.partition(".")[0]
    with pytest.MonkeyPatch.context() as patch:
        if data.draw(st.booleans()):
            patch.setattr(stream, "WHOLE", 0)
            patch.setattr(stream, "PART", data.draw(st.sampled_from([500, 5000])))
        try:
            apply_quietly(model, path, place / "fuzzed.csv")
        finally:
            path.unlink()


def apply_quietly(model, path, output):
    import logging

    logging.disable()
    try:
        check(apply.main, model, "--data", path, "--output", output)
    finally:
        logging.disable(logging.NOTSET)
