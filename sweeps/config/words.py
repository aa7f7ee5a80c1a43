"""Values as a person writes them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ae.configuration import Configuration

SMOKE = "This is a smoke run: its figures mean nothing."


def one_line(message: object) -> str:
    """A message without line breaks, which an argument or the name of a file or column may contain."""
    return " ".join(str(message).split())


def option(name: str) -> str:
    """The command-line option of a field: max_epochs is --max-epochs."""
    return f"--{name.replace('_', '-')}"


def settings(configuration: Configuration, names: Sequence[str]) -> str:
    """Hyperparameters in words: 'lr 0.001, clip none'."""
    return ", ".join(f"{name} {hyperparameter(getattr(configuration, name))}" for name in names)


def hyperparameter(value: Any) -> str:
    """One hyperparameter's value as a person writes it."""
    if value is None:
        return "none"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def spread(values: Mapping[str, Any] | None) -> str:
    """Mean and standard deviation in words, to two digits of the deviation: '0.98710 ± 0.00062'."""
    if values is None:
        return "not tested"
    mean, deviation = values["mean"], values["std"]
    if mean is None:
        return "not a number"
    if not deviation or not math.isfinite(deviation):
        return f"{mean:.4g}" if deviation is None else f"{mean:.4g} ± {deviation:.2g}"
    decimals = 1 - math.floor(math.log10(deviation))
    return f"{mean:.{decimals}f} ± {deviation:.{decimals}f}" if 0 <= decimals <= 9 else f"{mean:.4g} ± {deviation:.2g}"


def seeds_each(seeds: int) -> str:
    """How often a trial trains, to follow the number of trials: ', 3 seeds each'; empty for one seed."""
    return f", {seeds} seeds each" if seeds > 1 else ""


def over_seeds(seeds: int) -> str:
    """What a trial's values are, to follow their name: ', mean of 3 seeds'; empty for one seed."""
    return f", mean of {seeds} seeds" if seeds > 1 else ""


def duration(seconds: float) -> str:
    """Seconds as h:mm:ss; hours also count days."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def span(low_s: float, high_s: float) -> str:
    """A range of seconds in words, in a unit that fits its longer end: '12 to 18 min', '1.5 to 2 h', 'under 10 s'."""
    if high_s < 10:
        return "under 10 s"
    unit_s, unit = next(one for one in ((1, "s"), (60, "min"), (3600, "h")) if high_s < 100 * one[0] or one[1] == "h")
    low, high = (_rounded(seconds / unit_s) for seconds in (low_s, high_s))
    if low == "0":
        return f"at most {high} {unit}"
    return f"{low} to {high} {unit}" if low != high else f"{high} {unit}"


def _rounded(count: float) -> str:
    """A number of units: whole, below 5 to a half."""
    return f"{round(2 * count) / 2:g}" if count < 5 else f"{count:,.0f}"
