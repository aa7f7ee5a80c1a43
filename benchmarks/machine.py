"""The machine and the versions that a figure belongs to."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The repository."""

LOAD = os.getloadavg()[0]
"""One-minute load average when this file was imported, before any benchmark: what others made the machine do."""

PACKAGES = ("torch", "ray", "optuna", "numpy")


def describe() -> dict[str, str]:
    """What stands beside every result: processor, memory, system, versions, commit, load, date."""
    return {
        "cpu": _cpu(),
        "cores": str(len(os.sched_getaffinity(0))),
        "ram": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB",
        "os": platform.platform(),
        "python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
        "commit": _commit(),
        "load before": f"{LOAD:.2f}",
        "date": time.strftime("%Y-%m-%d %H:%M:%S"),
    }


def _cpu() -> str:
    """The model name of the first processor and the width of its vectors, as Linux says them."""
    lines = [line.partition(":") for line in Path("/proc/cpuinfo").read_text().splitlines()]
    facts = {name.strip(): value.strip() for name, _, value in reversed(lines)}
    vectors = "AVX-512" if "avx512f" in facts.get("flags", "") else "no AVX-512"
    return f"{facts.get('model name', platform.machine())}, {vectors}"


def _commit() -> str:
    git = ["git", "-C", str(ROOT)]
    try:
        commit = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
        changed = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True).stdout.strip()
    except OSError:  # no git here
        return "unknown"
    return f"{commit or 'unknown'}{', with uncommitted changes' if changed else ''}"
