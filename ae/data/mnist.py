"""MNIST, or any other data set in four idx files of the same kind, as three splits.

Shape suffixes: N images, R rows per image, P pixels per row.

Source: http://yann.lecun.com/exdb/mnist/ (format and files).
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import tempfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ae.cache import cache_folder
from ae.errors import UserError
from ae.files import write_whole
from ae.splits import SPLIT_SEED, Split, Splits
from ae.task import NoOptions

EMBEDDED = Path(__file__).parent / "mnist"
EMBEDDED_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
"""The names that torchvision reads, with the MD5 of each embedded file after unpacking."""

FILE = re.compile(r"(?P<prefix>.*)(?P<part>train|t10k|test)-(?P<kind>images-idx3|labels-idx1)-ubyte(\.gz)?")
"""Matches the names of a file; EMNIST says 'test' where MNIST says 't10k'."""

CLASSES = 10
SIDE = 28
VALIDATION_SHARE = 1 / 6
"""Share of the training file that is used for validation: 10,000 of MNIST's 60,000 images."""


def load(folder: Path | None, options: NoOptions | None = None) -> Splits:
    """Images with pixels in [0, 1] and their classes, split with `SPLIT_SEED`.

    Args:
        folder: has four idx files, plain or .gz, named like those of MNIST or EMNIST; None loads the embedded MNIST.
        options: ignored; these tasks have none.

    Returns:
        Inputs (N, 28 rows, 28 pixels), float32, and labels (N,). Five sixths of the training images are for training,
        one sixth for validation; the test files are the test split.

    Raises:
        UserError: if a file is missing, damaged or of another shape; the message names it.
    """
    if folder is None:
        root = _unpack_embedded()
        return _splits(root, "MNIST, 60,000 + 10,000 images (LeCun, Cortes, Burges; CC BY-SA 3.0)")
    with tempfile.TemporaryDirectory() as unpacked:
        _unpack(folder, Path(unpacked))
        return _splits(Path(unpacked), f"idx files in {folder}")


def _unpack_embedded() -> Path:
    root = cache_folder()
    raw = root / "MNIST" / "raw"
    try:
        raw.mkdir(parents=True, exist_ok=True)
        for name, md5 in EMBEDDED_MD5.items():
            if (raw / name).exists() and _md5((raw / name).read_bytes()) == md5:
                continue
            packed = (EMBEDDED / f"{name}.gz").read_bytes()
            data = gzip.decompress(packed)
            if _md5(data) != md5:
                raise UserError(f"{name}.gz in the installed package is damaged (MD5 differs); install it again")
            write_whole(raw / name, data)
    except OSError as error:
        raise UserError(f"cannot unpack MNIST into {root}: {error}; set XDG_CACHE_HOME to a writable folder") from None
    return root


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _unpack(folder: Path, root: Path) -> None:
    if not os.path.isdir(folder):  # unlike Path.is_dir, False for a name too long
        raise UserError(f"{folder}: not a folder; --data takes a folder with four idx files, plain or .gz")
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, path in _find(folder).items():
        try:
            data = path.read_bytes()
            (raw / name).write_bytes(gzip.decompress(data) if path.suffix == ".gz" else data)
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(f"{path}: cannot be read: {error}") from None


def _find(folder: Path) -> dict[str, Path]:
    """The files of the only data set in a folder, by MNIST's names; they share one prefix and are plain or .gz."""
    sets: dict[str, dict[str, Path]] = {}
    for path in sorted(folder.glob("*ubyte*")):  # "x" comes before "x.gz", and "t10k" before "test"
        match = FILE.fullmatch(path.name)
        if match and not path.name.startswith("."):  # macOS adds a file ._NAME for each file
            part = match["part"].replace("test", "t10k")
            sets.setdefault(match["prefix"], {}).setdefault(f"{part}-{match['kind']}-ubyte", path)
    whole = [prefix for prefix, files in sets.items() if len(files) == len(EMBEDDED_MD5)]
    if len(whole) > 1:
        first = next(iter(EMBEDDED_MD5))
        several = ", ".join(prefix + first for prefix in whole)
        raise UserError(f"{folder}: more than one data set: {several}; --data takes a folder with one data set")
    found = sets[whole[0]] if whole else max(sets.values(), key=len, default={})
    if missing := [name for name in EMBEDDED_MD5 if name not in found]:
        rule = f"a data set has {', '.join(EMBEDDED_MD5)}, all with the same prefix or none"
        raise UserError(f"{folder}: no file named {missing[0]} or {missing[0]}.gz; {rule}")
    return found


def _splits(root: Path, source: str) -> Splits:
    images_NRP, labels_N = _read_part(root, train=True, source=source)
    order_N = np.random.default_rng(SPLIT_SEED).permutation(len(images_NRP))
    validation_N, train_N = np.split(order_N, [round(len(order_N) * VALIDATION_SHARE)])
    test_NRP, test_labels_N = _read_part(root, train=False, source=source)
    test_N = np.random.default_rng(SPLIT_SEED).permutation(len(test_NRP))  # so that its head is a random sample
    return Splits(
        train=Split.dense(images_NRP[train_N], labels_N=labels_N[train_N]),
        validation=Split.dense(images_NRP[validation_N], labels_N=labels_N[validation_N]),
        test=Split.dense(test_NRP[test_N], labels_N=test_labels_N[test_N]),
        source=source,
    )


def _read_part(root: Path, *, train: bool, source: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    from torchvision.datasets import MNIST  # takes 1.6 s, and a trial's process gets its data from the driver

    which = f"{source}: {'train' if train else 't10k'}"
    try:
        data = MNIST(str(root), train=train)
        images_NRP, labels_N = data.data, data.targets
    except (AssertionError, KeyError, ValueError, IndexError, RuntimeError, TypeError) as error:
        raise UserError(f"{which} images or labels: not an idx file of bytes ({error or 'wrong header'})") from None
    if images_NRP.ndim != 3 or images_NRP.shape[1:] != (SIDE, SIDE):
        raise UserError(f"{which}-images-idx3-ubyte: images must be {SIDE} x {SIDE}, got {tuple(images_NRP.shape[1:])}")
    if len(images_NRP) != len(labels_N) or len(labels_N) < 6:
        raise UserError(f"{which} files must have one label per image, >= 6, got {len(images_NRP)} and {len(labels_N)}")
    if int(labels_N.max()) >= CLASSES:
        raise UserError(f"{which}-labels-idx1-ubyte: labels must be 0 to {CLASSES - 1}, got {int(labels_N.max())}")
    return (images_NRP.float() / 255).numpy(), labels_N.numpy()
