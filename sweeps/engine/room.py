"""What the cluster has room for: the CPUs and the share of a GPU that a trial gets, and how many trials run at once."""

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

from ae.errors import UserError
from ae.kernels import use_fast
from ae.words import counted
from sweeps.config.plan import Plan
from sweeps.engine.spare import SpareCores
from sweeps.scheduling.base import Scheduler

GPU_PARTS = (1, 2, 4)
"""How many trials may share a GPU: the smallest of these that lets all trials run at once, or the last."""
EVERY_S = 5.0
"""Seconds between two checks of what the cluster has room for."""

Amounts = Mapping[str, float]
"""Amounts of "CPU" and "GPU"."""


def resources_per_trial(plan: Plan) -> dict[str, float]:
    """CPUs and GPUs of one trial.

    Raises:
        UserError: if no machine of the cluster has enough for one.
    """
    used = plan.resources
    if used.autoscale:  # the machines for them are not there yet
        fraction = 0.0 if used.device == "cpu" else 1 / GPU_PARTS[-1]
        chosen = fraction if used.gpus_per_trial is None else used.gpus_per_trial
        return {"CPU": float(used.cpus_per_trial), "GPU": chosen}
    nodes = _nodes(plan)
    gpus = _share(plan, nodes) if used.gpus_per_trial is None else used.gpus_per_trial
    wanted = {"CPU": float(used.cpus_per_trial), "GPU": gpus}
    for kind, amount in wanted.items():
        most = max((node.get(kind, 0.0) for node in nodes), default=0.0)
        if amount > most:
            option = f"--{kind.lower()}s-per-trial"
            raise UserError(f"{option} must be <= what a machine of the cluster has ({most:g}), got {amount:g}")
    if not sum(_fits(node, wanted) for node in nodes):
        rule = "--cpus-per-trial must be <= what a machine with a GPU has"
        raise UserError(f"{rule}, got {used.cpus_per_trial}; or use --device cpu")
    if used.device == "cuda" and not gpus:
        raise UserError("--device cuda needs a GPU in the cluster, and there is none; use --device cpu")
    return wanted


def _nodes(plan: Plan) -> list[Amounts]:
    """The resources of each machine; without a cluster, GPUs count only if torch can use them."""
    hidden = () if plan.resources.address or torch.cuda.is_available() else ("GPU",)
    return [
        {kind: amount for kind, amount in node["Resources"].items() if kind not in hidden}
        for node in ray.nodes()
        if node["Alive"]
    ]


def _share(plan: Plan, nodes: list[Amounts]) -> float:
    """The share of a GPU for each trial where the user gives none: Ray fills one GPU before it uses the next."""
    gpus = sum(int(node.get("GPU", 0.0)) for node in nodes)
    if not gpus or plan.resources.device == "cpu":
        return 0.0
    places = sum(int(node.get("CPU", 0.0) / plan.resources.cpus_per_trial) for node in nodes if node.get("GPU"))
    trials = min(plan.trials, places, plan.resources.max_concurrent or places)
    return 1 / next((parts for parts in GPU_PARTS if parts * gpus >= trials), GPU_PARTS[-1])


def _fits(node: Amounts, needs: Amounts) -> int:
    """Trials that a machine has room for; no trial spans two GPUs."""
    room = int(node.get("CPU", 0.0) / needs["CPU"] + 1e-9)
    return min(room, int(node.get("GPU", 0.0)) * int(1 / needs["GPU"] + 1e-9)) if needs["GPU"] else room


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """What each trial gets, decided once per session: losing a machine between two phases must not end the sweep."""

    plan: Plan
    needs: Amounts

    @classmethod
    def now(cls, plan: Plan) -> Room:
        """The room for a plan's trials, as the cluster is now.

        Raises:
            UserError: if no machine of the cluster has enough for one.
        """
        return cls(plan=plan, needs=resources_per_trial(plan))

    @property
    def max_concurrent(self) -> int:
        """Trials that can run at once now; one for which there is no room waits for a machine."""
        used = self.plan.resources
        room = used.autoscale or max(1, sum(_fits(node, self.needs) for node in _nodes(self.plan)))
        return min(room, used.max_concurrent or room)

    @property
    def spare(self) -> SpareCores | None:
        """How running trials share this machine's idle cores; None on GPUs, and on a cluster, which others use too."""
        used = self.plan.resources
        if used.address or self.needs["GPU"]:
            return None
        threads = self.max_concurrent * used.cpus_per_trial
        return SpareCores(path=str(Path(_board().name) / "training"), threads=threads)

    def device(self) -> str:
        """What the trials run on, in words.

        Raises:
            UserError: if the plan demands a core that is not available.
        """
        used, needs, kinds = self.plan.resources, self.needs, ray.cluster_resources()
        threads = counted(used.cpus_per_trial, "thread")
        try:
            layers = self.plan.values_of("layers")
            device = torch.device("cuda" if needs["GPU"] else "cpu")
            fast = use_fast(used.core, device, max(layers) if used.core == "fast" else min(layers))
        except ValueError as error:
            raise UserError(f"--{error}") from None
        if used.autoscale:
            what = f"{needs['GPU']:g} GPU" if needs["GPU"] else f"cpu, {threads}"
            return f"{what} per trial, on machines that start when they are needed"
        if needs["GPU"]:
            names = [kind.removeprefix("accelerator_type:") for kind in kinds if kind.startswith("accelerator_type:")]
            kind = ", ".join(names) or "of unknown type"
            return f"{needs['GPU']:g} GPU per trial ({kind}), {kinds['GPU']:g} in all"
        core = "nn.LSTM" if not fast else "fast core" if max(layers) == 1 else "fast core; nn.LSTM for several layers"
        machine = f"{kinds['CPU']:g} CPUs in all ({platform.machine()})"
        return f"cpu, {threads} per trial, {core}, {machine}"


@functools.cache
def _board() -> tempfile.TemporaryDirectory[str]:
    """A temporary folder for what this process tells its trials, removed when it ends."""
    return tempfile.TemporaryDirectory(prefix="lstm-ae-sweeps-")


class Watch(tune.Callback):
    """Adjusts the number of trials at once as machines join the cluster or are lost, and tells trials how many run.

    Args:
        room: gives the number of trials at once.
        scheduler: whose `max_concurrent` follows it.
    """

    def __init__(self, room: Room, scheduler: Scheduler) -> None:
        self.room, self.scheduler = room, scheduler
        self.looked = time.monotonic()
        self.spare, self.told = room.spare, 0

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Look again every few seconds."""
        if self.spare and self.told != len(self.scheduler.running):
            self.told = len(self.scheduler.running)
            self.spare.tell(self.told)
        if time.monotonic() - self.looked > EVERY_S:
            self.scheduler.max_concurrent = self.room.max_concurrent
            self.looked = time.monotonic()
