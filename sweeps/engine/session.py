"""Ray: started, joined and shut down; one call runs a set of trials to their end."""

from __future__ import annotations

import itertools
import logging
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

import ray
from pyarrow.fs import FileSelector, FileSystem
from ray import tune
from ray.tune.search import Searcher

from ae.task import Budget, Split
from sweeps.config.arguments import one_line
from sweeps.config.plan import Plan
from sweeps.config.schedulers import SCHEDULERS
from sweeps.engine.room import CannotStart, Room, Watch
from sweeps.engine.trial import SweepTrial
from sweeps.engine.turns import RayTurns, Turns, name_of
from sweeps.records.ledger import FAILED, Ledger
from sweeps.scheduling.asha import ASHA, Rungs
from sweeps.storage import filesystem as storage

CONNECT_S = 5.0
"""Seconds that a cluster's address has to answer in."""


@contextmanager
def session(plan: Plan) -> Iterator[str | None]:
    """Ray for the time of a sweep: a cluster that runs already, or one of this machine's own that ends with it.

    Yields:
        the address of Ray's dashboard, if there is one.

    Raises:
        CannotStart: if there is no cluster at `plan.address`, or Ray cannot start here.
    """
    level = logging.INFO if plan.verbose else logging.CRITICAL  # the ledger tells of failed trials
    options: dict[str, Any] = {"log_to_driver": plan.verbose, "logging_level": level}
    logging.getLogger("ray").setLevel(level)
    already, url = ray.is_initialized(), None
    if not already and plan.address:
        url = _join(plan.address, options)
    elif not already:
        url = _start(plan, options)
    heed_sigterm()
    try:
        yield f"http://{url}" if url else None
    finally:
        if not already:
            ray.shutdown()


def heed_sigterm() -> None:
    """Let SIGTERM do what a Ctrl-C would, also where a shell has that ignored; Ray takes it for itself as it starts."""

    def as_ctrl_c(number: int, frame: FrameType | None) -> None:
        handler = signal.getsignal(signal.SIGINT)
        (handler if callable(handler) else signal.default_int_handler)(signal.SIGINT, frame)

    signal.signal(signal.SIGTERM, as_ctrl_c)


def _start(plan: Plan, options: dict[str, Any]) -> str | None:
    """A Ray of this machine alone; returns its dashboard."""
    try:
        local = {"dashboard_host": "127.0.0.1", "include_dashboard": plan.dashboard}
        url: str | None = ray.init(address="local", **local, **options).dashboard_url
        return url
    except Exception as error:  # a machine that is too busy to start it in time gives this very class
        hint = "if the machine is busy, try again; RAY_TMPDIR names another folder for its files, short and writable"
        raise CannotStart(f"Ray cannot start here: {one_line(error)}; {hint}") from None


def _join(address: str, options: dict[str, Any]) -> str | None:
    """Connect to a running cluster; Ray alone would try for minutes where nothing answers. Returns its dashboard."""
    if address.startswith("ray://"):
        raise CannotStart(f"--address {address}: Ray Client will not do; run on a machine of the cluster, with auto")
    host, _, port = address.rpartition(":")
    try:
        if host:
            socket.create_connection((host, int(port)), timeout=CONNECT_S).close()
        url: str | None = ray.init(address=address, **options).dashboard_url
        return url
    except (OSError, RuntimeError, ValueError, OverflowError) as error:
        token = os.environ.get("RAY_AUTH_MODE") == "token"
        hint = "" if token else "; one with token authentication wants RAY_AUTH_MODE=token and its token"
        raise CannotStart(f"--address {address}: no Ray cluster answers: {one_line(error)}{hint}") from None


def early_stopping(kind: str, budget: Budget, ledger: Ledger, slots: int) -> Turns:
    """One of `sweeps.schedulers.SCHEDULERS`, in epochs; ASHA takes in what earlier sessions reported.

    Args:
        kind: of scheduler.
        budget: when trials are judged.
        ledger: is told who pauses, and has the objective.
        slots: trials that train at once.
    """
    if kind == "asha":
        rungs = Rungs(ledger.objective, budget.rungs(), budget.reduction_factor)
        rungs.replay(ledger.reports)
        rungs.gone.update(name for name, entry in ledger.entries.items() if not entry.open)
        rungs.lost.update(ledger.names(FAILED))
        return ASHA(rungs, ledger, slots)
    of_ray = SCHEDULERS[kind].of_ray
    return RayTurns(of_ray(budget), ledger, slots) if of_ray else Turns(ledger, slots)


@dataclass(frozen=True, kw_only=True, slots=True)
class Workers:
    """What the phases of a sweep run on: the trial class with its data, and the room that there is for trials."""

    trainable: Any
    room: Room

    @classmethod
    def of(cls, room: Room, train: Split, validation: Split) -> Workers:
        """The data is put into the object store once, and mapped by every trial; the test split is never sent there."""
        plan = room.plan
        with_data = tune.with_parameters(
            SweepTrial,
            task=plan.task.name,
            train=train,
            validation=validation,
            checkpoints=plan.checkpoints,
            eval_every=plan.budget.eval_every,
            threads=plan.cpus_per_trial,
            spare=room.spare,
            device=plan.device if room.needs["GPU"] else "cpu",
            core=plan.core,
            time_limit_s=plan.time_limit_s,
            reused=not plan.dashboard,
        )
        named = tune.with_resources(with_data, dict(room.needs))
        named.__name__ = named.__qualname__ = SweepTrial.__name__  # what Ray's dashboard calls the actors' class
        return cls(trainable=named, room=room)

    def run(self, phase: str, *, callbacks: list[tune.Callback], searcher: Searcher, turns: Turns) -> bool:
        """Run trials until the searcher has no more, or to the user's Ctrl-C; Tune's own files go into `ray/`.

        Returns:
            whether there was a Ctrl-C; as Tune ends, one may come though every trial has ended.

        Raises:
            OSError: if a callback could not write its tables.
        """
        tuner = tune.Tuner(
            self.trainable,
            tune_config=_tune_config(self.room.plan, searcher, turns),
            run_config=_run_config(self.room.plan, phase, [*callbacks, Watch(self.room, turns)]),
        )
        os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "0"  # its handler says whether it heard one
        ctrl_c = signal.getsignal(signal.SIGINT)
        try:
            tuner.fit()
        except tune.TuneError as error:
            if cause := _os_error(error):
                raise cause from None
            raise
        finally:  # Tune leaves a handler that nobody would hear after it, but the old one once it has heard a Ctrl-C
            left = signal.signal(signal.SIGINT, ctrl_c)
        return left == ctrl_c


def _tune_config(plan: Plan, searcher: Searcher, turns: Turns) -> tune.TuneConfig:
    return tune.TuneConfig(
        metric=f"val_{plan.task.objective.metric}",
        mode=plan.task.objective.mode,
        search_alg=searcher,
        scheduler=turns,
        num_samples=-1,
        reuse_actors=not plan.dashboard,
        trial_name_creator=_trial_name,
        trial_dirname_creator=_trial_name,
    )


def _run_config(plan: Plan, phase: str, callbacks: list[tune.Callback]) -> tune.RunConfig:
    place = storage.join(plan.place, "ray")
    return tune.RunConfig(
        name=_unused(place, phase),
        storage_path=place,
        callbacks=callbacks,
        verbose=1 if plan.verbose else 0,
        checkpoint_config=tune.CheckpointConfig(num_to_keep=1, checkpoint_frequency=0, checkpoint_at_end=False),
        failure_config=tune.FailureConfig(max_failures=1),
    )


def _os_error(error: BaseException | None) -> OSError | None:
    """What a callback could not write; Tune wraps what one raises."""
    while error:
        if isinstance(error, OSError):
            return error
        error = error.__cause__ or error.__context__
    return None


def _unused(place: str, phase: str) -> str:
    """The name of a folder of Tune's for one phase of one session: search, search-2, ..."""
    filesystem, root = FileSystem.from_uri(place)
    there = {file.base_name for file in filesystem.get_file_info(FileSelector(root, allow_not_found=True))}
    names = itertools.chain([phase], (f"{phase}-{session}" for session in itertools.count(2)))
    return next(name for name in names if name not in there)


def _trial_name(trial: Any) -> str:
    return f"trial-{name_of(trial)}"
