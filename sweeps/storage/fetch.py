"""A sweep that is stored elsewhere, brought to a results folder of this machine."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from pyarrow.fs import FileSelector, FileSystem, FileType

from ae.files import write_whole
from sweeps.records.tables import CURVES, TRIALS
from sweeps.search.journal import STUDY
from sweeps.storage import filesystem as storage
from sweeps.storage.folder import LOCK, RECORD, Record, Unusable, held, parse, read

MANIFEST = "mirror.json"
"""Which session wrote the storage last, and how much of the growing files belongs together; `sweeps.mirror` has why."""
GROWING = (STUDY, CURVES, TRIALS)
STAYS = ("checkpoints", "ray")
"""Folders of the storage that are not brought down."""


def to_resume(options: argparse.Namespace) -> str | None:
    """The results folder that a command line goes on with, brought here if need be; None for a new sweep.

    Raises:
        Unusable: if it cannot be had.
        ValueError: if the options do not go together.
    """
    if options.resume and options.or_resume:
        raise ValueError("--resume and --or-resume do not go together; leave one of them out")
    if options.resume:
        return str(local(options.resume, options.results))
    if not options.or_resume:
        return None
    if not options.name:
        raise ValueError("--or-resume goes with --name, which says of what sweep; give one")
    folder = options.results / str(options.task) / options.name
    if _is_file(folder / RECORD):
        return str(local(str(folder), options.results))
    place = storage.join(storage.absolute(options.storage), str(options.task), options.name) if options.storage else ""
    return str(local(place, options.results)) if place and exists(place) else None


def manifest(filesystem: FileSystem, root: str) -> dict[str, Any] | None:
    """The storage's `mirror.json`, or None where no sweep is.

    Raises:
        OSError: if the storage cannot be read.
        Unusable: if it is not what was written.
    """
    if not storage.is_file(filesystem, f"{root}/{MANIFEST}"):
        return None
    try:
        found = json.loads(storage.read(filesystem, f"{root}/{MANIFEST}"))
        if not isinstance(found["session"], str) or not all(isinstance(found["sizes"][name], int) for name in GROWING):
            raise TypeError("session must be text, and sizes numbers")
    except (ValueError, TypeError, KeyError) as error:
        raise Unusable(f"{root}/{MANIFEST}: cannot be read: {error}; begin a new sweep") from None
    return dict(found)


def exists(place: str) -> bool:
    """Whether the storage has a sweep there.

    Raises:
        Unusable: if it cannot be read.
    """
    with _reading(place):
        return manifest(*FileSystem.from_uri(place)) is not None


def refuse_other(place: str) -> None:
    """Keep a new sweep out of a place that has one.

    Raises:
        Unusable: if it has, or cannot be read.
    """
    if exists(place):
        raise Unusable(f"{place} exists and is never overwritten; give another --name, or --resume {place}")


def local(place: str, results: Path) -> Path:
    """The results folder to go on with, at least as new as its mirror.

    The folder wins if the session that wrote it last is the one that wrote the mirror last: the mirror follows it. Else
    another machine has gone on since, and the mirror wins.

    Args:
        place: a results folder, or STORAGE/TASK/NAME.
        results: where results folders are.

    Raises:
        Unusable: if there is no sweep, or it is another one than that of the results folder.
    """
    if "://" not in place and not _is_file(Path(place) / MANIFEST):
        folder = Path(place)
        if mirrored := read(folder).place:
            bring_down(mirrored, folder)
        return folder
    place = storage.join(storage.absolute(place))
    *_, task, name = ["", *place.partition("?")[0].rstrip("/").split("/")]
    if not exists(place):
        raise Unusable(f"--resume {place}: no sweep is there; give STORAGE/TASK/NAME")
    folder = results / task / name
    bring_down(place, folder)
    if read(folder).place != place:
        raise Unusable(f"--resume {place}: this sweep is stored at {read(folder).place}; resume that")
    return folder


def bring_down(place: str, folder: Path) -> None:
    """Copy what a person reads, and a session needs, unless the folder is at least as new; checkpoints stay there.

    Args:
        place: STORAGE/TASK/NAME.
        folder: the results folder; may hold an older copy of the same sweep, and is locked meanwhile.

    Raises:
        Unusable: if one of the two cannot be used, or the folder has another sweep.
    """
    if os.path.realpath(place.removeprefix("file://")) == os.path.realpath(folder):
        raise Unusable(f"{place}: must be elsewhere than the results; give another folder")
    with _reading(place):
        filesystem, root = FileSystem.from_uri(place)
        theirs = manifest(filesystem, root)
        if theirs is None or (_is_file(folder / RECORD) and read(folder).session == theirs["session"]):
            return
        record = parse(storage.read(filesystem, f"{root}/{RECORD}"), f"{root}/{RECORD}")
        _check_same(record, folder)
        files = filesystem.get_file_info(FileSelector(root, recursive=True))
        contents = {}
        for file in files:
            name = file.path.removeprefix(root).lstrip("/")
            parts = PurePosixPath(name).parts
            if file.type == FileType.File and parts[0] not in STAYS and ".." not in parts and name != MANIFEST:
                contents[name] = storage.read(filesystem, file.path)[: theirs["sizes"].get(name)]
    # until a session goes on with it, it is an older copy
    _put(folder, contents | {RECORD: replace(record, session="").text().encode()})


def _put(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write the files into the folder, the record last: without it the folder is no sweep's."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with held(folder):
            for name in GROWING:
                (folder / name).unlink(missing_ok=True)
            for name in sorted(contents, key=lambda name: name == RECORD):
                if contents[name]:
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    write_whole(folder / name, contents[name])
    except OSError as error:
        raise Unusable(f"{folder} cannot be written: {error.strerror or error}; give another folder") from None


def _check_same(theirs: Record, folder: Path) -> None:
    """Refuse to write over what is not an older copy of the same sweep."""
    if not folder.exists() or not any(path.name != LOCK for path in folder.iterdir()):
        return
    ours = read(folder)
    if (ours.arguments, ours.fixed) != (theirs.arguments, theirs.fixed):
        raise Unusable(f"{folder} has another sweep, and is never overwritten; give another folder")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long: that it is no sweep's is said later
        return False


@contextlib.contextmanager
def _reading(place: str) -> Iterator[None]:
    try:
        yield
    except Unusable:
        raise
    except storage.FAILS as error:
        raise Unusable(f"{place}: cannot be read: {storage.reason(error)}") from None
