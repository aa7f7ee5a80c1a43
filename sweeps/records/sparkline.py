"""Learning curves as text, one character per column."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from rich.console import Console

BARS, PLAIN_BARS = "▁▂▃▄▅▆▇█", "_.-=+*#@"
"""The heights of a sparkline, lowest first; the second for terminals that know only ASCII."""

Curve = Mapping[int, float]
"""Values by epoch."""


def knows_blocks(console: Console) -> bool:
    """Whether a terminal can show more than ASCII."""
    return console.encoding.lower().startswith("utf")


def span(curves: Iterable[Curve]) -> tuple[float, float] | None:
    """The lowest and the highest finite value; None if there is none."""
    values = [value for curve in curves for value in curve.values() if math.isfinite(value)]
    return (min(values), max(values)) if values else None


def sparkline(
    curve: Curve, last: int, width: int, bars: str, scale: tuple[float, float] | None, log: bool = False
) -> str:
    """A curve as text; a value that is not finite leaves a gap.

    Args:
        curve: its values by epoch; each fills the columns up to its own.
        last: the epoch that fills the width.
        width: in characters.
        bars: one character per height, lowest first.
        scale: the values of the lowest and the highest bar; values beyond them get the same bars.
        log: whether the scale is logarithmic, if its values are above 0.
    """
    low, high = scale or (0.0, 0.0)
    scaled = math.log if log and low > 0 else float

    def mark(value: float) -> str:
        if not math.isfinite(value):
            return " "
        inside = min(max(value, low), high)
        height = (scaled(inside) - scaled(low)) / (scaled(high) - scaled(low)) if high > low else 0.0
        return bars[min(len(bars) - 1, int(height * len(bars)))]

    line = ""
    for epoch, value in sorted(curve.items()):
        place = math.ceil(epoch / last * width)
        line = line[: place - 1].ljust(place, mark(value))
    return line
