"""Runs the trials of a phase on Ray Tune."""

from __future__ import annotations

import itertools
import os
import signal
from dataclasses import dataclass
from typing import Any

import ray
from ray import tune

from ae.splits import Split
from ae.tasks import own_module
from sweeps.config.plan import Plan
from sweeps.engine.phase import Phase
from sweeps.engine.room import Room, Watch
from sweeps.engine.trial import SweepTrial
from sweeps.engine.tune_side import TuneCallback, TuneScheduler, TuneSearcher, name_of
from sweeps.storage.ray_files import phase_folders, ray_folder, trial_folder


@dataclass(frozen=True, kw_only=True, slots=True)
class Workers:
    """What the phases of a sweep run on: the trial class with its data, and the resources for trials."""

    trainable: Any
    room: Room

    @classmethod
    def with_data(cls, room: Room, train: Split, validation: Split, session: str) -> Workers:
        """Put the data into the object store once; every trial maps it. The test split is never sent there."""
        plan = room.plan
        if module := own_module(plan.task):  # no worker has the user's file
            ray.cloudpickle.register_pickle_by_value(module)
        with_data = tune.with_parameters(
            SweepTrial,
            task=plan.task,
            train=train,
            validation=validation,
            checkpoints=plan.checkpoints,
            session=session,
            eval_every=plan.budget.eval_every,
            threads=plan.resources.cpus_per_trial,
            spare=room.spare,
            device=plan.resources.device if room.needs["GPU"] else "cpu",
            core=plan.resources.core,
            time_limit_s=plan.resources.time_limit_s,
            reused=not plan.resources.dashboard,
        )
        trainable = tune.with_resources(with_data, dict(room.needs))
        trainable.__name__ = trainable.__qualname__ = SweepTrial.__name__  # the actors' class in Ray's dashboard
        return cls(trainable=trainable, room=room)

    def run(self, phase: Phase) -> bool:
        """Run a phase until no trial is left, or to the user's Ctrl-C; Tune's own files go into `ray/`.

        Returns:
            Whether there was a Ctrl-C; one may come while Tune ends though every trial has ended.

        Raises:
            OSError: if the events or a follower's file cannot be written.
        """
        tuner = tune.Tuner(
            self.trainable,
            tune_config=_tune_config(self.room.plan, phase),
            run_config=_run_config(self.room.plan, phase, Watch(self.room, phase.scheduler)),
        )
        os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "0"  # its handler says whether it heard one
        ctrl_c = signal.getsignal(signal.SIGINT)
        try:
            tuner.fit()
        except tune.TuneError as error:
            if cause := _os_error(error):
                raise cause from None
            raise
        finally:  # Tune leaves its own handler, now without effect, or the old one if it heard a Ctrl-C
            left = signal.signal(signal.SIGINT, ctrl_c)
        return left == ctrl_c


def _tune_config(plan: Plan, phase: Phase) -> tune.TuneConfig:
    return tune.TuneConfig(
        metric=f"val_{plan.task.objective.metric}",
        mode=plan.task.objective.mode,
        search_alg=TuneSearcher(phase),
        scheduler=TuneScheduler(phase),
        num_samples=-1,
        reuse_actors=not plan.resources.dashboard,
        trial_name_creator=_trial_name,
        trial_dirname_creator=_trial_name,
    )


def _run_config(plan: Plan, phase: Phase, watch: Watch) -> tune.RunConfig:
    return tune.RunConfig(
        name=_unused(plan.place, phase.name),
        storage_path=ray_folder(plan.place),
        callbacks=[TuneCallback(phase), watch],
        verbose=1 if plan.resources.verbose else 0,
        checkpoint_config=tune.CheckpointConfig(num_to_keep=1, checkpoint_frequency=0, checkpoint_at_end=False),
        failure_config=tune.FailureConfig(max_failures=1),
    )


def _os_error(error: BaseException | None) -> OSError | None:
    """The OSError that a callback raised; Tune wraps it."""
    while error:
        if isinstance(error, OSError):
            return error
        error = error.__cause__ or error.__context__
    return None


def _unused(place: str, phase: str) -> str:
    """The name of Tune's folder for one phase of one session: search, search-2, ..."""
    there = phase_folders(place)
    names = itertools.chain([phase], (f"{phase}-{session}" for session in itertools.count(2)))
    return next(name for name in names if name not in there)


def _trial_name(trial: Any) -> str:
    return trial_folder(name_of(trial))
