"""Sequences from tables: one per row, rows with an id, or one long series.

Shape suffixes: N sequences, T time steps, F features, S rows of a table.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ae.data.sequences.layout import Roles, are_steps, roles_of
from ae.data.sequences.options import Options
from ae.data.sequences.raw import Raw, sizes
from ae.data.sequences.times import times_of
from ae.data.table_files import OpenTable, TableFile
from ae.errors import UserError
from ae.words import counted, listed

Columns = dict[int, pd.Series]
"""The columns of a table that are not read yet, so that what is read leaves the memory."""

log = logging.getLogger(__name__)


def read_table(file: TableFile, options: Options) -> Raw:
    """Sequences from a table file.

    A table without a header has the columns 1, 2, ...

    Raises:
        UserError: if it cannot be read or understood, or a cell is wrong; one line names the place.
    """
    opened = file.open()
    names, header_rows, roles = understood(opened, options)
    cells = columns_of(
        opened.cells(header_rows, text=roles.texts, numbers=roles.values, keep_blank=roles.blank_is_missing)
    )
    return raw_from(cells, names, settled(roles, cells, names, options, str(file)), str(file))


def understood(opened: OpenTable, options: Options) -> tuple[list[str], int, Roles]:
    """The names of a table's columns, how many rows its header has, and what the columns mean.

    Raises:
        UserError: if it cannot be understood.
    """
    names, header_rows = header(opened)
    body = [[str(cell).strip() for cell in row] for row in opened.head[header_rows:]]

    def is_number(at: int) -> bool:
        cells = [row[at] for row in body if at < len(row) and row[at]]
        return not cells or any(_is_number(cell) for cell in cells)

    return names, header_rows, roles_of(names, options, is_number, str(opened.file))


def read_frame(frame: pd.DataFrame, options: Options, source: str) -> Raw:
    """Sequences from a DataFrame; its index is left out unless it has a name.

    Raises:
        UserError: as `read_table`.
    """
    if frame.index.names != [None]:
        frame = frame.reset_index()
    names = [" ".join(map(str, name)) if isinstance(name, tuple) else str(name) for name in frame.columns]
    if not len(frame):
        raise UserError(f"{source}: has no rows; a table needs rows")
    kinds = [frame.iloc[:, at].dtype.kind for at in range(len(names))]
    roles = roles_of(names, options, lambda at: kinds[at] in "fiub", source)
    cells = frame.set_axis(pd.RangeIndex(len(names)), axis=1).set_axis(pd.RangeIndex(1, len(frame) + 1), axis=0)
    columns = columns_of(cells)
    return raw_from(columns, names, with_rows(roles, columns, names, options), source)


def columns_of(cells: pd.DataFrame) -> Columns:
    """The columns of a table, by position; the index of each has the row numbers."""
    return {at: cells[at] for at in range(cells.shape[1])}


def with_rows(roles: Roles, cells: Columns, names: Sequence[str], options: Options) -> Roles:
    """The roles with layout "rows" where each row has an id of its own and its values are named like steps."""
    if options.layout is not None or roles.layout != "long" or roles.time is not None or roles.id is None:
        return roles
    is_row = are_steps([names[at] for at in roles.values]) and cells[roles.id].is_unique
    return replace(roles, layout="rows") if is_row else roles


def raw_from(cells: Columns, names: Sequence[str], roles: Roles, source: str) -> Raw:
    """Sequences from the columns of a table, which are taken out of `cells`."""
    rows = next(iter(cells.values())).index
    values_SF = _values(cells, names, roles, source)
    if roles.layout == "rows":
        return _rows(cells, rows, names, roles, values_SF, source)
    times_S = None if roles.time is None else times_of(cells.pop(roles.time), names[roles.time], source)
    codes_S, names_N = np.zeros(len(rows), dtype=np.int32), np.array(["series"], dtype=object)
    if roles.id is not None:
        codes_S, names_N = _numbered(cells.pop(roles.id), names[roles.id], source)
    order_S = _order(codes_S, times_S)
    ordered_S = codes_S if order_S is None else codes_S[order_S]
    starts_N = np.flatnonzero(np.diff(ordered_S, prepend=-1)).astype(np.int64)
    if times_S is not None:
        _refuse_repeats(rows, ordered_S, times_S, order_S, names, roles, source)

    def in_order(values_S: NDArray[Any]) -> NDArray[Any]:
        return values_S if order_S is None else values_S[order_S]

    lengths_N = np.diff([*starts_N, len(ordered_S)])
    is_series = roles.layout == "series"
    what = f"one series of {len(ordered_S):,} steps" if is_series else sizes(lengths_N.tolist())
    labels_S = None if roles.label is None else in_order(_labels(cells.pop(roles.label)))
    groups_S = None if roles.group is None else _names(cells.pop(roles.group), names[roles.group], source)
    return Raw(
        values_SF=in_order(values_SF),
        starts_N=starts_N,
        lengths_N=lengths_N.astype(np.int64),
        names_N=names_N,
        columns=tuple(names[at] for at in roles.values),
        labels_S=labels_S,
        groups_N=None if groups_S is None else in_order(groups_S)[starts_N],
        index_S=None if times_S is None else in_order(times_S),
        is_series=is_series,
        understood=what + _explained(names, roles),
    )


def _rows(
    cells: Columns, rows: pd.Index, names: Sequence[str], roles: Roles, values_NT: NDArray[Any], source: str
) -> Raw:
    count, steps = values_NT.shape
    names_N = rows.astype(str).to_numpy(dtype=object)
    if roles.id is not None:
        names_N = _names(cells[roles.id], names[roles.id], source)
    return Raw(
        values_SF=values_NT.reshape(-1, 1),
        starts_N=np.arange(count, dtype=np.int64) * steps,
        lengths_N=np.full(count, steps, dtype=np.int64),
        names_N=names_N,
        columns=("value",),
        labels_N=None if roles.label is None else _labels(cells[roles.label]),
        groups_N=None if roles.group is None else _names(cells[roles.group], names[roles.group], source),
        understood=f"{counted(count, 'sequence')} of {steps:,} steps, one per row" + _explained(names, roles),
    )


def _explained(names: Sequence[str], roles: Roles) -> str:
    """Which columns were taken for what, in words."""
    found = [(role, getattr(roles, role)) for role in ("id", "time", "label", "group")]
    parts = [f"{role} {names[at]!r}" for role, at in found if at is not None]
    if roles.layout != "rows":
        parts.append(f"values {listed([names[at] for at in roles.values])}")
    return f"; {', '.join(parts)}" if parts else ""


def header(opened: OpenTable) -> tuple[list[str], int]:
    """The columns' names, and how many rows they take."""
    if opened.named_rows:
        return [" ".join(parts) for parts in zip(*opened.head[: opened.named_rows], strict=True)], opened.named_rows
    first = opened.head[0] if opened.head else []
    if not any(cell.strip() for cell in first):
        raise UserError(f"{opened.file}: its first line is empty; a table begins with its columns' names")
    is_header = not all(_is_number(cell) or not cell.strip() for cell in first) or are_steps(first)
    if not is_header:
        return [str(number) for number in range(1, len(first) + 1)], 0
    names = [cell.strip() for cell in first]
    repeated = next((name for name, count in Counter(names).items() if name and count > 1), None)
    if repeated:
        raise UserError(f"{opened.file}: two columns are called {repeated!r}; rename one")
    return [name or f"column {at}" for at, name in enumerate(names, 1)], 1


def _is_number(cell: str) -> bool:
    try:
        float(cell.strip().lstrip("$€£").replace(",", ""))
    except ValueError:
        return False
    return True


def settled(roles: Roles, cells: Columns, names: Sequence[str], options: Options, source: str) -> Roles:
    """The roles after a look at the cells: columns of text hold no values, unless the options name them."""
    if options.columns is None:
        roles = _numeric_only(roles, cells, names, source)
    return with_rows(roles, cells, names, options)


def _numeric_only(roles: Roles, cells: Columns, names: Sequence[str], source: str) -> Roles:
    """The roles without columns of values that hold text; they are named."""
    text = [at for at in roles.values if cells[at].dtype.kind == "O" and _share_of_numbers(cells[at]) < 0.5]
    if not text:
        return roles
    left = [at for at in roles.values if at not in text]
    if not left:
        raise UserError(f"{source}: no column of numbers; the columns are {listed(names)}; name some by --columns")
    log.warning("%s: columns of text are left out: %s", source, listed([names[at] for at in text]))
    return Roles(layout=roles.layout, values=left, id=roles.id, time=roles.time, label=roles.label, group=roles.group)


def _share_of_numbers(column: pd.Series) -> float:
    return float(pd.to_numeric(column, errors="coerce").notna().mean())


def _values(cells: Columns, names: Sequence[str], roles: Roles, source: str) -> NDArray[np.floating[Any]]:
    """The values (S, F) as numbers, taken out of the cells; a cell that is no number is named."""
    for at in roles.values:
        if cells[at].dtype.kind in "OM":
            numbers = pd.to_numeric(cells[at], errors="coerce")
            wrong = numbers.isna() & cells[at].notna()
            if wrong.any():
                row = wrong.idxmax()
                rule = "a value must be a number, or empty where it is missing"
                raise UserError(f"{source}, row {row}, column {names[at]}: {rule}, got {cells[at].at[row]!r}")
            cells[at] = numbers
    values_SF = np.empty((len(cells[roles.values[0]]), len(roles.values)))
    for feature, at in enumerate(roles.values):
        values_SF[:, feature] = cells[at].to_numpy(dtype=np.float64, na_value=np.nan)
        if at not in roles.values[feature + 1 :]:  # --columns may name one twice
            del cells[at]
    return values_SF


def texts_of(column: pd.Series) -> NDArray[np.object_]:
    """The cells as text; numbers that are whole have no decimals."""
    codes_S, cells = _texts_of(column)  # many cells are equal: their text is in memory once
    return cells[codes_S]


def _texts_of(column: pd.Series) -> tuple[NDArray[np.int64], NDArray[np.object_]]:
    """Each row's cell, as a number, and the cells as text in the order of their first rows."""
    if column.dtype.kind == "f" and (column.dropna() % 1 == 0).all():
        column = column.astype("Int64")
    codes_S, cells = pd.factorize(column, use_na_sentinel=False)
    return codes_S, pd.Index(cells).astype(str).str.strip().to_numpy(dtype=object)


def _names(column: pd.Series, name: str, source: str) -> NDArray[np.object_]:
    """The cells of a column that every row needs, as text."""
    codes_S, names = _numbered(column, name, source)
    return names[codes_S]


def _numbered(column: pd.Series, name: str, source: str) -> tuple[NDArray[np.int32], NDArray[np.object_]]:
    """As `_names`, the number of each row's text, and all texts in the order of their first rows."""
    missing = column.isna() | (column == "")
    if missing.any():
        rule = "every row needs an id or a group; fill it in, or remove the row"
        raise UserError(f"{source}, row {missing.idxmax()}, column {name}: is empty; {rule}")
    cell_S, cells = _texts_of(column)
    codes, texts = pd.factorize(cells)  # 1 and "1 " are two cells with one text
    return codes.astype(np.int32)[cell_S], np.asarray(texts, dtype=object)


def _labels(column: pd.Series) -> NDArray[np.object_]:
    """The classes as text, "" where there is none; 1, 1.0 and 1e0 are one class."""
    missing = column.isna() | (column == "")
    codes, names = pd.factorize(texts_of(column.where(~missing, "") if missing.any() else column))
    numbers = pd.to_numeric(pd.Series(names, dtype=str).replace("", None), errors="coerce")
    is_whole = (numbers.dropna() % 1 == 0).all() and numbers.abs().max() < 2**53
    if is_whole and (numbers.notna() | (names == "")).all():
        names = np.array([name and str(int(float(name))) for name in names], dtype=object)
    return np.asarray(names, dtype=object)[codes]


def _order(codes_S: NDArray[np.int32], times_S: NDArray[Any] | None) -> NDArray[np.int64] | None:
    """Rows by sequence, then by time, equal ones in the order of the file; None if that is the order of the file."""
    steps_S = np.diff(codes_S)
    is_sorted = not (steps_S < 0).any()
    if is_sorted and times_S is not None:
        is_sorted = not ((times_S[1:] < times_S[:-1]) & (steps_S == 0)).any()
    keys = [codes_S] if times_S is None else [times_S, codes_S]
    return None if is_sorted else np.lexsort(keys).astype(np.int64)


def _refuse_repeats(
    rows: pd.Index,
    ordered_S: NDArray[np.int32],
    times_S: NDArray[Any],
    order_S: NDArray[np.int64] | None,
    names: Sequence[str],
    roles: Roles,
    source: str,
) -> None:
    """Raise if two steps of a sequence have the same time; `ordered_S` numbers the sequence of each step."""
    known_S = times_S if order_S is None else times_S[order_S]
    same_S = (np.diff(ordered_S) == 0) & (known_S[1:] == known_S[:-1])
    if not same_S.any():
        return
    at = int(same_S.argmax())
    one, other = sorted(int(rows[each if order_S is None else order_S[each]]) for each in (at, at + 1))
    what = f"rows {one} and {other} have the same {names[roles.time or 0]}"
    if roles.id is None:
        raise UserError(f"{source}: {what}; give --id-column if there are several series, or delete one row")
    raise UserError(f"{source}: {what} in one sequence; delete one, or give another --time-column")
