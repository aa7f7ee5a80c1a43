"""What a person sees while a sweep runs: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sweeps.config.words import duration, settings
from sweeps.records.progress import bar, best, clock, counts
from sweeps.records.trials import RUNNING, TrialLog, TrialRecord

SHOWN_TRIALS = 12
LINE_S = 1.0
"""Least number of seconds between two lines of plain output."""


class Display:
    """Shows a phase to the person who started the sweep, as one of its followers.

    Args:
        log: of the phase.
        title: what runs, in words.
        varied: hyperparameters that tell the trials apart.
        console: where to.
    """

    def __init__(self, log: TrialLog, title: str, varied: Sequence[str], console: Console) -> None:
        self.log, self.title, self.varied, self.console = log, title, varied, console
        self.live: Live | None = None
        self.printed = -LINE_S

    def open(self) -> None:
        """Start the live display, or print the title."""
        if self.console.is_terminal:
            self.live = Live(get_renderable=self.render, console=self.console, refresh_per_second=2, transient=True)
            self.live.start()
        else:
            self._line(self.title)

    def begin(self, record: TrialRecord) -> None:
        """A trial that starts has no line of its own."""

    def report(self, record: TrialRecord) -> None:
        """Print a line about the report, where there is no live display."""
        metric = self.log.objective.metric
        value = record.reports[-1].metrics[metric]
        self._print(f"{record.name} epoch {record.epoch}/{self.log.max_epochs} {metric} {value:.4g}")

    def end(self, record: TrialRecord) -> None:
        """Print a line about how the trial ended, where there is no live display."""
        self._print(f"{record.name} {record.status}: {record.reason}", urgent=record.is_lost)

    def tick(self) -> None:
        """The live display refreshes itself."""

    def close(self) -> None:
        """Remove the live display, or print the last line."""
        if self.live:
            self.live.stop()
            self.live = None
        else:
            self._line(f"ended after {duration(self.log.elapsed_s)} | {self._summary()}")

    def render(self) -> Group:
        """The live display."""
        log = self.log
        table = Table(box=None, pad_edge=False, header_style="dim")
        for column in ("trial", "epoch", f"best {log.objective.metric}", "configuration"):
            table.add_column(column)
        running = [record for record in log.trials if record.status == RUNNING]
        for record in running[:SHOWN_TRIALS]:
            value = "-" if record.best is None else f"{record.best:.4g}"
            epoch = f"{record.epoch}/{log.max_epochs}"
            table.add_row(record.name, epoch, value, settings(record.config, self.varied))
        if len(running) > SHOWN_TRIALS:
            table.add_row(f"and {len(running) - SHOWN_TRIALS} more", "", "", "")
        lines: list[RenderableType] = [Text(self.title, style="bold"), bar(log), Text(counts(log))]
        return Group(*lines, Text(best(log, self.varied), style="green"), table)

    def _print(self, news: str, urgent: bool = False) -> None:
        """Print at most one line a second, unless it is urgent: thousands of short trials must not wait for output."""
        if not self.live and (urgent or time.monotonic() - self.printed >= LINE_S):
            self.printed = time.monotonic()
            self._line(f"{clock(self.log)} | {news} | {self._summary()}")

    def _summary(self) -> str:
        return f"{counts(self.log)} | {best(self.log, self.varied)}"

    def _line(self, text: str) -> None:
        self.console.print(text, soft_wrap=True, highlight=False, markup=False)
