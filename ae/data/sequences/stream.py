"""Reads a user's sequences in chunks, so that a file may be larger than the memory.

| file | in chunks |
| --- | --- |
| .npy | mapped into memory; sequences, or steps of one series |
| .csv, .tsv, .txt, also .gz; .parquet | rows; a long layout must be sorted by sequence, and all by time |
| .npz, .ts, .arff, .zip, a folder | never: they are read whole |

A file of less than `WHOLE` bytes is read whole, in any order of its rows.

Shape suffixes: N sequences.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ae.data.sequences import arrays
from ae.data.sequences.options import Options
from ae.data.sequences.raw import Raw
from ae.data.sequences.read import read
from ae.data.sequences.tables import columns_of, header, raw_from, settled, texts_of, understood
from ae.data.table_files import ENDINGS as TABLES
from ae.data.table_files import TEXT_ENDINGS, TableFile, find_table_files
from ae.data.table_parts import parts
from ae.errors import UserError

WHOLE = 64 * 2**20
"""Bytes up to which a file is read whole; packed ones count eight times."""
PART = 8 * 2**20
"""Bytes of a chunk, about."""
ARRAY_CELL = 8
"""Bytes of a value in memory."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """Sequences that follow each other in a file."""

    raw: Raw
    is_open: bool = False
    """Whether the last sequence may go on in the next chunk."""


def chunks(path: Path, options: Options) -> Iterator[Chunk]:
    """The sequences of a file in the order of the file; those of a folder, or of a small file, in one chunk.

    Args:
        path: a file, or a folder of files.
        options: what its columns mean.

    Raises:
        UserError: as `ae.data.sequences.read.read`, or if a sequence that is read in chunks is not together.
    """
    name = path.name.lower()
    is_table = name.endswith((*TEXT_ENDINGS, ".parquet"))
    if path.is_file() and (is_table or name.endswith(".npy")):
        size = path.stat().st_size * (8 if name.endswith((".gz", ".parquet")) else 1)
        if size > WHOLE:
            yield from _table_chunks(path, options) if is_table else _array_chunks(path, options)
            return
    yield Chunk(raw=read(path, options))


def _table_chunks(path: Path, options: Options) -> Iterator[Chunk]:
    known, source = None, str(path)
    for opened, rows_before in parts(TableFile(path=path), PART):
        names, header_rows, roles = known or understood(opened, options)
        skipped = header_rows if known is None or opened.named_rows else 0
        if isinstance(opened.content, bytes) and known and not opened.content.strip():
            continue
        cells = opened.cells(skipped, text=roles.texts, numbers=roles.values, keep_blank=roles.blank_is_missing)
        cells.index = cells.index + rows_before
        columns = columns_of(cells)
        if known is None:
            known = names, header_rows, settled(roles, columns, names, options, source)
        roles = known[2]
        last = None if roles.id is None else str(texts_of(columns[roles.id])[-1])
        raw = raw_from(columns, names, roles, source)
        if roles.layout == "long" and raw.names_N[-1] != last:
            raise UserError(unsorted(source, str(raw.names_N[-1])))
        yield Chunk(raw=raw, is_open=roles.layout != "rows")


def unsorted(source: str, name: str) -> str:
    """What to say of a sequence whose rows are not together."""
    rule = "must be together and in the order of time"
    return f"{source}: the rows of {name} {rule}, as the file is too large to sort here; sort it by sequence and time"


def column_names(path: Path) -> list[str] | None:
    """The names of a table's columns, of a folder's first table; None for other files.

    Raises:
        UserError: if it cannot be read.
    """
    if not path.is_dir() and not path.name.lower().endswith(TABLES):
        return None
    file = find_table_files(path)[0]
    opened = file.open() if file.member else next(parts(file, PART))[0]
    return header(opened)[0]


def _array_chunks(path: Path, options: Options) -> Iterator[Chunk]:
    values = arrays.mapped(path)
    step = max(1, PART // (ARRAY_CELL * max(1, int(np.prod(values.shape[1:])))))
    if values.ndim not in (1, 2, 3) or not values.size:
        step = max(1, len(values)) if values.ndim else 1
    for first in range(0, max(1, len(values) if values.ndim else 1), step):
        rows = values[first : first + step] if values.ndim else values
        raw = arrays.from_array(rows, options, str(path))
        if not raw.is_series:
            raw = replace(raw, names_N=np.array([str(first + at) for at in range(len(raw))], dtype=object))
        yield Chunk(raw=raw, is_open=raw.is_series)
