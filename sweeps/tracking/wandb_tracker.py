"""Weights & Biases: one run per trial, as its own variables say; offline in the results folder's `wandb/`."""

from __future__ import annotations

import os

import wandb

from ae.errors import UserError
from sweeps.config.plan import Plan
from sweeps.config.words import one_line
from sweeps.records.trials import TrialLog, TrialRecord
from sweeps.tracking.followers import CLOSE_S, Follower, run_config, run_id, run_metrics

MODE = "WANDB_MODE"
WITHOUT_KEY = ("offline", "dryrun", "disabled")
"""Modes in which nothing is sent."""


def follower(plan: Plan, log: TrialLog) -> Follower:
    """The follower of a phase that tells Weights & Biases."""
    return WandbRuns(plan, log)


def check(plan: Plan) -> None:
    """See that there is a key for Weights & Biases, and that its server takes it.

    Raises:
        UserError: if not.
    """
    if os.environ.get(MODE) in WITHOUT_KEY:
        return
    wandb.setup(wandb.Settings(silent=True))
    try:
        if wandb.login(prompt=False):
            return
        reason = "no API key for Weights & Biases"
    except wandb.Error as error:
        reason = one_line(error).rstrip(".")
    raise UserError(f"--track wandb: {reason}; set WANDB_API_KEY, or WANDB_MODE=offline, or run: wandb login")


class WandbRuns:
    """Sends a phase to Weights & Biases, one run per trial, in a group per sweep.

    Args:
        plan: of the sweep.
        log: of the phase.
    """

    def __init__(self, plan: Plan, log: TrialLog) -> None:
        self.plan, self.log = plan, log
        self.runs: dict[str, wandb.Run] = {}
        """Those of the trials that are open, by trial."""
        self.settings = wandb.Settings(
            silent=True,
            console="off",  # the output of the sweep belongs to no single run
            finish_timeout=CLOSE_S,
            finish_timeout_raises=True,
            stop_fn=lambda: None,  # by default, a run that is stopped in the browser interrupts the whole sweep
            x_save_requirements=False,  # 0.2 s of CPU time per run
        )

    def open(self) -> None:
        """Let Weights & Biases print nothing."""
        wandb.setup(wandb.Settings(silent=True))

    def begin(self, record: TrialRecord) -> None:
        """Start the trial's run, or continue it, with the trial's hyperparameters."""
        self.runs[record.name] = wandb.init(
            id=run_id(self.plan, self.log, record),
            name=record.name,
            project=os.environ.get("WANDB_PROJECT", self.plan.task.name),
            group=self.plan.name,
            dir=str(self.plan.folder.absolute()),
            config=run_config(self.log, record),
            mode=os.environ.get(MODE),  # type: ignore[arg-type]  # wandb checks the user's text
            resume="allow",
            reinit="create_new",
            settings=self.settings,
        )

    def report(self, record: TrialRecord) -> None:
        """Log the report's metrics, at its epoch as the step."""
        self.runs[record.name].log(run_metrics(record.reports[-1]), step=record.epoch)

    def end(self, record: TrialRecord) -> None:
        """Finish the trial's run: failed if the trial failed or diverged."""
        if record.name not in self.runs:
            self.begin(record)
        self.runs.pop(record.name).finish(exit_code=1 if record.is_lost else 0)

    def tick(self) -> None:
        """Nothing is due between events."""

    def close(self) -> None:
        """Finish the runs of trials that were interrupted, as failed, and wait until all runs are on the disk."""
        for run in self.runs.values():
            run.finish(exit_code=130)
        wandb.teardown()  # `finish` may return before the last of a run is written
