"""Where the compiled kernels are kept, which a machine makes once."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """This project's folder in the user's cache: below XDG_CACHE_HOME, or below ~/.cache if that is not set."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lstm-ae-sweeps"
