"""Where trials keep their state: two files a trial, each written whole, each with its checksum."""

from __future__ import annotations

import contextlib
import hashlib
import io
import pickle
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pyarrow import ArrowException
from pyarrow.fs import FileSelector, FileSystem, FileType, LocalFileSystem

from sweeps.records.ledger import Entry
from sweeps.storage import filesystem as storage

KEPT = 2
"""Checkpoints of a trial that stay: the last, and the one before in case the last is damaged."""

NAME = re.compile(r"epoch-(\d+)\.pt")
DIGEST = hashlib.sha256().digest_size


class Damaged(Exception):
    """A checkpoint that is not what was written."""


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
        OSError: from any method, where the place cannot be read or written.
    """

    def __init__(self, place: str) -> None:
        self.filesystem, self.root = FileSystem.from_uri(place)

    def within_reach(self) -> bool:
        """Whether this machine sees the sweep's folder, where it is one: a machine of its own would write its own."""
        parent = self.root.rpartition("/")[0]
        return not isinstance(self.filesystem, LocalFileSystem) or Path(parent).is_dir()

    def save(self, trial: str, epoch: int, state: dict[str, Any]) -> None:
        """Keep a state, of which no reader ever sees a part."""
        content = io.BytesIO()
        torch.save(state, content)
        payload = content.getvalue()
        storage.write(self.filesystem, self._path(trial, epoch), hashlib.sha256(payload).digest() + payload)
        there = self.epochs(trial)
        kept = [other for other in there if other <= epoch][-KEPT:]  # `load` has passed over those of later epochs
        for other in set(there) - set(kept):
            self.filesystem.delete_file(self._path(trial, other))

    def load(self, trial: str) -> Found:
        """The trial's newest whole state; damaged ones are passed over, and said."""
        damaged = []
        for epoch in reversed(self.epochs(trial)):
            try:
                state = self._read(self._path(trial, epoch))
            except Damaged as why:
                damaged.append(f"its checkpoint of epoch {epoch} is damaged ({why})")
                continue
            return Found(state=state, warning=_words(damaged, f"goes on from epoch {epoch}"))
        return Found(state=None, warning=_words(damaged, "starts again"))

    def epochs(self, trial: str) -> list[int]:
        """Epochs of which the trial has a checkpoint, ascending."""
        files = self.filesystem.get_file_info(FileSelector(f"{self.root}/{trial}", allow_not_found=True))
        matches = (NAME.fullmatch(file.base_name) for file in files if file.type == FileType.File)
        return sorted(int(match[1]) for match in matches if match)

    def trials(self) -> set[str]:
        """The trials that have a folder here."""
        there = self.filesystem.get_file_info(FileSelector(self.root, allow_not_found=True))
        return {one.base_name for one in there if one.type == FileType.Directory}

    def drop(self, trial: str) -> None:
        """Remove what the trial kept, which it needs no more."""
        if self.epochs(trial):
            with contextlib.suppress(FileNotFoundError):  # Google's storage has no folder, once its files are gone
                self.filesystem.delete_dir(f"{self.root}/{trial}")

    def _path(self, trial: str, epoch: int) -> str:
        return f"{self.root}/{trial}/epoch-{epoch:06d}.pt"

    def _read(self, path: str) -> dict[str, Any]:
        content = storage.read(self.filesystem, path)
        digest, payload = content[:DIGEST], content[DIGEST:]
        if hashlib.sha256(payload).digest() != digest:
            raise Damaged("its checksum does not match")
        try:
            state: dict[str, Any] = torch.load(io.BytesIO(payload), weights_only=True, map_location="cpu")
        except (RuntimeError, ValueError, EOFError, pickle.UnpicklingError, ArrowException) as error:
            raise Damaged(str(error).splitlines()[0]) from None
        return state


class Tidy:
    """Removes the checkpoints of trials that have ended.

    Args:
        checkpoints: of the sweep.
        later: where their names go instead, if the checkpoints are to stay a while.
    """

    def __init__(self, checkpoints: Checkpoints, later: list[str] | None = None) -> None:
        self.checkpoints, self.later = checkpoints, later

    def ended(self, entry: Entry) -> None:
        """A trial will not go on; what cannot be removed now is left to the end of the phase."""
        with contextlib.suppress(OSError):
            self.drop([entry.name])

    def drop(self, names: Iterable[str]) -> None:
        """Remove what these trials kept."""
        if self.later is not None:
            self.later += names
            return
        for name in names:
            self.checkpoints.drop(name)


def _words(damaged: list[str], then: str) -> str:
    return "; ".join([*damaged, f"the trial {then}"]) if damaged else ""
