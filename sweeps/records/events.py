"""`events.jsonl`: everything that happened in a sweep, one JSON object per line, in order. It is only appended to."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ae.errors import UserError
from sweeps.storage.folder import EVENTS

SYNC_S = 1.0
"""Seconds between two syncs to the disk, at least. A process that is killed loses nothing that was written; only when
the machine itself goes down can the events since the last sync be lost, and then their epochs are trained again."""


class EventLog:
    """Appends events to a results folder's log: kept in memory until `flush` writes them in one go.

    A line that was cut off when an earlier process died is removed at once.

    Args:
        folder: the results folder, locked by this process.

    Raises:
        OSError: if the file cannot be opened.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / EVENTS
        self.waiting: list[str] = []
        self.synced, self.is_synced = -SYNC_S, True
        """When the last sync was, by the monotonic clock; and whether all that was written is on the disk."""
        with self.path.open("ab") as file:
            whole = _whole_size(self.path)
            if file.tell() != whole:
                file.truncate(whole)

    def append(self, event: Mapping[str, Any]) -> None:
        """Add an event; `flush` writes it."""
        self.waiting.append(json.dumps(_plain(event), allow_nan=False, separators=(",", ":")) + "\n")

    def flush(self, sync: bool = False) -> bool:
        """Write what is waiting; cheap if nothing is.

        Args:
            sync: have it on the disk now, not only once a second.

        Returns:
            Whether everything is on the disk.

        Raises:
            OSError: if it cannot be written, for example because the disk is full; a later call tries again.
        """
        due = sync or time.monotonic() - self.synced >= SYNC_S
        if not self.waiting and (self.is_synced or not due):
            return self.is_synced
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            size = os.fstat(descriptor).st_size
            content = memoryview("".join(self.waiting).encode())
            try:
                while content:
                    content = content[os.write(descriptor, content) :]
                if due:
                    os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, size)  # no later line may follow half a line
                raise
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from None
        finally:
            os.close(descriptor)
        self.waiting.clear()
        self.is_synced = due
        if due:
            self.synced = time.monotonic()
        return due


def read_events(folder: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The events of a results folder with their line numbers; a last line that is being written is left out.

    Raises:
        UserError: if the file cannot be read, or a line is not an event.
    """
    path = folder / EVENTS
    if not path.exists():
        return
    try:
        file = path.open("rb")
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None
    with file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            try:
                event = json.loads(line)
                if not isinstance(event["event"], str):
                    raise TypeError
            except (ValueError, TypeError, KeyError, RecursionError):
                raise UserError(f"{path}, line {number}: not an event of a sweep; the file is damaged") from None
            yield number, event


def _whole_size(path: Path) -> int:
    """Bytes up to the end of the last whole line."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        block = 1 << 16
        for end in range(size, 0, -block):
            start = max(0, end - block)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
    return 0


def _plain(value: Any) -> Any:
    """The value with NaN and infinities as text, since JSON has no such numbers; float() reads it back."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
