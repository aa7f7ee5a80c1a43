"""Sequences in any file, with any options: loaded, or refused in one line."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile

import numpy as np
import pandas as pd
import pytest
from fuzzing import check_files, damaged, encoded, fuzz, main
from hypothesis import given
from hypothesis import strategies as st

TASK = ("--task", "sequences", "--results", "{}/results")
COLUMNS = ("id", "time", "speed", "heat", "label", "group", "t1", "t2", "t3", "x", "", "id ")
CELLS = ["", "NA", "nan", "inf", "-1", "0", "1e308", "1e-320", "1e400", "abc", "1_0", "0x1f", "True", "1+2j", "\0"]
CELLS += ['"', '"12', "1,5", "1.234,5", "2015-01-06", "13/01/2026", "01/02/2026", "2026-01-01T00:00+09:00", "007", "é"]
CELL = st.one_of(st.sampled_from(CELLS), st.floats(-9, 9).map(str), st.integers(0, 9).map(str))
WHOLE = pd.DataFrame(
    [(run, step, 0.5 * step + run, "ab"[run % 2]) for run in range(12) for step in range(5)],
    columns=["id", "time", "speed", "label"],
)
NAMES = st.sampled_from([*COLUMNS[:10], "speed,heat", "value", "1", "nothing", ","])
GIVEN = {
    "--layout": st.sampled_from(["rows", "long", "series", "wide"]),
    "--id-column": NAMES,
    "--time-column": NAMES,
    "--columns": NAMES,
    "--label-column": NAMES,
    "--group-column": NAMES,
    "--window": st.sampled_from(["1", "2", "3", "100", str(2**31)]),
    "--stride": st.sampled_from(["0", "1", "7", str(2**31 - 1)]),
    "--scale": st.sampled_from(["minmax", "robust", "per-sequence", "none", "log"]),
    "--split": st.sampled_from(["80/20", "1/1/1", "98/1/1", "0/1/1", "50%,25%,25%", "9" * 400 + "/1/1", "1/1/1e-9"]),
    "--normal": st.sampled_from(["a", "A", "0", "1.0", "nan", "", "inf", "é"]),
    "--subset": st.sampled_from(["1", "5", "1000"]),
}
OPTIONS = st.tuples(
    st.dictionaries(st.sampled_from([*GIVEN]), st.none(), max_size=3).flatmap(
        lambda names: st.fixed_dictionaries({name: GIVEN[name] for name in names})
    ),
    st.lists(st.sampled_from(["--classify", "--predict", "--smoke"]), max_size=2, unique=True),
).map(lambda drawn: [f"{name}={value}" for name, value in drawn[0].items()] + drawn[1])


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    """A table of sequences with some cells replaced, rows repeated, blank or shuffled, and any names of columns."""
    random = draw(st.randoms(use_true_random=False))
    rows = list(csv.reader(io.StringIO(WHOLE.to_csv(index=False))))[: draw(st.sampled_from([0, 1, 2, 9, 61, 61, 61]))]
    for cell in draw(st.lists(CELL, max_size=4)) if rows else []:
        random.choice(rows)[random.randrange(4)] = cell
    if rows and draw(st.booleans()):
        rows[0] = [draw(st.sampled_from(COLUMNS)) for _ in rows[0]]
    rows += [draw(st.sampled_from([[], [""] * 4, ["9"] * 5, ["9"]])) for _ in range(draw(st.integers(0, 2)))]
    if draw(st.booleans()):
        random.shuffle(rows)
    text = io.StringIO()
    csv.writer(
        text, delimiter=draw(st.sampled_from(",;\t|")), lineterminator=draw(st.sampled_from(["\n", "\r\n"]))
    ).writerows(rows)
    return encoded(text.getvalue())


@fuzz(80)
@given(table=tables(), options=OPTIONS)
def test_any_table_of_sequences_loads_or_gives_one_line(table, options):
    check_files(main, {"x.csv": table}, *TASK, "--data={}/x.csv", *options)


@fuzz(20)
@given(table=tables(), other=tables(), options=OPTIONS)
def test_a_test_file_or_a_folder_of_any_tables_loads_or_gives_one_line(table, other, options):
    files = {"x.csv": table, "y.csv": other, "deep/a/x.csv": table, "deep/b/y.csv": other}
    check_files(main, files, *TASK, "--data={}/x.csv", "--test-data={}/y.csv", *options)
    check_files(main, files, *TASK, "--data={}", *options)
    check_files(main, files, *TASK, "--data={}/deep", *options)


SHAPES = st.lists(st.sampled_from([0, 1, 2, 5, 30]), max_size=4).map(tuple)
KINDS = st.sampled_from(["f4", "f8", "f2", "i1", "u8", "?", "c8", "U3", "M8[s]", ">f8", "f4,i4"])


@fuzz(40)
@given(shape=SHAPES, kind=KINDS, labels=SHAPES, options=OPTIONS)
def test_arrays_of_any_shape_and_type_load_or_give_one_line(shape, kind, labels, options):
    values = np.zeros(shape, dtype=kind)
    if values.dtype.kind in "fiu":
        values = np.arange(values.size).reshape(shape).astype(kind)
    one, both = io.BytesIO(), io.BytesIO()
    np.save(one, values)
    np.savez(both, x=values, y=np.zeros(labels))
    check_files(main, {"x.npy": one.getvalue()}, *TASK, "--data={}/x.npy", *options)
    check_files(main, {"x.npz": both.getvalue()}, *TASK, "--data={}/x.npz", *options)


def packed(ending: str) -> bytes:
    buffer, text = io.BytesIO(), WHOLE.to_csv(index=False).encode()
    values = WHOLE["speed"].to_numpy().reshape(12, 5)
    if ending == ".npy":
        np.save(buffer, values)
    elif ending == ".npz":
        np.savez_compressed(buffer, x=values, y=np.arange(12) % 2)
    elif ending == ".parquet":
        WHOLE.to_parquet(buffer)
    elif ending == ".zip":
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x.csv", text)
    elif ending == ".arff":
        attributes = "".join(f"@attribute t{step} numeric\n" for step in range(5))
        rows = "".join(",".join(map(str, row)) + f",{'ab'[at % 2]}\n" for at, row in enumerate(values))
        return f"@relation r\n{attributes}@attribute target {{a,b}}\n@data\n{rows}".encode()
    else:
        return gzip.compress(text, mtime=0) if ending == ".csv.gz" else text
    return buffer.getvalue()


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".parquet", ".zip", ".npy", ".npz", ".arff"])
@fuzz(20)
@given(data=st.data())
def test_a_damaged_file_of_sequences_loads_or_gives_one_line(ending, data):
    content = packed(ending)
    assert check_files(main, {f"x{ending}": content}, *TASK, f"--data={{}}/x{ending}") == 0
    check_files(main, {f"x{ending}": damaged(data, content)}, *TASK, f"--data={{}}/x{ending}")
