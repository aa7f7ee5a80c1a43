"""One training run, epoch by epoch.

Shape suffixes: N sequences, B batch, T time steps, F features.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ae.batches import DeviceSplit, evaluation_batch
from ae.configuration import Configuration
from ae.kernels import use_fast
from ae.model import LSTM_AE, Output
from ae.splits import Splits
from ae.task import Task
from ae.threads import Threads

MOMENTS = ("exp_avg", "exp_avg_sq")
"""Adam's state, one value per weight."""


class Training:
    """One run: weights, optimiser, position, and the best epoch so far.

    All randomness comes from the configuration's seed. On one machine, two runs of one configuration give the same
    losses to the bit, and so does a run restored from `state_dict`.

    Args:
        task: provides the model, the loss and the metrics.
        configuration: hyperparameters and seed.
        train: the split to learn from.
        validation: the split that decides which epoch is the best.
        core: the code that runs the LSTMs: "auto", "fast" or "stock"; see `ae.kernels.use_fast`.

    Raises:
        UserError: if this core is not available.
    """

    def __init__(
        self,
        task: Task,
        configuration: Configuration,
        train: DeviceSplit,
        validation: DeviceSplit,
        core: str = "auto",
    ) -> None:
        self.task, self.configuration, self.train, self.validation = task, configuration, train, validation
        torch.manual_seed(configuration.seed)
        self.model = task.build(configuration, train.split).to(train.device)
        self.model.fast = use_fast(core, train.device, configuration.layers)
        on_cpu = train.device.type == "cpu"
        self.weights = _as_one(self.model) if on_cpu else list(self.model.parameters())
        self.optimizer = torch.optim.Adam(self.weights, lr=configuration.lr, fused=True)
        self.schedule = self._schedule()
        self.shuffle = torch.Generator().manual_seed(configuration.seed)
        self.threads = Threads()
        self.epoch = 0
        self.train_loss = math.nan
        self.best_metrics: dict[str, float] = {}
        self.best_epoch = 0
        self.best_weights: dict[str, Tensor] = {}

    def _schedule(self) -> torch.optim.lr_scheduler.LRScheduler | None:
        if self.configuration.schedule == "constant":
            return None
        steps = self.configuration.epochs * math.ceil(len(self.train) / self.configuration.batch_size)
        return torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, self.configuration.lr, total_steps=steps, cycle_momentum=False
        )

    def train_epoch(self) -> float:
        """One pass over the training split in a new order; returns the mean training loss, which may be NaN or inf."""
        self.model.train()
        batches = self.train.shuffled(self.configuration.batch_size, self.shuffle)
        total = torch.zeros((), device=self.train.device)
        for where_B in self.threads.timed_batches(batches, self.model):
            total += self._step(where_B) * len(where_B)
        self.epoch += 1
        self.train_loss = total.item() / len(self.train)
        return self.train_loss

    def _step(self, where_B: Tensor) -> Tensor:
        loss = self.task.measure(self.model, self.train.batch(where_B))["loss"]
        self.optimizer.zero_grad(set_to_none=False)
        loss.backward()
        if self.configuration.clip is not None:
            nn.utils.clip_grad_norm_(self.weights, self.configuration.clip)
        self.optimizer.step()
        if self.schedule:
            self.schedule.step()
        return loss.detach()

    def validate(self) -> dict[str, float]:
        """Every metric on the validation split; keeps the weights and metrics of the best epoch."""
        metrics = evaluate(self.task, self.model, self.validation)
        objective = self.task.objective
        if math.isfinite(metrics["loss"]) and objective.better(
            metrics[objective.metric], self.best_metrics.get(objective.metric)
        ):
            self.best_metrics, self.best_epoch = metrics, self.epoch
            self.best_weights = {name: weight.detach().clone() for name, weight in self.model.state_dict().items()}
        return metrics

    def state_dict(self) -> dict[str, Any]:
        """All that a restored run needs: tensors and plain values, which load with `weights_only=True`."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self._as_vectors(self.optimizer.state_dict()),
            "schedule": self.schedule.state_dict() if self.schedule else None,
            "shuffle": self.shuffle.get_state(),
            "epoch": self.epoch,
            "train_loss": self.train_loss,
            "best": {"metrics": self.best_metrics, "epoch": self.best_epoch, "weights": self.best_weights},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume where `state_dict` was taken; the configuration must be the same."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(self._from_vectors(state["optimizer"]))
        if self.schedule:
            self.schedule.load_state_dict(state["schedule"])
        self.shuffle.set_state(state["shuffle"].cpu())
        self.epoch, self.train_loss = state["epoch"], state["train_loss"]
        best = state["best"]
        self.best_metrics, self.best_epoch, self.best_weights = best["metrics"], best["epoch"], best["weights"]

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


def _as_one(model: LSTM_AE) -> list[nn.Parameter]:
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


def final_metrics(task: Task, model: LSTM_AE, splits: Splits) -> dict[str, float]:
    """Every metric of a final model on the test split, including `task.test_metrics`; call it after selection only.

    Args:
        task: provides the metrics.
        model: on the CPU.
        splits: whose test split it is; thresholds come from the validation split.
    """
    return evaluate(task, model, DeviceSplit(splits.test, "cpu")) | task.test_metrics(model, splits)


@torch.inference_mode()
def evaluate(task: Task, model: LSTM_AE, split: DeviceSplit) -> dict[str, float]:
    """Every metric of the task, as the mean over the sequences of a split.

    Args:
        task: provides the metrics.
        model: on the split's device.
        split: any of the three, but the test split only after selection.
    """
    model.eval()
    totals: dict[str, Tensor] = {}
    for _, batch in split.in_order():
        for name, mean in task.measure(model, batch).items():
            totals[name] = totals.get(name, torch.zeros_like(mean)) + mean * len(batch)
    return {name: total.item() / len(split) for name, total in totals.items()}


@torch.inference_mode()
def forward_all(model: LSTM_AE, inputs_NTF: NDArray[np.float32]) -> Output:
    """The model's output for all N sequences of one length, computed in batches on the CPU."""
    batches = torch.tensor(inputs_NTF).split(evaluation_batch(inputs_NTF.shape[1]))
    outputs: list[Output] = [model(batch_BTF) for batch_BTF in batches]
    logits = [output.logits_BC for output in outputs if output.logits_BC is not None]
    predictions = [output.prediction_BTO for output in outputs if output.prediction_BTO is not None]
    return Output(
        torch.cat([output.reconstruction_BTO for output in outputs]),
        torch.cat(logits) if logits else None,
        torch.cat(predictions) if predictions else None,
    )
