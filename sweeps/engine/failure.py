"""Why a trial failed, as Ray leaves it."""

from __future__ import annotations

from pathlib import Path

PROCESS_DIED = "The actor is dead because its worker process has died"
"""The start of Ray's message when a process died for a reason that Ray does not know."""
MACHINE_DIED = "The actor died because its node has died"
"""Part of Ray's message when the machine of a process is gone."""
NO_MESSAGE = "its process died without an error message: killed, out of memory, or crashed"


def last_line(error_file: str | None) -> str:
    """The last line of a trial's most recent error.

    For a CUDA error it is the line that says what happened, not the advice after it.
    """
    lines = [line.strip() for line in _last(error_file).splitlines() if line.strip()]
    return next((line for line in reversed(lines) if "CUDA error: " in line), lines[-1] if lines else NO_MESSAGE)


def machine_died(error_file: str | None) -> bool:
    """Whether a trial's most recent error is the loss of its machine."""
    return MACHINE_DIED in _last(error_file)


def _last(error_file: str | None) -> str:
    """The last failure in a trial's error file on this machine; Trial.get_error looks where it is copied to later."""
    if error_file is None or not Path(error_file).exists():
        return ""
    return Path(error_file).read_text(errors="replace").rpartition("Failure # ")[2]
