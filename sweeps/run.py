"""The main job: find the best LSTM autoencoder for a task, retrain it, test it once, report it."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from sweeps.cli import run_command
from sweeps.pipeline.start import start


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    return run_command(lambda: start(arguments))


if __name__ == "__main__":
    sys.exit(main())
