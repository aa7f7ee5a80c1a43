"""Reads a file, or a folder of files, in whatever form it comes, into sequences."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ae.data.sequences import arrays, tables
from ae.data.sequences.options import Options
from ae.data.sequences.raw import Raw, sizes
from ae.data.table_files import ENDINGS as TABLES
from ae.data.table_files import find_table_files
from ae.errors import UserError
from ae.words import counted, listed

ARRAYS = (".npy", ".npz", ".ts", ".ts.gz", ".arff", ".arff.gz")
ENDINGS = (*ARRAYS, *TABLES)


def read(path: Path, options: Options) -> Raw:
    """Sequences from a file; or from a folder, in which each file is one sequence, and each subfolder one class.

    Raises:
        UserError: if it cannot be read or understood; one line names the file.
    """
    if not os.path.exists(path):  # unlike Path.exists, False if the name is too long
        raise UserError(f"{path}: there is no such file or folder")
    return _read_folder(path, options) if path.is_dir() else _read_file(path, options)


def _read_file(path: Path, options: Options) -> Raw:
    name = path.name.lower()
    if name.endswith((".npy", ".npz")):
        return arrays.read_numpy(path, options)
    if name.endswith((".ts", ".ts.gz")):
        return arrays.read_ts(path, options)
    if name.endswith((".arff", ".arff.gz")):
        return arrays.read_arff(path, options)
    if not name.endswith(TABLES):
        raise UserError(f"{path}: must be a folder or end in {', '.join(ENDINGS)}")
    files = find_table_files(path)
    if len(files) == 1:
        return tables.read_table(files[0], options)
    each = [tables.read_table(file, _of_each(options)) for file in files]
    return _joined(each, [file.stem for file in files], options, str(path))


def _read_folder(path: Path, options: Options) -> Raw:
    try:
        there = [each for each in sorted(path.iterdir()) if not each.name.startswith(".")]
        files = _data_in(path)
        inside = {} if files else {each.name: _data_in(each) for each in there if each.is_dir() and _data_in(each)}
    except OSError as error:
        raise UserError(f"{error.filename or path}: cannot be read: {error.strerror}") from None
    if not files and not inside:
        raise UserError(f"{path}: no file in the folder ends in {', '.join(ENDINGS)}")
    _refuse_train_and_test(files or [path / name for name in inside], path)
    if len(inside) == 1:
        return _read_folder(path / next(iter(inside)), options)
    if len(files) == 1:
        return _read_file(files[0], options)
    if files:
        each = [_read_file(file, _of_each(options)) for file in files]
        return _joined(each, [_stem(file) for file in files], options, str(path))
    return _classes(inside, options, path)


def _classes(inside: Mapping[str, list[Path]], options: Options, path: Path) -> Raw:
    """The sequences of several subfolders, whose names are their classes."""
    if options.label_column is not None:
        raise UserError(f"{path}: the subfolders {listed([*inside])} are the classes; leave --label-column out")
    files = [file for found in inside.values() for file in found]
    names = [f"{folder}/{_stem(file)}" for folder, found in inside.items() for file in found]
    each = [_read_file(file, _of_each(options)) for file in files]
    raw = _joined(each, names, options, str(path))
    folders = [folder for folder, found in inside.items() for _ in found]
    labels = np.repeat(np.array(folders, dtype=object), [len(one) for one in each])
    understood = f"{raw.understood}; label: {counted(len(inside), 'subfolder')}"
    return replace(raw, labels_N=labels, labels_S=None, understood=understood)


def _data_in(folder: Path) -> list[Path]:
    """The files of sequences in a folder; a .txt file beside others is a note."""
    there = [each for each in sorted(folder.iterdir()) if each.is_file() and not each.name.startswith(".")]
    files = [each for each in there if each.name.lower().endswith(ENDINGS)]
    return [each for each in files if not each.name.lower().endswith(".txt")] or files


def _refuse_train_and_test(paths: list[Path], folder: Path) -> None:
    """Raise if a folder holds a training and a test part, as those of the UCR archive do."""
    parts = {tuple(re.split(r"[_\-. ]", _stem(path).lower())): path for path in reversed(paths)}
    for words, train in reversed(parts.items()):
        test = parts.get((*words[:-1], "test"))
        if words[-1] == "train" and test:
            raise UserError(f"{folder}: has parts to train and to test; give --data '{train}' --test-data '{test}'")


def _have_several(options: Options) -> bool:
    """Whether the options say that a file of a folder holds several sequences."""
    return options.id_column is not None or options.layout in ("rows", "long")


def _of_each(options: Options) -> Options:
    """Options for a file of a folder, which holds one sequence unless they say otherwise."""
    return options if _have_several(options) else replace(options, layout="series")


def _stem(path: Path) -> str:
    ending = max((ending for ending in ENDINGS if path.name.lower().endswith(ending)), key=len, default="")
    return path.name[: len(path.name) - len(ending)]


def _joined(each: list[Raw], names: list[str], options: Options, source: str) -> Raw:
    """The sequences of several files as one data set.

    Raises:
        UserError: if a file holds several sequences and the options do not say so, or its columns are not those of the
            first, in any order.
    """
    columns, values = each[0].columns, []
    for raw, name in zip(each, names, strict=True):
        if len(raw) != 1 and not _have_several(options):
            fix = "give --layout rows or --id-column if they hold several"
            raise UserError(f"{source}: {name} has {len(raw):,} sequences; in a folder, each file is one; {fix}")
        if (len(columns) > 1 and sorted(raw.columns) != sorted(columns)) or len(raw.columns) != len(columns):
            there = f"{name} has the features {listed(raw.columns)}, {names[0]} has {listed(columns)}"
            raise UserError(f"{source}: {there}; all files need the same, --columns may choose them")
        ordered = raw.columns == columns or len(columns) == 1
        values.append(raw.values_SF if ordered else raw.values_SF[:, [raw.columns.index(one) for one in columns]])
    if _have_several(options):
        names = [f"{name}/{own}" for raw, name in zip(each, names, strict=True) for own in raw.names_N]
    lengths_N = np.concatenate([raw.lengths_N for raw in each])
    return Raw(
        values_SF=np.concatenate(values),
        starts_N=lengths_N.cumsum() - lengths_N,
        lengths_N=lengths_N,
        names_N=np.array(names, dtype=object),
        columns=columns,
        understood=f"{sizes(lengths_N.tolist())}, from {counted(len(each), 'file')}",
        labels_N=_concatenated([raw.labels_N for raw in each]),
        labels_S=_concatenated([raw.labels_S for raw in each]),
        groups_N=_concatenated([raw.groups_N for raw in each]),
        index_S=_concatenated([raw.index_S for raw in each]),
    )


def _concatenated(each: list[NDArray[Any] | None]) -> NDArray[Any] | None:
    """The arrays as one; None if one lacks or is of another kind."""
    there = [one for one in each if one is not None]
    return np.concatenate(there) if len(there) == len(each) and len({one.dtype.kind for one in there}) == 1 else None
