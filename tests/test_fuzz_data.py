"""Data of any kind, prices and images: loaded, or refused in one line."""

from __future__ import annotations

import csv
import gzip
import io
import struct
import zipfile
from datetime import timedelta
from decimal import Decimal

import pandas as pd
import pytest
from fuzzing import check_files, damaged, encoded, fuzz, main
from hypothesis import given
from hypothesis import strategies as st

from ae.data.idx import FILES, TRAIN_IMAGES, TRAIN_LABELS

# Prices

ODD_CELLS = ["", "NA", "nan", "inf", "-1", "0", "1e308", "1e-320", "1e400", "abc", "1_0", "0x1f", "True", "1+2j", "\0"]
ODD_CELLS += [
    '"',
    '"12',
    '1"2',
    "a,b",
    "é",
    "2015-01-06",
    "A0",
    "$1",
    "1,5",
    "1.234,5",
    "-",
    "#N/A",
    "01/05/2015",
    "5.1.15",
]
CELLS = st.one_of(st.sampled_from(ODD_CELLS), st.floats(1, 100).map(str), st.text(max_size=5))
ENDS = st.sampled_from([["\n"], ["\r\n"], ["\r"], ["\n", "\r\n", "\n\n", "\r"]])
PRICE_OPTIONS = (
    "--data={}/prices.csv",
    "--window=4",
    "--min-days=2",
    "--min-days=5",
    "--symbols=A1,A2",
    "--start=2015-01-03",
)
WHOLE = pd.DataFrame(
    [(f"A{stock}", f"2015-01-{day + 1:02d}", 10.0 + (stock + day) % 4, 9) for stock in range(6) for day in range(6)],
    columns=["symbol", "date", "high", "volume"],
)
PRICES = ("--task", "sp500-pred", "--results", "{}/results")


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    """A table of a few stocks and days with some cells replaced, rows repeated or shuffled, and line ends mixed."""
    random = draw(st.randoms(use_true_random=False))
    stocks, days = draw(st.integers(1, 7)), draw(st.integers(1, 9))
    table = [
        [f"A{stock}", f"2015-01-{day + 1:02d}", f"{random.uniform(1, 90):.2f}", "9"]
        for stock in range(stocks)
        for day in range(days)
    ]
    for cell in draw(st.lists(CELLS, max_size=4)):
        random.choice(table)[random.randrange(4)] = cell
    table += [[*random.choice(table), *draw(st.sampled_from([[], [], ["9"]]))] for _ in range(draw(st.integers(0, 2)))]
    if draw(st.booleans()):
        random.shuffle(table)
    ends = draw(ENDS)
    return encoded("".join(",".join(row) + random.choice(ends) for row in [list(WHOLE), *table]))


@st.composite
def strange_tables(draw: st.DrawFn) -> bytes:
    """A table in one of the layouts, with any separator, dates and prices in any notation, and some cells replaced."""
    random = draw(st.randoms(use_true_random=False))
    frame = WHOLE.assign(
        high=WHOLE["high"].map(
            draw(st.sampled_from(["{:.2f}", "${:,.2f}", "{:.0f},5", "1.{:03.0f},25", "{:03.0f},000"])).format
        ),
        date=(pd.to_datetime(WHOLE["date"]) + pd.Timedelta(days=8)).dt.strftime(
            draw(st.sampled_from(["%Y-%m-%d", "%m/%d/%Y", "%d.%m.%y", "%Y%m%d"]))
        ),
    )
    layout = draw(st.sampled_from(["rows", "columns", "two header rows", "one stock"]))
    if layout in ("columns", "two header rows"):
        frame = frame.pivot(index="date", columns="symbol", values="high")
        frame = frame if layout == "columns" else pd.concat({"High": frame, "Low": frame}, axis=1)
    table = list(csv.reader(io.StringIO(frame.to_csv(index=layout in ("columns", "two header rows")))))
    table = [row[1:] for row in table] if layout == "one stock" else table
    for cell in draw(st.lists(CELLS, max_size=4)):
        row = random.choice(table)
        row[random.randrange(len(row))] = cell
    if draw(st.booleans()):
        del table[draw(st.integers(0, len(table) - 1))]
    text = io.StringIO()
    csv.writer(text, delimiter=draw(st.sampled_from(",;\t|"))).writerows(table)
    return encoded(text.getvalue())


def parquet_bytes(table: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.to_parquet(buffer)
    return buffer.getvalue()


def packed(table: pd.DataFrame, ending: str) -> bytes:
    if ending == ".parquet":
        return parquet_bytes(table)
    buffer = io.BytesIO()
    if ending == ".zip":
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("prices.csv", table.to_csv(index=False))
        return buffer.getvalue()
    text = table.to_csv(index=False).encode()
    return gzip.compress(text, mtime=0) if ending == ".csv.gz" else text


@fuzz(120)
@given(table=tables(), option=st.sampled_from(PRICE_OPTIONS))
def test_any_table_of_prices_loads_or_gives_one_line(table, option):
    check_files(main, {"prices.csv": table}, *PRICES, "--data={}/prices.csv", option)


@fuzz(150)
@given(
    table=strange_tables(),
    name=st.sampled_from(["prices.csv", "prices.txt", "S1.tsv"]),
    option=st.sampled_from(PRICE_OPTIONS[1:]),
)
def test_a_table_in_any_form_loads_or_gives_one_line(table, name, option):
    check_files(main, {f"data/{name}": table}, *PRICES, f"--data={{}}/data/{name}", option)
    check_files(main, {f"data/{name}": table, "data/S2.csv": table}, *PRICES, "--data={}/data", option)


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".parquet", ".zip"])
@fuzz(40)
@given(data=st.data())
def test_a_damaged_file_of_prices_loads_or_gives_one_line(ending, data):
    content = damaged(data, packed(WHOLE, ending))
    check_files(main, {f"prices{ending}": content}, *PRICES, f"--data={{}}/prices{ending}")


@fuzz(20)
@given(data=st.data())
def test_a_folder_with_damaged_files_loads_or_gives_one_line(data):
    files = {f"{symbol}.csv": packed(rows.drop(columns="symbol"), ".csv") for symbol, rows in WHOLE.groupby("symbol")}
    files |= {
        "A0.csv": damaged(data, files["A0.csv"]),
        "A9.csv": data.draw(st.one_of(st.binary(max_size=40), tables())),
    }
    check_files(main, files, *PRICES, "--data={}")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("A0,2015-01-06,11.0", "A0,2015-01-06,1e308"),  # no float32 in the scale of the days before
        (",9\nA0,2015-01-04,13.0,9", ',"9\nA0,2015-01-04,13.0,"9'),  # one row where there were two
    ],
)
def test_a_price_out_of_scale_and_an_open_quotation_mark_are_refused(old, new):
    text = packed(WHOLE, ".csv").decode()
    assert old in text
    assert check_files(main, {"prices.csv": encoded(text)}, *PRICES, "--data={}/prices.csv") == 0
    for more in ((), ("--min-days=4",)):
        files = {"prices.csv": encoded(text.replace(old, new))}
        assert check_files(main, files, *PRICES, "--data={}/prices.csv", *more) == 2


SPANS, DECIMALS = st.timedeltas(max_value=timedelta(9), min_value=timedelta(1)), st.decimals(1, 9, places=2)
KINDS = (st.datetimes(), st.dates(), SPANS, st.binary(max_size=5), st.booleans(), DECIMALS)


@fuzz(40)
@given(st.sampled_from(list(WHOLE)), st.one_of(*(st.lists(kind, min_size=6, max_size=6) for kind in KINDS)))
def test_a_parquet_file_of_any_types_loads_or_gives_one_line(column, cells):
    content = packed(WHOLE.assign(**{column: pd.Series(cells * 6)}), ".parquet")
    status = check_files(main, {"prices.parquet": content}, *PRICES, "--data={}/prices.parquet")
    assert status == 2 or column != "high" or isinstance(cells[0], Decimal)


STRANGE = [[None], [float("nan"), 9.5], [float("inf"), 1.0], ["$1,5", "2,5"], ["x", "1"], [-1.0], [Decimal("2.5")]]


@fuzz(60)
@given(st.sampled_from(STRANGE), st.sampled_from([None, "Date", "day"]), st.integers(0, 3), st.booleans())
def test_a_parquet_file_with_a_column_per_stock_loads_or_gives_one_line(cells, name, kind, two_rows):
    frame = WHOLE.pivot(index="date", columns="symbol", values="high")
    frame["A3"] = (cells * 6)[:6]
    days = pd.to_datetime(frame.index)
    frame.index = (frame.index, days, days.date, days.strftime("%Y%m%d").astype(int))[kind]
    frame = pd.concat({"High": frame, "Low": frame}, axis=1) if two_rows else frame
    files = {"prices.parquet": parquet_bytes(frame.rename_axis(name))}
    check_files(main, files, *PRICES, "--data={}/prices.parquet", "--min-days=5")


# Images

SIZES = st.sampled_from([0, 1, 8, 28, 784, 0x801, 0x803, 0x903, 0xC03, 0xD03, 0x804, 2**31, 2**32 - 1])
"""Words of a header: magic numbers, right and wrong, and sizes."""


def idx(name: str) -> bytes:
    """A right idx file of eight images or labels."""
    if "labels" in name:
        return struct.pack(">II", 0x801, 8) + bytes(range(8))
    return struct.pack(">IIII", 0x803, 8, 28, 28) + bytes(8 * 784)


@pytest.mark.parametrize("name", FILES)
@fuzz(15)
@given(data=st.data(), zipped=st.booleans(), header=st.lists(SIZES, max_size=4))
def test_damaged_idx_files_load_or_give_one_line(name, data, zipped, header):
    files = {each: idx(each) for each in FILES}
    words = struct.pack(f">{len(header)}I", *header)
    content = words + files.pop(name)[len(words) :]
    content = damaged(data, gzip.compress(content, mtime=0) if zipped else content)
    files[f"{name}.gz" if zipped else name] = content
    check_files(main, files, "--task", "mnist-cls", "--results", "{}/results", "--data={}")


PLACES = ("", "", "raw/", "MNIST/raw/", "below/", "below/raw/", ".hidden/", "train-images.idx3-ubyte.gz/")
NAMES = (*FILES, *(name.replace("-idx", ".idx") for name in FILES), *(f"emnist-{name}.gz" for name in FILES), "x.npz")


@fuzz(60)
@given(
    task=st.sampled_from(["mnist-cls", "mnist-rec", "mnist-pixel"]),
    names=st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from(NAMES)).map("".join), max_size=14),
    odd=st.dictionaries(st.integers(0, 13), st.sampled_from([idx(TRAIN_IMAGES), idx(TRAIN_LABELS)[:-1], b"", b"text"])),
)
def test_idx_files_of_any_names_and_places_load_or_give_one_line(task, names, odd):
    files = {name: odd.get(place, idx(name)) for place, name in enumerate(names)}
    check_files(main, files, "--task", task, "--results", "{}/results", "--data={}")
