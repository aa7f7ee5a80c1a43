"""Why a trial failed, as Ray leaves it."""

from __future__ import annotations

from pathlib import Path

PROCESS_DIED = "The actor is dead because its worker process has died"
"""How Ray begins a paragraph on what may have killed a process, which it does not know."""
MACHINE_DIED = "The actor died because its node has died"
"""How Ray says that the machine of a process is gone."""
NO_MESSAGE = "its process died without an error message: killed, out of memory, or crashed"


def last_line(error_file: str | None) -> str:
    """The last line of a trial's error file on this machine; Trial.get_error looks where it is copied to later.

    Of an error of CUDA it is the one that says what, not the advice in the lines after it.
    """
    if error_file is None or not Path(error_file).exists():
        return NO_MESSAGE
    lines = [line.strip() for line in Path(error_file).read_text(errors="replace").splitlines() if line.strip()]
    return next((line for line in reversed(lines) if "CUDA error: " in line), lines[-1] if lines else NO_MESSAGE)


def machine_died(error_file: str | None) -> bool:
    """Whether the last failure in a trial's error file is that its machine is gone."""
    if error_file is None or not Path(error_file).exists():
        return False
    return MACHINE_DIED in Path(error_file).read_text(errors="replace").rpartition("Failure # ")[2]
