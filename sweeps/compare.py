"""Compare sweeps of one task: a table, and a picture of the best validation value so far against what it cost."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ae.figures import write
from sweeps.config.arguments import Parser, exit_status
from sweeps.config.schedulers import SCHEDULERS
from sweeps.config.words import duration, settings, spread
from sweeps.pipeline.snapshot import Snapshot, read
from sweeps.records import tables
from sweeps.report.charts import COLOURS, scale

COSTS = {"epochs": "epochs trained in the search", "wall_s": "wall time of the search, s"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status, 2 for folders that are no sweeps' or cannot be compared."""
    own = Parser(prog="python sweeps/compare.py", description=__doc__, allow_abbrev=False)
    own.add_argument("folders", type=Path, nargs="+", metavar="RESULTS_DIR", help="a results folder, results/TASK/NAME")
    own.add_argument("--output", type=Path, metavar="FILE.png", help="default: compare.png beside the first folder")
    options = own.parse(arguments)
    path = options.output or options.folders[0].absolute().parent / "compare.png"
    return exit_status(lambda: compare(options.folders, path, Console()))


def compare(folders: Sequence[Path], path: Path, console: Console) -> None:
    """Draw the sweeps in these results folders into a .png file, and print their table.

    Raises:
        ValueError: if they are no sweeps', or cannot be compared.
        OSError: if the figure cannot be written.
    """
    if path.suffix != ".png":
        raise ValueError(f"--output must end in .png, got {path}")
    found = [read(folder) for folder in folders]
    check(found)
    draw(found, path)
    console.print(table(found))
    for line in [*notes(found), str(path)]:
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def check(found: Sequence[Snapshot]) -> None:
    """ValueError unless they are sweeps of one task and one objective, each named once."""
    first = found[0]
    folders = [one.plan.folder.resolve() for one in found]
    if twice := next((one for one in folders if folders.count(one) > 1), None):
        raise ValueError(f"{twice} is named twice; name each sweep once")
    for other in found[1:]:
        if other.plan.task.name != first.plan.task.name:
            raise ValueError(
                f"{other.plan.folder} is a sweep of {other.plan.task.name}, {first.plan.folder} one of "
                f"{first.plan.task.name}: compare sweeps of one task"
            )
    goals = [(one, one.summary["objective"]) for one in found if one.summary]
    for one, goal in goals:
        if goal != goals[0][1]:
            raise ValueError(
                f"{one.plan.folder} was judged by {goal['metric']} ({goal['mode']}), {goals[0][0].plan.folder} by "
                f"{goals[0][1]['metric']} ({goals[0][1]['mode']}): compare sweeps of one objective"
            )


def labels(found: Sequence[Snapshot]) -> list[str]:
    """The sweeps' names; the folders of those whose name another one has too."""
    names = [one.plan.name for one in found]
    return [name if names.count(name) == 1 else str(one.plan.folder) for name, one in zip(names, found, strict=True)]


def table(found: Sequence[Snapshot]) -> Table:
    """A column a sweep: how it searched, what it cost, what it found."""
    metric = found[0].plan.task.objective.metric
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=f"{found[0].plan.task.name}, {metric}")
    shown.add_column("")
    rows: dict[str, list[str]] = {}
    for one, label in zip(found, labels(found), strict=True):
        shown.add_column(escape(label), overflow="fold")
        for name, value in facts(one).items():
            rows.setdefault(name, []).append(value)
    for name, values in rows.items():
        shown.add_row(name, *values)
    return shown


def facts(one: Snapshot) -> dict[str, str]:
    """What the table says of a sweep; its best configuration is the tested one, or the search's best before that."""
    plan, search, metric = one.plan, one.search, one.plan.task.objective.metric
    ranked = search.ranked()
    best = [(entry.configuration, entry.best) for entry in ranked[:1]]
    tested = one.summary if plan.record.finished and one.test else None  # an extended sweep has its old summary
    if tested:
        best = [(tested["best"]["config"], tested["best"]["val"][metric])]
    return {
        "search": plan.search if plan.search == "grid" else f"{plan.search}, {plan.sampler}",
        "scheduler": plan.scheduler,
        "rungs": ", ".join(map(str, plan.budget.rungs())) if SCHEDULERS[plan.scheduler].halves else "none",
        "trials ended": f"{search.ended} of {search.requested}",
        "epochs": f"{search.epochs:,} of {search.requested * search.max_epochs:,}",
        "wall time": duration(search.wall_s),
        "best validation of the search": f"{ranked[0].best:.4g}" if ranked else "none yet",
        "best configuration": "\n".join(settings(config, [name]) for config, _ in best for name in plan.varied),
        "  validation in the search": "".join(f"{value:.4g}" for _, value in best),
        "  retrained, test": spread(one.test if tested else None),
    }


def notes(found: Sequence[Snapshot]) -> list[str]:
    """Where the sweeps differ in what makes their values comparable."""
    words = {"options": "task options", "subset": "training sequences", "seeds": "retraining seeds"}
    first = found[0].plan
    differ = ["data"] if len({one.plan.record.data_sha256 or one.plan.data for one in found}) > 1 else []
    differ += [words[name] for name in words if any(getattr(one.plan, name) != getattr(first, name) for one in found)]
    for name, word in {"max_epochs": "epochs", "eval_every": "epochs between validations"}.items():
        if any(getattr(one.plan.budget, name) != getattr(first.budget, name) for one in found):
            differ.append(word)
    return [f"note: the sweeps differ in their {', '.join(differ)}"] if differ else []


def progress(one: Snapshot) -> pd.DataFrame:
    """The best validation value so far, a row a report of the search: "epochs" trained by all, "wall_s", "best".

    Trials that failed or diverged cost what they cost and find nothing, as in the ranking.
    """
    objective, entries = one.plan.task.objective, one.search.entries
    reached, epochs, best, found = dict[str, int](), 0, None, []
    for row in tables.rows(one.plan.folder / tables.CURVES):
        name = row["trial"]
        if row["phase"] != "search" or name not in entries:
            continue
        epochs += int(row["epoch"]) - reached.get(name, 0)
        reached[name] = int(row["epoch"])
        value = float(row[f"val_{objective.metric}"])
        if not entries[name].lost and objective.better(value, best):
            best = value
        found.append({"epochs": epochs, "wall_s": float(row["wall_s"]), "best": best})
    return pd.DataFrame(found, columns=["epochs", "wall_s", "best"], dtype=float).dropna()


def draw(found: Sequence[Snapshot], path: Path) -> Path:
    """Best validation value so far against epochs and against wall time: a line a sweep; returns the PNG's path."""
    figure = Figure(figsize=(6.4 * len(COSTS), 4.6))
    metric = found[0].plan.task.objective.metric
    curves = [progress(one) for one in found]
    panels: list[Axes] = list(figure.subplots(1, len(COSTS), sharey=True))
    for axes, (cost, label) in zip(panels, COSTS.items(), strict=True):
        for place, (name, curve) in enumerate(zip(labels(found), curves, strict=True)):
            colour = COLOURS[place % len(COLOURS)]
            axes.plot(curve[cost], curve["best"], drawstyle="steps-post", color=colour, label=name)
            axes.plot(curve[cost].tail(1), curve["best"].tail(1), "o", color=colour)
        axes.set(xlabel=label, xlim=(0, None))
        axes.grid(alpha=0.25)
        scale(axes, pd.concat([curve["best"] for curve in curves]), found[0].plan.task.objective.mode)
    panels[0].set_ylabel(f"best validation {metric} so far")
    panels[0].legend()
    figure.suptitle(f"{found[0].plan.task.name}: what the search has found for what it cost")
    figure.tight_layout()
    return write(figure, path)


if __name__ == "__main__":
    sys.exit(main())
