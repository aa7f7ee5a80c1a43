"""The results folder of a sweep: the names of its files, and the lock that keeps other processes out."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ae.errors import UserError

PLAN, EVENTS = "plan.json", "events.jsonl"
"""What to do, and what happened; everything below follows from them."""
CURVES, TRIALS, STUDY, SUMMARY, REPORT = "curves.csv", "trials.csv", "study.log", "summary.json", "report.html"
FIGURES, BEST, TENSORBOARD, ERRORS, LOCK = "figures", "best", "tensorboard", "errors.log", "lock"

LOCK_ATTEMPTS = 5
"""Lock attempts, 0.1 s apart: `show.py` holds the lock briefly."""


def make(folder: Path, plan: str) -> None:
    """Make a new results folder that has its plan from the start.

    Raises:
        UserError: if it is there already, or cannot be made.
    """
    new = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        new.mkdir(parents=True)
        (new / PLAN).write_text(plan, encoding="utf-8")
        os.rename(new, folder)
    except OSError as error:
        shutil.rmtree(new, ignore_errors=True)
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
            raise UserError(f"{folder} was made by another sweep a moment ago; give another --name") from None
        raise UserError(f"{folder} cannot be made: {error.strerror}; give another --results or --name") from None


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep every other process out; the operating system releases the lock if this process dies.

    Raises:
        UserError: if another process holds the lock.
    """
    try:
        file = (folder / LOCK).open("w")
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror}") from None
    with file:
        try:
            _lock(file)
        except BlockingIOError:
            raise UserError(f"{folder} is in use by a running sweep; wait for it, or stop it") from None
        except OSError as error:
            raise UserError(f"{folder} cannot be locked: {error.strerror}; give --results on another disk") from None
        yield


def _lock(file: IO[str]) -> None:
    for attempt in range(LOCK_ATTEMPTS):
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if attempt == LOCK_ATTEMPTS - 1:
                raise
            time.sleep(0.1)


def is_locked(folder: Path) -> bool:
    """Whether a process of this machine holds the folder's lock; one of another machine may be invisible."""
    try:
        with (folder / LOCK).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a copied folder has no lock file
        pass
    return False
