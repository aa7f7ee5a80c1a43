"""MNIST, or any other data set of grey images in idx files, as three splits.

Shape suffixes: N images, R rows per image, P pixels per row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ae.data import idx
from ae.data.idx import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS
from ae.errors import UserError
from ae.splits import SPLIT_SEED, Split, Splits
from ae.task import NoOptions

if TYPE_CHECKING:
    from ae.units import Units

HERE = Path(__file__).parent / "mnist"
EMBEDDED = idx.DataSet(folder=HERE, prefix="", paths={name: HERE / f"{name}.gz" for name in idx.FILES})

VALIDATION_SHARE = 1 / 6
"""Share of the training file that is used for validation: 10,000 of MNIST's 60,000 images."""
FEWEST = 6
"""Images that the training file must have, so that there is one for validation."""


def load(folder: Path | None, options: NoOptions | None = None) -> Splits:
    """Images with pixels in [0, 1], split with `SPLIT_SEED`, and their classes if there are labels that fit.

    Args:
        folder: has idx files, plain or .gz, where `ae.data.idx.find` finds them; None loads the embedded MNIST.
        options: ignored; these tasks have none.

    Returns:
        Inputs (N, R rows, P pixels), float32, and labels (N,). Five sixths of the training images are for training, one
        sixth for validation; the test files are the test split. The classes are the numbers that the training labels
        have, in order, and these numbers are their names. Without labels, or with labels that `load_labelled` would
        refuse, the splits have none and the source says so.

    Raises:
        UserError: if images are missing, damaged, too few, or not all of one shape; the message names the file.
    """
    splits, found = _images(folder)
    try:
        return _with_labels(splits, found)
    except UserError:
        return replace(splits, source=f"{splits.source}, without labels")


def load_labelled(folder: Path | None, options: NoOptions | None = None) -> Splits:
    """Like `load`, for a task that needs labels.

    Raises:
        UserError: also if labels are missing, damaged, not one per image, all the same, or of a class that only the
            test file has.
    """
    splits, found = _images(folder)
    try:
        return _with_labels(splits, found)
    except UserError as error:
        raise UserError(f"{error}; mnist-cls needs a label per image, mnist-rec and mnist-pixel need none") from None


def _images(folder: Path | None) -> tuple[Splits, idx.DataSet]:
    """The splits without labels, and the files that they come from."""
    found = idx.find(folder) if folder else EMBEDDED
    train_NRP, test_NRP = (idx.read(found.path(name), 3) for name in (TRAIN_IMAGES, TEST_IMAGES))
    if train_NRP.shape[1:] != test_NRP.shape[1:]:
        train_size, test_size = (f"{rows} x {pixels}" for _, rows, pixels in (train_NRP.shape, test_NRP.shape))
        rule = f"images must be {train_size}, like those of {found.path(TRAIN_IMAGES).name}"
        raise UserError(f"{found.path(TEST_IMAGES)}: {rule}, got {test_size}")
    if len(train_NRP) < FEWEST:
        raise UserError(f"{found.path(TRAIN_IMAGES)}: at least {FEWEST} images are needed, got {len(train_NRP)}")
    train_N, validation_N, test_N = _orders(len(train_NRP), len(test_NRP))
    splits = Splits(
        train=Split.dense(_scaled(train_NRP[train_N])),
        validation=Split.dense(_scaled(train_NRP[validation_N])),
        test=Split.dense(_scaled(test_NRP[test_N])),
        source=_source(found),
    )
    return splits, found


def _orders(train: int, test: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Where the images of the three splits are in their files, given the number of images in each file."""
    order_N = np.random.default_rng(SPLIT_SEED).permutation(train)
    validation_N, train_N = np.split(order_N, [round(train * VALIDATION_SHARE)])
    test_N = np.random.default_rng(SPLIT_SEED).permutation(test)  # so that its head is a random sample
    return train_N, validation_N, test_N


def _scaled(images_NRP: NDArray[np.uint8]) -> NDArray[np.float32]:
    return images_NRP.astype(np.float32) / np.float32(255)


def units(facts: Mapping[str, Any]) -> Units:
    """Pixels from 0 to 255, as in the files."""
    from ae.units import Units

    return Units(spread_F=(255.0,))


def _source(found: idx.DataSet) -> str:
    if found is EMBEDDED:
        return "MNIST, 60,000 + 10,000 images (LeCun, Cortes, Burges; CC BY-SA 3.0)"
    return f"idx files in {found.folder}" + (f", {found.prefix}*" if found.prefix else "")


def _with_labels(splits: Splits, found: idx.DataSet) -> Splits:
    """The splits with labels, as indices into the classes of the training file.

    Raises:
        UserError: if the labels do not fit.
    """
    counts = len(splits.train) + len(splits.validation), len(splits.test)
    train_N, test_N = (
        _labels(found.path(name), count) for name, count in zip((TRAIN_LABELS, TEST_LABELS), counts, strict=True)
    )
    classes_C = np.unique(train_N)
    if len(classes_C) < 2:
        raise UserError(f"{found.path(TRAIN_LABELS)}: there must be two classes or more, all labels are {classes_C[0]}")
    if len(unknown := np.setdiff1d(test_N, classes_C)):
        rule = f"labels must be among those of {found.path(TRAIN_LABELS).name}"
        raise UserError(f"{found.path(TEST_LABELS)}: {rule}, got {unknown[0]}, which cannot be learnt")
    names = tuple(map(str, classes_C.tolist()))
    in_train_N, in_validation_N, in_test_N = _orders(*counts)

    def labelled(split: Split, labels_N: NDArray[np.uint8]) -> Split:
        return replace(split, labels_N=np.searchsorted(classes_C, labels_N).astype(np.int64), class_names=names)

    return replace(
        splits,
        train=labelled(splits.train, train_N[in_train_N]),
        validation=labelled(splits.validation, train_N[in_validation_N]),
        test=labelled(splits.test, test_N[in_test_N]),
    )


def _labels(path: Path, images: int) -> NDArray[np.uint8]:
    labels_N = idx.read(path, 1)
    if len(labels_N) != images:
        raise UserError(f"{path}: there must be one label per image, {images:,}, got {len(labels_N):,}")
    return labels_N
