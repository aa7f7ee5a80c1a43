"""Reconstruct your own sequences; classify them, detect anomalies, or predict their next steps.

The defaults are those that did best on three public data sets (`benchmarks/README.md`; `results/LOG.md` has what was
tried): a one-cycle schedule with a high peak, orthogonal recurrent matrices, small batches, and time features. A narrow
code is enough to reconstruct; classes want a wide one, and no time features.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ae.configuration import Configuration
from ae.data.sequences import options
from ae.data.sequences.options import Options
from ae.task import PLAIN_SPACE, Budget, Objective, Task

if TYPE_CHECKING:
    from torch import Tensor

    from ae.batches import Batch
    from ae.model import LSTM_AE
    from ae.splits import Split, Splits
    from ae.units import Units

STEPS = 3_000
"""Gradient steps of a trial, unless the data is so small or so large that an epoch is out of proportion."""
MOST_EPOCHS = 100
"""More make a model of few sequences no better at telling abnormal ones."""
CLASS_STEPS = 1_000
"""The same with `classify`: a classifier of few sequences soon knows them by heart."""


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

        seen = batch.without_last() if self.predict else batch
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

    def baseline(self, splits: Splits, configuration: Configuration) -> dict[str, float]:
        """What simple methods score on the same splits; `ae.baselines.beside` says which."""
        from ae.baselines import beside

        return beside(splits, configuration.context_size, classify=self.classify, predict=self.predict)


@functools.cache
def heads_of(classify: bool, predict: bool) -> Heads:
    """The heads, one object for equal ones: equal tasks then have equal methods."""
    return Heads(classify=classify, predict=predict)


def test_metrics(model: LSTM_AE, splits: Splits) -> dict[str, float]:
    """What else can be said of a model.

    Returns:
        roc_auc and the rest of `ae.scoring.detection`: with abnormal test sequences.
        neighbour_accuracy: with `classify`, how often the nearest context vector z in training has the right class.
        forecast_mse: with `predict`, squared error of the forecast of the last step, which the model has not seen.
    """
    from ae import baselines, next_steps, scoring

    found: dict[str, float] = {}
    if splits.abnormal_test is not None:
        normal_N, abnormal_N = (scoring.sequence_errors(model, part) for part in (splits.test, splits.abnormal_test))
        found |= scoring.detection(normal_N, abnormal_N, scoring.thresholds(model, splits))
    if model.classify is not None:
        found["neighbour_accuracy"] = baselines.neighbours_of_codes(model, splits)
    if model.predict is not None:
        found["forecast_mse"] = next_steps.last_step(model, splits.test)
    return found


def facts(model: LSTM_AE, splits: Splits) -> dict[str, Any]:
    """What prepares new data, the thresholds of the reconstruction error, and the errors they come from."""
    from ae import scoring

    return {
        "prepared": dict(splits.prepared),
        "thresholds": scoring.thresholds(model, splits),
        "validation_errors": scoring.thinned(scoring.sequence_errors(model, splits.validation)),
    }


def units(facts: Mapping[str, Any]) -> Units:
    """The scaling of the training data, with missing values; windows all have one length, whole sequences their own."""
    from ae.data.sequences.prepared import Prepared
    from ae.units import SequenceUnits

    prepared = Prepared.from_json(facts["prepared"])
    scaler = prepared.scaler
    centre_F, spread_F = scaler.centre_F.tolist(), scaler.spread_F.tolist()
    return SequenceUnits(centre_F, spread_F, own=scaler.kind == "per-sequence", has_lengths=prepared.window is None)


def budget_of(splits: Splits) -> Budget:
    """Some `STEPS` gradient steps per trial, in 10 to `MOST_EPOCHS` epochs, judged at a tenth, a third and the end."""
    return _budget(splits, STEPS)


def class_budget_of(splits: Splits) -> Budget:
    """The same for `CLASS_STEPS`."""
    return _budget(splits, CLASS_STEPS)


def _budget(splits: Splits, steps: int) -> Budget:
    batches = -(-len(splits.train) // BASE.batch_size)
    epochs = max(10, min(MOST_EPOCHS, round(steps / batches)))
    every = max(1, epochs // 30)
    grace = max(every, epochs // 9 // every * every)
    return Budget(max_epochs=epochs, eval_every=every, grace_period=grace, reduction_factor=3)


def variant(task: Task, options: Options) -> Task:
    """The task with the heads that its options ask for.

    Classes are ranked by cross-entropy: accuracy on few validation sequences is the same for many epochs and models.
    """
    heads = heads_of(options.classify, options.predict)
    task = replace(task, measure=heads.measure, model=heads.model, baseline=heads.baseline)
    if options.normal is not None:
        return replace(task, grid=NARROW)
    if not options.classify:
        return task
    objective = Objective(metric="cross_entropy", mode="min")
    base = replace(task.base, hidden_size=128, lr=5e-3, time_features=0)
    return replace(task, objective=objective, base=base, budget_of=class_budget_of)


def draw(model: LSTM_AE, splits: Splits, folder: Path) -> list[Path]:
    """What `ae.figures.sequences` has to show of this data and model."""
    from ae.figures.sequences import draw

    return draw(model, splits, folder)


def remark(test: Mapping[str, float]) -> str:
    """What the model does, and which simple method does it better, in a few sentences."""
    from ae.verdicts import verdicts

    return " ".join(verdicts(test))


BASE = Configuration(hidden_size=32, lr=1e-2, batch_size=16, init="orthogonal", schedule="one-cycle", time_features=16)

GRID: Mapping[str, list[Any]] = {
    "lr": [0.003, 0.01],
    "hidden_size": [32, 64, 128],
    "decode": ["forward", "backward"],
}
"""12 configurations around the defaults."""
NARROW = {**GRID, "hidden_size": [16, 32, 64]}
"""The same to detect anomalies: a wide code has a smaller loss, but reconstructs abnormal sequences too."""

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
    grid=GRID,
    space={**PLAIN_SPACE, "lr": {"low": 1e-3, "high": 2e-2, "log": True}, "batch_size": [8, 16, 32, 64]},
    figures=draw,
    units=units,
    test_metrics=test_metrics,
    facts=facts,
    baseline=heads_of(False, False).baseline,
    remark=remark,
)
