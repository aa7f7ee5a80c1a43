"""What a person sees while a sweep runs: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sweeps.config.words import duration, settings
from sweeps.records.eta import seconds_left
from sweeps.records.ledger import RUNNING, STATUSES, Entry, Ledger

SHOWN_TRIALS = 12
LINE_S = 1.0
"""Seconds between two lines of plain output, at least."""


class Display:
    """Shows a ledger, as one of the loggers that are told of it.

    Args:
        ledger: what to show.
        title: what runs, in words.
        varied: hyperparameters worth naming.
        console: where to.
    """

    def __init__(self, ledger: Ledger, title: str, varied: list[str], console: Console) -> None:
        self.ledger, self.title, self.varied, self.console = ledger, title, varied, console
        self.live: Live | None = None
        self.printed = 0.0

    def open(self) -> None:
        """The live display comes up, or the title is printed."""
        if self.console.is_terminal:
            self.live = Live(get_renderable=self.render, console=self.console, refresh_per_second=2, transient=True)
            self.live.start()
        else:
            self._line(self.title)

    def begin(self, entry: Entry) -> None:
        """Nothing: a trial that starts is among those that run."""

    def report(self, entry: Entry, epoch: int, metrics: Mapping[str, float], wall_time: float) -> None:
        """A report came: its line, where there is no live display."""
        metric = self.ledger.objective.metric
        self._print(f"{entry.name} epoch {epoch}/{self.ledger.max_epochs} {metric} {metrics['val_' + metric]:.4g}")

    def end(self, entry: Entry) -> None:
        """A trial ended: its line, where there is no live display."""
        self._print(f"{entry.name} {entry.status}: {entry.reason}", bad=entry.lost)

    def close(self) -> None:
        """The live display goes, or the last line is printed; all the trials are closed."""
        if self.live:
            self.live.stop()
            self.live = None
        else:
            over = f"{duration(self.ledger.gone_s)} gone, over"
            self._line(f"{over} | {counts(self.ledger)} | {best(self.ledger, self.varied)}")

    def _print(self, news: str, bad: bool = False) -> None:
        """At most a line a second, but for bad news: a sweep of thousands of short trials is not held up by its log."""
        if not self.live and (bad or time.monotonic() - self.printed >= LINE_S):
            self.printed = time.monotonic()
            self._line(f"{clock(self.ledger)} | {news} | {counts(self.ledger)} | {best(self.ledger, self.varied)}")

    def _line(self, text: str) -> None:
        self.console.print(text, soft_wrap=True, highlight=False, markup=False)

    def render(self) -> Group:
        """The live display."""
        ledger = self.ledger
        table = Table(box=None, pad_edge=False, header_style="dim")
        for column in ("trial", "epoch", f"best {ledger.objective.metric}", "configuration"):
            table.add_column(column)
        running = [entry for entry in ledger.trials if entry.status == RUNNING]
        for entry in running[:SHOWN_TRIALS]:
            value = "-" if entry.best is None else f"{entry.best:.4g}"
            of = f"{entry.epoch}/{ledger.max_epochs}"
            table.add_row(entry.name, of, value, settings(entry.configuration, self.varied))
        if len(running) > SHOWN_TRIALS:
            table.add_row(f"and {len(running) - SHOWN_TRIALS} more", "", "", "")
        lines: list[RenderableType] = [Text(self.title, style="bold"), bar(ledger), Text(counts(ledger))]
        return Group(*lines, Text(best(ledger, self.varied), style="green"), table)


def bar(ledger: Ledger) -> Table:
    """How far a phase is: a bar up to the epochs that it is expected to train for, and the clock."""
    row = Table.grid(padding=(0, 2))
    total = max(ledger.epochs, sum(ledger.expected) or ledger.requested * ledger.max_epochs)
    row.add_row(ProgressBar(total=total, completed=ledger.epochs, width=60), clock(ledger))
    return row


def clock(ledger: Ledger) -> str:
    """The time that a phase has taken, and may still take, in words."""
    gone_s = ledger.gone_s
    left_s = seconds_left(ledger, gone_s)
    return f"{duration(gone_s)} gone, {'time left unknown' if left_s is None else f'about {duration(left_s)} left'}"


def counts(ledger: Ledger) -> str:
    """Trials by status, and epochs, in words."""
    parts = [f"{ledger.count(status)} {status}" for status in STATUSES if ledger.count(status)]
    waiting = ledger.requested - len(ledger.entries)
    epochs = f"{ledger.epochs}/{ledger.requested * ledger.max_epochs} epochs"
    return ", ".join([*parts, *([f"{waiting} to come"] if waiting else []), epochs])


def best(ledger: Ledger, varied: list[str]) -> str:
    """The best trial so far, in words."""
    ranked = ledger.ranked()
    if not ranked:
        validated = any(entry.best_epoch for entry in ledger.trials)
        return "all that were validated failed or diverged" if validated else "no validation yet"
    first, metric = ranked[0], ledger.objective.metric
    found = f"best {metric} {first.best:.4g}, {first.name} at epoch {first.best_epoch}"
    return f"{found} ({settings(first.configuration, varied)})"
