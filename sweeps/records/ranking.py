"""The table of the best trials with their curves, as wide as the terminal: for the live display and `show.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.console import Console
from rich.table import Table

from sweeps.config.words import hyperparameter
from sweeps.records.sparkline import BARS, PLAIN_BARS, knows_blocks, span, sparkline
from sweeps.records.trials import TrialLog, TrialRecord

GAP = 2
"""Characters between two columns."""
LEAST_CURVE, MOST_CURVE = 8, 24
"""Width of a learning curve, in characters."""
ROOMY = 60
"""Width of a terminal, in characters, from which on there is room for the whole heading of the value."""
CURVE = "curve"
ALWAYS = 3
"""Columns that are there on the narrowest terminal: the trial, its value, its epoch."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table."""

    priority: int
    """The lowest is the last to be left out."""
    name: str
    cells: list[str]
    """One per row; the curves are drawn once their width is known."""

    @property
    def width(self) -> int:
        """In characters, the gap after it included."""
        return GAP + max(map(len, (self.name, *self.cells)), default=0)


def ranking(
    log: TrialLog, records: Sequence[TrialRecord], varied: Sequence[str], console: Console, is_over: bool = False
) -> tuple[Table, list[str]]:
    """One row per trial; and the names of the columns for which the terminal is too narrow.

    The trial, its value and its epoch come first, then its curve, its status, and its hyperparameters. The curve takes
    the room that is left.

    Args:
        log: of the phase.
        records: the trials, in the order of the rows.
        varied: hyperparameters that tell the trials apart.
        console: the terminal, for its width and encoding.
        is_over: whether the phase is over, so that its open trials were interrupted.
    """
    columns = _columns(log, records, varied, console, is_over)
    shown, room = fitting(columns, console.width)
    ready = [
        replace(column, cells=_curves(log, records, console, column.width - GAP + room))
        if column.name == CURVE
        else column
        for column in shown
    ]
    best = 0 if records and records[0].best is not None else None
    return drawn(ready, best), [column.name for column in columns if column not in shown]


def fitting(columns: Sequence[Column], width: int) -> tuple[list[Column], int]:
    """The columns for which there is room, in their order; and the characters that are left."""
    room, names = width + GAP, set[str]()
    for place, column in enumerate(sorted(columns, key=lambda column: column.priority)):
        if place < ALWAYS or column.width <= room:
            names.add(column.name)
            room -= column.width
    return [column for column in columns if column.name in names], room


def drawn(columns: Sequence[Column], marked: int | None = None) -> Table:
    """A table of these columns; one row may be marked."""
    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column.name, no_wrap=True)
    for place, row in enumerate(zip(*(column.cells for column in columns), strict=True)):
        table.add_row(*row, style="green" if place == marked else "")
    return table


def _columns(
    log: TrialLog, records: Sequence[TrialRecord], varied: Sequence[str], console: Console, is_over: bool
) -> list[Column]:
    """All the columns, in the order in which they are shown."""
    value = f"best {log.objective.metric}" if console.width >= ROOMY else log.objective.metric
    return [
        Column(0, "trial", [f"{record.name}{' tried' if record.tried else ''}" for record in records]),
        Column(4, "status", [record.status_when(is_over) for record in records]),
        Column(2, "epoch", [f"{record.epoch}/{log.max_epochs}" for record in records]),
        Column(1, value, ["-" if record.best is None else f"{record.best:.4g}" for record in records]),
        Column(3, CURVE, [" " * min(LEAST_CURVE, log.max_epochs)]),
        *(
            Column(5 + place, name, [hyperparameter(getattr(record.config, name)) for record in records])
            for place, name in enumerate(varied)
        ),
    ]


def _curves(log: TrialLog, records: Sequence[TrialRecord], console: Console, room: int) -> list[str]:
    """The learning curves, all to one scale, that of the trials that can be selected if there are any."""
    metric = log.objective.metric
    curves = [{report.epoch: report.metrics[metric] for report in record.reports} for record in records]
    usable = [curve for record, curve in zip(records, curves, strict=True) if not record.is_lost]
    scale = span(usable) or span(curves)
    width, is_error = min(room, MOST_CURVE, log.max_epochs), log.objective.mode == "min"
    bars = BARS if knows_blocks(console) else PLAIN_BARS
    return [sparkline(curve, log.max_epochs, width, bars, scale, log=is_error) for curve in curves]
