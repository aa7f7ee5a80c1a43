"""The grid as a notebook runs it: one loop after the other, in one process.

torch takes as many threads as it does by itself: all of the machine's cores.
"""

from __future__ import annotations

from itertools import product

import torch

from peers.tutorial import (
    CLIPS,
    HIDDEN_SIZES,
    LEARNING_RATES,
    Autoencoder,
    is_validated,
    load_data,
    name_of,
    read_job,
    train_epoch,
    validate,
)


def main() -> None:
    """Train every point of the grid and print the best."""
    job = read_job()
    train_batches, validation_batches = load_data(job.data)
    losses = {}
    for lr, clip, hidden_size in product(LEARNING_RATES, CLIPS, HIDDEN_SIZES):
        trial = name_of(lr, clip, hidden_size)
        torch.manual_seed(0)
        model = Autoencoder(1, hidden_size)
        optimizer = torch.optim.Adam(model.parameters(), lr=lr)
        for epoch in range(1, job.epochs + 1):
            train_loss = train_epoch(model, optimizer, train_batches, clip)
            if is_validated(epoch, job.epochs):
                losses[trial] = validate(model, validation_batches)
                job.record(trial, epoch, losses[trial])
                print(f"{trial} epoch {epoch} train {train_loss:.5f} validation {losses[trial]:.5f}", flush=True)
    print("best", min(losses, key=lambda trial: losses[trial]))


if __name__ == "__main__":
    main()
