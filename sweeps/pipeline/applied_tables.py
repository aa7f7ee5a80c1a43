"""Tables that are written in parts, as .csv, .parquet or .npz; a file appears once it is whole.

Shape suffixes: N rows.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
import pandas as pd
import pyarrow
from numpy.lib import format as npy
from numpy.typing import NDArray
from pyarrow import parquet

from ae.errors import UserError
from sweeps.pipeline.places import check_file

ENDINGS = (".csv", ".parquet", ".npz")


@dataclass(frozen=True, kw_only=True, slots=True)
class Wide:
    """Several values per row: a column each, or in .npz one array."""

    values: NDArray[Any]
    """(N, ...)."""
    names: Sequence[str]
    """What the columns are called, in the order of a row's values."""


Table = Mapping[str, "NDArray[Any] | Wide"]


def check_output(path: Path, data: Path) -> None:
    """Refuse a file that cannot be written, before the work begins.

    Raises:
        UserError: if its ending is unknown, its folder is missing, or it is the data itself.
    """
    check_file(path, ENDINGS)
    if os.path.exists(path) and os.path.exists(data) and os.path.samefile(path, data):
        raise UserError(f"--output {path}: is the file of --data; give another name")


def beside(path: Path, what: str) -> Path:
    """The file of a second table: OUT.csv has OUT.steps.csv beside it."""
    return path.with_name(f"{path.stem}.{what}{path.suffix}")


class TableFile:
    """A table that grows; without an error it replaces an older file at the end, else that one stays.

    Args:
        path: ends in one of `ENDINGS`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.part = path.with_name(f".{path.name}.{os.getpid()}.part")
        ending = path.suffix.lower()
        self.writer = _Csv if ending == ".csv" else _Parquet if ending == ".parquet" else _Npz
        self.open: _Csv | _Parquet | _Npz | None = None
        self.rows = 0

    def __enter__(self) -> TableFile:
        return self

    def add(self, table: Table) -> None:
        """Write more rows; every part has the same columns.

        Raises:
            UserError: if the file cannot be written, or a column has values of another kind than before.
        """
        try:
            self.open = self.open or self.writer(self.part)
            self.open.add(table)
            first = next(iter(table.values()))
            self.rows += len(first.values if isinstance(first, Wide) else first)
        except pyarrow.ArrowException as error:
            why = f"a column changes its kind: {' '.join(str(error).split())}"
            raise UserError(f"{self.path}: cannot be written: {why}; write .csv") from None
        except OSError as error:
            raise self._refused(error) from None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self.open:
                self.open.close(is_whole=error is None)
                if error is None:
                    os.replace(self.part, self.path)
        except OSError as reason:
            raise self._refused(reason) from None
        finally:
            self.part.unlink(missing_ok=True)

    def _refused(self, error: OSError) -> UserError:
        return UserError(f"--output {self.path}: cannot be written: {error.strerror or error}; give another --output")


class _Csv:
    def __init__(self, path: Path) -> None:
        self.file = path.open("w", encoding="utf-8", newline="")
        self.has_header = False

    def add(self, table: Table) -> None:
        _frame(table).to_csv(self.file, index=False, header=not self.has_header, lineterminator="\n")
        self.has_header = True

    def close(self, is_whole: bool) -> None:
        self.file.close()


class _Parquet:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.writer: parquet.ParquetWriter | None = None

    def add(self, table: Table) -> None:
        rows = pyarrow.Table.from_pandas(_frame(table), preserve_index=False)
        if self.writer is None:
            self.writer = parquet.ParquetWriter(self.path, rows.schema)
        self.writer.write_table(rows.cast(self.writer.schema))

    def close(self, is_whole: bool) -> None:
        if self.writer:
            self.writer.close()


class _Npz:
    """Arrays that grow: each in a file of its own, as the number of rows stands in the header of a .npy file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = Path(tempfile.mkdtemp(prefix=f"{path.name}.", dir=path.parent))
        self.files: dict[str, IO[bytes]] = {}
        self.parts: dict[str, list[tuple[np.dtype[Any], tuple[int, ...]]]] = {}

    def add(self, table: Table) -> None:
        """Append more rows to every column."""
        for at, (name, column) in enumerate(table.items()):
            values = np.asarray(column.values if isinstance(column, Wide) else column)
            if values.dtype.kind == "O":
                values = values.astype(str)
            if name not in self.files:
                self.files[name], self.parts[name] = (self.folder / str(at)).open("w+b"), []
            self.files[name].write(np.ascontiguousarray(values).tobytes())
            self.parts[name].append((values.dtype, values.shape))

    def close(self, is_whole: bool) -> None:
        """Write the .npz file if all rows were added; the files of the columns are removed in any case."""
        try:
            if is_whole:
                with zipfile.ZipFile(self.path, "w", allowZip64=True) as archive:
                    for name, file in self.files.items():
                        with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                            self._copy(file, self.parts[name], member)
        finally:
            for file in self.files.values():
                file.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _copy(self, file: IO[bytes], parts: list[tuple[np.dtype[Any], tuple[int, ...]]], member: IO[bytes]) -> None:
        """Write all parts as one array, whose type holds the values of each."""
        kind = np.result_type(*{dtype for dtype, _ in parts})
        shape = (sum(shape[0] for _, shape in parts), *parts[0][1][1:])
        header = {"descr": npy.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
        npy.write_array_header_2_0(member, header)
        file.seek(0)
        for dtype, part in parts:
            values = np.frombuffer(file.read(dtype.itemsize * int(np.prod(part))), dtype=dtype)
            member.write(values.astype(kind).tobytes())


def _frame(table: Table) -> pd.DataFrame:
    columns: dict[str, NDArray[Any]] = {}
    for name, column in table.items():
        if isinstance(column, Wide):
            columns |= dict(zip(column.names, column.values.reshape(len(column.values), -1).T, strict=True))
        else:
            columns[name] = column
    return pd.DataFrame(columns)
