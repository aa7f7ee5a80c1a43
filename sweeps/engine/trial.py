"""One trial: a training run that reports to Ray Tune."""

from __future__ import annotations

import contextlib
import errno
import faulthandler
import math
import os
import time
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from ray import tune

from ae.configuration import Configuration
from ae.task import Split
from ae.tasks import find
from ae.training import DeviceSplit, Training
from sweeps.engine.spare import SpareCores
from sweeps.storage.checkpoints import Checkpoints

NO_GPU = "its machine has no GPU that torch can use: it trained on the CPU"


class SweepTrial(tune.Trainable):
    """Trains `config["run"]["configuration"]`, one report a validation.

    A report has `epoch`, `train_loss`, `val_` and each metric of the task, `best` (the objective's best value so far),
    `best_epoch`, `diverged`, `train_s` (seconds in training and validation since the last report) and `warning` (what
    went wrong with a checkpoint, or nothing). An actor that has ended a trial takes the next one by `reset_config`, its
    data in place. A step or a pause that takes longer than the time limit ends the process, and so the trial, as a
    failure.

    `config["run"]["known"]` is the last epoch that the driver has heard of. Where a checkpoint is ahead of that, as its
    tables may be of an older moment, the reports between the two come first: they are in the checkpoint.
    """

    def setup(
        self,
        config: dict[str, Any],
        task: str,
        train: Split,
        validation: Split,
        checkpoints: str,
        eval_every: int,
        threads: int,
        spare: SpareCores | None,
        device: str,
        core: str,
        time_limit_s: float | None,
        reused: bool,
    ) -> None:
        """Take the data, then the first configuration; the test split is never sent here."""
        torch.set_num_threads(threads)
        self.threads, self.spare = threads, spare
        self.reused = reused
        self.lacks_gpu = device == "auto" and not torch.cuda.is_available()
        if device == "auto":
            device = "cpu" if self.lacks_gpu else "cuda"
        if device == "cuda":  # cuDNN's LSTM would round its factors to TF32, and its sums might differ by the run
            torch.backends.cudnn.allow_tf32 = False
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        self.task, self.eval_every, self.core = find(task), eval_every, core
        self.checkpoints, self.time_limit_s = Checkpoints(checkpoints), time_limit_s
        self.device, self.splits = device, (train, validation)
        self.on_device: tuple[DeviceSplit, DeviceSplit] | None = None
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take a trial; all that can fail is left to its first step, which Tune tries again if it does."""
        self.run: dict[str, Any] = new_config["run"]
        self.training: Training | None = None
        if self.device == "cuda":
            torch.cuda.empty_cache()  # the trials beside it may need what the last one here had
        return True

    def __repr__(self) -> str:
        """The actor's name in Ray's dashboard and logs, which Ray asks for once, when the actor starts."""
        return f"trial {self.run['trial']} and later ones" if self.reused else f"trial {self.run['trial']}"

    def _begin(self) -> Training:
        """Start the trial, or go on with it where its checkpoints are; those of other configurations are none of it."""
        self.name, configuration = self.run["trial"], Configuration(**self.run["configuration"])
        if not self.checkpoints.within_reach():
            rule = "this machine does not see the results; give --storage, a bucket or a folder that every machine sees"
            raise FileNotFoundError(errno.ENOENT, rule, self.checkpoints.root)
        if self.on_device is None:
            train, validation = self.splits
            self.on_device = DeviceSplit(train, self.device), DeviceSplit(validation, self.device)
        training = Training(self.task, configuration, *self.on_device, self.core)
        found = self.checkpoints.load(self.name)
        self.warning = found.warning or (NO_GPU if self.lacks_gpu else "")
        self.reports: list[dict[str, Any]] = []
        if found.state and found.state["configuration"] == self.run["configuration"]:
            training.load_state_dict(found.state)
            self.reports = found.state["reports"]
        self.unheard = [report for report in self.reports if report["epoch"] > self.run.get("known", math.inf)]
        self.saved_epoch = training.epoch
        return training

    def step(self) -> dict[str, Any]:
        """Train to the next validation; a loss that is not finite ends the trial as diverged."""
        with self._limited():
            if begins := self.training is None:
                self.training = self._begin()
            if self.unheard:
                return dict(self.unheard.pop(0))
            self._save(self.training)  # what the driver has heard of, before it is trained on
            self.training.threads.choices = (self.threads,) if begins else self._spare_too()
            return self._report(self.training)

    @contextlib.contextmanager
    def _limited(self) -> Iterator[None]:
        """Kill this process once the time limit is over; only that ends a call that hangs in a driver or a storage."""
        if self.time_limit_s:
            faulthandler.dump_traceback_later(self.time_limit_s, exit=True)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()

    def _spare_too(self) -> Sequence[int]:
        """Threads to choose from until the next report: its own, or those and a share of what no trial uses.

        Only the fast core takes more than its own. One that has just begun does not look: others may be about to begin.
        """
        share = self.spare.share() if self.spare else 0
        return (self.threads, share) if share > self.threads else (self.threads,)

    def _report(self, training: Training) -> dict[str, Any]:
        started = time.perf_counter()
        for _ in range(min(self.eval_every, training.configuration.epochs - training.epoch)):
            if not math.isfinite(training.train_epoch()):
                break
        metrics = training.validate()
        diverged = not all(map(math.isfinite, (training.train_loss, metrics["loss"])))
        if diverged:  # what diverged weights happen to score ranks nothing
            metrics = dict.fromkeys(metrics, math.nan)
        done = diverged or training.epoch >= training.configuration.epochs
        report = {
            "epoch": training.epoch,
            "train_loss": training.train_loss,
            **{f"val_{name}": value for name, value in metrics.items()},
            "best": training.best_metrics.get(self.task.objective.metric, math.nan),
            "best_epoch": training.best_epoch,
            "diverged": diverged,
            "train_s": time.perf_counter() - started,
            "warning": self.warning,
            "done": done,
        }
        self.reports.append(dict(report))
        if done and not diverged:
            self._save(training)
            report["warning"] = self.warning
        return report

    def _save(self, training: Training) -> None:
        """Keep the state among the sweep's own checkpoints; a full disk costs a checkpoint, not the trial."""
        if training.epoch > self.saved_epoch:
            state = training.state_dict() | {"configuration": self.run["configuration"], "reports": self.reports}
            try:
                self.checkpoints.save(self.name, training.epoch, state)
                self.saved_epoch = training.epoch
            except OSError as error:
                self.warning = f"the checkpoint of epoch {training.epoch} could not be written: {error}"

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, int]:
        """A pause: keep the state, and tell Tune no more than where it is.

        Tune's own checkpoints would be copied, numbered anew, and listed in a snapshot that costs more the more trials
        there are; its restored sweeps forget the newest. Ours are named by trial and epoch, and any session finds them.
        """
        assert self.training, "a trial pauses after a report"
        with self._limited():
            self._save(self.training)
        return {"epoch": self.training.epoch}

    def load_checkpoint(self, checkpoint: dict[str, int]) -> None:
        """Nothing: the first step finds the state."""
