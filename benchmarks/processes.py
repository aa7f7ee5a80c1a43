"""Commands run to their end, timed from the start of their process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ENVIRONMENT = {"RAY_ADDRESS": "local", "RAY_USAGE_STATS_ENABLED": "0"}
"""Settings of every command: a Ray of its own, even if another one runs, and no usage reports."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """A command that came to its end."""

    started: float
    """Seconds since the epoch when its process was started."""
    wall_s: float
    """Seconds from then to its end, the interpreter's start included."""
    peak_mb: float
    """Largest resident memory of the command's first process in MB, its children not counted."""


def python(arguments: Sequence[str], *, folder: Path, log: Path) -> Ended:
    """Run this interpreter with `arguments` in `folder`, its output in the file `log`.

    Raises:
        RuntimeError: if it fails, with the end of its output.
    """
    with log.open("w") as output:
        started, clock = time.time(), time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | ENVIRONMENT,
        )
        peak_mb = 0.0
        while process.poll() is None:
            peak_mb = max(peak_mb, _peak_mb(process.pid))
            time.sleep(0.05)
        wall_s = time.perf_counter() - clock
    if process.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise RuntimeError(f"{' '.join(arguments)} ended with status {process.returncode}:\n{tail}")
    return Ended(started=started, wall_s=wall_s, peak_mb=peak_mb)


def _peak_mb(pid: int) -> float:
    """The kernel's own high-water mark; 0 once the process is gone."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return int(found[1]) * 1024 / 1e6 if found else 0.0
