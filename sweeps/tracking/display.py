"""What a person sees while a phase runs: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from sweeps.config import streams
from sweeps.config.words import duration
from sweeps.records import progress
from sweeps.records.ranking import ranking
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import SEARCH, TrialRecord

SHOWN_TRIALS = 5
HEADING = 2
"""Lines besides those of the trials, in their part of the live display."""
LINE_S = 1.0
"""Least number of seconds between two lines of plain output."""
REFRESHES = 2
"""How often the live display refreshes, per second."""


class Display:
    """Shows a phase to the person who started the sweep, as one of its followers.

    Args:
        log: of the sweep.
        phase: its name.
        title: what runs, in words.
        console: where to.
    """

    def __init__(self, log: SweepLog, phase: str, title: str, console: Console) -> None:
        self.sweep, self.log, self.title, self.console = log, log.phase(phase), title, console
        self.live: Live | None = None
        self.notice = ""
        """What a person must know now, in words."""
        self.is_over = False
        self.printed = -LINE_S

    def open(self) -> None:
        """Print the title, and start the live display."""
        self._line(self.title)
        if progress.can_refresh(self.console):
            self.live = Live(get_renderable=self.render, console=self.console, refresh_per_second=REFRESHES)
            self.live.start(refresh=True)

    def begin(self, record: TrialRecord) -> None:
        """A trial that starts has no line of its own."""

    def report(self, record: TrialRecord) -> None:
        """Print a line about the report, where there is no live display."""
        metric = self.log.objective.metric
        value = record.reports[-1].metrics[metric]
        self._print(f"{record.name} epoch {record.epoch}/{self.log.max_epochs} {metric} {value:.4g}")

    def end(self, record: TrialRecord) -> None:
        """Print a line about how the trial ended, where there is no live display."""
        self._print(f"{record.name} {record.status}: {record.outcome}", urgent=record.is_lost)

    def tick(self) -> None:
        """The live display refreshes itself."""

    def tell(self, words: str) -> None:
        """Say at once what a person must know, even while another line is being printed."""
        if self.live:
            self.notice = words
        else:
            streams.tell(words)

    def close(self) -> None:
        """Leave the last frame of the live display, or print the last line."""
        self.is_over = True
        if self.live:
            self.live.stop()
            self.live = None
        else:
            self._line(f"ended after {duration(self.log.elapsed_s)} | {self._summary()}")

    def render(self) -> Group:
        """The live display: as wide as the terminal, and no higher."""
        log, plan, console = self.log, self.sweep.plan, self.console
        lines: list[RenderableType] = [self._text(self._phase(), "bold")]
        if self.notice and not self.is_over:
            lines.append(self._text([self.notice], "bold"))
        if not self.is_over:
            lines.append(progress.bar(log, progress.clock(self.sweep), console))
        lines.append(self._text(progress.counts(log, self.is_over)))
        if early := progress.early_end(log):
            lines.append(self._text([early]))
        details = [progress.rungs(log, plan), [] if self.is_over else progress.training(log)]
        lines += [self._text(parts) for parts in details if parts]
        while (room := console.height - len(console.render_lines(Group(*lines))) - HEADING) < 1 and len(lines) > 1:
            lines.pop()
        records = log.listed()[: max(1, min(SHOWN_TRIALS, room))]
        if not log.ranked():
            lines.append(Text(progress.best(log, plan.varied), style="dim"))
        if records:
            lines.append(ranking(log, records, plan.varied, console, self.is_over)[0])
        return Group(*lines)

    def _phase(self) -> list[str]:
        """Which part of the sweep runs, and what comes after it."""
        log, plan = self.log, self.sweep.plan
        name = f"{plan.task.name}/{plan.name}"
        what = "search" if log.phase == SEARCH else "retraining"
        if self.is_over:
            ended = "ended" if log.is_complete else "interrupted"
            return [f"{name}: {what} {ended} after {duration(log.elapsed_s)}"]
        if log.phase == SEARCH:
            return [f"{name}: {what}", "then retraining", "test and report"]
        started = max(1, len(log.records))
        return [f"{name}: {what} {started} of {log.requested}", "then test and report"]

    def _text(self, parts: Sequence[str], style: str = "") -> Text:
        return Text(progress.folded(parts, self.console.width), style=style)

    def _print(self, news: str, urgent: bool = False) -> None:
        """Print at most one line a second, unless it is urgent: thousands of short trials must not wait for output."""
        if not self.live and (urgent or time.monotonic() - self.printed >= LINE_S):
            self.printed = time.monotonic()
            self._line(f"{progress.clock(self.sweep)} | {news} | {self._summary()}")

    def _summary(self) -> str:
        varied = self.sweep.plan.varied
        return f"{', '.join(progress.counts(self.log, self.is_over))} | {progress.best(self.log, varied)}"

    def _line(self, text: str) -> None:
        say(self.console, text)


def say(console: Console, words: str) -> None:
    """Print words; on a terminal, lines break between words."""
    console.print(progress.wrapped(words, console), soft_wrap=True, highlight=False, markup=False)
