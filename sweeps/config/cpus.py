"""How many CPUs this process may use; the machine may have more."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path


def usable_cpus() -> int:
    """CPUs that this process may use: those it is bound to, or fewer where a cgroup limits their time.

    `taskset`, Slurm and cpusets bind a process to CPUs; a container limits its time. A limit of 1.5 CPUs counts as 1.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1  # not on macOS
    return max(1, int(min(bound, cpu_limit(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")))))


def cpu_limit(own: Path, root: Path) -> float:
    """CPU time that cgroups allow, in CPUs; infinite without a limit, and where there are no cgroups.

    Args:
        own: lists the cgroups of the process, as `/proc/self/cgroup` does.
        root: where cgroups are mounted, those of version 1 in a folder per controller.

    Source: https://docs.kernel.org/admin-guide/cgroup-v2.html (`cpu.max`),
        https://docs.kernel.org/scheduler/sched-bwc.html (`cpu.cfs_quota_us`)
    """
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return math.inf
    return min((limit for line in lines for limit in _limits(line, root)), default=math.inf)


def _limits(line: str, root: Path) -> Iterator[float]:
    """The limits of one cgroup, such as '4:cpu,cpuacct:/docker/ab', and of those around it."""
    _, controllers, path = line.split(":", 2)
    if controllers and "cpu" not in controllers.split(","):
        return
    mounted = root / controllers
    inside = Path(path.lstrip("/"))
    for folder in (inside, *inside.parents):  # in a container, the path may be that of the host
        files = ("cpu.cfs_quota_us", "cpu.cfs_period_us") if controllers else ("cpu.max",)
        try:
            quota, period = " ".join((mounted / folder / name).read_text() for name in files).split()
            if quota not in ("max", "-1"):
                yield int(quota) / int(period)
        except (OSError, ValueError, ZeroDivisionError):
            continue
