"""One trial: a training run that reports to Ray Tune."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import torch
from ray import tune

from ae.configuration import Configuration
from ae.task import Split
from ae.tasks import find
from ae.training import DeviceSplit, Training

CHECKPOINT = "training.pt"


class SweepTrial(tune.Trainable):
    """Trains `config["run"]["configuration"]`, one report a validation.

    A report has `epoch`, `train_loss`, `val_` and each metric of the task, `best` (the objective's best value so far),
    `best_epoch`, `diverged`, and `train_s` (seconds in training and validation since the last report). An actor that
    has ended a trial takes the next one by `reset_config`, its data in place.
    """

    def setup(
        self,
        config: dict[str, Any],
        task: str,
        train: Split,
        validation: Split,
        eval_every: int,
        threads: int,
        device: str,
        core: str,
    ) -> None:
        """Take the data onto the device, then the first configuration; the test split is never sent here."""
        torch.set_num_threads(threads)
        self.task, self.eval_every, self.core = find(task), eval_every, core
        self.train_split, self.validation_split = DeviceSplit(train, device), DeviceSplit(validation, device)
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Start another trial in this actor."""
        configuration = Configuration(**new_config["run"]["configuration"])
        self.training = Training(self.task, configuration, self.train_split, self.validation_split, self.core)
        return True

    def step(self) -> dict[str, Any]:
        """Train to the next validation; a loss that is not finite ends the trial as diverged."""
        started = time.perf_counter()
        training = self.training
        train_loss = math.nan
        for _ in range(min(self.eval_every, training.configuration.epochs - training.epoch)):
            train_loss = training.train_epoch()
            if not math.isfinite(train_loss):
                break
        metrics = training.validate()
        diverged = not all(map(math.isfinite, (train_loss, metrics["loss"])))
        if diverged:  # what diverged weights happen to score ranks nothing
            metrics = dict.fromkeys(metrics, math.nan)
        return {
            "epoch": training.epoch,
            "train_loss": train_loss,
            **{f"val_{name}": value for name, value in metrics.items()},
            "best": training.best_metrics.get(self.task.objective.metric, math.nan),
            "best_epoch": training.best_epoch,
            "diverged": diverged,
            "train_s": time.perf_counter() - started,
            "done": diverged or training.epoch >= training.configuration.epochs,
        }

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Write the run's last state and its best epoch's weights."""
        torch.save(self.training.state_dict(), Path(checkpoint_dir) / CHECKPOINT)

    def load_checkpoint(self, checkpoint: str) -> None:
        """Go on from `save_checkpoint`."""
        self.training.load_state_dict(read_checkpoint(checkpoint))


def read_checkpoint(folder: str | Path) -> dict[str, Any]:
    """The state that a trial saved; nothing in the file is run."""
    state: dict[str, Any] = torch.load(Path(folder) / CHECKPOINT, weights_only=True, map_location="cpu")
    return state
