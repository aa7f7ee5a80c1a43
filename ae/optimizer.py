"""How a run changes its weights: Adam, and what a configuration adds to it."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ae.configuration import Configuration
from ae.model import LSTM_AE
from ae.spikes import Spikes

MOMENTS = ("exp_avg", "exp_avg_sq")
"""Adam's state, one value per weight."""
WARM_UP = 0.05
"""Share of the steps in which the cosine schedule rises."""


class Optimizer:
    """Adam with clipping, weight decay, a schedule and averaged weights, as a configuration wants them.

    A step whose gradient is far larger than usual changes nothing; `ae.spikes` says when.

    Args:
        model: on the device where it trains.
        configuration: of the run.
        steps: of the whole run.
    """

    def __init__(self, model: LSTM_AE, configuration: Configuration, steps: int) -> None:
        self.configuration = configuration
        on_cpu = next(model.parameters()).device.type == "cpu"
        self.matrices = [weight for weight in model.parameters() if weight.ndim > 1]
        self.weights = as_one(model) if on_cpu else list(model.parameters())
        self.is_one_vector = len(self.weights) == 1
        self.adam = torch.optim.Adam(self.weights, lr=configuration.lr, fused=True)
        self.schedule = self._schedule(steps)
        self.averaged = [weight.detach().clone() for weight in self.weights] if configuration.average else []
        self.steps = 0
        """Steps that the average knows."""
        self.spikes = Spikes()

    def _schedule(self, steps: int) -> torch.optim.lr_scheduler.LRScheduler | None:
        schedules, lr = torch.optim.lr_scheduler, self.configuration.lr
        if self.configuration.schedule == "one-cycle":
            return schedules.OneCycleLR(self.adam, lr, total_steps=steps, cycle_momentum=False)
        if self.configuration.schedule == "cosine":
            return schedules.LambdaLR(self.adam, lambda step: warm_up_and_cosine(step, steps))
        return None

    def step(self, loss: Tensor) -> None:
        """Change the weights to make the loss of a batch smaller."""
        self.adam.zero_grad(set_to_none=False)
        loss.backward()
        norm = self._clipped_norm()
        if not self.is_one_vector:
            is_spike = self.spikes.found_spike(norm)
            self.adam.found_inf = is_spike  # type: ignore[attr-defined]  # what GradScaler sets to have a step skipped
            self._change(1 - is_spike)
        elif not self.spikes.has_spike(norm):
            self._change(1.0)
        if self.schedule:
            self.schedule.step()
        if self.averaged:
            self._average()

    def _change(self, share: float | Tensor) -> None:
        if self.configuration.weight_decay:
            self._decay(share)
        self.adam.step()

    def _clipped_norm(self) -> Tensor:
        """The norm of the gradient, which is then clipped."""
        if self.configuration.clip is not None:
            return nn.utils.clip_grad_norm_(self.weights, self.configuration.clip)
        gradients = [weight.grad for weight in self.weights if weight.grad is not None]
        return torch.linalg.vector_norm(gradients[0]) if len(gradients) == 1 else nn.utils.get_total_norm(gradients)

    @torch.no_grad()
    def _decay(self, share: float | Tensor) -> None:
        """Shrink the matrices by a share of the decay; biases stay: those of forget gates hold a unit's memory."""
        kept = 1 - self.adam.param_groups[0]["lr"] * self.configuration.weight_decay * share
        for matrix in self.matrices:
            matrix.mul_(kept)

    @torch.no_grad()
    def _average(self) -> None:
        """Let the average follow the weights; in the first steps it follows them faster."""
        self.steps += 1
        decay = min(self.configuration.average, (1 + self.steps) / (10 + self.steps))
        for mean, weight in zip(self.averaged, self.weights, strict=True):
            mean.lerp_(weight, 1 - decay)

    @contextlib.contextmanager
    def evaluated(self) -> Iterator[None]:
        """The model with the weights that are evaluated and saved: the averaged ones, if there are any."""
        trained = [weight.detach().clone() for weight in self.weights] if self.averaged else []
        _copy(self.averaged, self.weights)
        try:
            yield
        finally:
            _copy(trained, self.weights)

    def halve(self) -> None:
        """Halve every step size that is still to come."""
        for group in self.adam.param_groups:
            group |= {name: group[name] / 2 for name in ("lr", "initial_lr", "max_lr", "min_lr") if name in group}
        if self.schedule:
            self.schedule.base_lrs = [lr / 2 for lr in self.schedule.base_lrs]

    def state_dict(self) -> dict[str, Any]:
        """All that a restored run needs: tensors and plain values."""
        return {
            "optimizer": self._as_vectors(self.adam.state_dict()),
            "schedule": self.schedule.state_dict() if self.schedule else None,
            "average": {"steps": self.steps, "weights": nn.utils.parameters_to_vector(self.averaged)}
            if self.averaged
            else None,
            "spikes": self.spikes.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume where `state_dict` was taken; the configuration must be the same."""
        self.adam.load_state_dict(self._from_vectors(state["optimizer"]))
        if self.schedule:
            self.schedule.load_state_dict(state["schedule"])
        if average := state.get("average"):
            self.steps = average["steps"]
            nn.utils.vector_to_parameters(average["weights"].to(self.averaged[0].device), self.averaged)
        self.spikes.load_state_dict(state.get("spikes"))

    def _as_vectors(self, state: dict[str, Any]) -> dict[str, Any]:
        """Adam's state with one vector per moment, as on the CPU, so that a run can resume on another device."""
        if len(self.weights) == 1 or not state["state"]:
            return state
        each = list(state["state"].values())
        moments = {name: nn.utils.parameters_to_vector([one[name] for one in each]) for name in MOMENTS}
        groups = [{**group, "params": [0]} for group in state["param_groups"]]
        return {"state": {0: {"step": each[0]["step"], **moments}}, "param_groups": groups}

    def _from_vectors(self, state: dict[str, Any]) -> dict[str, Any]:
        """The inverse of `_as_vectors`: Adam's state in the form of this device's weights."""
        groups = [{**group, "params": list(range(len(self.weights)))} for group in state["param_groups"]]
        if len(self.weights) == 1 or not state["state"]:
            return {"state": state["state"], "param_groups": groups}
        sizes, one = [weight.numel() for weight in self.weights], state["state"][0]
        moments = {name: one[name].split(sizes) for name in MOMENTS}
        each = {
            index: {"step": one["step"].clone(), **{name: moments[name][index].view_as(weight) for name in MOMENTS}}
            for index, weight in enumerate(self.weights)
        }
        return {"state": each, "param_groups": groups}


def warm_up_and_cosine(step: int, steps: int) -> float:
    """The share of the peak step size at a step: it rises linearly over `WARM_UP`, then falls as a cosine to 0.

    Source: Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983 (the cosine); Goyal et al. 2017,
    https://arxiv.org/abs/1706.02677 (the rise).
    """
    rise = max(1, round(WARM_UP * steps))
    if step < rise:
        return (step + 1) / rise
    return (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise))) / 2


def as_one(model: LSTM_AE) -> list[nn.Parameter]:
    """Make the weights views of one vector, and their gradients views of its gradient: Adam updates all in one step.

    For the CPU only: cuDNN keeps the weights of an nn.LSTM in its own vector.
    """
    parameters = list(model.parameters())
    whole = nn.Parameter(nn.utils.parameters_to_vector(parameters).detach())
    whole.grad = torch.zeros_like(whole)
    nn.utils.vector_to_parameters(whole.data, parameters)
    for parameter, gradient in zip(parameters, whole.grad.split([p.numel() for p in parameters]), strict=True):
        parameter.grad = gradient.view_as(parameter)
    return [whole]


@torch.no_grad()
def _copy(values: Sequence[Tensor], to: Sequence[Tensor]) -> None:
    """Copy tensors into others; without values, do nothing."""
    for value, target in zip(values, to, strict=False):
        target.copy_(value)
