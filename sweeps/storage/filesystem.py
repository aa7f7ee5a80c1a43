"""The storage of a sweep on a cluster: a bucket, or a folder that every machine sees."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyarrow.fs import FileSystem, FileType

OBJECT_STORES = ("s3", "gcs", "abfs")
"""Where a file is not there before all of it is, and folders are a way of speaking."""
FAILS = (OSError, ValueError, NotImplementedError)
"""What pyarrow raises for a storage that cannot be used: OSError where it does not answer, ValueError for an address
that is none, NotImplementedError for a scheme that this build of pyarrow has not."""
ANSWER_S = 30.0
"""Seconds that a storage has to answer in: some clients would try for a quarter of an hour."""


class NoStorage(ValueError):
    """The storage cannot be reached, read or written."""


def join(place: str, *parts: str) -> str:
    """A place within a place: a folder, or a URI, whose ?options=... stay at its end."""
    path, mark, query = place.partition("?") if "://" in place else (place, "", "")
    return "/".join([path.rstrip("/"), *parts]) + mark + query


def absolute(place: str) -> str:
    """A folder with its whole path; a URI as it is."""
    return place if "://" in place else str(Path(place).absolute())


def write(filesystem: FileSystem, path: str, content: bytes) -> None:
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


def read(filesystem: FileSystem, path: str) -> bytes:
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
    """A small file of a name that nobody can guess, there while the block runs; gives its path.

    Raises:
        OSError: if it cannot be written.
        ValueError: if the place is none.
    """
    filesystem, root = FileSystem.from_uri(place)
    path = f"{root.rstrip('/')}/.sweep-{uuid.uuid4().hex}"
    write(filesystem, path, b"can this be seen?\n")
    try:
        yield path
    finally:
        filesystem.delete_file(path)


def sees(place: str, path: str) -> bool:
    """Whether a file of the place can be seen from this machine."""
    return is_file(FileSystem.from_uri(place)[0], path)


def check(storage: str) -> None:
    """See that the storage can be written, within a time limit.

    Raises:
        NoStorage: if it cannot, saying why.
    """
    found: list[Any] = []

    def try_it() -> None:
        try:
            with token(storage) as path:
                found.append(sees(storage, path))
        except FAILS as error:
            found.append(error)

    thread = threading.Thread(target=try_it, daemon=True)
    thread.start()
    thread.join(ANSWER_S)
    if not found:
        raise NoStorage(f"--storage {storage}: no answer in {ANSWER_S:g} s; see the network and the credentials")
    if found[0] is not True:
        raise NoStorage(f"--storage {storage}: cannot be used: {reason(found[0])}")


def reason(error: object) -> str:
    """What a file system says is wrong, cut to its first line."""
    return (str(error).splitlines() or ["it is not seen again"])[0].strip()[:300]
