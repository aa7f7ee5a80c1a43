"""A place for the files that libraries keep in the home folder, where there is no home folder to write to."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from ae.cache import cache_folder, home_folder, is_writable, private_folder

TOKEN_VARIABLES = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
"""Where Ray looks for the token of its cluster; after them in ~/.ray."""


def settle_home() -> None:
    """Let libraries write into private folders where the home folder is unknown or cannot be written.

    Ray and matplotlib cannot even be imported without a home folder. One that can only be read stays the home: keys of
    a bucket may be there.
    """
    with contextlib.suppress(OSError):  # no folder can be written; what needs one says so
        home = home_folder()
        if home is None:
            os.environ["HOME"] = str(private_folder())
        elif not is_writable(Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "matplotlib"):
            os.environ.setdefault("MPLCONFIGDIR", str(cache_folder() / "matplotlib"))


@contextlib.contextmanager
def ray_token() -> Iterator[None]:
    """A token for a Ray of this machine's own, where Ray could not write one into ~/.ray.

    Raises:
        OSError: if it cannot be written anywhere.
    """
    usual = Path.home() / ".ray" / "auth_token"
    is_needed = os.environ.get("RAY_AUTH_MODE", "token") == "token" and not any(map(os.environ.get, TOKEN_VARIABLES))
    if not is_needed or os.access(usual, os.R_OK) or is_writable(usual.parent):
        yield
        return
    path = private_folder() / "ray-token"
    with contextlib.suppress(FileExistsError), open(path, "x", opener=_for_its_user_alone) as file:
        file.write(secrets.token_hex(32))
    os.environ["RAY_AUTH_TOKEN_PATH"] = str(path)
    try:
        yield
    finally:
        del os.environ["RAY_AUTH_TOKEN_PATH"]


def _for_its_user_alone(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
