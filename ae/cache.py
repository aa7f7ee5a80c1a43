"""Where things are kept that are made once a machine."""

from __future__ import annotations

import os
from pathlib import Path


def folder() -> Path:
    """The project's part of the user's cache: of XDG_CACHE_HOME, or of ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lstm-ae-sweeps"
