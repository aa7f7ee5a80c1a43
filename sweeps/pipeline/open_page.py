"""The live page of a sweep that this machine runs, in a process of its own, so that it costs the sweep nothing.

`python -m sweeps.pipeline.open_page RESULTS_DIR` serves it until its standard input ends.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import webbrowser
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import IO

from sweeps.storage.folder import PLAN

NICENESS = 10
"""Niceness of the process that serves: the sweep comes first."""
WAIT_S = 5.0
"""Seconds that the process has to end in."""


@contextlib.contextmanager
def live_page(folder: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Serve a sweep's page meanwhile; the address is told, and opened where there is a browser with a window.

    A page that cannot be served costs the sweep one line.

    Args:
        folder: the results folder.
        say: tells a line to the person.
    """
    command = [sys.executable, "-m", "sweeps.pipeline.open_page", str(folder.absolute())]
    root = str(Path(__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))}
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
        start_new_session=True,  # a Ctrl-C is for the sweep
    )
    assert process.stdin
    assert process.stdout
    Thread(target=_announce, args=(process.stdout, say), name="page", daemon=True).start()
    try:
        yield
    finally:
        process.stdin.close()
        try:
            process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            process.kill()


def _announce(output: IO[str], say: Callable[[str], None]) -> None:
    line = output.readline().strip()
    if not line.startswith("http"):
        say(f"--open: {line or 'the page could not be served'}")
        return
    say(f"Live page: {line}")
    if has_window():
        webbrowser.open(line)


def has_window() -> bool:
    """Whether a browser can open a window here: a browser in the terminal would take the sweep's place."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _until_the_sweep_ends(folder: str) -> None:
    os.nice(NICENESS)
    from ae.errors import UserError
    from sweeps.pipeline.serve import serve

    def wait() -> None:
        sys.stdin.read()
        os._exit(0)  # the server has nothing to save

    Thread(target=wait, daemon=True).start()
    while not (Path(folder) / PLAN).exists():  # the sweep makes it once Ray has started
        time.sleep(0.2)
    try:
        serve([folder], None, lambda address: print(address, flush=True))
    except UserError as error:
        print(error, flush=True)


if __name__ == "__main__":
    _until_the_sweep_ends(sys.argv[1])
