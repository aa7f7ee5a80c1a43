"""Price tables in .zip files, .parquet files and folders."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from stock_tables import (
    DAYS,
    check_same,
    prices,
    refusal,
    restored,
    save,
    save_folder,
    sequences,
    two_rows,
    typed,
    warnings_of,
    wide,
    write,
)

from ae.data.sp500 import Options, load

# Files and folders


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def single_files(table: pd.DataFrame) -> dict[str, bytes]:
    groups = table.groupby("symbol")
    return {f"{symbol}.csv": rows.drop(columns="symbol").to_csv(index=False).encode() for symbol, rows in groups}


def test_zip_files_with_one_table_or_with_one_per_stock(tmp_path, understood):
    expected = load(save(prices(), tmp_path), Options())
    text = prices().to_csv(index=False).encode()
    junk = {"__MACOSX/._prices.csv": b"\0\1", "README.txt": b"Prices\n"}
    check_same(understood(zipped(tmp_path / "one.zip", {"data/prices.csv": text, **junk}))[0], expected)
    check_same(understood(zipped(tmp_path / "gz.zip", {"prices.csv.gz": gzip.compress(text)}))[0], expected)
    prices().to_csv(tmp_path / "pandas.zip", index=False)
    check_same(understood(tmp_path / "pandas.zip")[0], expected)
    stocks = {f"stocks/{name}": content for name, content in single_files(prices()).items()}
    splits, line = understood(zipped(tmp_path / "many.zip", {**stocks, **junk}))
    check_same(splits, expected)
    assert line.startswith("10 tickers in 10 files, ")
    (tmp_path / "zips").mkdir()
    zipped(tmp_path / "zips" / "many.zip", stocks)
    check_same(understood(tmp_path / "zips")[0], expected)
    (tmp_path / "zips" / "unpacked.csv").write_bytes(text)  # then the .zip file is where it came from
    assert understood(tmp_path / "zips")[1].startswith("10 tickers in rows, ")


def test_a_wrong_cell_in_a_zip_file_is_refused_with_its_place(tmp_path):
    files = single_files(prices())
    files["S04.csv"] = files["S04.csv"].replace(b"\n2015-01-07,", b"\n2015-01-77,")
    path = zipped(tmp_path / "many.zip", files)
    assert refusal(path).startswith(f"{path}/S04.csv, row 4, column date: a date must be a day as YYYY-MM-DD")


def test_zip_files_that_cannot_be_read_are_refused(tmp_path):
    assert "no file in it ends in .csv" in refusal(zipped(tmp_path / "none.zip", {"README.md": b"x", "a.xls": b"y"}))
    assert "cannot be read: File is not a zip file" in refusal(write("date", tmp_path / "bad.zip"))
    path = zipped(tmp_path / "cut.zip", {"prices.csv": prices().to_csv().encode()})
    content = path.read_bytes()
    path.write_bytes(content[:60] + b"\0" * 40 + content[100:])
    assert "cannot be read: " in refusal(path)
    path.write_bytes(
        content.replace(b"PK\x03\x04\x14\x00\x00", b"PK\x03\x04\x14\x00\x01").replace(
            b"\x14\x00\x00\x00\x08", b"\x14\x00\x01\x00\x08"
        )
    )
    assert "password required" in refusal(path)


def test_parquet_in_columns(tmp_path):
    expected = load(save(prices(), tmp_path), Options(field="high"))
    typed(two_rows(prices())).to_parquet(tmp_path / "two.parquet")
    check_same(load(tmp_path / "two.parquet", Options()), expected)
    frame = typed(wide(prices()))
    frame.to_parquet(tmp_path / "wide.parquet")
    pd.testing.assert_series_equal(restored(load(tmp_path / "wide.parquet", Options())), restored(expected))
    late = frame.copy()
    late.iloc[0] = np.nan
    late.to_parquet(tmp_path / "late.parquet")
    assert load(tmp_path / "late.parquet", Options()).train.inputs_NTF.shape[1] == DAYS - 1
    frame.astype(object).replace({frame.iloc[4, 2]: "oops"}).astype({"S02": str}).to_parquet(tmp_path / "bad.parquet")
    assert "row 5, column S02: a price must be a number, got 'oops'" in refusal(tmp_path / "bad.parquet")


def test_a_folder_with_two_header_rows_in_each_file_or_one_level_down(tmp_path, understood):
    expected = load(save(prices(), tmp_path), Options())
    folder = tmp_path / "stocks" / "down"
    folder.mkdir(parents=True)
    for symbol, rows in prices().groupby("symbol"):
        two_rows(rows).to_csv(folder / f"{symbol}.csv")
    assert understood(folder)[1].startswith("10 tickers in columns of 10 files")
    check_same(understood(tmp_path / "stocks")[0], expected)
    save_folder(prices(), tmp_path / "stocks")
    message = refusal(tmp_path / "stocks")
    assert message.endswith("tables are in the folders down, stocks; give the path of one of them")


def test_a_folder_of_txt_files_is_read_and_notes_beside_tables_are_not(tmp_path, caplog):
    expected = load(save(prices(), tmp_path), Options())
    folder = save_folder(prices(), tmp_path)
    check_same(load(folder, Options()), expected)
    assert warnings_of(caplog) == []
    for path in folder.glob("*.csv"):
        path.rename(path.with_suffix(".txt"))
    check_same(load(folder, Options()), expected)
    (line,) = warnings_of(caplog)
    assert f"{folder}: 1 of 11 files left out: README ({folder / 'README.txt'}, row 1: no column 'date'" in line


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("companies.csv", "Symbol,Security Name,ETF\nS00,Company,N\n"),
        ("index.csv", "Date,Index\n2015-01-05,1000\n"),
        ("volumes.csv", "date,volume\n2015-01-05,1000\n"),
        ("empty.csv", "\n"),
    ],
)
def test_a_foreign_table_among_good_ones_is_left_out_and_named(tmp_path, caplog, name, content):
    expected = load(save(prices(), tmp_path), Options())
    folder = save_folder(prices(), tmp_path)
    write(content, folder / name)
    check_same(load(folder, Options()), expected)
    (line,) = warnings_of(caplog)
    assert f"1 of 11 files left out: {Path(name).stem} (" in line


def test_a_folder_whose_tables_of_prices_are_not_plain_is_refused(tmp_path):
    folder = tmp_path / "both"
    folder.mkdir()
    save(prices(), folder)
    write(wide(prices()).to_csv(), folder / "closes.csv")
    line = (
        f"{folder}: {folder / 'closes.csv'} has a column per stock, {folder / 'prices.csv'} has not; give the path of"
    )
    assert refusal(folder).startswith(line)
    save(prices().drop(columns="high"), folder, "closes.csv")
    assert refusal(folder).startswith(
        f"{folder}: 1 of 2 files without these prices: {folder / 'closes.csv'}, row 1: no"
    )
    write("Symbol,Sector\nS00,x\n", folder / "closes.csv")
    assert len(sequences(load(folder, Options()))) == 10


def test_a_damaged_table_among_good_ones_is_refused(tmp_path):
    folder = save_folder(prices(), tmp_path)
    (folder / "S99.csv.gz").write_bytes(b"date,high\n")
    assert refusal(folder).startswith(f"{folder / 'S99.csv.gz'}: cannot be read")


def test_a_table_with_very_many_columns_is_read(tmp_path):
    frame = pd.DataFrame(
        np.arange(1.0, 3 * 20_000 + 1).reshape(3, -1), index=["2015-01-05", "2015-01-06", "2015-01-07"]
    )
    frame.columns = [f"T{number:07d}" for number in range(20_000)]
    frame.rename_axis("Date").to_csv(tmp_path / "t.csv", sep=";")
    assert len(load(tmp_path / "t.csv", Options()).train) == 12_000
