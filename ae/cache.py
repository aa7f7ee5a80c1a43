"""Where files go that a machine makes once, such as the compiled kernels: the user's cache, or a private folder."""

from __future__ import annotations

import contextlib
import functools
import os
import stat
import tempfile
from pathlib import Path

NAME = "lstm-ae-sweeps"


def cache_folder() -> Path:
    """This project's folder in the user's cache: below XDG_CACHE_HOME, or below ~/.cache if that is not set.

    Without a home folder that can be written, as in many containers, it is `private_folder`.
    """
    if given := os.environ.get("XDG_CACHE_HOME"):
        return Path(given) / NAME
    home = home_folder()
    folder = home / ".cache" / NAME if home else None
    return folder if folder and is_writable(folder) else private_folder()


def home_folder() -> Path | None:
    """The user's home; None for a user without HOME who is not in the list of users, as in some containers."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def is_writable(path: Path) -> bool:
    """Whether files and folders can be made in a folder, or the folder itself, where it is not there yet."""
    nearest = next(one for one in (path.absolute(), *path.absolute().parents) if os.path.exists(one))
    return os.path.isdir(nearest) and os.access(nearest, os.W_OK | os.X_OK)


def private_folder() -> Path:
    """The user's own folder in the temporary folder, which nobody else can read or write.

    Raises:
        OSError: if there is no temporary folder that can be written.
    """
    folder = Path(tempfile.gettempdir()) / f"{NAME}-{os.getuid()}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    is_own = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not stat.S_IMODE(found.st_mode) & 0o077
    return folder if is_own else _another_folder()


@functools.cache
def _another_folder() -> Path:
    """A private folder of this process, where somebody else has taken the name of the user's own."""
    return Path(tempfile.mkdtemp(prefix=f"{NAME}-"))
