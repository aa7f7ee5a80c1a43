"""Finds the files that hold tables and reads them, in whatever form they come, into cells.

A table file is text, separated by commas, semicolons, tabs or |, plain or compressed by gzip (.csv, .tsv, .txt,
.csv.gz, ...), or .parquet. Several of them may come in a folder or in a .zip file. What the columns mean is for the
caller to find out from `OpenTable.head` (`ae.data.price_layout` for prices).
"""

from __future__ import annotations

import csv
import gzip
import io
import os
import warnings
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyarrow import parquet

from ae.data.table_cells import MISSING, as_numbers, decimal_mark
from ae.data.table_text import bytes_of, parsed
from ae.errors import UserError
from ae.words import listed

TEXT_ENDINGS = tuple(f"{ending}{packed}" for ending in (".csv", ".tsv", ".txt") for packed in ("", ".gz"))
ENDINGS = (*TEXT_ENDINGS, ".parquet", ".zip")
SEPARATORS = ",;\t|"
"""Separators that are tried; if two give equally many columns, the first wins."""
HEAD_ROWS = 8
"""Rows of a table from which its layout is found."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TableFile:
    """A file with a table, on the disk or in a .zip file."""

    path: Path
    member: str = ""
    """Its name in the .zip file at `path`."""

    def __str__(self) -> str:
        """Names the file in messages."""
        return f"{self.path}/{self.member}" if self.member else str(self.path)

    @property
    def stem(self) -> str:
        """The name without folder and ending."""
        name = Path(self.member or self.path).name
        return name[: len(name) - len(_ending(name))]

    def open(self) -> OpenTable:
        """Read the file.

        Raises:
            UserError: if it cannot be read; the message names it.
        """
        with readable(self):
            ending = _ending(self.member or self.path.name)
            if ending == ".parquet":
                return _open_parquet(self, self._content())
            if self.member or ending.endswith(".gz"):
                return open_text(self, self._content())
            return open_text(self, self.path)

    def _content(self) -> bytes:
        if self.member:
            with zipfile.ZipFile(self.path) as archive:
                content = archive.read(self.member)
        else:
            content = self.path.read_bytes()
        return gzip.decompress(content) if _ending(self.member or self.path.name).endswith(".gz") else content


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenTable:
    """A table file with the beginning of its content."""

    file: TableFile
    head: list[list[str]]
    """The first rows as text, header rows included, at most `HEAD_ROWS`; the first is empty if the first line is."""
    content: bytes | Path | pd.DataFrame
    """The text, or the file that it is in; or the cells of a .parquet file."""
    separator: str = ""
    """The separator of a text file; empty for .parquet."""
    named_rows: int = 0
    """Rows of `head` that a .parquet file has as names; they are not counted in row numbers."""

    def cells(
        self, header_rows: int, *, text: Collection[int], numbers: Collection[int], keep_blank: bool = False
    ) -> pd.DataFrame:
        """The rows below the header, without blank ones; the index has their row numbers in the file.

        Row 1 is the first line of a text file. A .parquet file has no header, so its row 1 is the first row of data.

        Args:
            header_rows: rows of `head` that belong to the header.
            text: positions of the columns to read as text, as it stands in the file.
            numbers: positions of the columns to read as numbers, NaN where a number is missing. Currency signs and
                thousands separators are removed; whether a comma is one, or a decimal comma, follows from the whole
                columns. What is no number stays as it is.
            keep_blank: keep blank rows too, except the last ones.

        Raises:
            UserError: if the file cannot be read, has no rows below the header, or a row has more cells than it.
        """
        with readable(self.file):
            cells = self._parsed(header_rows, text, numbers, ".") if self.separator else self._data(header_rows)
            mark = decimal_mark([cells[at] for at in numbers], unclear="," if self.separator == ";" else ".")
            if self.separator and mark == ",":
                cells = self._parsed(header_rows, text, numbers, mark)
        for position in numbers:
            column = cells[position]
            if (read := as_numbers(column, mark)) is not column:
                cells[position] = read
        cells = _without_blank_rows(cells, keep_blank)
        if cells.empty:
            raise UserError(f"{self.file}: has no rows; a table needs a header and rows")
        return cells

    def _data(self, header_rows: int) -> pd.DataFrame:
        assert isinstance(self.content, pd.DataFrame)
        cells = self.content.iloc[header_rows - self.named_rows :].copy()
        return cells.set_axis(pd.RangeIndex(cells.shape[1]), axis=1)

    def _parsed(self, header_rows: int, text: Collection[int], numbers: Collection[int], mark: str) -> pd.DataFrame:
        assert isinstance(self.content, bytes | Path)
        missing: dict[Any, list[str]] = {position: list(MISSING) for position in numbers}
        how: dict[str, Any] = {
            "sep": self.separator,
            "decimal": mark,
            "header": None,
            "skiprows": header_rows,
            "names": range(max(len(row) for row in self.head[: max(1, header_rows)])),
            "dtype": dict.fromkeys(text, str),
            "na_values": missing,
            "index_col": False,  # otherwise an extra cell in the first row would shift every column by one
            "keep_default_na": False,  # a text may be "NA"
            "skip_blank_lines": False,  # keeps the row numbers right
            "low_memory": False,
        }
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            cells = parsed(self.content, how)
        cells.index = pd.RangeIndex(header_rows + 1, header_rows + 1 + len(cells))
        _refuse_line_breaks(cells, self.file)
        return cells


def find_table_files(path: Path) -> list[TableFile]:
    """The table files at a path: the file itself, or those of a .zip file or folder, sorted by name.

    In a folder, .zip files count where there are no others, and so do .txt files, which otherwise are notes. A folder
    without any may have them in its only subfolder that does. Hidden files do not count.

    Raises:
        UserError: if there is none.
    """
    if not os.path.exists(path):  # unlike Path.exists, False if the name is too long
        raise UserError(f"{path}: there is no such file or folder")
    if not path.is_dir():
        if not _ending(path.name):
            raise UserError(f"{path}: must be a folder or end in {', '.join(ENDINGS)}; save it as .csv")
        return _found_in(path)
    try:
        if found := _in_folder(path):
            return found
        folders = [folder for folder in sorted(path.iterdir()) if folder.is_dir() and not folder.name.startswith(".")]
        nested = {folder.name: files for folder in folders if (files := _in_folder(folder))}
    except OSError as error:
        raise UserError(f"{error.filename or path}: cannot be read: {error.strerror}") from None
    if len(nested) > 1:
        raise UserError(f"{path}: tables are in the folders {listed([*nested])}; give the path of one of them")
    if not nested:
        raise UserError(f"{path}: no file in the folder ends in {', '.join(ENDINGS)}")
    return next(iter(nested.values()))


def _in_folder(folder: Path) -> list[TableFile]:
    paths = [path for path in sorted(folder.iterdir()) if _ending(path.name) and not path.name.startswith(".")]
    tables = [path for path in paths if not path.name.lower().endswith((".zip", ".txt"))]
    packed = [path for path in paths if path.name.lower().endswith(".zip")]
    return [file for path in tables or packed or paths for file in _found_in(path)]


def _found_in(path: Path) -> list[TableFile]:
    if _ending(path.name) != ".zip":
        return [TableFile(path=path)]
    with readable(TableFile(path=path)), zipfile.ZipFile(path) as archive:
        members = sorted(archive.namelist())
    visible = [member for member in members if not _is_hidden(member)]
    tables = [member for member in visible if _ending(member) not in ("", ".zip")]
    if not tables and len(visible) == 1 and not _ending(visible[0]):
        tables = visible  # as pandas writes it: to_csv("prices.zip") names the table in it "prices"
    if not tables:
        raise UserError(f"{path}: no file in it ends in {', '.join(ENDINGS[:-1])}")
    wanted = [member for member in tables if not member.lower().endswith(".txt")] or tables
    return [TableFile(path=path, member=member) for member in wanted]


def _is_hidden(member: str) -> bool:
    return member.endswith("/") or any(part.startswith((".", "__MACOSX")) for part in member.split("/"))


def _ending(name: str) -> str:
    return max((ending for ending in ENDINGS if name.lower().endswith(ending)), key=len, default="")


def open_text(file: TableFile, content: bytes | Path) -> OpenTable:
    """A text file with this content, or with that of the file at a path."""
    separator = max(SEPARATORS, key=lambda each: _columns(content, each))
    with _text(content) as text:
        rows = csv.reader(text, delimiter=separator)
        head = [row for row, _ in zip(rows, range(HEAD_ROWS), strict=False)]
    return OpenTable(file=file, head=head, content=content, separator=separator)


def _columns(content: bytes | Path, separator: str) -> int:
    """Columns that the first line has with a separator."""
    with _text(content) as text:
        try:
            return len(next(csv.reader(text, delimiter=separator), []))
        except csv.Error:  # such as a field that is too long
            return 0


def _text(content: bytes | Path) -> io.TextIOWrapper:
    return io.TextIOWrapper(bytes_of(content), encoding="utf-8-sig", newline="")


def _open_parquet(file: TableFile, content: bytes) -> OpenTable:
    try:
        table = parquet.read_table(io.BytesIO(content))
        table.validate(full=True)  # otherwise text that is not UTF-8 fails later
        cells = table.to_pandas()
    except Exception as error:  # pyarrow raises a dozen kinds for a damaged file; to the reader they mean the same
        raise OSError(error) from None
    return open_frame(file, cells)


def open_frame(file: TableFile, cells: pd.DataFrame) -> OpenTable:
    """A .parquet file with these cells."""
    if cells.index.names != [None]:
        cells = cells.reset_index()
    names = [name if isinstance(name, tuple) else (name,) for name in cells.columns]
    levels = [[str(part) for part in level] for level in zip(*names, strict=True)]
    first = cells.head(HEAD_ROWS - len(levels)).astype(object)
    head = levels + [[str(cell) for cell in row] for row in first.where(first.notna(), "").to_numpy()]
    cells.index = pd.RangeIndex(1, len(cells) + 1)
    return OpenTable(file=file, head=head, content=cells, named_rows=len(levels))


@contextmanager
def readable(file: TableFile) -> Iterator[None]:
    """Turn what the readers raise for a damaged file into a UserError."""
    try:
        yield
    except pd.errors.ParserWarning:
        raise UserError(f"{file}: a row has more cells than the header; quote or delete what is too much") from None
    except UnicodeDecodeError:
        raise UserError(f"{file}: cannot be read: not UTF-8 text; is it compressed, or a spreadsheet?") from None
    except (OSError, EOFError, zlib.error, csv.Error, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise UserError(f"{file}: cannot be read: {' '.join(str(error).split())}") from None
    except (zipfile.BadZipFile, RuntimeError, KeyError) as error:  # zipfile's, for damage, passwords and odd methods
        raise UserError(f"{file}: cannot be read: {' '.join(str(error).split())}; unpack it") from None


def _refuse_line_breaks(cells: pd.DataFrame, file: TableFile) -> None:
    """Raise if an unclosed quotation mark joined several rows into one cell."""
    for position, column in enumerate(cells.columns):
        if cells[column].dtype.kind != "O":
            continue
        texts = cells[column].dropna().unique().tolist()
        if len("".join(texts).splitlines()) > 1 and (broken := [text for text in texts if len(text.splitlines()) > 1]):
            where = f"row {cells.index[int((cells[column] == broken[0]).argmax())]}, column {position + 1}"
            raise UserError(f"{file}, {where}: a cell must not contain a line break; close its quotation mark")


def _without_blank_rows(cells: pd.DataFrame, keep_inner: bool) -> pd.DataFrame:
    """The rows with a cell that is not empty, and perhaps those between them; blank lines have only empty cells."""
    first = cells[0] if len(cells.columns) else pd.Series(dtype=float)
    empty = first.isna() | first.eq("") if first.dtype.kind == "O" else first.isna()
    if not empty.any():
        return cells
    maybe = cells[empty]
    blank = maybe.index[np.asarray((maybe.isna() | maybe.isin([""])).all(axis=1))]
    filled = cells.drop(index=blank)
    return cells.loc[: filled.index[-1]] if keep_inner and len(filled) else filled
