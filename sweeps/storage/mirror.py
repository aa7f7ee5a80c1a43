"""A copy of the results folder in the sweep's storage, kept while the sweep runs.

Checkpoints and Ray's own files are written to the storage by the processes that make them; the mirror copies the rest.
A copy is never ahead of the folder. A machine that resumes from the copy needs only `events.jsonl`: the tables follow
from it, and a last line that was cut off is dropped.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import sqlite3
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from pyarrow.fs import FileSystem

from sweeps.storage.checkpoints import Checkpoints
from sweeps.storage.fetch import MANIFEST, manifest
from sweeps.storage.filesystem import write_file
from sweeps.storage.folder import EVENTS, LOCK

log = logging.getLogger(__name__)

EVERY_S = 3.0
"""Seconds between two copies, at least."""
SILENT_S = 60.0
"""Seconds without a copy after which the user is told."""


class Mirror:
    """Copies what has changed in the results folder to the storage, in a thread of its own, every few seconds.

    A context manager around the session: on entering, this session takes the storage, and a session that still runs
    elsewhere ends at its next copy; on leaving, everything is copied.

    Args:
        folder: the results folder.
        place: STORAGE/TASK/NAME.
        checkpoints: of the sweep, in the storage.
        session: id of this session.

    Raises:
        OSError: from `__enter__` and `__exit__`, if the storage cannot be written; in between it is tried again.
    """

    def __init__(self, folder: Path, place: str, checkpoints: Checkpoints, session: str) -> None:
        self.folder, self.place, self.session, self.checkpoints = folder, place, session, checkpoints
        self.filesystem, self.root = FileSystem.from_uri(place)
        self.sent: dict[str, tuple[int, int]] = {}
        """Time of change (ns) and size of every file that was copied."""
        self.ended: list[str] = []
        """Trials whose checkpoints go once the storage knows that they have ended."""
        self.worker = ThreadPoolExecutor(1, "mirror")
        self.copying: Future[None] | None = None
        self.began, self.pause_s = time.monotonic(), EVERY_S
        self.succeeded = time.monotonic()
        """When the last copy succeeded."""
        self.is_failing = False
        """Whether the user was told that copies fail."""

    def __enter__(self) -> Mirror:
        self._copy([], claim=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        self.worker.shutdown(wait=True)
        with contextlib.suppress(OSError) if kind else contextlib.nullcontext():
            self._copy(list(self.ended))

    def finish(self, last_events: str) -> None:
        """Write to the storage that the sweep is finished, before the folder says so.

        Args:
            last_events: lines that the folder's `events.jsonl` will have at its end.

        Raises:
            OSError: if it cannot be written.
        """
        content = (self.folder / EVENTS).read_bytes() + last_events.encode()
        write_file(self.filesystem, f"{self.root}/{EVENTS}", content)

    def tick(self) -> None:
        """Start a copy if one is due.

        Raises:
            OSError: if another session has taken the sweep over.
        """
        if time.monotonic() - self.began < self.pause_s or (self.copying and not self.copying.done()):
            return
        if self.copying:
            self._heed(self.copying.exception())
        self.began = time.monotonic()
        self.copying = self.worker.submit(self._copy, list(self.ended))

    def _heed(self, error: BaseException | None) -> None:
        """Warn after a minute of failed copies, and say when they recover."""
        if isinstance(error, OSError) and error.errno == errno.EBUSY:
            raise error
        if error and not self.is_failing and time.monotonic() - self.succeeded > SILENT_S:
            self.is_failing = True
            log.warning("%s: cannot be written: %s; will try again, %s has everything", self.place, error, self.folder)
        if not error:
            if self.is_failing:
                log.warning("%s: can be written again", self.place)
            self.succeeded, self.is_failing = time.monotonic(), False

    def _copy(self, ended: Iterable[str], claim: bool = False) -> None:
        """Copy what has changed, then remove the checkpoints of trials whose end is now in the storage."""
        started = time.monotonic()
        theirs = manifest(self.filesystem, self.root)
        if not claim and theirs != self.session:
            raise OSError(errno.EBUSY, "another process has resumed this sweep, so this one ends", self.place)
        if claim:
            content = json.dumps({"session": self.session}) + "\n"
            write_file(self.filesystem, f"{self.root}/{MANIFEST}", content.encode())
        for path in _files(self.folder):
            name, state = path.relative_to(self.folder).as_posix(), path.stat()
            if self.sent.get(name) != (state.st_mtime_ns, state.st_size):
                write_file(self.filesystem, f"{self.root}/{name}", _content(path))
                self.sent[name] = (state.st_mtime_ns, state.st_size)
        for name in ended:
            self.checkpoints.drop([name])
            self.ended.remove(name)
        self.pause_s = max(EVERY_S, 9 * (time.monotonic() - started))  # a slow storage is busy for a tenth of the time


def _files(folder: Path) -> Iterator[Path]:
    """The files to copy; plan.json comes before what refers to it."""
    for path in sorted(folder.rglob("*"), key=lambda path: (path.name != "plan.json", path)):
        temporary = path.name.endswith((".part", ".lock", "-wal", "-shm", "-journal"))
        if path.is_file() and path.name != LOCK and not temporary:
            yield path


def _content(path: Path) -> bytes:
    """A file's content; a SQLite database as of one moment, though it may be being written.

    Raises:
        OSError: if it cannot be read.
    """
    if path.suffix != ".db":
        return path.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        try:
            with (
                contextlib.closing(sqlite3.connect(path)) as source,
                contextlib.closing(sqlite3.connect(copy)) as target,
            ):
                source.backup(target)
        except sqlite3.Error as error:  # locked for long, or damaged
            raise OSError(errno.EIO, str(error), str(path)) from None
        return copy.read_bytes()
