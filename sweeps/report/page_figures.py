"""The figures of a results folder as the page's data: what can be explored, and pictures of the rest."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sweeps.storage.folder import FIGURES

CHARTS = ("learning_curves", "parallel_coordinates", "importance", "retraining_curves", "replay")
"""Figures of the sweep itself, which the page draws from the trials."""
FIRST = ("confusion", "histogram", "detection", "images", "lines", "series", "codes")
"""In which order kinds of figures are shown."""


def model_figures(folder: Path, paths: Iterable[Path] | None = None) -> list[dict[str, Any]]:
    """The figures of the best model on its data.

    Args:
        folder: the results folder.
        paths: the PNG files, in order; None for all that the folder has.
    """
    if paths is None:
        found = sorted((folder / FIGURES).glob("*.png"))
        paths = [path for path in found if path.stem not in CHARTS]
    figures = [_figure(path) for path in paths]
    return sorted(figures, key=_place)


def _place(figure: dict[str, Any]) -> tuple[int, bool]:
    """Where a figure comes: by its kind, the worst cases first."""
    kind = FIRST.index(figure["kind"]) if figure["kind"] in FIRST else len(FIRST)
    return kind, "worst" not in figure["file"]


def _figure(path: Path) -> dict[str, Any]:
    """What a picture shows, as data; the picture itself where there is no data."""
    facts = {"file": f"{FIGURES}/{path.name}"}
    beside = path.with_suffix(".json")
    if beside.exists():
        return facts | json.loads(beside.read_text(encoding="utf-8"))
    content = path.read_bytes()
    width, height = struct.unpack(">II", content[16:24])
    title = path.stem.replace("_", " ").capitalize()
    return facts | {
        "kind": "picture",
        "title": title,
        "alt": f"{title}, a picture of the task with no description.",
        "png": base64.b64encode(content).decode(),
        "size": [width, height],
    }
