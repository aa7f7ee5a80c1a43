"""Reconstruct your own sequences; classify them, detect anomalies, or predict their next steps."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ae.configuration import Configuration
from ae.data.sequences import options
from ae.data.sequences.options import Options
from ae.task import Budget, Objective, Task

if TYPE_CHECKING:
    from torch import Tensor

    from ae.batches import Batch
    from ae.model import LSTM_AE
    from ae.splits import Split, Splits

SHOWN = 6
"""Sequences in the figure of reconstructions."""
STEPS = 4_000
"""Gradient steps of a trial, unless the data is so small or so large that an epoch is out of proportion."""


def load(path: Path | None, options: Options) -> Splits:
    """A user's sequences; `ae.data.sequences.load` says how they are read and split."""
    from ae.data.sequences.load import load

    return load(path, options)


@dataclass(frozen=True, kw_only=True, slots=True)
class Heads:
    """What a model learns besides the reconstruction."""

    classify: bool = False
    predict: bool = False

    def model(self, train: Split) -> dict[str, Any]:
        """Arguments of LSTM_AE for these sequences."""
        labels = len(train.class_names or ()) if self.classify else 0
        return {"input_size": train.features, "output_size": train.features, "labels": labels, "predict": self.predict}

    def measure(self, model: LSTM_AE, batch: Batch) -> dict[str, Tensor]:
        """Means over sequences, on the scale of the training data; padding and missing values do not count.

        Returns:
            loss: mse, or the mean of mse and cross_entropy, of mse and pred_mse, or of all three.
            mse: squared error of the reconstruction; with `predict`, without the last step, which the model does not
                see.
            cross_entropy, accuracy: with `classify`, in nats, and from 0 to 1.
            pred_mse: with `predict`, squared error of every next step's prediction.
        """
        import torch
        from torch.nn import functional

        from ae.scoring import mean_squares

        seen = _without_last(batch) if self.predict else batch
        output = model(seen.inputs_BTF, seen.lengths_B)
        losses = {"mse": mean_squares(output.reconstruction_BTO, seen.inputs_BTF, seen.real_BTF).mean()}
        others = {}
        if output.prediction_BTO is not None:
            real_BTF = None if batch.real_BTF is None else batch.real_BTF[:, 1:]
            losses["pred_mse"] = mean_squares(output.prediction_BTO, batch.inputs_BTF[:, 1:], real_BTF).mean()
        if output.logits_BC is not None:
            assert batch.labels_B is not None
            losses["cross_entropy"] = functional.cross_entropy(output.logits_BC, batch.labels_B)
            others["accuracy"] = (output.logits_BC.argmax(dim=1) == batch.labels_B).float().mean()
        loss = sum(losses.values(), start=torch.zeros_like(losses["mse"])) / len(losses)
        return {"loss": loss} if len(losses) == 1 else {"loss": loss, **losses, **others}


@functools.cache
def heads_of(classify: bool, predict: bool) -> Heads:
    """The heads, one object for equal ones: equal tasks then have equal methods."""
    return Heads(classify=classify, predict=predict)


def _without_last(batch: Batch) -> Batch:
    """The batch without each sequence's last step."""
    import torch

    inputs_BTF, lengths_B = batch.inputs_BTF[:, :-1], None if batch.lengths_B is None else batch.lengths_B - 1
    real_BTF = None if batch.real_BTF is None else batch.real_BTF[:, :-1]
    if lengths_B is not None:
        inside_BT1 = (torch.arange(inputs_BTF.shape[1], device=inputs_BTF.device) < lengths_B[:, None]).unsqueeze(2)
        inputs_BTF = inputs_BTF * inside_BT1
        real_BTF = inside_BT1.expand_as(inputs_BTF) if real_BTF is None else real_BTF & inside_BT1
    return replace(batch, inputs_BTF=inputs_BTF, lengths_B=lengths_B, real_BTF=real_BTF)


def test_metrics(model: LSTM_AE, splits: Splits) -> dict[str, float]:
    """How well the reconstruction error finds the abnormal test sequences, if there are any."""
    from ae import scoring

    if splits.abnormal_test is None:
        return {}
    found = scoring.thresholds(model, splits)
    normal_N = scoring.sequence_errors(model, splits.test)
    abnormal_N = scoring.sequence_errors(model, splits.abnormal_test)
    return scoring.detection(normal_N, abnormal_N, found)


def facts(model: LSTM_AE, splits: Splits) -> dict[str, Any]:
    """What prepares new data, and the thresholds of the reconstruction error."""
    from ae import scoring

    return {"prepared": dict(splits.prepared), "thresholds": scoring.thresholds(model, splits)}


def budget_of(splits: Splits) -> Budget:
    """Some `STEPS` gradient steps per trial, in 10 to 300 epochs, judged at a tenth, a third and the end."""
    batches = -(-len(splits.train) // BASE.batch_size)
    epochs = max(10, min(300, round(STEPS / batches)))
    every = max(1, epochs // 30)
    grace = max(every, epochs // 9 // every * every)
    return Budget(max_epochs=epochs, eval_every=every, grace_period=grace, reduction_factor=3)


def variant(task: Task, options: Options) -> Task:
    """The task with the heads that its options ask for."""
    heads = heads_of(options.classify, options.predict)
    objective = Objective(metric="accuracy", mode="max") if options.classify else task.objective
    return replace(task, measure=heads.measure, model=heads.model, objective=objective)


def draw(model: LSTM_AE, splits: Splits, folder: Path) -> list[Path]:
    """Sequences of the test split with their reconstructions: the best, the median and the worst."""
    import numpy as np
    import torch

    from ae.batches import DeviceSplit
    from ae.data.sequences.prepared import Prepared
    from ae.figures.sequences import reconstructions
    from ae.scoring import sequence_errors

    errors_N = sequence_errors(model, splits.test)
    order_N = np.argsort(errors_N)
    chosen_N = order_N[np.unique(np.linspace(0, len(order_N) - 1, SHOWN).round().astype(int))]
    split, prepared = splits.test.take(chosen_N), Prepared.from_json(splits.prepared)
    with torch.inference_mode():
        batch = DeviceSplit(split, "cpu").batch(slice(None))
        output_NTF = model(batch.inputs_BTF, batch.lengths_B).reconstruction_BTO.numpy()
    pairs = []
    for at, length in enumerate(split.lengths_N):
        given_TF, output_TF = split.sequence(at), output_NTF[at, :length]
        pairs.append(tuple(prepared.scaler.restored(split.unscaled(one, at)) for one in (given_TF, output_TF)))
    assert split.info is not None
    titles = [f"{name}: error {errors_N[at]:.3g}" for name, at in zip(split.info["name"], chosen_N, strict=True)]
    return [reconstructions(pairs, titles, prepared.columns, folder / "reconstructions.png")]


BASE = Configuration(batch_size=32, init="orthogonal")

TASK = Task(
    description="your own sequences: reconstruct, classify, detect anomalies, predict (--data FILE)",
    load=load,
    options=options.Options,
    variant=variant,
    model=heads_of(False, False).model,
    measure=heads_of(False, False).measure,
    objective=Objective(metric="loss", mode="min"),
    base=BASE,
    budget=Budget(max_epochs=100),
    budget_of=budget_of,
    figures=draw,
    test_metrics=test_metrics,
    facts=facts,
)
