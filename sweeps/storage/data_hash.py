"""A hash of the data that a user brings: with other data, training could meet sequences that were held out."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from ae.errors import UserError
from sweeps.storage.folder import PLAN

CHUNK = 1 << 20
"""Bytes read at once."""


def check(data: Sequence[Path], expected: str) -> None:
    """Compare data with the hash that the sweep began with; an empty hash is not compared.

    Raises:
        UserError: if the data differs, or a file cannot be read.
    """
    if expected and sha256(data) != expected:
        named = ", ".join(map(str, data))
        raise UserError(f"--data {named}: is not what the sweep began with; restore it, or begin a new sweep")


def sha256(data: Sequence[Path]) -> str:
    """The hash of files, and of the names and contents of folders' files, without hidden files and results folders.

    Raises:
        UserError: if a file cannot be read.
    """
    whole = hashlib.sha256()
    for place in data:
        _add(whole, place)
    return whole.hexdigest()


def _add(whole: hashlib._Hash, place: Path) -> None:
    found = sorted(place.rglob("*")) if place.is_dir() else [place]
    results = {path.parent for path in found if path.name == PLAN}
    for path in found:
        name = path.relative_to(place)
        if path.is_file() and not results & set(path.parents) and not any(part.startswith(".") for part in name.parts):
            whole.update(os.fsencode(name.as_posix()) + b"\0" + _sha256(path))


def _sha256(path: Path) -> bytes:
    one = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                one.update(chunk)
    except OSError as error:
        raise UserError(f"--data {path}: cannot be read: {error.strerror}") from None
    return one.digest()
