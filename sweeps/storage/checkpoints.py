"""Where trials keep their state: two files per trial, each written whole and checked when it is read."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pyarrow.fs import FileSelector, FileSystem, FileType

from ae.files import Damaged, load_torch, torch_bytes
from sweeps.storage.filesystem import read_file, write_file

KEPT = 2
"""Checkpoints of a trial that are kept: the last, and the one before in case the last is damaged."""
SESSION = "session"
"""A file with the id of the session that may write here."""
LOOK_S = 5.0
"""Seconds to look for it: network file systems remember for a while that a file was not there."""

NAME = re.compile(r"epoch-(\d+)\.pt")


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What there was of a trial's checkpoints."""

    state: dict[str, Any] | None
    """The newest state that is whole; None if there is none."""
    warning: str
    """What was damaged, in words; empty if nothing was."""


class Checkpoints:
    """The checkpoints of all the trials of one sweep.

    Args:
        place: a folder, or a URI that pyarrow knows (s3://bucket/folder, gs://...), that every machine of the cluster
            sees.

    Raises:
        OSError: from any method, if the place cannot be read or written.
    """

    def __init__(self, place: str) -> None:
        self.filesystem, self.root = FileSystem.from_uri(place)

    def claim(self, session: str) -> None:
        """Say which session writes here; the driver calls it once."""
        write_file(self.filesystem, f"{self.root}/{SESSION}", session.encode())

    def is_shared(self, session: str) -> bool:
        """Whether this machine sees the id that the driver wrote; a private folder of the same path lacks it."""
        end = time.monotonic() + LOOK_S
        while True:
            with contextlib.suppress(OSError):
                if read_file(self.filesystem, f"{self.root}/{SESSION}").decode(errors="replace") == session:
                    return True
            if time.monotonic() > end:
                return False
            time.sleep(0.2)

    def save(self, trial: str, epoch: int, state: dict[str, Any]) -> None:
        """Keep a state; no reader ever sees a part of it."""
        write_file(self.filesystem, self._path(trial, epoch), torch_bytes(state))
        there = self.epochs(trial)
        kept = [other for other in there if other <= epoch][-KEPT:]  # `load` has passed over those of later epochs
        for other in set(there) - set(kept):
            self.filesystem.delete_file(self._path(trial, other))

    def load(self, trial: str) -> Found:
        """The trial's newest whole state; damaged ones are passed over, with a warning."""
        damaged = []
        for epoch in reversed(self.epochs(trial)):
            try:
                state = load_torch(read_file(self.filesystem, self._path(trial, epoch)), f"{trial}, epoch {epoch}")
            except Damaged as why:
                damaged.append(f"its checkpoint of epoch {epoch} is damaged ({why})")
                continue
            return Found(state=state, warning=_warning(damaged, f"resumes from epoch {epoch}"))
        return Found(state=None, warning=_warning(damaged, "starts again"))

    def epochs(self, trial: str) -> list[int]:
        """Epochs for which the trial has a checkpoint, ascending."""
        files = self.filesystem.get_file_info(FileSelector(f"{self.root}/{trial}", allow_not_found=True))
        matches = (NAME.fullmatch(file.base_name) for file in files if file.type == FileType.File)
        return sorted(int(match[1]) for match in matches if match)

    def trials(self) -> set[str]:
        """The trials that have a folder here."""
        there = self.filesystem.get_file_info(FileSelector(self.root, allow_not_found=True))
        return {one.base_name for one in there if one.type == FileType.Directory}

    def drop(self, trials: Iterable[str]) -> None:
        """Remove the checkpoints of trials that need them no more."""
        for trial in trials:
            if self.epochs(trial):
                with contextlib.suppress(FileNotFoundError):  # Google's storage has no folder once its files are gone
                    self.filesystem.delete_dir(f"{self.root}/{trial}")

    def _path(self, trial: str, epoch: int) -> str:
        return f"{self.root}/{trial}/epoch-{epoch:06d}.pt"


def _warning(damaged: list[str], then: str) -> str:
    return "; ".join([*damaged, f"the trial {then}"]) if damaged else ""
