"""What `compare.py` prints and draws: a table of sweeps, and the best validation value so far against its cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ae.configuration import Configuration
from ae.errors import UserError
from ae.figures import write
from sweeps.config.choices import SCHEDULERS
from sweeps.config.rungs import rung_epochs
from sweeps.config.words import duration, seeds_each, settings, spread
from sweeps.records.status import SweepStatus, labels, read_status
from sweeps.records.trials import TrialLog
from sweeps.report.charts import COLOURS, scale
from sweeps.report.guard import output_file

SUFFIXES = (".png", ".html")
COSTS = {"epochs": "epochs trained in the search", "wall_s": "wall time of the search, s"}


Page = Callable[[Sequence[Path], Path], None]
"""Writes the page of the sweeps in some folders into a file."""


def compare(folders: Sequence[Path], outputs: Sequence[Path], page: Page, console: Console) -> None:
    """Print a table of the sweeps in these results folders, draw them into a PNG file, and put them on one page.

    Args:
        folders: of sweeps of one task and one objective.
        outputs: a PNG file, an HTML file or both, overwritten if they exist; none means a new compare.png and a new
            compare.html beside the first folder.
        page: writes the HTML file.
        console: where the table goes.

    Raises:
        UserError: if the sweeps cannot be compared, or a file cannot be written.
    """
    paths = outputs or [folders[0].absolute().parent / f"compare{suffix}" for suffix in SUFFIXES]
    if wrong := next((path for path in paths if path.suffix not in SUFFIXES), None):
        raise UserError(f"--output must end in {' or '.join(SUFFIXES)}, got {wrong}")
    if not outputs and (there := next((path for path in paths if path.exists()), None)):
        raise UserError(f"{there} exists and is not overwritten; give --output {there} to replace it")
    found = [read_status(folder) for folder in folders]
    check(found)
    for path in paths:
        with output_file(path):
            draw(found, path) if path.suffix == ".png" else page(folders, path)
    console.print(table(found))
    for line in [*notes(found), *map(str, paths)]:
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def check(found: Sequence[SweepStatus]) -> None:
    """See that sweeps can be compared.

    Raises:
        UserError: unless they are of one task and one objective, and each is named once.
    """
    plans = [one.plan for one in found]
    folders = [plan.folder.resolve() for plan in plans]
    if twice := next((folder for folder in folders if folders.count(folder) > 1), None):
        raise UserError(f"{twice} is named twice; name each sweep once")
    first = plans[0]
    for other in plans[1:]:
        if other.task.name != first.task.name:
            raise UserError(
                f"{other.folder} is a sweep of {other.task.name}, {first.folder} one of {first.task.name}: "
                "compare sweeps of one task"
            )
        ours, theirs = first.task.objective, other.task.objective
        if ours != theirs:
            raise UserError(
                f"{other.folder} was judged by {theirs.metric} ({theirs.mode}), {first.folder} by {ours.metric} "
                f"({ours.mode}): compare sweeps of one objective"
            )


def table(found: Sequence[SweepStatus]) -> Table:
    """One column per sweep: how it searched, what it cost, what it found."""
    metric = found[0].search.objective.metric
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=f"{found[0].plan.task.name}, {metric}")
    shown.add_column("")
    rows: dict[str, list[str]] = {}
    for one, label in zip(found, labels([one.plan for one in found]), strict=True):
        shown.add_column(escape(label), overflow="fold")
        for name, value in facts(one).items():
            rows.setdefault(name, []).append(value)
    for name, values in rows.items():
        shown.add_row(name, *values)
    return shown


def facts(one: SweepStatus) -> dict[str, str]:
    """The table's cells for one sweep.

    Its best configuration is the tested one; before the test, the best of the search.
    """
    plan, search, ranked = one.plan, one.search, one.search.ranked()
    best = [(record.config, record.best) for record in ranked[:1]]
    tested = one.summary if one.is_finished and one.test else None  # an extended sweep still has its old summary
    if tested:
        found = tested["best"]
        best = [(Configuration(**found["config"]), found["val"][search.objective.metric])]
    return {
        "search": plan.search if plan.search == "grid" else f"{plan.search}, {plan.sampler}",
        "scheduler": plan.scheduler,
        "rungs": ", ".join(map(str, rung_epochs(plan.budget))) if SCHEDULERS[plan.scheduler].halves else "none",
        "trials ended": f"{search.ended} of {search.requested}{seeds_each(plan.seeds_per_trial)}"
        + (", ended early" if search.closed else ""),
        "epochs": f"{search.epochs:,} of {search.most_epochs:,}",
        "wall time": duration(search.elapsed_s),
        "best validation of the search": f"{ranked[0].best:.4g}" if ranked else "none yet",
        "best configuration": "\n".join(settings(config, [name]) for config, _ in best for name in plan.varied),
        "  validation in the search": "".join(f"{value:.4g}" for _, value in best),
        "  retrained, test": spread(one.test if tested else None),
    }


def notes(found: Sequence[SweepStatus]) -> list[str]:
    """What makes the values of the sweeps less comparable: what differs between them, and smoke runs."""
    words = {
        "options": "task options",
        "subset": "training sequences",
        "seeds_per_trial": "seeds per trial",
        "seeds": "retraining seeds",
    }
    first = found[0].plan
    differ = ["data"] if len({one.plan.data_sha256 or one.plan.data for one in found}) > 1 else []
    differ += [words[name] for name in words if any(getattr(one.plan, name) != getattr(first, name) for one in found)]
    for name, word in {"max_epochs": "epochs", "eval_every": "epochs between validations"}.items():
        if any(getattr(one.plan.budget, name) != getattr(first.budget, name) for one in found):
            differ.append(word)
    smoke = [label for label, one in zip(labels([one.plan for one in found]), found, strict=True) if one.plan.smoke]
    return [
        *([f"note: the sweeps differ in their {', '.join(differ)}"] if differ else []),
        *([f"note: smoke runs, whose figures mean nothing: {', '.join(smoke)}"] if smoke else []),
    ]


def progress(log: TrialLog) -> pd.DataFrame:
    """The best validation value so far, one row per report: "epochs" trained by all trials, "wall_s", "best".

    Trials that failed or diverged add their cost but no value, as in the ranking.
    """
    reached, epochs, best, rows = dict[str, int](), 0, None, []
    for _, record, report in log.facts:
        if report is None:
            continue
        epochs += report.epoch - reached.get(record.name, 0)
        reached[record.name] = report.epoch
        if not record.is_lost and report.best is not None and log.objective.better(report.best, best):
            best = report.best
        rows.append({"epochs": log.seeds_per_trial * epochs, "wall_s": report.wall_s, "best": best})
    return pd.DataFrame(rows, columns=["epochs", "wall_s", "best"], dtype=float).dropna()


def draw(found: Sequence[SweepStatus], path: Path) -> Path:
    """Best validation value so far against epochs and against wall time, one line per sweep; returns the PNG's path."""
    figure = Figure(figsize=(6.4 * len(COSTS), 4.6))
    task = found[0].plan.task
    curves = [progress(one.search) for one in found]
    panels: list[Axes] = list(figure.subplots(1, len(COSTS), sharey=True))
    for axes, (cost, label) in zip(panels, COSTS.items(), strict=True):
        for place, (name, curve) in enumerate(zip(labels([one.plan for one in found]), curves, strict=True)):
            colour = COLOURS[place % len(COLOURS)]
            axes.plot(curve[cost], curve["best"], drawstyle="steps-post", color=colour, label=name)
            axes.plot(curve[cost].tail(1), curve["best"].tail(1), "o", color=colour)
        axes.set(xlabel=label, xlim=(0, None))
        axes.grid(alpha=0.25)
        scale(axes, pd.concat([curve["best"] for curve in curves]), task.objective.mode)
    panels[0].set_ylabel(f"best validation {task.objective.metric} so far")
    panels[0].legend()
    figure.suptitle(f"{task.name}: what the search has found, and at what cost")
    figure.tight_layout()
    return write(figure, path)
