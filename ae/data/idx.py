"""idx files: finding the four that are a data set, and reading one.

Source: http://yann.lecun.com/exdb/mnist/ (format and names).
"""

from __future__ import annotations

import gzip
import math
import os
import re
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ae.errors import UserError

TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
FILES = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)
"""MNIST's names of the four files."""

NAME = re.compile(
    r"(?P<prefix>.*)(?P<part>train|t10k|test)[-_.](?P<kind>images|labels)([-_.](idx[13]?|ubyte))+(\.gz)?", re.IGNORECASE
)
"""Names as data sets, unpackers and Kaggle give them; EMNIST says 'test' where MNIST says 't10k'."""

GZIP = b"\x1f\x8b"
"""The first bytes of a gzip file."""
UNSIGNED_BYTES = 0x08
"""The third byte of an idx file: the type of its numbers."""
LISTED = 5
"""Names in a message, at most."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DataSet:
    """Files in one folder that share a prefix."""

    folder: Path
    prefix: str
    paths: dict[str, Path]
    """By MNIST's names."""

    def path(self, name: str) -> Path:
        """The file that MNIST calls by this name.

        Raises:
            UserError: if there is none.
        """
        if name not in self.paths:
            wanted = self.prefix + name
            raise UserError(f"{self.folder}: no file named {wanted} or {wanted}.gz; {_listing(self.folder)}")
        return self.paths[name]


def find(folder: Path) -> DataSet:
    """The data set in plain sight; it has both files of images, and may lack labels.

    A data set is up to four files in one folder with the same prefix or none. A folder that is named like such a file
    and has it inside, as on Kaggle, counts as the file. In plain sight is what is nearest: in the folder itself, else
    one level down, else in a folder raw/ below that, where torchvision puts the files. A data set with labels is taken
    before a nearer one without.

    Raises:
        UserError: if there is no data set or, equally near, more than one; the message says what is there.
    """
    if not os.path.isdir(folder):  # unlike Path.is_dir, False for a name too long
        raise UserError(f"{folder}: not a folder; --data takes the folder with the four idx files, plain or .gz")
    below = [path for path in _visible(folder) if path.is_dir()]
    levels = [[folder], below, [path / "raw" for path in below]]
    sets = [[found for place in level for found in _sets(place)] for level in levels]
    for needed in (set(FILES), {TRAIN_IMAGES, TEST_IMAGES}):
        for level in sets:
            whole = [found for found in level if needed <= found.paths.keys()]
            if len(whole) > 1:
                names = _few([str(found.paths[TRAIN_IMAGES].relative_to(folder)) for found in whole])
                rule = "--data takes a folder with one data set, so move the files of one into a folder of their own"
                raise UserError(f"{folder}: more than one data set: {names}; {rule}")
            if whole:
                return whole[0]
    for begun in sorted((found for level in sets for found in level), key=lambda found: -len(found.paths)):
        for name in (TRAIN_IMAGES, TEST_IMAGES):
            begun.path(name)  # the one that is missing is named
    rule = f"a data set has {', '.join(FILES)}, plain or .gz, all with the same prefix or none"
    raise UserError(f"{folder}: no idx files here or one level down; {_listing(folder)}; {rule}")


def _sets(folder: Path) -> list[DataSet]:
    """The data sets in a folder, whole or not."""
    sets: dict[str, DataSet] = {}
    for path in sorted(_visible(folder), key=lambda path: (path.is_dir(), path.name)):  # "x" is before "x.gz"
        if key := _key(path):
            prefix, name = key
            file = next((inner for inner in _visible(path) if _key(inner) == key), None) if path.is_dir() else path
            found = sets.setdefault(prefix, DataSet(folder=folder, prefix=prefix, paths={}))
            if file:
                found.paths.setdefault(name, file)
    return list(sets.values())


def _key(path: Path) -> tuple[str, str] | None:
    """The prefix of a file and MNIST's name of it; None for any other file."""
    match = NAME.fullmatch(path.name)
    if not match:
        return None
    train, images = match["part"].lower() == "train", match["kind"].lower() == "images"
    return match["prefix"], FILES[2 * (not train) + (not images)]


def _visible(folder: Path) -> list[Path]:
    """What is in a folder, sorted, without hidden files, such as the ._NAME that macOS adds for each file."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError:  # it is not there, or may not be read
        return []


def _listing(folder: Path) -> str:
    names = [path.name + "/" * path.is_dir() for path in _visible(folder)]
    return f"it has {_few(names)}" if names else "nothing is there that can be read"


def _few(names: Sequence[str]) -> str:
    shown = ", ".join(names[:LISTED])
    return shown if len(names) <= LISTED else f"{shown} and {len(names) - LISTED:,} more"


def read(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """The numbers of an idx file of unsigned bytes, plain or gzipped, whatever its name says.

    Args:
        path: of the file.
        dimensions: 3 for images (N, R, P), 1 for labels (N,).

    Raises:
        UserError: if it cannot be read, is damaged, or holds anything else.
    """
    try:
        data = path.read_bytes()
        if data.startswith(GZIP):
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    start, magic = 4 + 4 * dimensions, bytes([0, 0, UNSIGNED_BYTES, dimensions])
    if len(data) < start or not data.startswith(magic):
        got = data[:4].hex(" ") or "nothing"
        rule = (
            f"it must begin with {magic.hex(' ')}, which means bytes in {dimensions} dimension{'s'[dimensions < 2 :]}"
        )
        raise UserError(f"{path}: not an idx file of {'images' if dimensions == 3 else 'labels'}: {rule}, got {got}")
    shape = struct.unpack_from(f">{dimensions}I", data, 4)
    if not 0 < math.prod(shape) == len(data) - start:
        sizes = " x ".join(map(str, shape))
        raise UserError(f"{path}: damaged: its header says {sizes} bytes, but {len(data) - start:,} follow")
    return np.frombuffer(data, np.uint8)[start:].reshape(shape)
