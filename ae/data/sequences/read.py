"""Reads a file, or a folder of files, in whatever form it comes, into sequences."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ae.data.sequences import arrays, tables
from ae.data.sequences.options import Options
from ae.data.sequences.raw import Raw, raw_of, sizes
from ae.data.table_files import ENDINGS as TABLES
from ae.data.table_files import find_table_files
from ae.errors import UserError
from ae.words import counted

ARRAYS = (".npy", ".npz", ".ts", ".ts.gz", ".arff", ".arff.gz")
ENDINGS = (*ARRAYS, *TABLES)


def read(path: Path, options: Options) -> Raw:
    """Sequences from a file; or from a folder, in which each file is one sequence.

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
        return arrays.read_ts(path)
    if name.endswith((".arff", ".arff.gz")):
        frame, label = arrays.read_arff(path)
        known = options if options.label_column or label is None else replace(options, label_column=label)
        return tables.read_frame(frame, known if known.layout else replace(known, layout="rows"), str(path))
    if not name.endswith(TABLES):
        raise UserError(f"{path}: must be a folder or end in {', '.join(ENDINGS)}")
    files = find_table_files(path)
    if len(files) == 1:
        return tables.read_table(files[0], options)
    return _joined([tables.read_table(file, _one(options)) for file in files], [file.stem for file in files], str(path))


def _read_folder(path: Path, options: Options) -> Raw:
    try:
        found = sorted(each for each in path.iterdir() if each.is_file() and not each.name.startswith("."))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    files = [each for each in found if each.name.lower().endswith(ENDINGS)]
    if not files:
        raise UserError(f"{path}: no file in the folder ends in {', '.join(ENDINGS)}")
    if len(files) == 1:
        return _read_file(files[0], options)
    return _joined([_read_file(file, _one(options)) for file in files], [_stem(file) for file in files], str(path))


def _one(options: Options) -> Options:
    """Options for a file that holds one sequence."""
    return replace(options, layout="series", id_column=None)


def _stem(path: Path) -> str:
    ending = max((ending for ending in ENDINGS if path.name.lower().endswith(ending)), key=len)
    return path.name[: -len(ending)]


def _joined(each: list[Raw], names: list[str], source: str) -> Raw:
    """The sequences of several files as one data set.

    Raises:
        UserError: if a file holds several sequences, or its columns are not those of the first.
    """
    for raw, name in zip(each, names, strict=True):
        if len(raw) != 1:
            raise UserError(f"{source}: {name} has {len(raw):,} sequences; in a folder, each file is one sequence")
        if raw.columns != each[0].columns and len(raw.columns) != len(each[0].columns):
            raise UserError(f"{source}: {name} has {len(raw.columns)} features, {names[0]} has {len(each[0].columns)}")
    sequences = [raw.values_SF for raw in each]
    return raw_of(
        sequences,
        names=names,
        columns=each[0].columns,
        understood=f"{sizes([len(one) for one in sequences])}, from {counted(len(each), 'file')}",
        labels_S=_concatenated([raw.labels_S for raw in each]),
        groups_N=_concatenated([raw.groups_N for raw in each]),
    )


def _concatenated(each: list[NDArray[np.object_] | None]) -> NDArray[np.object_] | None:
    there = [one for one in each if one is not None]
    return np.concatenate(there) if len(there) == len(each) else None
