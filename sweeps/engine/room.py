"""What the cluster has room for: the CPUs and the part of a GPU that a trial gets, and how many train at once."""

from __future__ import annotations

import functools
import platform
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import torch
from ray import tune

from ae.kernels import use_fast
from sweeps.config.plan import Plan
from sweeps.engine.spare import SpareCores
from sweeps.engine.turns import Turns

GPU_PARTS = (1, 2, 4)
"""Trials that share a GPU: as few as give each trial a place, but no more than the last; these models are small."""
EVERY_S = 5.0
"""Seconds between two looks at what the cluster has room for."""

Resources = Mapping[str, float]
"""Amounts by "CPU" and "GPU"."""


class CannotStart(ValueError):
    """The cluster is not there or lacks what the plan asks for, or not all of it can use the place of the results."""


def resources(plan: Plan) -> dict[str, float]:
    """CPUs and GPUs of one trial.

    Raises:
        CannotStart: if the cluster has not enough for one.
    """
    if plan.autoscale:  # the machines for them are not there yet
        fraction = 0.0 if plan.device == "cpu" else 1 / GPU_PARTS[-1]
        chosen = fraction if plan.gpus_per_trial is None else plan.gpus_per_trial
        return {"CPU": float(plan.cpus_per_trial), "GPU": chosen}
    nodes = _nodes(plan)
    gpus = _share(plan, nodes) if plan.gpus_per_trial is None else plan.gpus_per_trial
    wanted = {"CPU": float(plan.cpus_per_trial), "GPU": gpus}
    for kind, amount in wanted.items():
        most = max((node.get(kind, 0.0) for node in nodes), default=0.0)
        if amount > most:
            option = f"--{kind.lower()}s-per-trial"
            raise CannotStart(f"{option} must be <= what a machine of the cluster has ({most:g}), got {amount:g}")
    if not sum(_fits(node, wanted) for node in nodes):
        raise CannotStart(
            f"--cpus-per-trial must be <= what a machine with a GPU has, got {plan.cpus_per_trial}; or use --device cpu"
        )
    if plan.device == "cuda" and not gpus:
        raise CannotStart("--device cuda needs a GPU in the cluster, and there is none; use --device cpu")
    return wanted


def _nodes(plan: Plan) -> list[Resources]:
    """What each machine has; of this one alone, a GPU counts if torch can use it, whatever Ray says."""
    hidden = () if plan.address or torch.cuda.is_available() else ("GPU",)
    return [
        {kind: amount for kind, amount in node["Resources"].items() if kind not in hidden}
        for node in ray.nodes()
        if node["Alive"]
    ]


def _share(plan: Plan, nodes: list[Resources]) -> float:
    """The part of a GPU for each trial, unless the user says: Ray fills one GPU before it takes the next."""
    gpus = sum(int(node.get("GPU", 0.0)) for node in nodes)
    if not gpus or plan.device == "cpu":
        return 0.0
    places = sum(int(node.get("CPU", 0.0) / plan.cpus_per_trial) for node in nodes if node.get("GPU"))
    trials = min(plan.trials, places, plan.max_concurrent or places)
    return 1 / next((parts for parts in GPU_PARTS if parts * gpus >= trials), GPU_PARTS[-1])


def _fits(node: Resources, needs: Resources) -> int:
    """Trials that a machine has room for; one does not lie across two GPUs."""
    room = int(node.get("CPU", 0.0) / needs["CPU"] + 1e-9)
    return min(room, int(node.get("GPU", 0.0)) * int(1 / needs["GPU"] + 1e-9)) if needs["GPU"] else room


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """What a trial gets of the cluster, decided once a session: a machine that is lost between two phases ends none."""

    plan: Plan
    needs: Resources

    @classmethod
    def of(cls, plan: Plan) -> Room:
        """The room for a plan's trials, as the cluster is now.

        Raises:
            CannotStart: if the cluster has not enough for one.
        """
        return cls(plan=plan, needs=resources(plan))

    @property
    def slots(self) -> int:
        """Trials that run at once now; one that nothing has room for waits for a machine."""
        if self.plan.autoscale:
            return min(self.plan.autoscale, self.plan.max_concurrent or self.plan.autoscale)
        room = max(1, sum(_fits(node, self.needs) for node in _nodes(self.plan)))
        return min(room, self.plan.max_concurrent or room)

    @property
    def spare(self) -> SpareCores | None:
        """How trials that train on share this machine's cores; None on GPUs, and on a cluster, which others use too."""
        if self.plan.address or self.needs["GPU"]:
            return None
        return SpareCores(path=str(Path(_board().name) / "training"), threads=self.slots * self.plan.cpus_per_trial)

    def device(self) -> str:
        """What the trials run on, in words.

        Raises:
            CannotStart: if the plan demands a core that cannot be had.
        """
        plan, needs, kinds = self.plan, self.needs, ray.cluster_resources()
        try:
            fast = use_fast(plan.core, torch.device("cuda" if needs["GPU"] else "cpu"))
        except ValueError as error:
            raise CannotStart(f"--{error}") from None
        if plan.autoscale:
            what = f"{needs['GPU']:g} GPU" if needs["GPU"] else f"cpu, {plan.cpus_per_trial} thread"
            return f"{what} a trial, on machines that come as they are needed"
        if needs["GPU"]:
            names = [kind.removeprefix("accelerator_type:") for kind in kinds if kind.startswith("accelerator_type:")]
            return f"{needs['GPU']:g} GPU a trial ({', '.join(names) or 'of unknown type'}), {kinds['GPU']:g} in all"
        core = "fast core" if fast else "nn.LSTM"
        return f"cpu, {plan.cpus_per_trial} thread a trial, {core}, {kinds['CPU']:g} CPUs in all ({platform.machine()})"


@functools.cache
def _board() -> tempfile.TemporaryDirectory[str]:
    """A folder for what this process tells its trials, gone when it ends."""
    return tempfile.TemporaryDirectory(prefix="lstm-ae-sweeps-")


class Watch(tune.Callback):
    """Keeps to what the cluster has room for as machines join it and are lost, and tells trials how many train.

    Args:
        room: says how many trials at once.
        turns: hands out the slots.
    """

    def __init__(self, room: Room, turns: Turns) -> None:
        self.room, self.turns = room, turns
        self.looked = time.monotonic()
        self.spare, self.told = room.spare, 0

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Look again, now and then."""
        if self.spare and self.told != len(self.turns.busy):
            self.told = len(self.turns.busy)
            self.spare.tell(self.told)
        if time.monotonic() - self.looked > EVERY_S:
            self.turns.slots = self.room.slots
            self.looked = time.monotonic()
