"""A sweep that is stored elsewhere, brought to a results folder of this machine."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from pyarrow.fs import FileSelector, FileSystem, FileType

from ae.errors import UserError
from ae.files import write_whole
from sweeps.storage.filesystem import STORAGE_ERRORS, absolute, is_file, join, read_file, reason
from sweeps.storage.folder import CURVES, EVENTS, LOCK, PLAN, STUDY, TRIALS, locked

MANIFEST = "mirror.json"
"""Says which session wrote the storage last."""
NOT_FETCHED = ("checkpoints", "ray")
"""Folders of the storage that stay there."""


def manifest(filesystem: FileSystem, root: str) -> str | None:
    """The session that wrote a storage last; None if there is no sweep.

    Raises:
        OSError: if the storage cannot be read.
        UserError: if the manifest is damaged.
    """
    if not is_file(filesystem, f"{root}/{MANIFEST}"):
        return None
    try:
        session = json.loads(read_file(filesystem, f"{root}/{MANIFEST}"))["session"]
        if not isinstance(session, str):
            raise TypeError("session must be text")
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{root}/{MANIFEST}: cannot be read: {error}; begin a new sweep") from None
    return session


def exists(place: str) -> bool:
    """Whether the storage has a sweep there.

    Raises:
        UserError: if it cannot be read.
    """
    with _reading(place):
        return manifest(*FileSystem.from_uri(place)) is not None


def refuse_existing(place: str) -> None:
    """Keep a new sweep out of a place that has one.

    Raises:
        UserError: if it has, or cannot be read.
    """
    if exists(place):
        raise UserError(f"{place} exists and is never overwritten; give another --name, or --resume {place}")


def fetch(place: str, results: Path) -> Path:
    """The results folder of a sweep, at least as new as its copy in the storage.

    Args:
        place: a results folder, or STORAGE/TASK/NAME.
        results: where results folders are.

    Raises:
        UserError: if there is no sweep, or the results folder has another one.
    """
    if "://" not in place and not _is_local_file(Path(place) / MANIFEST):
        folder = Path(place)
        if stored := stored_at(folder):
            bring_down(stored, folder)
        return folder
    place = join(absolute(place))
    *_, task, name = ["", *place.partition("?")[0].rstrip("/").split("/")]
    if not exists(place):
        raise UserError(f"--resume {place}: there is no sweep there; give STORAGE/TASK/NAME")
    folder = results / task / name
    bring_down(place, folder)
    if (stored := stored_at(folder)) != place:
        raise UserError(f"--resume {place}: this sweep is stored at {stored}; resume that")
    return folder


def stored_at(folder: Path) -> str:
    """STORAGE/TASK/NAME of the sweep in a results folder; empty if it has no storage or cannot be read."""
    try:
        plan = json.loads((folder / PLAN).read_bytes())
        return join(plan["storage"], plan["task"], plan["name"]) if plan["storage"] else ""
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return ""  # whoever reads the plan says what is wrong with it


def bring_down(place: str, folder: Path) -> None:
    """Copy what a person reads and a session needs, unless the folder is at least as new; checkpoints stay there.

    The folder is at least as new if its `events.jsonl` begins with all that the storage has: events are only appended.
    Otherwise another machine has continued, and the storage wins.

    Args:
        place: STORAGE/TASK/NAME.
        folder: the results folder; may hold an older copy of the same sweep, and is locked meanwhile.

    Raises:
        UserError: if one of the two cannot be used, or the folder has another sweep.
    """
    if os.path.realpath(place.removeprefix("file://")) == os.path.realpath(folder):
        raise UserError(f"{place}: must be outside the results folder; give another folder")
    with _reading(place):
        filesystem, root = FileSystem.from_uri(place)
        if manifest(filesystem, root) is None:
            return
        _check_same(read_file(filesystem, f"{root}/{PLAN}"), folder)
        if _is_as_new(folder, filesystem, root):
            return
        contents = {}
        for file in filesystem.get_file_info(FileSelector(root, recursive=True)):
            name = file.path.removeprefix(root).lstrip("/")
            parts = PurePosixPath(name).parts
            if file.type == FileType.File and parts[0] not in NOT_FETCHED and ".." not in parts and name != MANIFEST:
                contents[name] = read_file(filesystem, file.path)
    _put(folder, contents)


def _is_as_new(folder: Path, filesystem: FileSystem, root: str) -> bool:
    if not _is_local_file(folder / PLAN):
        return False
    theirs = read_file(filesystem, f"{root}/{EVENTS}") if is_file(filesystem, f"{root}/{EVENTS}") else b""
    ours = (folder / EVENTS).read_bytes() if (folder / EVENTS).exists() else b""
    return ours.startswith(theirs[: theirs.rfind(b"\n") + 1])


def _put(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write the files into the folder, the plan last: without it the folder is not a sweep's."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder):
            for name in (EVENTS, CURVES, TRIALS, STUDY):
                (folder / name).unlink(missing_ok=True)
            for name in sorted(contents, key=lambda name: name == PLAN):
                if contents[name]:
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    write_whole(folder / name, contents[name])
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror or error}; give another folder") from None


def _check_same(theirs: bytes, folder: Path) -> None:
    """Refuse to write over anything but an older copy of the same sweep."""
    if not folder.exists() or not any(path.name != LOCK for path in folder.iterdir()):
        return
    ours = (folder / PLAN).read_bytes() if _is_local_file(folder / PLAN) else b""
    if _identity(ours) != _identity(theirs):
        raise UserError(f"{folder} holds another sweep, and is never overwritten; give another folder")


def _identity(plan: bytes) -> Any:
    """What no later session changes in a plan, and what tells sweeps apart."""
    try:
        found = json.loads(plan)
        return found["task"], found["name"], found["storage"], found["commands"][0]
    except (ValueError, TypeError, KeyError, IndexError):
        return None


def _is_local_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long; whoever reads it says so
        return False


@contextlib.contextmanager
def _reading(place: str) -> Iterator[None]:
    try:
        yield
    except UserError:
        raise
    except STORAGE_ERRORS as error:
        raise UserError(f"{place}: cannot be read: {reason(error)}") from None
