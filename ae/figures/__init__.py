"""Pictures of data and of what a model does to it; this file has what all pictures share.

A picture is a PNG file. One that can be explored also leaves its data beside it, under the same name with .json.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from ae.files import write_whole

BLUE, ORANGE, GREY = "#1f6fb2", "#d9730d", "#6b7280"
DPI = 120
DIGITS = 5
"""Significant digits of a number in the data of a picture."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FigureData:
    """What a picture shows, as data."""

    kind: str
    """What the page draws it as: "confusion", "images", "lines", "histogram", "detection", "codes" or "series"."""
    title: str
    alt: str
    """What can be seen, in a sentence or two, for those who cannot see it."""
    content: Mapping[str, Any]
    """JSON values; each kind has its own keys."""


def write(figure: Figure, path: Path, data: FigureData | None = None) -> Path:
    """Save as PNG, with the data beside it if there is any, and return the path of the PNG.

    Raises:
        OSError: if a file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DPI, bbox_inches="tight")
    beside = path.with_suffix(".json")
    beside.unlink(missing_ok=True)
    if data:
        facts = {"kind": data.kind, "title": data.title, "alt": data.alt, **data.content}
        write_whole(beside, json.dumps(facts, allow_nan=False, separators=(",", ":")) + "\n")
    return path


def plain(values: ArrayLike) -> Any:
    """An array as JSON lists: times as text, numbers to `DIGITS` digits, null for what is not finite."""
    array = np.asarray(values)
    if array.dtype.kind == "M":
        return np.datetime_as_string(array, unit="s").tolist()
    if array.dtype.kind != "f":
        return array.tolist()
    flat = [float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None for value in array.ravel().tolist()]
    return np.array(flat, dtype=object).reshape(array.shape).tolist()
