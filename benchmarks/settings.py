"""How much of everything the benchmarks run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """One run of the benchmarks; the defaults are those of a real run."""

    folder: Path = HERE / "results"
    """Where results are written."""
    repeats: int = 9
    """Timed blocks of each variant of `step` and `candidates`."""
    block_s: float = 0.3
    """Seconds that a timed block lasts at least."""
    hidden_sizes: tuple[int, ...] = (30, 60, 120)
    batch_sizes: tuple[int, ...] = (32, 128)
    agreement_time_steps: int = 100_000
    """Time steps, over all its training sequences, that a task of `agreement` trains on."""
    grid_repeats: int = 1
    """Runs of each contender of `grid`."""
    epochs: int = 25
    """Epochs of each of the grid's 12 trials; with all sequences the notebook takes some ten minutes on two cores."""
    subset: int = 6000
    """Training sequences of `grid`; 6,000 are all."""
    winner_epochs: int = 300
    """Largest number of epochs of a trial of `winner`, which has as many training sequences as `grid`."""
    overhead_epochs: int = 10
    """Epochs of a trial of `overhead`, each validated."""
    overhead_subset: int = 1500
    """Training sequences of `overhead`: short trials show what a trial costs beside its training."""
    trials: tuple[int, ...] = (100, 1000, 5000)
    """Sizes of the sweeps of `scale`."""
    drawn: tuple[int, ...] = (24, 60)
    """Sizes of the sweeps of `samplers`."""
    seeds: int = 12
    """Sweeps of each of them."""
    grids: int = 60
    """Grids of `redrawn`."""
    sequences: Path = HERE.parent.parent / "shared" / "data" / "sequences"
    """Folder of the data of `sequences`; a data set that is not there is left out."""
    methods: tuple[str, ...] = ("sweep", "training", "tutorial", "sequitur", "pca", "pca8", "forest", "mean-step")
    """Methods of `sequences`; `sequence_methods.METHODS` has them."""
    sequence_seeds: int = 3
    """Runs of each method of `sequences` on each data set."""
    sequence_epochs: int | None = None
    """Epochs of everything that trains in `sequences`; None takes each method's own number."""
    sequence_trials: int | None = None
    """Trials of the sweeps of `sequences`; None takes the task's."""
    keep: Path | None = None
    """Where the results folders of the sweeps of `sequences` stay; None removes them."""
    peer_cap_s: float = 600.0
    """Seconds of CPU time after which a peer of `sequences` begins no further epoch."""


QUICK = Settings(
    folder=HERE.parent / "build" / "benchmarks",
    repeats=2,
    block_s=0.02,
    hidden_sizes=(30,),
    batch_sizes=(32,),
    agreement_time_steps=2000,
    epochs=6,
    subset=96,
    winner_epochs=30,
    overhead_epochs=2,
    overhead_subset=96,
    trials=(20,),
    drawn=(12,),
    seeds=2,
    grids=3,
    sequence_seeds=1,
    sequence_epochs=2,
    sequence_trials=2,
    peer_cap_s=1.0,
)
"""Settings that show that all works; their figures mean nothing, and they leave the real results alone."""
