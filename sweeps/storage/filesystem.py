"""The storage of a sweep on a cluster: a bucket, or a folder that every machine sees."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyarrow.fs import FileSystem, FileType

from ae.errors import UserError

OBJECT_STORES = ("s3", "gcs", "abfs")
"""Here a file appears only when all of it is there, and folders are part of its name."""
STORAGE_ERRORS = (OSError, ValueError, NotImplementedError)
"""What pyarrow raises for a storage that cannot be used: OSError if it does not answer, ValueError for an invalid
address, NotImplementedError for a scheme that this build of pyarrow lacks."""
ANSWER_S = 30.0
"""Seconds that a storage has to answer in: some clients would try for a quarter of an hour."""


def join(place: str, *parts: str) -> str:
    """A place within a place: a folder, or a URI, whose ?options=... stay at its end."""
    path, mark, query = place.partition("?") if "://" in place else (place, "", "")
    return "/".join([path.rstrip("/"), *parts]) + mark + query


def absolute(place: str) -> str:
    """A folder with its whole path; a URI as it is."""
    return place if "://" in place else str(Path(place).absolute())


def write_file(filesystem: FileSystem, path: str, content: bytes) -> None:
    """Write a file so that no reader ever sees a part of it.

    Raises:
        OSError: if it cannot be written.
    """
    if filesystem.type_name in OBJECT_STORES:
        with filesystem.open_output_stream(path) as file:
            file.write(content)
        return
    filesystem.create_dir(path.rpartition("/")[0])
    with filesystem.open_output_stream(path + ".part") as file:
        file.write(content)
    filesystem.move(path + ".part", path)


def read_file(filesystem: FileSystem, path: str) -> bytes:
    """All of a file.

    Raises:
        OSError: if it is not there or cannot be read.
    """
    with filesystem.open_input_stream(path) as file:
        return bytes(file.read())


def is_file(filesystem: FileSystem, path: str) -> bool:
    """Whether there is such a file."""
    return bool(filesystem.get_file_info(path).type == FileType.File)


@contextlib.contextmanager
def token(place: str) -> Iterator[str]:
    """A small file with a name that nobody can guess, there while the block runs; gives its path.

    Raises:
        OSError: if it cannot be written.
        ValueError: if the place is invalid.
    """
    filesystem, root = FileSystem.from_uri(place)
    path = f"{root.rstrip('/')}/.sweep-{uuid.uuid4().hex}"
    write_file(filesystem, path, b"can this be seen?\n")
    try:
        yield path
    finally:
        filesystem.delete_file(path)


def sees(place: str, path: str) -> bool:
    """Whether this machine sees a file of the place."""
    return is_file(FileSystem.from_uri(place)[0], path)


def check_storage(storage: str) -> None:
    """See that the storage can be written, within a time limit.

    Raises:
        UserError: if it cannot, saying why.
    """
    found: list[Any] = []

    def attempt() -> None:
        try:
            with token(storage) as path:
                found.append(sees(storage, path))
        except STORAGE_ERRORS as error:
            found.append(error)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(ANSWER_S)
    if not found:
        raise UserError(f"--storage {storage}: no answer in {ANSWER_S:g} s; check the network and the credentials")
    if found[0] is not True:
        raise UserError(f"--storage {storage}: cannot be used: {reason(found[0])}")


def reason(error: object) -> str:
    """The first line of what a file system says is wrong."""
    return (str(error).splitlines() or ["a file written there is not found again"])[0].strip()[:300]
