"""Ray: started or joined for the time of a sweep, and shut down."""

from __future__ import annotations

import logging
import os
import shlex
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import ray

from ae.errors import UserError
from sweeps.config.cpus import usable_cpus
from sweeps.config.plan import Plan
from sweeps.config.words import one_line
from sweeps.engine.limits import check_limits, low_limits
from sweeps.engine.ray_files import data_folder, ray_folder, remove, usual_folder
from sweeps.engine.signals import heed_signals
from sweeps.storage.home import ray_token

CONNECT_S = 5.0
"""Seconds within which a cluster's address must answer."""


@contextmanager
def ray_session(plan: Plan) -> Iterator[str | None]:
    """Ray for the time of a sweep: a running cluster, or one of this machine's own that ends with the sweep.

    Yields:
        The address of Ray's dashboard, and how to get its token, in words; None without a dashboard.

    Raises:
        UserError: if there is no cluster at `plan.resources.address`, or Ray cannot start here.
    """
    used = plan.resources
    level = logging.INFO if used.verbose else logging.CRITICAL  # the tables tell of failed trials
    options: dict[str, Any] = {"log_to_driver": used.verbose, "logging_level": level}
    logging.getLogger("ray").setLevel(level)
    with ExitStack() as stack:
        url = None
        if not ray.is_initialized():
            start = _joined(used.address, options) if used.address else _started(used.dashboard, options)
            url = stack.enter_context(start)
        heed_signals()
        yield f"http://{url} (if it asks for a token: {_token_command()})" if url else None


@contextmanager
def _started(dashboard: bool, options: dict[str, Any]) -> Iterator[str | None]:
    """Ray on this machine alone; gives its dashboard."""
    check_limits()
    folder = ray_folder()
    local = {"num_cpus": usable_cpus(), "dashboard_host": "127.0.0.1", "include_dashboard": dashboard}
    places = {"_temp_dir": folder, "_plasma_directory": data_folder(folder)}
    with ray_token():
        try:
            url: str | None = ray.init(address="local", **local, **places, **options).dashboard_url
        except Exception as error:  # Ray raises this very class if the machine is too busy to start it in time
            hint = low_limits() or "if the machine is busy, try again"
            logs = f"Ray's logs are below {folder or usual_folder()}"
            raise UserError(f"Ray cannot start here: {one_line(error)}; {hint}; {logs}") from None
        try:
            yield url
        finally:
            ray.shutdown()
            remove(folder)


def _token_command() -> str:
    path = os.environ.get("RAY_AUTH_TOKEN_PATH")
    return f"cat {shlex.quote(path)}" if path else "ray get-auth-token"


@contextmanager
def _joined(address: str, options: dict[str, Any]) -> Iterator[str | None]:
    """A connection to a running cluster; Ray alone would try for minutes if nothing answers. Gives its dashboard."""
    if address.startswith("ray://"):
        raise UserError(f"--address {address}: Ray Client is not supported; use auto on a machine of the cluster")
    host, _, port = address.rpartition(":")
    try:
        if host:
            socket.create_connection((host, int(port)), timeout=CONNECT_S).close()
        url: str | None = ray.init(address=address, **options).dashboard_url
    except (OSError, RuntimeError, ValueError, OverflowError) as error:
        token = os.environ.get("RAY_AUTH_MODE") == "token"
        hint = "" if token else "; a cluster with token authentication needs RAY_AUTH_MODE=token and its token"
        raise UserError(f"--address {address}: no Ray cluster answers: {one_line(error)}{hint}") from None
    try:
        yield url
    finally:
        ray.shutdown()
