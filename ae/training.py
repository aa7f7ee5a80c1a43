"""One training run, epoch by epoch.

Shape suffixes: N sequences, B batch, T time steps, F features.
"""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ae.batches import DeviceSplit, evaluation_batch
from ae.configuration import Configuration
from ae.kernels import use_fast
from ae.mixing import mixed
from ae.model import LSTM_AE, Output
from ae.optimizer import Optimizer
from ae.splits import Splits
from ae.task import Task
from ae.threads import Threads


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
        UserError: if this core is not available, or the task cannot train this configuration.
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
        steps = configuration.epochs * math.ceil(len(train) / configuration.batch_size)
        self.optimizer = Optimizer(self.model, configuration, steps)
        self.shuffle = torch.Generator().manual_seed(configuration.seed)
        self.threads = Threads()
        self.epoch = 0
        self.train_loss = math.nan
        self.best_metrics: dict[str, float] = {}
        self.best_epoch = 0
        self.best_weights: dict[str, Tensor] = {}
        self.rolled_back = False
        """Whether it diverged once, and resumed at half the step size."""
        self.safe: dict[str, Any] | None = None
        """Where it would resume: the state at the last validation."""
        self.keep()

    @property
    def weights(self) -> list[nn.Parameter]:
        """All weights; on the CPU as one vector."""
        return self.optimizer.weights

    @property
    def skipped(self) -> int:
        """Steps that were skipped because their gradient was far larger than usual."""
        return self.optimizer.spikes.skipped

    def train_epoch(self) -> float:
        """One pass over the training split in a new order; returns the mean training loss, which may be NaN or inf.

        Losses that are not finite, whose steps are skipped, do not count. It is NaN if most gradients are not finite.
        """
        self.model.train()
        batches = self.train.shuffled(self.configuration.batch_size, self.shuffle)
        losses = []
        with self._own_randomness():
            for where_B in self.threads.timed_batches(batches, self.model):
                losses.append(self._step(where_B))
        self.epoch += 1
        mean = _mean_loss(torch.stack(losses).tolist(), [len(where_B) for where_B in batches])
        self.train_loss = mean if self.optimizer.spikes.end_epoch() else math.nan
        return self.train_loss

    def _step(self, where_B: Tensor) -> Tensor:
        batch = self.train.batch(where_B)
        if self.configuration.mix:
            batch = mixed(batch, self.configuration.mix)
        loss = self.task.measure(self.model, batch)["loss"]
        self.optimizer.step(loss)
        return loss.detach()

    @contextlib.contextmanager
    def _own_randomness(self) -> Iterator[None]:
        """Torch's global random generator, seeded for this epoch, for what is drawn at each step; as it was, after."""
        if not self.configuration.draws:
            yield
            return
        device = self.train.device
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            words = np.random.SeedSequence([self.configuration.seed, self.epoch]).generate_state(2)
            torch.manual_seed(int(words[0]) << 32 | int(words[1]))
            yield

    def validate(self) -> dict[str, float]:
        """Every metric on the validation split; keeps the weights and metrics of the best epoch."""
        objective = self.task.objective
        with self.optimizer.evaluated():
            metrics = evaluate(self.task, self.model, self.validation)
            if math.isfinite(metrics["loss"]) and objective.better(
                metrics[objective.metric], self.best_metrics.get(objective.metric)
            ):
                self.best_metrics, self.best_epoch = metrics, self.epoch
                self.best_weights = {name: weight.detach().clone() for name, weight in self.model.state_dict().items()}
        return metrics

    def is_sound(self, metrics: dict[str, float]) -> bool:
        """Whether nothing has diverged: the training loss, and the loss and the objective of a validation."""
        return all(map(math.isfinite, (self.train_loss, metrics["loss"], metrics[self.task.objective.metric])))

    def keep(self) -> None:
        """Keep the state in memory, for a later `roll_back`."""
        if not self.rolled_back:
            self.safe = copy.deepcopy(self.state_dict())

    def state_dict(self) -> dict[str, Any]:
        """All that a restored run needs: tensors and plain values, which load with `weights_only=True`."""
        return {
            "model": self.model.state_dict(),
            **self.optimizer.state_dict(),
            "shuffle": self.shuffle.get_state(),
            "epoch": self.epoch,
            "train_loss": self.train_loss,
            "rolled_back": self.rolled_back,
            "best": {"metrics": self.best_metrics, "epoch": self.best_epoch, "weights": self.best_weights},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume where `state_dict` was taken; the configuration must be the same."""
        self._restore(state)
        self.rolled_back = state.get("rolled_back", False)
        self.keep()

    def _restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state)
        self.shuffle.set_state(state["shuffle"].cpu())
        self.epoch, self.train_loss = state["epoch"], state["train_loss"]
        best = state["best"]
        self.best_metrics, self.best_epoch, self.best_weights = best["metrics"], best["epoch"], best["weights"]

    def roll_back(self) -> bool:
        """Resume from the last validation at half the step size; a run may do so once. Returns whether it did.

        A run that diverges in spite of skipped steps has too long steps more often than bad luck.
        """
        if self.rolled_back or self.safe is None:
            return False
        skipped = self.optimizer.spikes.skipped
        self._restore(self.safe)
        self.optimizer.halve()
        self.optimizer.spikes.skipped = skipped
        self.rolled_back, self.safe = True, None
        return True


def _mean_loss(losses: list[float], counts: list[int]) -> float:
    """The mean over the sequences of the batches whose losses are finite, in float32; NaN without any."""
    total, sequences = np.float32(0), 0
    for loss, count in zip(losses, counts, strict=True):
        if math.isfinite(loss):
            total += np.float32(loss) * np.float32(count)
            sequences += count
    return float(total) / sequences if sequences else math.nan


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
