"""What a sweep found, as a person says it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def settings(configuration: Mapping[str, Any], names: list[str]) -> str:
    """Hyperparameters in words: 'lr 0.001, clip none'."""
    return ", ".join(f"{name} {hyperparameter(configuration[name])}" for name in names)


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


def duration(seconds: float) -> str:
    """Seconds as h:mm:ss, of days as well."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
