"""One trial: a training run that reports to Ray Tune."""

from __future__ import annotations

import contextlib
import errno
import faulthandler
import math
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import torch
from ray import tune

from ae.batches import DeviceSplit
from ae.configuration import DEFAULTS, Configuration
from ae.seeds import SeededTraining
from ae.splits import Split
from ae.task import Task
from sweeps.engine.spare import SpareCores
from sweeps.storage.checkpoints import Checkpoints

NO_GPU = "its machine has no GPU that torch can use: it trained on the CPU"


class SweepTrial(tune.Trainable):
    """Trains `config["run"]["configuration"]`, one report per validation.

    A report has `epoch`, `train_loss`, `val_` and each metric of the task, `train_s` (seconds in training and
    validation since the last report), `warning` (what went wrong with a checkpoint, or nothing) and `ends` (whether it
    is the last one: the last epoch was trained, or the trial diverged and its metrics are NaN). An actor that has ended
    a trial takes the next one by `reset_config`, with the data in place. A step or a pause that takes longer than the
    time limit ends the process, and so the trial, as a failure.

    With `config["run"]["seeds"]` above 1 it trains so many models, and its metrics are the means over them. A report
    then has `per_seed` too, the objective of each. It has `skipped` and `rolled_back` where they are not 0, as
    `ae.seeds.Validation` says.

    `config["run"]["known"]` is the last epoch that the driver has recorded. A checkpoint may be ahead of it: the driver
    died before it wrote the event down, or another machine resumes from a copy of the event log that is some seconds
    old. So a checkpoint holds the trial's reports, and those that the driver lacks are reported first. They have no
    other use.
    """

    def setup(
        self,
        config: dict[str, Any],
        task: Task,
        train: Split,
        validation: Split,
        checkpoints: str,
        session: str,
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
        if device == "cuda":  # cuDNN's LSTM would round its factors to TF32, and its sums might differ between runs
            torch.backends.cudnn.allow_tf32 = False
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        self.task, self.eval_every, self.core = task, eval_every, core
        self.checkpoints, self.session, self.time_limit_s = Checkpoints(checkpoints), session, time_limit_s
        self.device, self.splits = device, (train, validation)
        self.on_device: tuple[DeviceSplit, DeviceSplit] | None = None
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take a trial; whatever can fail is left to its first step, which Tune tries again."""
        self.run: dict[str, Any] = new_config["run"]
        self.training: SeededTraining | None = None
        if self.device == "cuda":
            torch.cuda.empty_cache()  # the trials beside it may need the memory of the last one here
        return True

    def __repr__(self) -> str:
        """The actor's name in Ray's dashboard and logs; Ray asks for it once, when the actor starts."""
        return f"trial {self.run['trial']} and later ones" if self.reused else f"trial {self.run['trial']}"

    def _begin(self) -> SeededTraining:
        """Start the trial, or resume it from its checkpoints; those of another configuration are ignored."""
        self.name, configuration = self.run["trial"], Configuration(**self.run["configuration"])
        if not self.checkpoints.is_shared(self.session):
            rule = "this machine does not see the results; give --storage, a bucket or a folder that every machine sees"
            raise FileNotFoundError(errno.ENOENT, rule, self.checkpoints.root)
        if self.on_device is None:
            train, validation = self.splits
            self.on_device = DeviceSplit(train, self.device), DeviceSplit(validation, self.device)
        training = SeededTraining(self.task, configuration, *self.on_device, self.core, self.run.get("seeds", 1))
        found = self.checkpoints.load(self.name)
        self.warning = found.warning or (NO_GPU if self.lacks_gpu else "")
        self.reports: list[dict[str, Any]] = []
        state = found.state or {"configuration": None}
        if isinstance(state["configuration"], dict) and {**DEFAULTS, **state["configuration"]} == asdict(configuration):
            training.load_state_dict(state)
            self.reports = state["reports"]
        self.undelivered = [report for report in self.reports if report["epoch"] > self.run.get("known", math.inf)]
        self.saved_epoch = training.epoch
        return training

    def step(self) -> dict[str, Any]:
        """Train to the next validation; a loss or an objective that is not finite ends the trial as diverged."""
        with self._limited():
            if begins := self.training is None:
                self.training = self._begin()
            if self.undelivered:
                return dict(self.undelivered.pop(0))
            self._save(self.training)  # what the driver has recorded, before training continues
            self.training.threads.choices = (self.threads,) if begins else self._thread_choices()
            return self._report(self.training)

    @contextlib.contextmanager
    def _limited(self) -> Iterator[None]:
        """Kill this process once the time limit is over: nothing else ends a call that hangs in a driver."""
        if self.time_limit_s:
            faulthandler.dump_traceback_later(self.time_limit_s, exit=True)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()

    def _thread_choices(self) -> Sequence[int]:
        """Threads to choose from until the next report: its own, or those and a share of the idle cores.

        Only the fast core takes more than its own. A trial that has just begun takes none: others may begin too.
        """
        share = self.spare.share() if self.spare else 0
        return (self.threads, share) if share > self.threads else (self.threads,)

    def _report(self, training: SeededTraining) -> dict[str, Any]:
        started = time.perf_counter()
        found = training.train_and_validate(self.eval_every)
        ends = found.has_diverged or found.epoch >= training.configuration.epochs
        report = {
            "epoch": found.epoch,
            "train_loss": found.train_loss,
            **{f"val_{name}": value for name, value in found.metrics.items()},
            **({"per_seed": list(found.per_seed)} if found.per_seed else {}),
            **({"skipped": found.skipped} if found.skipped else {}),
            **({"rolled_back": found.rolled_back} if found.rolled_back else {}),
            "train_s": time.perf_counter() - started,
            "warning": self.warning,
            "ends": ends,
            "done": ends,  # the key that Tune looks at, and sets for trials that a scheduler stops
        }
        self.reports.append(dict(report))
        if ends and not found.has_diverged:
            self._save(training)
            report["warning"] = self.warning
        return report

    def _save(self, training: SeededTraining) -> None:
        """Keep the state among the sweep's own checkpoints; a full disk costs a checkpoint, not the trial."""
        if training.epoch > self.saved_epoch:
            state = training.state_dict() | {"configuration": self.run["configuration"], "reports": self.reports}
            try:
                self.checkpoints.save(self.name, training.epoch, state)
                self.saved_epoch = training.epoch
            except OSError as error:
                self.warning = f"the checkpoint of epoch {training.epoch} could not be written: {error}"

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, int]:
        """Keep the state at a pause; Tune gets only the epoch.

        Tune's own checkpoints would be copied, renumbered, and listed in a snapshot that costs more with every
        trial; a sweep that Tune restores forgets the newest. Ours are named by trial and epoch, and any session finds
        them.
        """
        assert self.training, "a trial pauses after a report"
        with self._limited():
            self._save(self.training)
        return {"epoch": self.training.epoch}

    def load_checkpoint(self, checkpoint: dict[str, int]) -> None:
        """The first step finds the state."""
