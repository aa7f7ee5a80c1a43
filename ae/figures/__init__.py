"""Pictures of data and of what a model does to it; this file has what all pictures share."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

BLUE, ORANGE, GREY = "#1f6fb2", "#d9730d", "#6b7280"
DPI = 120


def write(figure: Figure, path: Path) -> Path:
    """Save as PNG and return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DPI, bbox_inches="tight")
    return path
