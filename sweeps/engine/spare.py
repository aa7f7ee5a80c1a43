"""Cores that no trial uses, for those that train on: a file says how many train now."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class SpareCores:
    """What the trials of one machine share. The driver writes; whatever cannot be written or read costs some speed."""

    path: str
    """Of the file."""
    threads: int
    """Of all trials together, when there are as many as there is room for."""

    def tell(self, training: int) -> None:
        """Say how many trials train now."""
        path = Path(self.path)
        with contextlib.suppress(OSError):
            path.with_suffix(".new").write_text(str(training))
            os.replace(path.with_suffix(".new"), path)

    def share(self) -> int:
        """Threads for each of those that train now; 0 where it is not known."""
        with contextlib.suppress(OSError, ValueError):
            return self.threads // max(1, int(Path(self.path).read_text()))
        return 0
