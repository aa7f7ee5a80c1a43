"""A hash of the data that a user brings: with other data, training could meet sequences that were held out."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from ae.errors import UserError
from sweeps.storage.folder import PLAN

CHUNK = 1 << 20
"""Bytes read at once."""


def check(data: Path, expected: str) -> None:
    """Compare data with the hash that the sweep began with; an empty hash is not compared.

    Raises:
        UserError: if the data differs, or a file cannot be read.
    """
    if expected and sha256(data) != expected:
        raise UserError(f"--data {data}: is not what the sweep began with; restore it, or begin a new sweep")


def sha256(data: Path) -> str:
    """The hash of a file, or of the names and contents of a folder's files, without hidden files and results folders.

    Raises:
        UserError: if a file cannot be read.
    """
    found = sorted(data.rglob("*")) if data.is_dir() else [data]
    results = {path.parent for path in found if path.name == PLAN}
    whole = hashlib.sha256()
    for path in found:
        name = path.relative_to(data)
        if path.is_file() and not results & set(path.parents) and not any(part.startswith(".") for part in name.parts):
            whole.update(os.fsencode(name.as_posix()) + b"\0" + _sha256(path))
    return whole.hexdigest()


def _sha256(path: Path) -> bytes:
    one = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                one.update(chunk)
    except OSError as error:
        raise UserError(f"--data {path}: cannot be read: {error.strerror}") from None
    return one.digest()
