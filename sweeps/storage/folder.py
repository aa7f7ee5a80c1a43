"""The results folder of a sweep: made once, used by one session at a time, gone on with."""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from ae.files import write_whole

RECORD, SPACE, LOCK = "sweep.json", "space.yaml", "lock"
LOOKS = 5
"""Times that a session tries to get the folder, a tenth of a second apart: whoever looks has it for a moment."""


class Unusable(ValueError):
    """The folder is not there, is not a sweep's, is damaged, or is in use."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """What a session must know to go on with a sweep."""

    arguments: list[str]
    """The command line that began it, as typed."""
    trials: int
    """Of the search, those that were added since included."""
    top_k: int | None = None
    """Configurations to retrain, once some were added; None as it began."""
    seeds: int | None = None
    """Retrainings of each of them, once some were added; None as it began."""
    fixed: list[str] = field(default_factory=list)
    """Options after the arguments: its name, and its paths made absolute."""
    defaults: dict[str, Any] = field(default_factory=dict)
    """What the arguments leave to the task, as it was then; `sweeps.defaults` reads it."""
    finished: bool = False
    """Whether its best models have met the test split."""
    place: str = ""
    """STORAGE/TASK/NAME, if it has a storage."""
    session: str = ""
    """Tells the session that wrote the folder last from all others."""
    data_sha256: str = ""
    """Of --data, as `sweeps.data_hash` has it; empty without it, and in a record from before there was one."""
    data: str = ""
    """Where --data lies, once a session found it elsewhere; empty while it is where it was."""

    def text(self) -> str:
        """What the file has."""
        return json.dumps(asdict(self), indent=1) + "\n"

    def write(self, folder: Path) -> None:
        """Keep it in the folder, whole."""
        write_whole(folder / RECORD, self.text())


def read(folder: Path) -> Record:
    """The record of a sweep.

    Raises:
        Unusable: if there is none that can be read.
    """
    path = folder / RECORD
    try:
        return parse(path.read_bytes(), path)
    except (FileNotFoundError, NotADirectoryError):
        inside = ", ".join(sorted(str(path.parent) for path in folder.glob(f"*/{RECORD}")))
        rule = f"it has no {RECORD}" + (f", but there are {inside}" if inside else "")
        raise Unusable(f"--resume {folder}: not the results folder of a sweep: {rule}") from None
    except OSError as error:
        raise Unusable(f"{path}: cannot be read: {error}") from None


def parse(content: bytes, path: Path | str) -> Record:
    """The record that a file has.

    Raises:
        Unusable: if it is damaged, naming the path.
    """
    try:
        record = Record(**json.loads(content))
        lists = (record.arguments, record.fixed)
        numbers = (record.trials, record.top_k or 0, record.seeds or 0)
        if not all(isinstance(one, list) for one in lists) or not all(isinstance(number, int) for number in numbers):
            raise TypeError("arguments and fixed must be lists, and trials, top_k and seeds numbers")
        texts = (*record.arguments, *record.fixed, record.place, record.session, record.data_sha256, record.data)
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("every argument, place, session, hash and data must be text")
        if not isinstance(record.defaults, dict):
            raise TypeError("defaults must be an object")
        return record
    except (ValueError, TypeError, RecursionError) as error:
        raise Unusable(f"{path}: cannot be read: {error}") from None


def make(folder: Path, record: Record, space: Path | None) -> None:
    """Make a new results folder, with its record and the user's search space, if there is one.

    Raises:
        Unusable: if it is there already, or cannot be made.
    """
    try:
        folder.mkdir(parents=True)
        if space:
            shutil.copyfile(space, folder / SPACE)
        record.write(folder)
    except FileExistsError:
        raise Unusable(f"{folder} was made by another sweep a moment ago; give another --name") from None
    except OSError as error:
        raise Unusable(f"{folder} cannot be made: {error.strerror}; give another --results or --name") from None


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep every other session out; the operating system lets go of it if this process dies.

    Raises:
        Unusable: if another session has it.
    """
    try:
        file = (folder / LOCK).open("w")
    except OSError as error:
        raise Unusable(f"{folder} cannot be written: {error.strerror}") from None
    with file:
        try:
            _lock(file)
        except BlockingIOError:
            raise Unusable(f"{folder} is in use by a sweep that runs; wait for it, or stop it") from None
        except OSError as error:
            raise Unusable(f"{folder} cannot be locked: {error.strerror}; give --results on another disk") from None
        yield


def _lock(file: IO[str]) -> None:
    for look in range(LOOKS):
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if look == LOOKS - 1:
                raise
            time.sleep(0.1)


def in_use(folder: Path) -> bool:
    """Whether a session of this machine holds the folder; one of another machine may not be seen."""
    try:
        with (folder / LOCK).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # there is no lock in a copy
        pass
    return False
