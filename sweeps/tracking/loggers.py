"""Who is told what happens in a sweep: TensorBoard, a tracker if there is one, the terminal."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Protocol

from sweeps.config.plan import Plan
from sweeps.records.ledger import Entry, Ledger
from sweeps.storage.folder import Unusable
from sweeps.tracking.tensorboard import TensorBoard


class Logger(Protocol):
    """Keeps or shows a phase of a sweep in a form of its own, beside the ledger's tables."""

    def open(self) -> None:
        """The phase begins, as earlier sessions left it."""

    def begin(self, entry: Entry) -> None:
        """A trial starts, or goes on in a later session."""

    def report(self, entry: Entry, epoch: int, metrics: Mapping[str, float], wall_time: float) -> None:
        """A trial was validated; "train_loss", and "val_" and each metric; `wall_time` in seconds since 1970."""

    def end(self, entry: Entry) -> None:
        """A trial ended, and the entry says how."""

    def close(self) -> None:
        """The phase is over."""


def check(plan: Plan) -> None:
    """Raise Unusable if a logger that a plan asks for cannot be had."""
    if plan.track and not importlib.util.find_spec(plan.track):
        raise Unusable(f"--track {plan.track} needs a package that is not installed: pip install {plan.track}")
    if plan.track:
        from sweeps.tracking import trackers as tracking

        tracking.check(plan)


def of(plan: Plan, ledger: Ledger) -> list[Logger]:
    """Those that keep what a plan asks for of a phase."""
    found: list[Logger] = [TensorBoard(ledger, [*plan.varied, *(["seed"] if ledger.phase == "retrain" else [])])]
    if plan.track:
        from sweeps.tracking.trackers import tracker  # imports the tracker's own package

        found.append(tracker(plan, ledger.phase))
    return found
