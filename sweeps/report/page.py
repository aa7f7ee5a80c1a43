"""What a sweep leaves to read: `summary.json`, figures, and `report.html`, one file that opens offline."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Callable, Sequence
from typing import Any

from ae.configuration import Configuration
from ae.files import write_whole
from ae.splits import Splits
from ae.words import counted
from sweeps.config.words import SMOKE, duration, over_seeds, settings, spread
from sweeps.records.progress import early_ends
from sweeps.records.result import SweepResult
from sweeps.records.trials import FAILED
from sweeps.report.guard import attempt
from sweeps.report.html import html, in_search, static_parts
from sweeps.report.outcome import how_far, lost_retrainings, why_no_best
from sweeps.report.page_data import page_data, sweep_data
from sweeps.storage.folder import REPORT, SUMMARY


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
    figures = draw_figures(result, splits, now)
    write_page(result, figures, remark_of(result, summary))


def write_page(result: SweepResult, figures: Sequence[dict[str, Any]], remark: str) -> None:
    """Write `report.html`, one file that opens without a network.

    Args:
        result: of the sweep.
        figures: of its best model, as `page_figures.model_figures` gives them.
        remark: what the task says about the test.

    Raises:
        OSError: if it cannot be written.
    """
    sweep = sweep_data(result, figures, outcome(result), remark)
    content = html(page_data([sweep]), static_parts(result, sweep["notices"], remark))
    write_whole(result.plan.folder / REPORT, content)


def outcome(result: SweepResult) -> str:
    """How a sweep that no process runs ended, in a word."""
    return "interrupted" if result.interrupted else "finished" if result.tested else "failed"


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


def remark_of(result: SweepResult, summary: dict[str, Any]) -> str:
    """What the task says about the mean test metrics and its baseline; empty before the test."""
    if not summary["test"]:
        return ""
    means = {name: values["mean"] for name, values in summary["test"].items()} | result.baseline
    return attempt(result, "the comparison with the baseline", lambda: result.plan.task.remark(means), "")


def closing_words(result: SweepResult) -> str:
    """What the terminal says at the end: the answer, what went wrong, and where to read on."""
    plan, search, summary = result.plan, result.search, result.summary()
    lines = [SMOKE] if plan.smoke else []
    lines += early_ends(result.log)
    resume = f"python sweeps/run.py --resume {shlex.quote(str(plan.folder))}"
    if result.interrupted:
        lines.append(f"Interrupted: {how_far(result)} had ended; all of it is kept.")
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
    if remark := remark_of(result, summary):
        lines.append(remark)
    lines += [f"warning: {problem}" for problem in result.problems]
    if (plan.folder / REPORT).exists():
        lines.append(f"Report: {plan.folder / REPORT} ({_time(result)})")
    return "\n".join(lines)


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
