"""A copy of the results folder in the sweep's storage, kept as the sweep goes, and brought back on another machine.

Checkpoints and Ray's own files are written to the storage by those who make them; this is about the rest: tables,
study, report. A copy is never ahead of the folder. Three files only grow, and `mirror.json` says how much of each
belongs together: whatever the driver dies of, cut to these sizes they are the folder as it was at one moment.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pyarrow.fs import FileSystem
from ray import tune

from sweeps.config.plan import Plan
from sweeps.storage import filesystem as storage
from sweeps.storage.checkpoints import Checkpoints
from sweeps.storage.fetch import GROWING, MANIFEST, manifest
from sweeps.storage.folder import LOCK, RECORD, Record

log = logging.getLogger(__name__)

EVERY_S = 3.0
"""Seconds between two copies, at least."""
SILENT_S = 60.0
"""Seconds without a copy after which the user is told."""


class Mirror(tune.Callback):
    """Copies what has changed in the results folder to the storage, in a thread of its own, every few seconds.

    A context manager around the session: on entering, the storage is this session's, and one that still runs elsewhere
    ends at its next copy; on leaving, everything is copied.

    Args:
        plan: of the sweep.

    Raises:
        OSError: from `__enter__` and `__exit__`, if the storage cannot be written; in between it is tried again.
    """

    def __init__(self, plan: Plan) -> None:
        self.folder, self.place, self.session = plan.folder, plan.place, plan.record.session
        self.filesystem, self.root = FileSystem.from_uri(plan.place)
        self.checkpoints = Checkpoints(plan.checkpoints)
        self.sent: dict[str, tuple[int, int]] = {}
        """Of every copied file, when it was changed (ns) and its size."""
        self.ended: list[str] = []
        """Trials whose checkpoints go once the storage's tables say that they have ended."""
        self.worker = ThreadPoolExecutor(1, "mirror")
        self.copying: Future[None] | None = None
        self.copied, self.pause_s = time.monotonic(), EVERY_S
        self.whole = time.monotonic()
        """When the last copy succeeded."""
        self.failing = False
        """Whether the user knows that copies fail."""

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune saves its callbacks' state; a mirror has none

    def __enter__(self) -> Mirror:
        self._copy(self._sizes(), [], claim=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        self.worker.shutdown(wait=True)
        with contextlib.suppress(OSError) if kind else contextlib.nullcontext():
            self._copy(self._sizes(), list(self.ended))

    def finish(self, record: Record) -> None:
        """Say in the storage that the sweep is finished, after the last copy and before the folder says so.

        Raises:
            OSError: if it cannot be written.
        """
        storage.write(self.filesystem, f"{self.root}/{RECORD}", record.text().encode())

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Begin a copy, now and then; here nothing is being written, and so the sizes belong together.

        Raises:
            OSError: if another session has taken the sweep over.
        """
        if time.monotonic() - self.copied < self.pause_s or (self.copying and not self.copying.done()):
            return
        if self.copying:
            self._heed(self.copying.exception())
        self.copied = time.monotonic()
        self.copying = self.worker.submit(self._copy, self._sizes(), list(self.ended))

    def _heed(self, error: BaseException | None) -> None:
        """Say that copies fail, once it is no moment's matter, and that they succeed again."""
        if isinstance(error, OSError) and error.errno == errno.EBUSY:
            raise error
        if error and not self.failing and time.monotonic() - self.whole > SILENT_S:
            self.failing = True
            log.warning("%s: cannot be written: %s; it is tried again, %s has all", self.place, error, self.folder)
        if not error:
            if self.failing:
                log.warning("%s: is written again", self.place)
            self.whole, self.failing = time.monotonic(), False

    def _sizes(self) -> dict[str, int]:
        return {name: path.stat().st_size if (path := self.folder / name).exists() else 0 for name in GROWING}

    def _copy(self, sizes: Mapping[str, int], ended: Iterable[str], claim: bool = False) -> None:
        """Copy what has changed, say how much of it belongs together, and let go of what nobody needs any more."""
        started = time.monotonic()
        theirs = manifest(self.filesystem, self.root)
        if not claim and theirs and theirs["session"] != self.session:
            raise OSError(errno.EBUSY, "another session goes on with this sweep, and this one ends", self.place)
        for path in _files(self.folder):
            name, state = path.relative_to(self.folder).as_posix(), path.stat()
            if self.sent.get(name) != (state.st_mtime_ns, state.st_size):
                storage.write(self.filesystem, f"{self.root}/{name}", path.read_bytes())
                self.sent[name] = (state.st_mtime_ns, state.st_size)
        content = json.dumps({"session": self.session, "sizes": dict(sizes)}) + "\n"
        storage.write(self.filesystem, f"{self.root}/{MANIFEST}", content.encode())
        for name in ended:
            self.checkpoints.drop(name)
            self.ended.remove(name)
        self.pause_s = max(EVERY_S, 9 * (time.monotonic() - started))  # a slow storage is busy for a tenth of the time


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != LOCK and not path.name.endswith((".part", ".lock")):
            yield path
