"""SIGINT, SIGTERM and SIGHUP: a sweep hears them, answers at once, and ends cleanly."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType

from sweeps.records.trials import RUNNING, TrialLog

END_S = 5.0
"""Seconds that Ray takes to end, once no trial trains any more."""


def heed_signals() -> None:
    """Handle SIGTERM, and SIGHUP of a terminal that is closed, like a Ctrl-C, even where a shell ignores that.

    A process that nohup started ignores SIGHUP, and continues to. Ray replaces the handler of SIGTERM when it starts.
    """

    def as_ctrl_c(number: int, frame: FrameType | None) -> None:
        handler = signal.getsignal(signal.SIGINT)
        (handler if callable(handler) else signal.default_int_handler)(signal.SIGINT, frame)

    signal.signal(signal.SIGTERM, as_ctrl_c)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signal.signal(signal.SIGHUP, as_ctrl_c)


def answer_ctrl_c(trials: TrialLog, tell: Callable[[str], None]) -> None:
    """Say at once that a Ctrl-C was heard, and how long it may take; then do what the handler before does.

    Args:
        trials: of the phase; those that are running are waited for.
        tell: says it.
    """
    before: Callable[[int, FrameType | None], object] | int | None = signal.getsignal(signal.SIGINT)

    def answer(number: int, frame: FrameType | None) -> None:
        running = [record for record in trials.trials if record.status == RUNNING and record.reports]
        most_s = END_S + max((record.reports[-1].train_s for record in running), default=0.0)
        tell(f"Stopping, up to about {most_s:.0f} s; finished work is kept. Ctrl-C again ends at once.")
        (before if callable(before) else signal.default_int_handler)(number, frame)

    signal.signal(signal.SIGINT, answer)
