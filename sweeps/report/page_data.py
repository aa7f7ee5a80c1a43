"""All that the page of a sweep shows, as JSON: for the final file, for the live page, and for several sweeps on one."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from ae.configuration import Configuration
from ae.words import counted
from sweeps.config.choices import SCHEDULERS
from sweeps.config.description import describe
from sweeps.config.rungs import rung_epochs
from sweeps.config.words import SMOKE, settings, spread
from sweeps.records import progress
from sweeps.records.eta import time_left
from sweeps.records.result import SweepResult, command_line
from sweeps.records.trials import STATUSES, STOPPED, TrialLog
from sweeps.report.outcome import how_far, lost_retrainings, why_no_best
from sweeps.report.page_made import made
from sweeps.report.page_trials import columns_of, metrics_of, number, trial
from sweeps.report.trial_page import EVENTS, command_alone

VERSION = 1
"""Version of the data's form; the live page asks for all of it again where it differs."""


def page_data(sweeps: Sequence[dict[str, Any]], live: str = "") -> dict[str, Any]:
    """The data of a page.

    Args:
        sweeps: as `sweep_data` gives them.
        live: which updates come next, as the server numbers them; empty for a file that stays as it is.
    """
    return {"version": VERSION, "live": live, "events": EVENTS, "sweeps": list(sweeps)}


def sweep_data(result: SweepResult, figures: Sequence[dict[str, Any]], state: str, remark: str) -> dict[str, Any]:
    """All about one sweep.

    Args:
        result: what it found so far.
        figures: of its best model.
        state: "running", or how it ended, in words.
        remark: what the task says about the test.
    """
    plan, log = result.plan, result.log
    is_over = state != "running"
    columns, metrics = columns_of(plan), metrics_of(log.search)
    runs = list(log.retrainings.values())
    return {
        "name": plan.name,
        "task": plan.task.name,
        "description": plan.task.description,
        "source": result.source,
        "objective": {"metric": plan.task.objective.metric, "mode": plan.task.objective.mode},
        "varied": list(plan.varied),
        "ranges": [name for name, dimension in plan.whole_space.items() if isinstance(dimension, dict)],
        "columns": columns,
        "metrics": metrics,
        "maxEpochs": plan.budget.max_epochs,
        "retrainEpochs": plan.retrain_epochs,
        "seedsPerTrial": plan.seeds_per_trial,
        "rungs": list(rung_epochs(plan.budget)) if SCHEDULERS[plan.scheduler].halves else [],
        "search": f"Optuna ({plan.sampler})" if plan.search == "optuna" else "grid",
        "scheduler": plan.scheduler,
        "now": now(result, state),
        "problems": list(result.problems),
        "notices": notices(result, is_over),
        "answer": answer(result, remark),
        "trials": [trial(record, columns, metrics, is_over) for record in log.search.trials],
        "runs": [trial(record, columns, metrics, is_over) for record in runs],
        **found(result),
        "figures": list(figures),
        "alone": [command_alone(plan, "@TRY@", "@EPOCHS@", "@SEED@", seeds) for seeds in (plan.seeds_per_trial, 1)],
        "made": made(result, [command_line(command) for command in plan.commands], describe(plan)),
    }


def found(result: SweepResult) -> dict[str, Any]:
    """What follows from all the trials together."""
    tests = result.log.tests.items()
    return {
        "importance": _importance(result),
        "retrained": _retrained(result),
        "tests": {name: {key: number(value) for key, value in one.test.items()} for name, one in tests},
    }


def now(result: SweepResult, state: str) -> dict[str, Any]:
    """How far the sweep is: what changes all the time while it runs."""
    log, search, retraining = result.log, result.log.search, result.log.retraining
    is_running = state == "running"
    left = time_left(log) if is_running else None
    return {
        "state": state,
        "phase": _phase(result, is_running),
        "elapsed": number(log.taken_s(time.time()) if is_running else result.wall_s, 7),
        "left": progress.left_in_words(left) if is_running else "",
        "search": _counts(search, not is_running),
        "retraining": _counts(retraining, not is_running) if retraining.requested else None,
        "searchSeconds": number(search.recorded_s, 7),
    }


def _phase(result: SweepResult, is_running: bool) -> str:
    log = result.log
    if not is_running:
        return ""
    if not log.search.is_complete:
        return "search"
    if not log.retraining.requested or not log.retraining.is_complete:
        return "retraining"
    return "test and report"


def _counts(log: TrialLog, is_over: bool) -> dict[str, Any]:
    found = Counter(record.status_when(is_over) for record in log.trials)
    return {
        "requested": log.requested,
        "ended": log.ended,
        "toCome": log.to_come,
        "by": {status: found[status] for status in STATUSES if found[status]},
        "epochs": log.epochs,
        "possible": log.most_epochs,
    }


def notices(result: SweepResult, is_over: bool) -> list[str]:
    """What a reader must know before the figures, most important first."""
    plan, words = result.plan, []
    if plan.smoke:
        words.append(f"{SMOKE} It was made to see that everything works.")
    if result.interrupted:
        untested = "" if result.tested else "; the test was not completed"
        words.append(f"This sweep was interrupted: {how_far(result)} had ended. Below is what was finished{untested}.")
    if early := " ".join(progress.early_ends(result.log)):
        words.append(f"{early} Below is the best of what was found by then.")
    if (is_over or result.search.is_complete) and not result.search.ranked():
        words.append(f"No trial can be selected: {why_no_best(result)}. The table of trials says why.")
    if lost := lost_retrainings(result):
        words.append(lost)
    if result.problems:
        words.append("Parts of this report are missing: " + " ".join(f"{problem}." for problem in result.problems))
    return words


def answer(result: SweepResult, remark: str) -> dict[str, Any] | None:
    """What the sweep found, for the top of the page; None before anything was validated."""
    plan, ranked = result.plan, result.search.ranked()
    if not ranked:
        return None
    metric, summary = plan.task.objective.metric, result.summary()
    best, winner = summary["best"], result.retrained[0] if result.retrained else None
    config, per_seed = Configuration(**best["config"]), best.get("per_seed")
    search = {"mean": best["val"][metric], "std": statistics.stdev(per_seed) if per_seed else None}
    return {
        "trial": winner.trial if winner else ranked[0].name,
        "config": {name: getattr(config, name) for name in plan.varied},
        "settings": settings(config, plan.varied),
        "search": {"words": spread(search), "values": [number(value) for value in per_seed or [best["val"][metric]]]},
        "validation": _spread(summary["retrained"][0]["val"], metric) if winner else None,
        "test": _spread(summary["test"], metric) if result.tested else None,
        "remark": remark,
        "baseline": {name: number(value) for name, value in result.baseline.items()},
        "why": _why(result),
        "load": f'from ae import load\n\nmodel = load("{plan.folder}/best")' if winner else "",
    }


def _spread(values: dict[str, dict[str, Any]], metric: str) -> dict[str, Any]:
    one = values[metric]
    return {"words": spread(one), "values": [number(value) for value in one["values"]]}


def _why(result: SweepResult) -> str:
    """Why this configuration won although another one led the search; empty if it led, or nothing was retrained."""
    ranked, metric = result.search.ranked(), result.plan.task.objective.metric
    if not result.retrained or result.retrained[0].trial == ranked[0].name:
        return ""
    winner, leader = result.retrained[0], ranked[0]
    words = f"Trial {leader.name} led the search, with {metric} {leader.best:.4g}."
    other = next((one for one in result.retrained if one.trial == leader.name), None)
    if other is None:
        return f"{words} It left no retrained model, so trial {winner.trial} is the answer."
    if other.finished != winner.finished:
        seeds = counted(winner.finished, "seed")
        return f"{words} Trial {winner.trial} won: {seeds} trained to the last epoch, against {other.finished}."
    means = [statistics.fmean(model.validation[metric] for model in one.models) for one in (winner, other)]
    seeds = counted(len(winner.models), "new seed")
    return (
        f"{words} Retrained with {seeds}, trial {winner.trial} was better: "
        f"mean validation {metric} {means[0]:.4g} against {means[1]:.4g}."
    )


def _importance(result: SweepResult) -> dict[str, Any]:
    """The shares, with what they are about."""
    shares, epoch = result.importance
    compared = [record for record in result.search.trials if record.best_epoch and not record.is_lost]
    compared = [record for record in compared if not record.tried or result.plan.can_draw(record.config)]
    stopped = sum(record.status == STOPPED for record in compared)
    return {
        "shares": {name: number(share, 4) for name, share in shares.items()},
        "epoch": epoch,
        "trials": len(compared),
        "stopped": stopped,
    }


def _retrained(result: SweepResult) -> list[dict[str, Any]]:
    """Every retrained configuration, best first, with every value of every metric."""
    summaries = result.summary()["retrained"]
    return [
        {
            "trial": one.trial,
            "config": {name: getattr(one.config, name) for name in result.plan.varied},
            "runs": [model.name for model in one.models],
            "seeds": [model.seed for model in one.models],
            "epochs": [model.epoch for model in one.models],
            "finished": one.finished,
            **{
                key: {name: _spread(found[key], name) for name in found[key]} if found[key] else None
                for key in ("val", "test")
            },
        }
        for one, found in zip(result.retrained, summaries, strict=True)
    ]
