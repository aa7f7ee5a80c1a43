"""What a sweep leaves to read: `summary.json`, figures, and `report.html`, one file that opens offline."""

from __future__ import annotations

import json
import math
import shlex
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from ae.configuration import Configuration
from ae.files import write_whole
from ae.splits import Splits
from ae.words import counted
from sweeps.config.description import describe
from sweeps.config.words import SMOKE, duration, hyperparameter, over_seeds, settings, spread
from sweeps.records.progress import early_ends
from sweeps.records.result import SweepResult, command_line
from sweeps.records.trials import FAILED
from sweeps.report.guard import attempt
from sweeps.storage.folder import REPORT, SUMMARY

TEMPLATE = Path(__file__).with_name("report.html.j2")


def write_report(result: SweepResult, splits: Splits, now: Callable[[str], None] = lambda part: None) -> None:
    """Write everything that a reader opens into the results folder; the files of an interrupted sweep say so.

    Args:
        result: of a sweep in which at least one trial started. Figures that cannot be drawn are added to its problems.
        splits: drawn only if models have been tested.
        now: is told which part is being made, in words.

    Raises:
        OSError: if a file cannot be written.
    """
    from sweeps.report.figures import draw_figures  # with matplotlib; the first trial need not wait for it

    summary = write_summary(result)
    write_whole(result.plan.folder / REPORT, _page(result, summary, draw_figures(result, splits, now)))


def write_summary(result: SweepResult) -> dict[str, Any]:
    """Write `summary.json`; returns its content.

    Raises:
        OSError: if it cannot be written.
    """
    summary = result.summary()
    write_whole(result.plan.folder / SUMMARY, json.dumps(_valid(summary), indent=2, allow_nan=False) + "\n")
    return summary


def _valid(value: Any) -> Any:
    """The value with null for NaN and infinities, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _valid(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_valid(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _page(result: SweepResult, summary: dict[str, Any], pictures: dict[str, list[str]]) -> str:
    plan, metric = result.plan, result.search.objective.metric
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        word.__name__: word for word in (hyperparameter, duration, spread, counted, over_seeds, in_search)
    }
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    remark = _remark(result, summary)
    return template.render(
        summary=summary,
        plan=plan,
        description=describe(plan),
        commands=[command_line(command) for command in plan.commands],
        result=result,
        records=result.search.listed(),
        pictures=pictures,
        remark=remark,
        smoke=SMOKE,
        progress=progress(result),
        early=" ".join(early_ends(result.log)),
        why_no_best=why_no_best(result),
        lost=lost_retrainings(result),
        metric=metric,
        columns=_columns(summary, metric),
    )


def _columns(summary: dict[str, Any], objective: str) -> list[tuple[str, str]]:
    """Split and metric of each column about the retrainings: the objective first, what only the test has last."""
    if not summary["retrained"]:
        return []
    both = sorted(summary["retrained"][0]["val"], key=lambda name: name != objective)
    test_only = [("test", name) for name in summary["test"] or {} if name not in both]
    return [(split, name) for name in both for split in ("validation", "test")] + test_only


def _remark(result: SweepResult, summary: dict[str, Any]) -> str:
    """What the task says about the mean test metrics and its baseline; empty before the test."""
    if not summary["test"]:
        return ""
    means = {name: values["mean"] for name, values in summary["test"].items()} | result.baseline
    return attempt(result, "the comparison with the baseline", lambda: result.plan.task.remark(means), "")


def progress(result: SweepResult) -> str:
    """How far the sweep came: '12 of 12 trials and 3 of 9 retrainings'."""
    search, retraining = result.search, result.retraining
    trials = f"{search.ended} of {counted(search.requested, 'trial')}"
    if not retraining.requested:
        return trials
    return f"{trials} and {retraining.ended} of {counted(retraining.requested, 'retraining')}"


def lost_retrainings(result: SweepResult) -> str:
    """Which retrainings failed or diverged, why, and which model each left; empty if none did."""
    lost = result.retraining.lost()
    kept = {model.name: model.epoch for one in result.retrained for model in one.models}
    each = [
        f"{record.name} {record.status}: {record.reason}, "
        + (f"its model is that of epoch {kept[record.name]}" if record.name in kept else "it left no model")
        for record in lost
    ]
    return f"{counted(len(lost), 'retraining')} failed or diverged; {'; '.join(each)}." if lost else ""


def why_no_best(result: SweepResult) -> str:
    """Why no trial can be selected, for a sweep in which none can."""
    if result.interrupted:
        return "none was validated yet"
    is_validated = any(record.reports for record in result.search.trials)
    return "none was validated" if result.search.closed and not is_validated else "all of them failed or diverged"


def closing_words(result: SweepResult) -> str:
    """What the terminal says at the end: the answer, what went wrong, and where to read on."""
    plan, search, summary = result.plan, result.search, result.summary()
    lines = [SMOKE] if plan.smoke else []
    lines += early_ends(result.log)
    resume = f"python sweeps/run.py --resume {shlex.quote(str(plan.folder))}"
    if result.interrupted:
        lines.append(f"Interrupted: {progress(result)} had ended; all of it is kept.")
        lines.append(f"Resume with: {resume}")
    elif result.log.ran_out_of_time:
        lines.append(f"With more time: {resume} --time-budget LONGER")
    failed = [record for record in search.trials if record.status == FAILED]
    if failed:
        trials = counted(search.requested, "trial")
        lines.append(f"{len(failed)} of {trials} failed; {failed[0].name}: {failed[0].reason}")
    if lost := lost_retrainings(result):
        lines.append(lost)
    lines += _answer(result, summary)
    if remark := _remark(result, summary):
        lines.append(remark)
    lines += [f"warning: {problem}" for problem in result.problems]
    if (plan.folder / REPORT).exists():
        lines.append(f"Report: {plan.folder / REPORT} ({_time(result)})")
    return "\n".join(lines)


def in_search(best: dict[str, Any], metric: str) -> str:
    """The objective of the best configuration in the search, with its deviation where there are several seeds."""
    per_seed = best.get("per_seed")
    return spread({"mean": best["val"][metric], "std": statistics.stdev(per_seed) if per_seed else None})


def _time(result: SweepResult) -> str:
    """The time that the sweep has taken, beside its budget if it has one."""
    budget_s = result.plan.resources.time_budget_s
    if budget_s is None:
        return duration(result.wall_s)
    return f"{duration(result.log.taken_s())} of {duration(budget_s)}"


def _answer(result: SweepResult, summary: dict[str, Any]) -> list[str]:
    """The best configuration with its values, as far as the sweep came."""
    metric, lines = result.search.objective.metric, []
    if summary["best"]:
        best = Configuration(**summary["best"]["config"])
        lines.append(f"Best configuration: {settings(best, result.plan.varied)}")
        over = over_seeds(result.plan.seeds_per_trial)
        lines.append(f"  validation {metric} in the search{over}: {in_search(summary['best'], metric)}")
    elif result.search.records:
        lines.append(f"error: no trial can be selected: {why_no_best(result)}; see trials.csv for why")
    if result.retrained:
        first = summary["retrained"][0]
        seeds = counted(len(first["val"][metric]["values"]), "seed")
        lines.append(f"  validation {metric} after retraining, {seeds}: {spread(first['val'][metric])}")
        if first["test"]:
            lines.append(f"  test {metric}, each model once: {spread(first['test'][metric])}")
    return lines
