"""Limits of this process, which Ray's processes inherit and may not fit into."""

from __future__ import annotations

import os
import resource

from ae.errors import UserError

FEWEST_PROCESSES = 100
"""With fewer processes and threads, Ray ends this process before anything can be said."""
ENOUGH_PROCESSES = 1000


def check_limits() -> None:
    """Refuse a limit with which Ray ends this process.

    Raises:
        UserError: if the user may not have enough processes; the limit does not hold for root.
    """
    most = _limit(resource.RLIMIT_NPROC)
    if os.geteuid() != 0 and most is not None and most < FEWEST_PROCESSES:
        raise UserError(f"Ray needs some hundred processes and threads; raise ulimit -u, which is {most}")


def low_limits() -> str:
    """What a Ray that did not start may have hit, in words; empty without such a limit."""
    low, most, space = [], _limit(resource.RLIMIT_NPROC), _limit(resource.RLIMIT_AS)
    if most is not None and most < ENOUGH_PROCESSES:
        low.append(f"ulimit -u is {most}: raise it")
    if space is not None:
        low.append(f"ulimit -v is {space >> 10}: unlimit it, as Ray reserves more memory than it uses")
    return ", and ".join(low)


def _limit(kind: int) -> int | None:
    soft, _ = resource.getrlimit(kind)
    return None if soft == resource.RLIM_INFINITY else soft
