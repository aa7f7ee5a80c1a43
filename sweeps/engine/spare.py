"""Idle cores for the running trials: a file says how many trials run now."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class SpareCores:
    """The idle cores that trials of one machine share. The driver writes the file; if that fails, trials are slower."""

    path: str
    """The file's path."""
    threads: int
    """Threads of all trials together when as many run as there is room for."""

    def tell(self, training: int) -> None:
        """Write how many trials run now."""
        path = Path(self.path)
        with contextlib.suppress(OSError):
            path.with_suffix(".new").write_text(str(training))
            os.replace(path.with_suffix(".new"), path)

    def share(self) -> int:
        """Threads for each running trial; 0 if their number is unknown."""
        with contextlib.suppress(OSError, ValueError):
            return self.threads // max(1, int(Path(self.path).read_text()))
        return 0
