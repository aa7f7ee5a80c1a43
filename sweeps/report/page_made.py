"""How a sweep was made, and what it left beside the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sweeps.records.result import SweepResult
from sweeps.storage.checkpoints import Checkpoints
from sweeps.storage.filesystem import STORAGE_ERRORS
from sweeps.storage.folder import BEST, CURVES, ERRORS, EVENTS, FIGURES, PLAN, STUDY, SUMMARY, TENSORBOARD, TRIALS
from sweeps.storage.ray_files import error_files

FILES = {
    SUMMARY: "the answer, for programs",
    TRIALS: "a row per trial",
    CURVES: "a row per validation",
    f"{BEST}/": "the winner's model",
    f"{FIGURES}/": "the figures as PNG",
    PLAN: "what was to be done",
    EVENTS: "everything that happened",
    STUDY: "for optuna-dashboard",
    f"{TENSORBOARD}/": "for TensorBoard",
    ERRORS: "tracebacks",
}
"""What a results folder may hold, with what it is."""
MOST_ERRORS = 20
"""Failed trials whose tracebacks the page holds."""
LONGEST_ERROR = 6_000
"""Characters of a traceback, the last ones."""


def made(result: SweepResult, commands: list[str], description: str) -> dict[str, Any]:
    """Commands, versions, machine, seeds and data, and the files beside the page."""
    plan, log, folder = result.plan, result.log, result.plan.folder
    return {
        "commands": commands,
        "plan": [[line[:11].strip(), line[12:]] for line in description.splitlines()],
        "description": description,
        "versions": result.versions,
        "device": result.device,
        "host": log.host,
        "dataHash": plan.data_sha256,
        "seed": plan.seed,
        "folder": str(folder),
        "checkpoints": plan.checkpoints if plan.storage else str(folder / "checkpoints"),
        "kept": _kept(result),
        "errors": _errors(result),
        "files": [[name, words] for name, words in FILES.items() if (folder / name).exists()],
    }


def _kept(result: SweepResult) -> dict[str, list[int]] | None:
    """The epochs of the checkpoints that are left, by trial; None if the place cannot be read."""
    try:
        checkpoints = Checkpoints(result.plan.checkpoints)
        return {name: checkpoints.epochs(name) for name in sorted(checkpoints.trials())}
    except STORAGE_ERRORS:
        return None


def _errors(result: SweepResult) -> dict[str, str]:
    """The last traceback of trials that failed, by name."""
    failed = [record for log in (result.log.search, result.log.retraining) for record in log.lost()]
    found: dict[str, str] = {}
    for record in failed[:MOST_ERRORS]:
        try:
            files = error_files(result.plan.place, record.name)
        except STORAGE_ERRORS:
            return found
        if files and Path(files[-1]).exists():
            found[record.name] = Path(files[-1]).read_text(encoding="utf-8", errors="replace")[-LONGEST_ERROR:]
    return found
