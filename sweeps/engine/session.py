"""Ray: started or joined for the time of a sweep, and shut down."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray

from ae.errors import UserError
from sweeps.config.cpus import usable_cpus
from sweeps.config.plan import Plan
from sweeps.config.words import one_line
from sweeps.engine.signals import heed_signals

CONNECT_S = 5.0
"""Seconds within which a cluster's address must answer."""


@contextmanager
def ray_session(plan: Plan) -> Iterator[str | None]:
    """Ray for the time of a sweep: a running cluster, or one of this machine's own that ends with the sweep.

    Yields:
        The address of Ray's dashboard, if there is one.

    Raises:
        UserError: if there is no cluster at `plan.resources.address`, or Ray cannot start here.
    """
    used = plan.resources
    level = logging.INFO if used.verbose else logging.CRITICAL  # the tables tell of failed trials
    options: dict[str, Any] = {"log_to_driver": used.verbose, "logging_level": level}
    logging.getLogger("ray").setLevel(level)
    already, url = ray.is_initialized(), None
    if not already and used.address:
        url = _join(used.address, options)
    elif not already:
        url = _start(used.dashboard, options)
    heed_signals()
    try:
        yield f"http://{url}" if url else None
    finally:
        if not already:
            ray.shutdown()


def _start(dashboard: bool, options: dict[str, Any]) -> str | None:
    """Start Ray on this machine alone; returns its dashboard."""
    try:
        local = {"num_cpus": usable_cpus(), "dashboard_host": "127.0.0.1", "include_dashboard": dashboard}
        url: str | None = ray.init(address="local", **local, **options).dashboard_url
        return url
    except Exception as error:  # Ray raises this very class if the machine is too busy to start it in time
        hint = "if the machine is busy, try again; or set RAY_TMPDIR to a short, writable path for its files"
        raise UserError(f"Ray cannot start here: {one_line(error)}; {hint}") from None


def _join(address: str, options: dict[str, Any]) -> str | None:
    """Connect to a running cluster; Ray alone would try for minutes if nothing answers. Returns its dashboard."""
    if address.startswith("ray://"):
        raise UserError(f"--address {address}: Ray Client is not supported; use auto on a machine of the cluster")
    host, _, port = address.rpartition(":")
    try:
        if host:
            socket.create_connection((host, int(port)), timeout=CONNECT_S).close()
        url: str | None = ray.init(address=address, **options).dashboard_url
        return url
    except (OSError, RuntimeError, ValueError, OverflowError) as error:
        token = os.environ.get("RAY_AUTH_MODE") == "token"
        hint = "" if token else "; a cluster with token authentication needs RAY_AUTH_MODE=token and its token"
        raise UserError(f"--address {address}: no Ray cluster answers: {one_line(error)}{hint}") from None
