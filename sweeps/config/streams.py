"""Output that cannot end a command: what a terminal cannot show is replaced, and nobody need be reading."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO

STDERR = 2


def tell(words: str) -> None:
    """Print a line on standard error, from a handler of signals too: there, `print` may be what was interrupted."""
    os.write(STDERR, f"\n{words}\n".encode())


class SafeStream:
    """A text stream whose writes never raise.

    Characters that its encoding lacks become question marks. Once it cannot be written (the reader of a pipe has gone,
    the disk is full), everything written to it is discarded.

    Args:
        stream: to write to.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Write what can be written."""
        try:
            return self.stream.write(text)
        except UnicodeEncodeError:
            encoding = self.stream.encoding or "ascii"
            return self.write(text.encode(encoding, errors="replace").decode(encoding))
        except OSError:
            self._discard()
            return len(text)

    def flush(self) -> None:
        """Flush what can be flushed."""
        try:
            self.stream.flush()
        except OSError:
            self._discard()

    def _discard(self) -> None:
        """Let the stream end nowhere: Python flushes it again when it exits, and would fail then."""
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)


@contextlib.contextmanager
def safe_output() -> Iterator[None]:
    """Standard output and error as safe streams."""
    before = sys.stdout, sys.stderr
    safe = [SafeStream(stream) for stream in before]
    sys.stdout, sys.stderr = safe
    try:
        yield
    finally:
        for stream in safe:
            stream.flush()
        sys.stdout, sys.stderr = before
