"""What a person sees between the phases: what is being done, and for how long."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from sweeps.config.words import duration
from sweeps.records.progress import can_refresh, folded
from sweeps.tracking.display import LINE_S, REFRESHES, say


class Step:
    """Says what is being done: in a line that goes away again on a terminal, in plain lines elsewhere.

    Args:
        console: where to.
        title: what is being done, in words.
        only_live: say nothing without a live display, after the closing words.
    """

    def __init__(self, console: Console, title: str, *, only_live: bool = False) -> None:
        self.console, self.title, self.part, self.only_live = console, title, "", only_live
        self.live: Live | None = None
        self.began = self.printed = time.monotonic()

    def __enter__(self) -> Step:
        if can_refresh(self.console):
            self.live = Live(
                get_renderable=self.render, console=self.console, refresh_per_second=REFRESHES, transient=True
            )
            self.live.start(refresh=True)
        elif not self.only_live:
            self._line()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live:
            self.live.stop()

    def now(self, part: str) -> None:
        """Say which part of it is being done; without a live display at most once a second."""
        self.part = part
        if not self.live and time.monotonic() - self.printed >= LINE_S:
            self._line()

    def render(self) -> Text:
        """The line, as wide as the terminal."""
        parts = [self.title, *([self.part] if self.part else []), duration(time.monotonic() - self.began)]
        return Text(folded(parts, self.console.width))

    def _line(self) -> None:
        self.printed = time.monotonic()
        words = f"{self.title}, {self.part}" if self.part else self.title
        say(self.console, words)
