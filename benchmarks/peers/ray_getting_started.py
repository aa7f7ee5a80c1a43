"""The grid on Ray Tune, written as its getting-started page is: a function that loads its data and reports.

Everything else is Tune's default: one CPU a trial, as many trials at once as there are CPUs, a process a trial.
Only the folder of Tune's files is set, to keep the home folder clean.

Source: https://docs.ray.io/en/latest/tune/getting-started.html
"""

from __future__ import annotations

from typing import Any

import torch
from ray import tune

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


def train_autoencoder(config: dict[str, Any]) -> None:
    """One trial."""
    job: Job = config["job"]
    train_batches, validation_batches = load_data(job.data)
    torch.manual_seed(0)
    model = Autoencoder(1, config["hidden_size"])
    optimizer = torch.optim.Adam(model.parameters(), lr=config["lr"])
    for epoch in range(1, job.epochs + 1):
        train_epoch(model, optimizer, train_batches, config["clip"])
        if is_validated(epoch, job.epochs):
            loss = validate(model, validation_batches)
            job.record(name_of(config["lr"], config["clip"], config["hidden_size"]), epoch, loss)
            tune.report({"loss": loss})


def main() -> None:
    """Run the grid and print the best."""
    job = read_job()
    search_space = {
        "lr": tune.grid_search(list(LEARNING_RATES)),
        "clip": tune.grid_search(list(CLIPS)),
        "hidden_size": tune.grid_search(list(HIDDEN_SIZES)),
        "job": job,
    }
    tuner = tune.Tuner(
        train_autoencoder,
        param_space=search_space,
        run_config=tune.RunConfig(storage_path=job.folder),
    )
    results = tuner.fit()
    print("best", results.get_best_result("loss", mode="min").config)


if __name__ == "__main__":
    main()
