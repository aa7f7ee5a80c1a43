"""What a sweep leaves to read: `summary.json`, figures, and `report.html`, one file that opens offline."""

from __future__ import annotations

import base64
import json
import math
import shlex
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from ae.files import write_whole
from ae.task import Splits
from ae.words import counted
from sweeps.config.words import duration, hyperparameter, settings, spread
from sweeps.records.ledger import FAILED
from sweeps.records.outcome import Outcome
from sweeps.records.tables import curves
from sweeps.report import charts, importance

TEMPLATE = Path(__file__).with_name("report.html.j2")


def write(outcome: Outcome, splits: Splits) -> None:
    """Write everything a reader opens into the results folder; an interrupted sweep's files say so.

    Args:
        outcome: the sweep, in which at least one trial started.
        splits: drawn only where models have been tested.
    """
    folder = outcome.plan.folder
    summary = outcome.summary()
    write_whole(folder / "summary.json", json.dumps(_valid(summary), indent=2, allow_nan=False) + "\n")
    page = _page(outcome, summary, _figures(outcome, splits))
    write_whole(folder / "report.html", page)


def _valid(value: Any) -> Any:
    """With null for numbers that JSON has not, as NaN."""
    if isinstance(value, dict):
        return {key: _valid(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_valid(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _figures(outcome: Outcome, splits: Splits) -> dict[str, list[Path]]:
    """Figures by section of the report."""
    plan, folder = outcome.plan, outcome.plan.folder / "figures"
    task, objective = plan.task, plan.task.objective
    if not (plan.folder / "curves.csv").exists():
        return {}
    table = curves(plan.folder)
    entries = list(outcome.search.entries.values())
    search = table[table["phase"] == "search"]
    ranked = outcome.search.ranked()
    about = (plan.varied, objective)
    found = {
        "curves": [charts.learning_curves(search, entries, ranked, plan.top_k, *about, folder / "learning_curves.png")],
    }
    space = (
        charts.parallel_coordinates(ranked, *about, folder / "parallel_coordinates.png"),
        importance.draw(search, entries, plan.space, *about, folder / "importance.png"),
    )
    found["space"] = [path for path in space if path]
    if outcome.retrained:
        winner = outcome.retrained[0]
        names = [model.name for model in winner.models]
        retrain = table[table["trial"].isin(names) & (table["phase"] == "retrain")]
        found["retrained"] = [charts.retraining_curves(retrain, objective, folder / "retraining_curves.png")]
    if outcome.tested:
        network = task.build(outcome.retrained[0].configuration)
        network.load_state_dict(outcome.retrained[0].kept(objective).weights)
        found["test"] = task.figures(network.eval(), splits, folder)
    return found


def _page(outcome: Outcome, summary: dict[str, Any], figures: dict[str, list[Path]]) -> str:
    plan = outcome.plan
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {word.__name__: word for word in (hyperparameter, duration, spread, counted)}
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    pictures = {
        section: [base64.b64encode(path.read_bytes()).decode() for path in paths] for section, paths in figures.items()
    }
    test = summary["test"]
    return template.render(
        summary=summary,
        plan=plan,
        outcome=outcome,
        entries=outcome.search.listed(),
        pictures=pictures,
        remark=_remark(outcome, test),
        progress=progress(outcome),
        without_best=without_best(outcome),
        lost=lost_retrainings(outcome),
        metric=plan.task.objective.metric,
        columns=_columns(summary, plan.task.objective.metric),
    )


def _columns(summary: dict[str, Any], objective: str) -> list[tuple[str, str]]:
    """Split and metric of what is said of each retraining, the objective first, what the test alone has last."""
    if not summary["retrained"]:
        return []
    both = sorted(summary["retrained"][0]["val"], key=lambda name: name != objective)
    test_only = [("test", name) for name in summary["test"] or {} if name not in both]
    return [(split, name) for name in both for split in ("validation", "test")] + test_only


def _remark(outcome: Outcome, test: dict[str, Any] | None) -> str:
    """What the task says of the mean test metrics and its baseline; nothing before the test."""
    if not test:
        return ""
    means = {name: values["mean"] for name, values in test.items()}
    return outcome.plan.task.remark(means | outcome.baseline)


def progress(outcome: Outcome) -> str:
    """How far the sweep came: '12 of 12 trials and 3 of 9 retrainings'."""
    search, retraining = outcome.search, outcome.retraining
    trials = f"{search.ended} of {counted(search.requested, 'trial')}"
    return f"{trials} and {retraining.ended} of {counted(retraining.requested, 'retraining')}" if retraining else trials


def lost_retrainings(outcome: Outcome) -> str:
    """Which retrainings failed or diverged, why, and the epoch of what model they left; nothing where none did."""
    lost = outcome.retraining.lost() if outcome.retraining else []
    kept = {model.name: model.epoch for one in outcome.retrained for model in one.models}
    each = [
        f"{entry.name} {entry.status}: {entry.reason}, "
        + (f"its model is that of epoch {kept[entry.name]}" if entry.name in kept else "it left no model")
        for entry in lost
    ]
    return f"{counted(len(lost), 'retraining')} failed or diverged; {'; '.join(each)}." if lost else ""


def without_best(outcome: Outcome) -> str:
    """Why no trial can be selected, where none can."""
    return "none was validated yet" if outcome.interrupted else "all of them failed or diverged"


def closing_words(outcome: Outcome) -> str:
    """What the terminal says at the end: the answer and where to read on."""
    plan, search, summary = outcome.plan, outcome.search, outcome.summary()
    metric = plan.task.objective.metric
    lines = []
    if outcome.interrupted:
        lines.append(f"Interrupted: {progress(outcome)} had ended; all of it is kept.")
        lines.append(f"Go on with: python sweeps/run.py --resume {shlex.quote(str(plan.folder))}")
    failed = [entry for entry in search.entries.values() if entry.status == FAILED]
    if failed:
        lines.append(
            f"{len(failed)} of {counted(search.requested, 'trial')} failed; {failed[0].name}: {failed[0].reason}"
        )
    if lost := lost_retrainings(outcome):
        lines.append(lost)
    if summary["best"]:
        lines.append(f"Best configuration: {settings(summary['best']['config'], plan.varied)}")
        lines.append(f"  validation {metric} in the search: {summary['best']['val'][metric]:.4g}")
    elif search.entries:
        lines.append(f"error: no trial can be selected: {without_best(outcome)}; see trials.csv for why")
    if outcome.retrained:
        first = summary["retrained"][0]
        seeds = counted(len(first["val"][metric]["values"]), "seed")
        lines.append(f"  validation {metric} after retraining, {seeds}: {spread(first['val'][metric])}")
        if first["test"]:
            lines.append(f"  test {metric}, each model once: {spread(first['test'][metric])}")
    if remark := _remark(outcome, summary["test"]):
        lines.append(remark)
    if (plan.folder / "report.html").exists():
        lines.append(f"Report: {plan.folder / 'report.html'} ({duration(summary['wall_s'])})")
    return "\n".join(lines)
