"""Whether the user's data is what the sweep began with: with a row more, training meets what was for the test."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

from sweeps.config.plan import Plan
from sweeps.storage.folder import RECORD

CHUNK = 1 << 20
"""Bytes that are read at once."""


def checked(plan: Plan) -> Plan:
    """The plan, with the hash of its data on record if the sweep is new; a record that has none is not checked.

    Raises:
        ValueError: if the data is not what the sweep began with, or a file cannot be read.
    """
    if plan.data is None:
        return plan
    if plan.resume:
        check(plan.data, plan.record.data_sha256)
        return plan
    return replace(plan, record=replace(plan.record, data_sha256=sha256(plan.data)))


def check(data: Path, begun: str) -> None:
    """Compare data with the hash on record; where that is empty, nothing is compared.

    Raises:
        ValueError: if the data is not what the sweep began with, or a file cannot be read.
    """
    if begun and sha256(data) != begun:
        raise ValueError(f"--data {data}: is not what the sweep began with; restore it, or begin a new sweep")


def sha256(data: Path) -> str:
    """Of a file, or of the names and contents of all files in a folder but hidden ones and the results of sweeps.

    Raises:
        ValueError: if a file cannot be read.
    """
    found = sorted(data.rglob("*")) if data.is_dir() else [data]
    results = {path.parent for path in found if path.name == RECORD}
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
        raise ValueError(f"--data {path}: cannot be read: {error.strerror}") from None
    return one.digest()
