"""Records a command in a pseudo-terminal, and gives the screen frame by frame, as a person saw it.

python tests/terminal_recording.py --columns 80 -- python sweeps/run.py --task mnist-cls --smoke
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyte

BEYOND = 400
"""Columns that the emulated screen has beyond those that the command is told of: a line that would wrap is seen."""
QUIET_S = 0.02
"""Seconds without output after which the screen is a frame."""
FEW_BYTES = 1 << 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """What is on the terminal at one moment."""

    seconds: float
    """Since the command started."""
    scrolled: int
    """Lines that have scrolled off the top."""
    lines: list[str]
    """Those of the screen, without trailing blanks."""
    cursor_hidden: bool


@dataclass(kw_only=True)
class Recording:
    """Everything that a command showed."""

    columns: int
    frames: list[Frame] = field(default_factory=list)
    scrollback: list[str] = field(default_factory=list)
    """Every line at the end: those that scrolled off the top, then those of the screen."""
    status: int = -1
    seconds: float = 0.0
    """Until the command had ended."""
    raw: bytes = b""

    @property
    def wide(self) -> list[str]:
        """The lines, of any frame, that are wider than the terminal."""
        every = [line for frame in self.frames for line in frame.lines]
        return sorted({line for line in every if len(line) > self.columns})

    def longest_gap(self) -> tuple[float, Frame]:
        """The longest time, in seconds, in which nothing changed, and the frame that stood meanwhile."""
        pairs = zip(self.frames, self.frames[1:], strict=False)
        return max(((after.seconds - before.seconds, before) for before, after in pairs), key=lambda gap: gap[0])


def record(
    command: Sequence[str],
    *,
    columns: int = 80,
    rows: int = 24,
    env: Mapping[str, str] | None = None,
    folder: Path | None = None,
    act: Callable[[Frame], bytes] = lambda frame: b"",
    limit_s: float = 540.0,
) -> Recording:
    """Run a command in a pseudo-terminal.

    Args:
        command: with its arguments.
        columns: of the terminal.
        rows: of the terminal.
        env: its environment; None for this one, without what would overrule the terminal.
        folder: where it runs; None for here.
        act: gives what is typed when a frame is seen, such as b"\\x03" for Ctrl-C.
        limit_s: seconds after which its terminal is closed.
    """
    screen = pyte.HistoryScreen(columns + BEYOND, rows, history=100_000)
    stream = pyte.ByteStream(screen)
    found, began = Recording(columns=columns), time.monotonic()
    terminal, other_end = pty.openpty()
    fcntl.ioctl(other_end, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = _start(command, _environment() if env is None else dict(env), folder, other_end)
    os.close(other_end)
    try:
        while time.monotonic() - began < limit_s:
            changed = _feed(terminal, stream, found)
            frame = _frame(screen, time.monotonic() - began)
            if not found.frames or _seen(frame) != _seen(found.frames[-1]):
                found.frames.append(frame)
                if typed := act(frame):
                    os.write(terminal, typed)
            if changed is None:
                break
    finally:
        os.close(terminal)
        found.status = process.wait()
        found.seconds = time.monotonic() - began
    found.scrollback = [_text(line, screen.columns) for line in screen.history.top] + found.frames[-1].lines
    return found


def _start(command: Sequence[str], env: dict[str, str], folder: Path | None, terminal: int) -> subprocess.Popen[bytes]:
    """The process, the terminal being that of its session, so that Ctrl-C reaches it."""
    return subprocess.Popen(
        list(command),
        env=env,
        cwd=folder,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )


def _environment() -> dict[str, str]:
    overruling = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
    kept = {name: value for name, value in os.environ.items() if name not in overruling}
    return kept | {"TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"}


def _feed(terminal: int, stream: pyte.ByteStream, found: Recording) -> bool | None:
    """Show what the command writes until it is quiet; None once it has ended."""
    is_new = False
    while select.select([terminal], [], [], QUIET_S)[0]:
        try:
            written = os.read(terminal, FEW_BYTES)
        except OSError:  # the other end is closed
            written = b""
        if not written:
            return None
        found.raw += written
        stream.feed(written)
        is_new = True
    return is_new


def _frame(screen: pyte.HistoryScreen, seconds: float) -> Frame:
    lines = [_text(screen.buffer[row], screen.columns) for row in range(screen.lines)]
    return Frame(
        seconds=seconds, scrolled=len(screen.history.top), lines=lines, cursor_hidden=bool(screen.cursor.hidden)
    )


def _text(line: Mapping[int, pyte.screens.Char], columns: int) -> str:
    return "".join(line[column].data for column in range(columns)).rstrip()


def _seen(frame: Frame) -> tuple[int, list[str], bool]:
    return frame.scrolled, frame.lines, frame.cursor_hidden


def main() -> int:
    """Print every frame of a command; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--columns", type=int, default=80)
    parser.add_argument("--rows", type=int, default=24)
    parser.add_argument("--ctrl-c", metavar="WORDS", help="press Ctrl-C once these words are on the screen")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    waiting = [options.ctrl_c] if options.ctrl_c else []

    def act(frame: Frame) -> bytes:
        if waiting and waiting[0] in "\n".join(frame.lines):
            waiting.clear()
            return b"\x03"
        return b""

    found = record(options.command, columns=options.columns, rows=options.rows, act=act)
    for number, frame in enumerate(found.frames):
        cursor = "cursor hidden" if frame.cursor_hidden else "cursor shown"
        print(f"--- frame {number}, {frame.seconds:.2f} s, {frame.scrolled} lines scrolled off, {cursor}")
        print("\n".join(frame.lines).rstrip())
    print(f"=== exit status {found.status} after {found.seconds:.2f} s; wider than {found.columns}: {found.wide}")
    print("\n".join(found.scrollback).rstrip())
    return found.status


if __name__ == "__main__":
    sys.exit(main())
