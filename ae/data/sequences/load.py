"""From a user's files to the three splits of a sweep.

| in the data | what happens |
| --- | --- |
| missing value | filled from the step before, the first ones from the next; left out of loss and metrics; counted |
| feature that a whole sequence lacks | the training mean; left out of loss and metrics |
| sequence without any value | dropped; named |
| infinite value | error with the place |
| constant feature | becomes 0 |
| outliers | nothing is clipped; `--scale robust` ignores them when it is fitted |
| sequence shorter than `--window` | dropped; counted |
| window that crosses a border between the splits of one series | left out; counted |
| class that training lacks, with `--classify` | error with the class |
| sequence without a label, with `--classify` or `--normal` | error with the sequence |
| sequence of one step, with `--predict` | dropped; counted |

Shape suffixes: N sequences.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np

from ae.data.sequences import parts
from ae.data.sequences.missing import drop_empty, drop_short, fill
from ae.data.sequences.options import Options
from ae.data.sequences.prepared import Prepared, compact
from ae.data.sequences.raw import Raw
from ae.data.sequences.read import read
from ae.data.sequences.scaling import Scaler
from ae.data.sequences.windows import cut, window_and_stride
from ae.errors import UserError
from ae.splits import SPLIT_SEED, Split, Splits
from ae.words import counted, listed

SAMPLE = Path(__file__).parent / "sample" / "ecg5000_train.csv.gz"

log = logging.getLogger(__name__)


def load(path: Path | None, options: Options) -> Splits:
    """A user's sequences, split, and scaled by what the training split shows.

    Args:
        path: a file or folder; `ae.data.sequences.read` says which. None loads the embedded sample of heart beats.
        options: what its columns mean, and how it is split.

    Returns:
        Splits of sequences with lengths of their own. `info` has one row per sequence: name, offset (its first step in
        the file's sequence of that name), label, and first and last (the index of its first and last step), as far as
        the data has them. `prepared` is `Prepared.to_json`.

    Raises:
        UserError: if the data cannot be read, breaks a rule of this module, or is too little.
    """
    if path is None:
        return splits_of(read(SAMPLE, options), options, "embedded sample of ECG5000 (PhysioNet, ODC-By 1.0)")
    return splits_of(read(path, options), options, str(path))


def splits_of(raw: Raw, options: Options, source: str) -> Splits:
    """As `load`, from sequences in memory."""
    _check(raw, options, source)
    window, stride = window_and_stride(raw, options.window, options.stride)
    whole = _windows(raw, window, stride, options, source)
    if options.normal is not None:
        options = replace(options, normal=_class_of(options.normal, whole))
    found = _parts(whole, options, options.shares(), source)
    if options.test_data:
        test = _windows(_alike(Path(options.test_data), options, whole), window, stride, options, options.test_data)
        found |= _tested(test, options)
    prepared = Prepared(
        columns=raw.columns,
        scaler=_fitted(options.scale, compact(found["train"])),
        window=window,
        stride=stride,
        is_series=raw.is_series,
        classes=_classes(found, options, source),
    )
    splits = {name: prepared.split(_shuffled(part)) for name, part in found.items() if len(part)}
    return Splits(**splits, source=_words(raw, splits, window, stride, source), prepared=prepared.to_json())


def _fitted(kind: str, train: Raw) -> Scaler:
    return Scaler.fit(kind, train.values_SF, train.observed_SF)


def _windows(raw: Raw, window: int | None, stride: int, options: Options, source: str) -> Raw:
    windows = drop_empty(cut(fill(raw, source), window, stride, source), source)
    windows = drop_short(windows, source) if options.predict else windows
    if (options.classify or options.normal is not None) and windows.labels_N is not None:
        without_N = windows.labels_N == ""
        if without_N.any():
            rule = "has no label; fill it in, or remove the sequence"
            raise UserError(f"{source}: sequence {windows.names_N[without_N.argmax()]} {rule}")
    return windows


def _class_of(normal: str, raw: Raw) -> str:
    """The class that is written like this, as 1.0 or TRUE for 1 or True."""
    names = sorted(set(raw.labels_N)) if raw.labels_N is not None else []
    alike = [name for name in names if name.lower() == normal.strip().lower()]
    if normal in names or not alike:
        number = _by_number(normal.strip())[0]
        alike = [name for name in names if _by_number(name)[0] == number < np.inf]
    return normal if normal in names or not alike else alike[0]


def _parts(whole: Raw, options: Options, shares: tuple[float, float, float], source: str) -> dict[str, Raw]:
    """The sequences of every part, by the fields of `Splits`."""
    if options.normal is None:
        parts_N = parts.parts_of(whole, shares, source)
    else:
        parts_N = parts.parts_around_normal(whole, options.normal, shares, source)
    if left := int((parts_N == parts.NONE).sum()):
        why = "across a border between splits"
        if options.normal is not None:
            why = f"in the training part but abnormal, or {why}"
        log.warning("%s: %s left out: %s", source, counted(left, "window" if whole.is_series else "sequence"), why)
    return {name: whole.take(parts_N == part) for part, name in parts.NAMES.items() if (parts_N == part).any()}


def _tested(test: Raw, options: Options) -> dict[str, Raw]:
    """The parts of a test file."""
    if options.normal is None:
        return {"test": test}
    assert test.labels_N is not None
    is_normal_N = test.labels_N == options.normal
    if not is_normal_N.any():
        raise UserError(f"--test-data {options.test_data}: no sequence has the class of --normal, {options.normal}")
    return {"test": test.take(is_normal_N), "abnormal_test": test.take(~is_normal_N)}


def _alike(path: Path, options: Options, train: Raw) -> Raw:
    """The sequences of the test file.

    Raises:
        UserError: if they have other features, or no labels where training has them.
    """
    if not path.exists():
        raise UserError(f"--test-data {path}: there is no such file or folder")
    test = read(path, options)
    if test.columns != train.columns:
        rule = f"--test-data {path}: its features must be those of --data ({listed(train.columns)})"
        raise UserError(f"{rule}, got {listed(test.columns)}")
    _check(test, options, f"--test-data {path}")
    return test


def _check(raw: Raw, options: Options, source: str) -> None:
    """Raise if the options do not fit the sequences."""
    if raw.is_series and options.group_column is not None:
        raise UserError(f"{source}: --group-column is for several sequences; give --id-column, or leave it out")
    if (raw.lengths_N == 1).all():
        rule = "a sequence needs two; give another --layout or --id-column"
        raise UserError(f"{source}: every sequence has one step; {rule}")
    if raw.labels_N is None and raw.labels_S is None:
        for name, value in (("--classify", options.classify), ("--normal", options.normal is not None)):
            if value:
                raise UserError(f"{source}: {name} needs labels; name their column by --label-column")


def _classes(found: dict[str, Raw], options: Options, source: str) -> tuple[str, ...] | None:
    """The names of all classes; those that training has come first.

    Raises:
        UserError: if the model shall learn classes, and training has one only, or lacks one of another part.
    """
    train = found["train"].labels_N
    if train is None:
        return None
    names = sorted(set(train), key=_by_number)
    labels = [part.labels_N for part in found.values() if part.labels_N is not None]
    others = sorted(set(np.concatenate(labels)) - set(names), key=_by_number)
    if options.classify and others:
        raise UserError(f"{source}: no training sequence has the class {others[0]}; bring more of it, or remove it")
    if options.classify and len(names) < 2:
        raise UserError(f"{source}: --classify needs two classes or more, got {names[0]} alone")
    return (*names, *others)


def _by_number(name: str) -> tuple[float, str]:
    try:
        return float(name), name
    except ValueError:
        return np.inf, name


def _shuffled(raw: Raw) -> Raw:
    """The sequences in a random order, so that the first ones are a sample; windows of one series stay in order."""
    return raw if raw.is_series else raw.take(np.random.default_rng(SPLIT_SEED).permutation(len(raw)))


def _words(raw: Raw, splits: dict[str, Split], window: int | None, stride: int, source: str) -> str:
    """What was understood, in one line."""
    cut_into = f"; windows of {window:,} steps, {stride:,} apart" if window else ""
    sizes = ", ".join(f"{len(split):,} {name.replace('_', ' ')}" for name, split in splits.items())
    return f"{source}: {raw.understood}, {counted(len(raw.columns), 'feature')}{cut_into}; {sizes}"
