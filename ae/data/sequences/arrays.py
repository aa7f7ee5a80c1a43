"""Sequences from .npy, .npz, .ts and .arff files. Nothing in them is unpickled.

Shape suffixes: N sequences, T time steps, F features.
"""

from __future__ import annotations

import gzip
import io
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ae.data.sequences.options import Options
from ae.data.sequences.raw import Raw, raw_of, sizes
from ae.data.sequences.tables import read_frame
from ae.data.sequences.ts_files import parse_ts
from ae.errors import UserError
from ae.words import counted, listed

VALUE_KEYS = ("x", "data", "values", "sequences", "series", "inputs", "arr_0")
LABEL_KEYS = ("y", "label", "labels", "class")


def read_numpy(path: Path, options: Options) -> Raw:
    """Sequences from a .npy or .npz file.

    An array (N, T, F) or (N, T) has N sequences; (T,) is one long series, and so is (T, F) with --layout series or
    --window. An .npz file has one such array, perhaps with labels as `y`, or one array (T, F) or (T,) per sequence.

    Raises:
        UserError: if the file is damaged, holds Python objects, or arrays of another kind.
    """
    _refuse_columns(options, path)
    try:
        with path.open("rb") as stream:
            one = _private_map(path) if path.suffix.lower() == ".npy" else None
            loaded: Any = np.load(stream, allow_pickle=False) if one is None else one
            is_one = isinstance(loaded, np.ndarray)
            arrays = {"": loaded} if is_one else {name: loaded[name] for name in loaded.files}
    except Exception as error:  # numpy and zipfile raise a dozen kinds for a damaged file
        raise _refused(path, error) from None
    labels = next((arrays.pop(name) for name in list(arrays) if name.lower() in LABEL_KEYS), None)
    if not arrays:
        raise UserError(f"{path}: holds no array of values; save one, such as np.savez(path, x=values, y=labels)")
    main = next((name for name in arrays if name.lower() in VALUE_KEYS), None)
    if main is None and len(arrays) == 1:
        main = next(iter(arrays))
    raw = _each(arrays, path) if main is None else from_array(arrays[main], options, str(path))
    return raw if labels is None else _with_labels(raw, labels, path)


def _private_map(path: Path) -> NDArray[Any] | None:
    """The array in a .npy file, read when it is used; changes stay in memory. None if the file cannot be mapped."""
    try:
        return np.asarray(np.load(path, mmap_mode="c", allow_pickle=False))
    except (OSError, ValueError):  # an empty array, or a damaged file, of which reading it says what is wrong
        return None


def mapped(path: Path) -> NDArray[Any]:
    """The array in a .npy file, read when it is used.

    Raises:
        UserError: if the file is damaged, or holds Python objects.
    """
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # the same
        raise _refused(path, error) from None
    return values if isinstance(values, np.ndarray) else np.empty(0)


def _refused(path: Path, error: Exception) -> UserError:
    why = " ".join(str(error).split()) or type(error).__name__
    if "allow_pickle" in why:
        why = "it holds Python objects, which are not unpickled" if "Object" in why else "it has no arrays of NumPy"
    return UserError(f"{path}: cannot be read: {why}; save plain arrays of numbers")


def from_array(values: NDArray[Any], options: Options, source: str) -> Raw:
    """Sequences from one array, (N, T, F), (N, T), (T,) or, as one series, (T, F).

    Raises:
        UserError: if it has other dimensions, no numbers, or no values.
    """
    values = _numbers(values, source)
    is_series = values.ndim == 1 or (values.ndim == 2 and _means_series(options))
    if values.ndim not in (1, 2, 3):
        raise UserError(f"{source}: an array must be (N, T, F), (N, T) or (T,), got {values.ndim} dimensions")
    if options.layout == "long" or (options.layout == "series" and values.ndim == 3 and len(values) > 1):
        shape = f"an array of shape {values.shape}"
        raise UserError(f"{source}: {shape} is no {options.layout} layout; give --layout rows, or none")
    if options.layout == "rows" and is_series:
        raise UserError(f"{source}: --layout rows needs an array (N, T) or (N, T, F), got shape {values.shape}")
    if is_series:
        values_TF = values.reshape(len(values), -1)
        what, columns = f"one series of {len(values_TF):,} steps", unnamed(values_TF.shape[1])
        return raw_of([values_TF], names=["series"], columns=columns, understood=what, is_series=True)
    values_NTF = values[:, :, None] if values.ndim == 2 else values
    count, steps, features = values_NTF.shape
    return Raw(
        values_SF=values_NTF.reshape(count * steps, features),
        starts_N=np.arange(count, dtype=np.int64) * steps,
        lengths_N=np.full(count, steps, dtype=np.int64),
        names_N=np.array([str(number) for number in range(count)], dtype=object),
        columns=unnamed(features),
        understood=f"{counted(count, 'sequence')} of {steps:,} steps",
    )


def read_ts(path: Path, options: Options) -> Raw:
    """Sequences from a .ts file of the UCR and UEA archives, plain or .gz.

    Raises:
        UserError: if the file is damaged.
    """
    _refuse_columns(options, path)
    try:
        cases = parse_ts(_text(path).splitlines())
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise UserError(f"{path}: cannot be read: {' '.join(str(error).split())}") from None
    return _numbered(cases.sequences, cases.labels, path)


def read_arff(path: Path, options: Options) -> Raw:
    """Sequences from an .arff file; the last nominal attribute is the class.

    A row is a sequence with one feature. Where an attribute is relational, as in files of the UEA archive, it holds a
    sequence with a row per feature.

    Raises:
        UserError: if it cannot be read or understood.
    """
    from scipy.io import arff

    try:
        rows, meta = arff.loadarff(io.StringIO(_text(path)))
    except Exception as error:  # scipy raises whatever its parser meets
        raise UserError(f"{path}: cannot be read: {' '.join(str(error).split()) or type(error).__name__}") from None
    kinds = dict(zip(meta.names(), meta.types(), strict=True))
    frame = pd.DataFrame({name: list(rows[name]) for name in kinds})
    nominal = [name for name, kind in kinds.items() if kind == "nominal"]
    for name in nominal:
        frame[name] = frame[name].str.decode("utf-8")
    relational = [name for name, kind in kinds.items() if kind == "relational"]
    if not relational:
        label = options.label_column or (nominal[-1] if nominal else None)
        return read_frame(frame, replace(options, label_column=label, layout=options.layout or "rows"), str(path))
    _refuse_columns(options, path)
    if len(relational) > 1:
        raise UserError(f"{path}: must have one relational attribute, got {listed(relational)}; remove the others")
    sequences = [np.array(one.tolist(), dtype=np.float64).T for one in frame[relational[0]]]
    return _numbered(sequences, frame[nominal[-1]].tolist() if nominal else None, path)


def _text(path: Path) -> str:
    content = path.read_bytes()
    return (gzip.decompress(content) if path.suffix.lower() == ".gz" else content).decode("utf-8-sig")


def _numbered(sequences: list[NDArray[np.float64]], labels: list[str] | None, path: Path) -> Raw:
    """Sequences (T, F), perhaps with classes; their names are their numbers."""
    if len({one.shape[1] for one in sequences}) > 1:
        raise UserError(f"{path}: every sequence must have the same features")
    if not sequences:
        raise UserError(f"{path}: has no rows; a sequence needs a value")
    names, columns = [str(number) for number in range(len(sequences))], unnamed(sequences[0].shape[1])
    raw = raw_of(sequences, names=names, columns=columns, understood=sizes([len(one) for one in sequences]))
    return raw if labels is None else _with_labels(raw, np.array(labels, dtype=object), path)


def _each(arrays: dict[str, NDArray[Any]], path: Path) -> Raw:
    sequences = [_numbers(array, f"{path}, {name}") for name, array in arrays.items()]
    sequences = [one[:, None] if one.ndim == 1 else one for one in sequences]
    for name, one in zip(arrays, sequences, strict=True):
        if one.ndim != 2 or one.shape[1] != sequences[0].shape[1]:
            first = next(iter(arrays))
            rule = f"every array must be (T,) or (T, {sequences[0].shape[1]}) as {first} is"
            raise UserError(f"{path}: {rule}, got {name} of shape {arrays[name].shape}")
    columns = unnamed(sequences[0].shape[1])
    return raw_of(sequences, names=list(arrays), columns=columns, understood=sizes([len(one) for one in sequences]))


def _refuse_columns(options: Options, path: Path) -> None:
    if given := options.table_options():
        rule = "names a column of a table, and this file has none; leave it out"
        raise UserError(f"{path}: {given[0]} {rule}")


def _with_labels(raw: Raw, labels: NDArray[Any], path: Path) -> Raw:
    labels = labels.astype(np.int64) if labels.dtype.kind == "f" and (labels % 1 == 0).all() else labels
    texts = np.array([str(label) for label in labels.ravel().tolist()], dtype=object)
    if raw.is_series and len(texts) == len(raw.values_SF):
        return replace(raw, labels_S=texts)
    if len(texts) != len(raw):
        raise UserError(f"{path}: must have one label per sequence ({len(raw):,}), got {len(texts):,}")
    return replace(raw, labels_N=texts)


def _numbers(values: NDArray[Any], source: str) -> NDArray[np.floating[Any]]:
    if values.dtype.kind not in "fiub":
        raise UserError(f"{source}: values must be numbers, got {values.dtype}")
    if not values.size:
        raise UserError(f"{source}: the array of shape {values.shape} is empty; a sequence needs a value")
    if values.dtype in (np.float32, np.float64):
        return values
    return values.astype(np.float32 if np.can_cast(values.dtype, np.float32) else np.float64)


def _means_series(options: Options) -> bool:
    return options.layout == "series" or (options.layout is None and options.window is not None)


def unnamed(count: int) -> tuple[str, ...]:
    """What the features of data without names are called."""
    return tuple(f"feature {number}" for number in range(1, count + 1)) if count > 1 else ("value",)
