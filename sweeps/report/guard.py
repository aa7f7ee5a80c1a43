"""Limits the cost of errors: failed optional work does not end the sweep, an unwritable file costs one line."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from ae.errors import UserError
from sweeps.records.result import SweepResult
from sweeps.storage.crash import keep_traceback, where

T = TypeVar("T")


def attempt(result: SweepResult, what: str, work: Callable[[], T], default: T) -> T:
    """Do optional work whose failure must not cost the sweep.

    A failure adds one line to `result.problems`, and its traceback to the results folder's `errors.log`. The same
    failure of the same work is noted once.

    Args:
        result: of the sweep.
        what: what the work makes, in words, such as "the learning curves".
        work: what to do.
        default: returned if it fails.

    Raises:
        OSError: if the work raised one; on a full disk, nothing else can be written either.
    """
    try:
        return work()
    except OSError:
        raise
    except Exception as error:
        problem = f"{what} could not be made: {where(error)}"
        if not any(noted.startswith(problem) for noted in result.problems):
            kept = keep_traceback(error, result.plan.folder, what)
            place = kept.name if kept.parent == result.plan.folder else kept
            result.problems.append(f"{problem}; the traceback is in {place}")
        return default


@contextlib.contextmanager
def output_file(path: Path) -> Iterator[None]:
    """Report a file that cannot be written to the user who asked for it.

    Raises:
        UserError: in place of an OSError.
    """
    try:
        yield
    except OSError as error:
        name = error.filename2 or error.filename or path  # if renaming failed, `filename` is a temporary file
        raise UserError(f"{name}: cannot be written: {error.strerror or error}") from None
