"""Tracebacks of errors that should not happen, kept in a file: the terminal gets one line."""

from __future__ import annotations

import contextlib
import shlex
import sys
import tempfile
import time
import traceback
from pathlib import Path

from sweeps.storage.folder import ERRORS


def keep_traceback(error: BaseException, folder: Path | None, what: str) -> Path:
    """Append a traceback to the results folder's `errors.log`, or to a file in the temporary folder.

    Args:
        error: what was raised.
        folder: the results folder; None, or one that cannot be written, means the temporary folder.
        what: what was being done, in words.

    Returns:
        The file.
    """
    text = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {what}\n{''.join(traceback.format_exception(error))}\n"
    if folder and folder.is_dir():
        with contextlib.suppress(OSError):
            with (folder / ERRORS).open("a", encoding="utf-8") as file:
                file.write(text)
            return folder / ERRORS
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", prefix="lstm-sweep-", suffix=".log", delete=False) as kept:
        kept.write(text)
    return Path(kept.name)


def where(error: BaseException) -> str:
    """An error's kind, message and innermost place in one line: 'KeyError: 'lr' (sample.py:12)'."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())}{place}"


def report_bug(error: BaseException, folder: Path | None, what: str) -> int:
    """Say in one line that the program itself has failed, and where the traceback is; returns exit status 1."""
    path = keep_traceback(error, folder, what)
    line = f"error: {what} failed: {where(error)}; this is a bug, the traceback is in {path}"
    if folder and folder.is_dir():
        line += f"; what was computed is kept: python sweeps/run.py --resume {shlex.quote(str(folder))}"
    print(line, file=sys.stderr)
    return 1
