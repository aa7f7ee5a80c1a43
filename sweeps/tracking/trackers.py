"""MLflow and Weights & Biases, through Ray's own callbacks for them."""

from __future__ import annotations

import contextlib
import io
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ray.tune.logger import LoggerCallback

from sweeps.config.arguments import one_line
from sweeps.config.plan import Plan
from sweeps.config.words import hyperparameter
from sweeps.records.ledger import FAILED, Entry
from sweeps.storage.folder import Unusable

log = logging.getLogger(__name__)

UPLOAD_S = 60
"""Seconds that Weights & Biases may take, at the end of a phase, to take in what it was told."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """A trial as a tracker is to see it; Ray's callbacks take it for Tune's own, whose configuration is nested."""

    trial_id: str
    """Unique among all sweeps, so that a resumed trial goes on in its own run."""
    name: str
    config: Mapping[str, Any]
    """Hyperparameters by name."""
    experiment_dir_name: str
    local_path: str
    """Where the tracker may leave files."""
    checkpoint: None = None

    def __str__(self) -> str:
        return self.name

    def __hash__(self) -> int:
        return hash(self.trial_id)


class Tracker:
    """Hands a phase to one of Ray's callbacks, a run a trial.

    Args:
        callback: Ray's.
        plan: the sweep.
        phase: "search" or "retrain".
    """

    def __init__(self, callback: LoggerCallback, plan: Plan, phase: str) -> None:
        self.callback, self.plan, self.phase = callback, plan, phase
        self.runs: dict[str, Entry] = {}
        """Trials whose run has not ended."""
        self.failed = False
        """Whether the tracker failed, and is told no more."""

    def open(self) -> None:
        """The phase begins."""
        self._tell(self.callback.setup)

    def begin(self, entry: Entry) -> None:
        """A trial starts, or goes on."""
        self.runs[entry.name] = entry
        self._tell(self.callback.log_trial_start, self._shown(entry))

    def report(self, entry: Entry, epoch: int, metrics: Mapping[str, float], wall_time: float) -> None:
        """A trial was validated: its metrics, at the epoch as the step."""
        result = {**metrics, "training_iteration": epoch, "timesteps_total": epoch}
        self._tell(self.callback.log_trial_result, epoch, self._shown(entry), result)

    def end(self, entry: Entry) -> None:
        """A trial ended."""
        self.runs.pop(entry.name)
        self._tell(self.callback.log_trial_end, self._shown(entry), failed=entry.status == FAILED)

    def close(self) -> None:
        """End the runs of trials that were interrupted, and wait until all is handed on."""
        for entry in list(self.runs.values()):
            self.end(entry)
        self._tell(self.callback.on_experiment_end, [])

    def _tell(self, tell: Callable[..., None], *what: Any, **more: Any) -> None:
        """Hand something on; whatever a tracker raises then, the sweep goes on without it."""
        if self.failed:
            return
        try:
            tell(*what, **more)
        except Exception as error:
            self.failed = True
            why = one_line(error) or type(error).__name__
            log.warning("--track %s: %s; it is told no more of this phase, which goes on", self.plan.track, why)

    def _shown(self, entry: Entry) -> Shown:
        plan = self.plan
        configuration = {name: hyperparameter(v) if v is None else v for name, v in entry.configuration.items()}
        return Shown(
            trial_id=f"{plan.task.name}-{plan.name}-{self.phase}-{entry.name}",
            name=entry.name,
            config=configuration | {"phase": self.phase},
            experiment_dir_name=f"{plan.task.name}/{plan.name}",
            local_path=str(plan.folder.absolute()),
        )


def check(plan: Plan) -> None:
    """Try the tracker before anything starts, unless it only writes into the results folder.

    Raises:
        Unusable: if there is no key for Weights & Biases, or no MLflow where MLFLOW_TRACKING_URI says.
    """
    try:
        if plan.track == "wandb":
            with contextlib.redirect_stderr(io.StringIO()):  # wandb's words on Ray's use of it
                wandb(plan).setup()
        elif plan.track == "mlflow" and os.environ.get("MLFLOW_TRACKING_URI"):
            mlflow(plan).setup()
    except ValueError:
        how = "set WANDB_API_KEY, or WANDB_MODE=offline, or run: wandb login"
        raise Unusable(f"--track wandb: no API key for Weights & Biases; {how}") from None
    except RuntimeError as error:
        raise Unusable(f"--track mlflow: {error}") from None


def tracker(plan: Plan, phase: str) -> Tracker:
    """The plan's tracker for one phase."""
    return Tracker(mlflow(plan) if plan.track == "mlflow" else wandb(plan), plan, phase)


def mlflow(plan: Plan) -> LoggerCallback:
    """MLflow: where MLFLOW_TRACKING_URI says, or in the results folder's `mlflow.db`."""
    from sweeps.tracking.mlflow_runs import MLflowRuns

    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{plan.folder.absolute() / 'mlflow.db'}"
    return MLflowRuns(tracking_uri=uri, experiment_name=f"{plan.task.name}/{plan.name}")


def wandb(plan: Plan) -> LoggerCallback:
    """Weights & Biases: as its own variables say; with WANDB_MODE=offline in the results folder's `wandb/`."""
    from sweeps.tracking.wandb_runs import WandbRuns

    return WandbRuns(
        project=os.environ.get("WANDB_PROJECT", plan.task.name),
        group=plan.name,
        dir=str(plan.folder.absolute()),
        mode=os.environ.get("WANDB_MODE"),
        resume="allow",
        upload_timeout=UPLOAD_S,
    )
