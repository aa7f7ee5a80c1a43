"""Ray's MLflow callback, made to go on with the runs of an earlier session."""

from __future__ import annotations

from typing import Any

import mlflow
from ray.air.integrations.mlflow import MLflowLoggerCallback


class MLflowRuns(MLflowLoggerCallback):
    """A run a trial, found again by the trial's id; Ray's own begins a second run where a trial goes on."""

    def setup(self, *args: Any, **kwargs: Any) -> None:
        """Connect; RuntimeError where no MLflow answers."""
        try:
            super().setup(*args, **kwargs)
        except mlflow.exceptions.MlflowException as error:
            raise RuntimeError(f"{self.tracking_uri} cannot be used: {error}") from None

    def log_trial_start(self, trial: Any) -> None:
        """Go on with the trial's run, or begin one."""
        self.tags = {"trial_id": trial.trial_id}
        found = mlflow.search_runs(
            experiment_names=[self.experiment_name],
            filter_string=f"tags.trial_id = '{trial.trial_id}'",
            output_format="list",
        )
        if found:
            self._trial_runs[trial] = found[0].info.run_id
        else:
            super().log_trial_start(trial)
