"""What a trial's training recovered from, in words."""

from __future__ import annotations

from ae.words import counted


def recovered(skipped: int, rolled_back: int, has_seeds: bool) -> list[str]:
    """The steps that were skipped, and the way back to the last validation; empty if nothing happened.

    Args:
        skipped: steps whose gradient was far larger than usual.
        rolled_back: seeds that diverged once.
        has_seeds: whether the trial has several.
    """
    seeds = f" with {counted(rolled_back, 'seed')}" if has_seeds else ""
    told = [f"{counted(skipped, 'step')} skipped: the gradient was far larger than usual"] if skipped else []
    return told + ([f"diverged once{seeds}, and resumed at half the step size"] if rolled_back else [])
