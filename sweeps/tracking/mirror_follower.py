"""Copies the results folder to the storage while a phase runs."""

from __future__ import annotations

from sweeps.records.trials import TrialRecord
from sweeps.storage.mirror import Mirror


class MirrorFollower:
    """Lets the mirror copy while a phase runs.

    Args:
        mirror: of the results folder.
    """

    def __init__(self, mirror: Mirror) -> None:
        self.mirror = mirror

    def open(self) -> None:
        """The mirror runs already."""

    def begin(self, record: TrialRecord) -> None:
        """Files tell the mirror what is new."""

    def report(self, record: TrialRecord) -> None:
        """Files tell the mirror what is new."""

    def end(self, record: TrialRecord) -> None:
        """Files tell the mirror what is new."""

    def tick(self) -> None:
        """Start a copy if one is due."""
        self.mirror.tick()

    def close(self) -> None:
        """The mirror stays for the next phase."""
