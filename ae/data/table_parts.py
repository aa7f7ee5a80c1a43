"""Reads a table file in parts, for files that are larger than the memory."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, cast

import pyarrow
from pyarrow import parquet

from ae.data.table_files import OpenTable, TableFile, open_frame, open_text, readable

PARQUET_CELL = 8
"""Bytes of one cell of a .parquet file in memory."""


def parts(file: TableFile, size: int) -> Iterator[tuple[OpenTable, int]]:
    """The table in parts, each with the number of rows before it in the file; all have the head of the first.

    What follows from whole columns, such as a decimal comma, follows from the columns of a part. The header is in the
    first part alone.

    Args:
        file: not in a .zip file.
        size: bytes of a part, about.

    Raises:
        UserError: if the file cannot be read; the message names it.
    """
    with readable(file):
        name = file.path.name.lower()
        if name.endswith(".parquet"):
            yield from _parquet_parts(file, size)
        else:
            with _opened(file.path) as stream:
                yield from _text_parts(file, stream, size)


def _opened(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if path.name.lower().endswith(".gz") else path.open("rb")


def _text_parts(file: TableFile, stream: IO[bytes], size: int) -> Iterator[tuple[OpenTable, int]]:
    first, rows, rest = None, 0, b""
    for block in itertools.chain(iter(lambda: stream.read(size), b""), [b""]):
        end = len(block) if not block else block.rfind(b"\n") + 1
        content, rest = (rest + block[:end], block[end:]) if end or not block else (b"", rest + block)
        if not content:
            continue
        first = first or open_text(file, content)
        yield replace(first, content=content), rows
        rows += content.count(b"\n")


def _parquet_parts(file: TableFile, size: int) -> Iterator[tuple[OpenTable, int]]:
    try:
        source = parquet.ParquetFile(file.path)
        batch = max(1, size // (PARQUET_CELL * max(1, len(source.schema_arrow.names))))
        rows, first = 0, None
        for part in source.iter_batches(batch_size=batch):
            part.validate(full=True)
            opened = open_frame(file, pyarrow.Table.from_batches([part]).to_pandas())
            first = first or opened
            yield replace(opened, head=first.head), rows
            rows += len(part)
        if first is None:
            yield open_frame(file, source.schema_arrow.empty_table().to_pandas()), 0
    except (pyarrow.ArrowException, OSError) as error:
        raise OSError(error) from None
