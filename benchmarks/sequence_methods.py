"""The methods of `sequences`: this project's, and what one would use instead.

Shape suffixes: N sequences, T time steps, F features, H width of a code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import machine
from ae import baselines, saved, scoring, tasks
from ae.batches import DeviceSplit
from ae.data.sequences.options import Options
from ae.model import LSTM_AE
from ae.splits import Split, Splits
from ae.task import Task
from ae.training import Training
from peers import ecg_tutorial, sequitur_model
from processes import python
from sequence_sets import Fitted, SequenceSet, sequences_of

TASK = tasks.find("sequences")
SCORED = 64
"""Sequences of one length in a batch that the tutorial's model scores; it trains and validates one by one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """What a method is given."""

    data: SequenceSet
    splits: Splits
    options: Options
    seed: int
    folder: Path
    """Where the data is."""
    scratch: Path
    """For whatever files the method writes."""
    cap_s: float
    """Seconds of CPU time after which a peer begins no further epoch."""
    epochs: int | None
    """Epochs of every method that trains; None takes its own."""
    trials: int | None
    """Trials of the sweep; None takes the task's."""


def sweep(problem: Problem) -> Fitted:
    """The command as users type it: search, retraining, test and report."""
    name = f"{problem.data.name}-{problem.seed}"
    command = ["sweeps/run.py", "--task", TASK.name, *problem.data.arguments(problem.folder), "--name", name]
    command += ["--seed", str(problem.seed), "--results", str(problem.scratch)]
    command += ["--max-epochs", str(problem.epochs)] if problem.epochs else []
    command += ["--trials", str(problem.trials)] if problem.trials else []
    ended = python(command, folder=machine.ROOT, log=problem.scratch / f"{name}.log")
    best = problem.scratch / TASK.name / name / "best"
    return replace(_fitted(saved.load(best)), wall_s=ended.wall_s)


def single(problem: Problem) -> Fitted:
    """One training with the default configuration and budget."""
    task = TASK.with_options(problem.options)
    training, epochs = _trained(task, problem)
    training.model.load_state_dict(training.best_weights)
    return replace(_fitted(training.model.eval()), epochs=epochs, wanted=epochs)


def _trained(task: Task, problem: Problem) -> tuple[Training, int]:
    assert task.budget_of is not None
    budget = task.budget_of(problem.splits)
    epochs = problem.epochs or budget.max_epochs
    configuration = replace(task.base, epochs=epochs, seed=problem.seed)
    train, validation = (DeviceSplit(part, "cpu") for part in (problem.splits.train, problem.splits.validation))
    training = Training(task, configuration, train, validation)
    while training.epoch < epochs:
        training.train_epoch()
        if training.epoch % budget.eval_every == 0 or training.epoch == epochs:
            training.validate()
    return training, epochs


def _fitted(model: LSTM_AE) -> Fitted:
    """What this project's model can do."""

    def classes(split: Split) -> NDArray[np.int64]:
        found_N = np.empty(len(split), dtype=np.int64)
        with torch.inference_mode():
            for where, batch in DeviceSplit(split, "cpu").in_order():
                logits_BC = model(batch.inputs_BTF, batch.lengths_B).logits_BC
                found_N[where] = logits_BC.argmax(dim=1).numpy()
        return found_N

    return Fitted(
        width=model.encoder.hidden_size,
        errors=lambda split: scoring.sequence_errors(model, split),
        codes=lambda split: baselines.codes(model, split),
        classes=classes if model.classify is not None else None,
    )


def tutorial(problem: Problem) -> Fitted | None:
    """The ECG tutorial's recipe; its model takes sequences of one feature."""
    if problem.splits.train.features > 1:
        return None
    torch.manual_seed(problem.seed)
    parts = [_one_by_one(part) for part in (problem.splits.train, problem.splits.validation)]
    wanted = problem.epochs or ecg_tutorial.EPOCHS
    model, epochs = ecg_tutorial.train(*parts, epochs=wanted, cap_s=problem.cap_s)
    return Fitted(
        width=ecg_tutorial.EMBEDDING,
        errors=lambda split: np.array(ecg_tutorial.errors(model, torch.cat(_one_by_one(split)).split(SCORED))),
        epochs=epochs,
        wanted=wanted,
    )


def _one_by_one(split: Split) -> list[Tensor]:
    """Batches of one sequence, (1, T, F)."""
    return [one_TF.unsqueeze(0) for one_TF in sequences_of(split)]


def sequitur(problem: Problem) -> Fitted | None:
    """The package sequitur."""
    if not sequitur_model.is_installed():
        return None
    torch.manual_seed(problem.seed)
    wanted = problem.epochs or sequitur_model.EPOCHS
    trained = sequitur_model.train(sequences_of(problem.splits.train), epochs=wanted, cap_s=problem.cap_s)
    return Fitted(
        width=sequitur_model.WIDTH,
        errors=lambda split: np.array([trained.error(one_TF) for one_TF in sequences_of(split)]),
        codes=lambda split: np.stack([trained.code(one_TF).numpy() for one_TF in sequences_of(split)]),
        epochs=trained.epochs,
        wanted=wanted,
    )


def pca(problem: Problem) -> Fitted | None:
    """The reconstruction error of a PCA as wide as our default."""
    return _pca(problem, TASK.base.hidden_size)


def narrow_pca(problem: Problem) -> Fitted | None:
    """The same with eight components."""
    return _pca(problem, 8)


def _pca(problem: Problem, width: int) -> Fitted | None:
    if not baselines.have_one_length(problem.splits):
        return None
    errors, components = baselines.pca(problem.splits.train, width)
    return Fitted(width=components, errors=errors)


def forest(problem: Problem) -> Fitted | None:
    """An isolation forest on the values of a sequence."""
    if not baselines.have_one_length(problem.splits):
        return None
    return Fitted(errors=baselines.isolation_forest(problem.splits.train, problem.seed))


def pooled(problem: Problem) -> Fitted | None:
    """The mean of a sequence over its steps as its code: what the nearest neighbour knows without a model."""
    if not problem.options.classify:
        return None

    def codes(split: Split) -> NDArray[Any]:
        return np.stack([one_TF.mean(dim=0).numpy() for one_TF in sequences_of(split)])

    return Fitted(width=problem.splits.train.features, codes=codes)


METHODS: Mapping[str, tuple[str, Callable[[Problem], Fitted | None]]] = {
    "sweep": ("ours: a sweep", sweep),
    "training": ("ours: one training", single),
    "tutorial": ("ECG tutorial", tutorial),
    "sequitur": ("sequitur", sequitur),
    "pca": ("PCA, as wide as ours", pca),
    "pca8": ("PCA, 8 components", narrow_pca),
    "forest": ("isolation forest", forest),
    "mean-step": ("mean step", pooled),
}
"""Its name in the table, and what learns; that gives None if the method does not fit the data."""
