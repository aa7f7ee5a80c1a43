"""Plans and records of sweeps that never ran: what the tests of the records, the schedulers and the search share."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import yaml

from ae import tasks
from ae.configuration import Configuration
from ae.task import PLAIN_SPACE
from sweeps.config import space as spaces
from sweeps.config.arguments import parser
from sweeps.config.new_plan import new_plan
from sweeps.config.plan import Plan
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import FINISHED, SEARCH, TrialLog, TrialRecord


def plan_of(results: Path, *options: object, task: str = "mnist-cls", name: str = "sweep") -> Plan:
    """The plan that a command line means, its results folder made."""
    arguments = ["--task", task, "--results", str(results), "--name", name, *map(str, options)]
    plan = new_plan(parser(tasks.find(task)).parse(arguments), arguments)
    plan.folder.mkdir(parents=True)
    return plan


def space_of(folder: Path, content: str) -> spaces.Space:
    """The search space that a file with this content has."""
    path = folder / "space.yaml"
    path.write_text(content)
    return spaces.read(path, Configuration())


def plain_space(path: Path) -> Path:
    """Writes the space of plain models: what a seed draws from it stays the same when the wide space gets options."""
    path.write_text(yaml.safe_dump(dict(PLAIN_SPACE), sort_keys=False))
    return path


def begin_session(log: SweepLog, session: str = "a") -> None:
    """A session begins."""
    log.add("session_begun", session=session, host="here", device="cpu", versions={})


def ask(log: SweepLog, name: str, phase: str = SEARCH, **changes: Any) -> TrialRecord:
    """A trial is asked for, its configuration the plan's with these changes."""
    log.add("asked", phase=phase, trial=name, config=asdict(replace(log.plan.base, **changes)))
    return log.phase(phase).records[name]


def report(
    log: SweepLog, name: str, epoch: int, value: float, phase: str = SEARCH, loss: float = 0.5, train_s: float = 1.0
) -> None:
    """A trial is validated; `value` is the objective's."""
    trials = log.phase(phase)
    metrics = {"loss": loss, trials.objective.metric: value}
    facts = {"epoch": epoch, "train_loss": 0.25, "metrics": metrics, "train_s": train_s}
    if trials.seeds_per_trial > 1:
        facts["per_seed"] = [value] * trials.seeds_per_trial
    log.add("reported", phase=phase, trial=name, **facts, wall_s=trials.epochs + epoch)


def end(log: SweepLog, name: str, status: str = FINISHED, phase: str = SEARCH, reason: str = "why") -> None:
    """A trial ends."""
    log.add("ended", phase=phase, trial=name, status=status, reason=reason, wall_s=log.phase(phase).recorded_s)


def state(log: SweepLog) -> dict[str, Any]:
    """All that a sweep's record says, in a form that compares; NaN equals NaN."""
    return {
        "search": _state(log.search),
        "retraining": _state(log.retraining),
        "retrainings": repr(log.retrainings),
        "known": repr(log.known),
        "tests": repr(log.tests),
        "last": (log.session, log.host, log.device, log.last_time, log.ended_as),
        "finished": log.is_finished,
    }


def _state(log: TrialLog) -> dict[str, Any]:
    return {
        "records": repr(log.records),
        "facts": [(fact.kind, fact.record.name, repr(fact.report)) for fact in log.facts],
        "planned": repr(dict(log.planned)),
        "elapsed_s": log.elapsed_s,
        "ranked": [record.name for record in log.ranked()],
        "counts": (log.requested, log.ended, log.epochs, log.is_complete),
    }
