"""MLflow: one run per trial, where MLFLOW_TRACKING_URI says or in the results folder's `mlflow.db`."""

from __future__ import annotations

import logging
import os

from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException

from ae.errors import UserError
from sweeps.config.plan import Plan
from sweeps.config.words import one_line
from sweeps.records.trials import TrialLog, TrialRecord
from sweeps.tracking.followers import Follower, run_config, run_id, run_metrics

URI = "MLFLOW_TRACKING_URI"
CHECK = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
"""MLflow's settings while `check` asks for an answer; by default it tries for minutes."""

logging.getLogger("mlflow").setLevel(logging.WARNING)  # below that, it tells about the tables of a new database


def follower(plan: Plan, log: TrialLog) -> Follower:
    """MLflow's follower of a phase."""
    return MLflowRuns(plan, log)


def check(plan: Plan) -> None:
    """See that MLflow answers at MLFLOW_TRACKING_URI; without that variable there is nothing to check.

    Raises:
        UserError: if it does not.
    """
    uri = os.environ.get(URI)
    if not uri:
        return
    added = CHECK.keys() - os.environ.keys()
    os.environ.update({name: CHECK[name] for name in added})
    try:
        MlflowClient(tracking_uri=uri).search_experiments(max_results=1)
    except (MlflowException, ImportError) as error:  # a database may need a package of its own
        reason = one_line(error).rstrip(".")
        fix = f"start MLflow there, or unset {URI} to write into the results folder"
        raise UserError(f"--track mlflow: {URI}={uri} cannot be used: {reason}; {fix}") from None
    finally:
        for name in added:
            del os.environ[name]


class MLflowRuns:
    """Writes a phase into the experiment TASK/NAME, one run per trial.

    A run carries its trial's id as a tag, by which a later session finds it and continues in it.

    Args:
        plan: of the sweep.
        log: of the phase.
    """

    def __init__(self, plan: Plan, log: TrialLog) -> None:
        self.plan, self.log = plan, log
        self.runs: dict[str, str] = {}
        """MLflow's run ids of the trials that are open, by trial."""

    def open(self) -> None:
        """Find the sweep's experiment, or create it."""
        uri = os.environ.get(URI) or f"sqlite:///{self.plan.folder.absolute() / 'mlflow.db'}"
        self.client = MlflowClient(tracking_uri=uri)
        name = f"{self.plan.task.name}/{self.plan.name}"
        found = self.client.get_experiment_by_name(name)
        self.experiment_id = found.experiment_id if found else self.client.create_experiment(name)

    def begin(self, record: TrialRecord) -> None:
        """Continue in the trial's run, or create it with the trial's hyperparameters."""
        trial_id = run_id(self.plan, self.log, record)
        found = self.client.search_runs([self.experiment_id], f"tags.trial_id = '{trial_id}'", max_results=1)
        if found:
            self.runs[record.name] = found[0].info.run_id
            self.client.update_run(found[0].info.run_id, status="RUNNING")
            return
        tags = {"trial_id": trial_id, "trial_name": record.name}
        run = self.client.create_run(self.experiment_id, run_name=record.name, tags=tags)
        self.runs[record.name] = run.info.run_id
        config = run_config(self.log, record)
        self.client.log_batch(run.info.run_id, params=[Param(name, str(value)) for name, value in config.items()])

    def report(self, record: TrialRecord) -> None:
        """Log the report's metrics, at its epoch as the step."""
        report = record.reports[-1]
        time_ms = int(report.time * 1000)
        metrics = [Metric(name, value, time_ms, report.epoch) for name, value in run_metrics(report).items()]
        self.client.log_batch(self.runs[record.name], metrics=metrics)

    def end(self, record: TrialRecord) -> None:
        """End the trial's run: FAILED if the trial failed or diverged."""
        if record.name not in self.runs:
            self.begin(record)
        self.client.set_terminated(self.runs.pop(record.name), "FAILED" if record.is_lost else "FINISHED")

    def tick(self) -> None:
        """Nothing is due between events."""

    def close(self) -> None:
        """End the runs of trials that were interrupted, as KILLED."""
        for run in self.runs.values():
            self.client.set_terminated(run, "KILLED")
