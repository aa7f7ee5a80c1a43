"""Where a Ray of this machine's own keeps its files: in its usual folders, or a private one if they cannot be used."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path

from ae.errors import UserError

SOCKET_BYTES = 103 if sys.platform == "darwin" else 107
"""The longest path of a socket."""
SOCKET = f"/session_2026-12-31_23-59-59_999999_{os.getpid()}/sockets/plasma_store"
"""The longest one that Ray makes in its folder; the number is that of this process."""
LONGEST = SOCKET_BYTES - len(SOCKET)
"""Bytes of the path of Ray's folder."""
ROOM = 8 << 20
"""Bytes that must be free there for Ray's logs, in any case."""
SHORT_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")
SHARED_MEMORY = Path("/dev/shm")

log = logging.getLogger(__name__)


def ray_folder() -> str | None:
    """A private folder for Ray's sockets and logs; None if its usual one can be used, $RAY_TMPDIR, $TMPDIR or /tmp.

    Raises:
        UserError: if RAY_TMPDIR cannot be used, or no folder can; the message says why.
    """
    usual = usual_folder()
    trouble = why_not(usual)
    if not trouble:
        return None
    if os.environ.get("RAY_TMPDIR"):
        raise UserError(f"RAY_TMPDIR: {trouble}; set it to a short folder that you can write, or unset it")
    for folder in SHORT_FOLDERS:
        if not why_not(os.path.join(folder, "ray-12345678", "r")):
            return os.path.join(tempfile.mkdtemp(prefix="ray-", dir=folder), "r")  # Ray opens its folder to everybody
    raise UserError(f"Ray has no folder for its files: {trouble}; set RAY_TMPDIR to a short folder that you can write")


def usual_folder() -> str:
    """Where Ray keeps its sockets and logs by itself."""
    on_linux = os.environ.get("TMPDIR") if sys.platform == "linux" else None
    return os.path.join(os.environ.get("RAY_TMPDIR") or on_linux or "/tmp", "ray")


def why_not(folder: str) -> str:
    """Why Ray cannot keep its files in a folder, which it makes; empty if it can."""
    path = os.fsencode(folder)
    try:
        path.decode()
    except UnicodeDecodeError:
        return f"the path {folder} is not UTF-8"
    if len(path) > LONGEST:
        return f"the path {folder} has {len(path)} bytes, and a path that holds sockets at most {LONGEST}"
    nearest = next(one for one in (Path(folder), *Path(folder).parents) if os.path.exists(one))
    try:
        with tempfile.TemporaryFile(dir=nearest) as file:
            file.write(bytes(ROOM))
    except OSError as error:
        return f"{nearest} cannot be written: {error.strerror}"
    return ""


def data_folder(folder: str | None) -> str | None:
    """Where Ray keeps its data, the objects that processes share; None for its usual place, shared memory.

    Ray looks for room there itself, but not for permission.

    Args:
        folder: Ray's private folder, if it has one.

    Raises:
        UserError: if there is no shared memory.
    """
    if sys.platform != "linux" or os.access(SHARED_MEMORY, os.W_OK | os.X_OK):
        return None
    if not SHARED_MEMORY.exists():
        raise UserError(f"Ray needs shared memory, and there is no {SHARED_MEMORY}; mount a tmpfs there")
    slow = os.path.dirname(folder) if folder else tempfile.gettempdir()
    log.warning("%s cannot be written: Ray shares data through %s, which is slower", SHARED_MEMORY, slow)
    return slow


def remove(folder: str | None) -> None:
    """Remove Ray's private folder."""
    if folder:
        shutil.rmtree(os.path.dirname(folder), ignore_errors=True)
