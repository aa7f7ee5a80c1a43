"""The tables that `replay.py` prints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
from rich import box
from rich.markup import escape
from rich.table import Table

from ae.words import counted

LEGEND = (
    "* asha with the sweep's own grace period and reduction factor; %, speed-up and regret are compared with every "
    "trial to its last epoch on one worker"
)

SEEDS_LEGEND = (
    "regret: how much worse the configuration found is than the best, both by their best mean over all recorded seeds "
    "to the last epoch, so all seeds to the last epoch have none; mean, and worst, over the choices of seeds. found: "
    "the share of choices that have none"
)


def replayed(frame: pd.DataFrame, metric: str) -> Table:
    """The settings, one block per number of workers.

    Args:
        frame: as `sweeps.pipeline.replay.compared` makes it.
        metric: of the objective.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=0)
    for name in ("", "grace\nperiod", "factor", "epochs", "%", "wall, s", "speed-\nup"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    for name in (f"best val\n{metric}", "regret", "trial"):
        table.add_column(name, justify="right", no_wrap=True)
    for _, block in frame.groupby("workers", sort=False):
        table.add_row(f"[bold]{counted(block['workers'].iloc[0], 'worker')}")
        for row in block.to_dict("records"):
            table.add_row(*cells({str(name): value for name, value in row.items()}))
        table.add_section()
    return table


def cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The table's line about one setting."""
    return (
        f"  {row['scheduler']}{' *' if row['own'] else ''}",
        *("" if pd.isna(row[name]) else str(row[name]) for name in ("grace_period", "reduction_factor")),
        str(row["epochs"]),
        f"{row['epochs_percent']:.0f}",
        f"{row['wall_s']:.1f}",
        f"{row['speedup']:.1f}",
        f"{row['best']:.4g}",
        f"{row['regret']:.2g}" if row["regret"] else "0",
        row["trial"],
    )


def by_seeds(frame: pd.DataFrame, seeds: int) -> Table:
    """What the means of fewer seeds would have found, one block per scheduler.

    Args:
        frame: as `sweeps.pipeline.replay.with_fewer_seeds` makes it.
        seeds: that were recorded.
    """
    title = f"Judged by the mean of fewer of the {seeds} seeds, {counted(frame['workers'].iloc[-1], 'worker')}"
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), title=title, title_justify="left")
    for name in ("", "grace\nperiod", "factor", "seeds", "epochs", "%", "found,\n%", "regret", "worst"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    for scheduler, block in frame.groupby("scheduler", sort=False):
        for place, row in enumerate(block.to_dict("records")):
            given = (row["grace_period"], row["reduction_factor"])
            setting = (str(scheduler), *("" if pd.isna(value) else str(value) for value in given))
            table.add_row(
                *(("", "", "") if place else setting),
                str(row["seeds"]),
                *(f"{row[name]:.0f}" for name in ("epochs", "epochs_percent", "found_percent")),
                *(f"{row[name]:.2g}" if row[name] else "0" for name in ("regret", "regret_worst")),
            )
        table.add_section()
    return table


def checked(title: str, rows: Iterable[tuple[int, str, float, float]]) -> Table:
    """Predicted beside measured values.

    Args:
        title: of the table.
        rows: the number of workers, the quantity, and its predicted and measured value.
    """
    table = Table("workers", "", "predicted", "measured", "difference", title=escape(title))
    for workers, name, predicted, measured in rows:
        difference = f"{100 * (predicted / measured - 1):+.1f} %" if measured else "-"
        table.add_row(str(workers), name, f"{predicted:.6g}", f"{measured:.6g}", difference)
    return table
