"""Fair timing of functions: in turns, in blocks, medians."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median

MILLISECONDS = 1e3


def alternate(variants: Mapping[str, Callable[[], object]], repeats: int, block_s: float) -> dict[str, list[float]]:
    """Time variants in turns, so that whatever slows the machine for a while slows all of them.

    Args:
        variants: functions without arguments, by name.
        repeats: timed blocks of each variant.
        block_s: seconds that a block lasts at least; a variant is called as often as that takes.

    Returns:
        Milliseconds a call, a value a block, in the order of the blocks, by the variant's name.
    """
    counts = {name: _calls(function, block_s) for name, function in variants.items()}
    times: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(repeats):
        for name, function in variants.items():
            times[name].append(_seconds(function, counts[name]) / counts[name] * MILLISECONDS)
    return times


def medians(times: Mapping[str, list[float]]) -> dict[str, float]:
    """The median of each variant's blocks."""
    return {name: median(values) for name, values in times.items()}


def _calls(function: Callable[[], object], block_s: float) -> int:
    """Calls that fill a block; the first call, which may compile or allocate, is not counted."""
    function()
    return max(1, round(block_s / max(_seconds(function, 1), 1e-9)))


def _seconds(function: Callable[[], object], calls: int) -> float:
    started = time.perf_counter()
    for _ in range(calls):
        function()
    return time.perf_counter() - started
