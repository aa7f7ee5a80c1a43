"""The grid on Optuna alone: processes that share a study in a journal file, one thread each.

The processes' samplers have one seed, as GridSampler's documentation advises, and a process stops once every point is
done or under way in another one: GridSampler alone would train the last points a second time.

Source: https://optuna.readthedocs.io/en/stable/tutorial/10_key_features/004_distributed.html (multi-process);
    https://optuna.readthedocs.io/en/stable/reference/samplers/generated/optuna.samplers.GridSampler.html
"""

from __future__ import annotations

import os
from functools import partial
from multiprocessing import Pool
from pathlib import Path

import optuna
import torch
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import MaxTrialsCallback
from optuna.trial import TrialState

from peers.tutorial import (
    CLIPS,
    HIDDEN_SIZES,
    LEARNING_RATES,
    Autoencoder,
    Job,
    is_validated,
    load_data,
    name_of,
    read_job,
    train_epoch,
    validate,
)

SPACE = {"lr": list(LEARNING_RATES), "clip": list(CLIPS), "hidden_size": list(HIDDEN_SIZES)}
POINTS = len(LEARNING_RATES) * len(CLIPS) * len(HIDDEN_SIZES)


def objective(trial: optuna.Trial, job: Job) -> float:
    """One trial; returns its last validation loss."""
    train_batches, validation_batches = load_data(job.data)
    lr = trial.suggest_categorical("lr", LEARNING_RATES)
    clip = trial.suggest_categorical("clip", CLIPS)
    hidden_size = trial.suggest_categorical("hidden_size", HIDDEN_SIZES)
    torch.manual_seed(0)
    model = Autoencoder(1, hidden_size)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    loss = float("nan")
    for epoch in range(1, job.epochs + 1):
        train_epoch(model, optimizer, train_batches, clip)
        if is_validated(epoch, job.epochs):
            loss = validate(model, validation_batches)
            job.record(name_of(lr, clip, hidden_size), epoch, loss)
    return loss


def optimize(process: int, job: Job) -> None:
    """Take trials from the study until every one is started."""
    torch.set_num_threads(1)
    study = optuna.create_study(
        study_name="grid",
        storage=JournalStorage(JournalFileBackend(str(Path(job.folder) / "journal.log"))),
        sampler=optuna.samplers.GridSampler(SPACE, seed=0),
        pruner=optuna.pruners.NopPruner(),
        load_if_exists=True,
    )
    all_started = MaxTrialsCallback(POINTS, states=(TrialState.COMPLETE, TrialState.RUNNING))
    study.optimize(partial(objective, job=job), callbacks=[all_started])


def main() -> None:
    """As many processes as this one may use cores."""
    job, processes = read_job(), len(os.sched_getaffinity(0))
    with Pool(processes) as pool:
        pool.map(partial(optimize, job=job), range(processes), chunksize=1)


if __name__ == "__main__":
    main()
