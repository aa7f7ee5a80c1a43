"""Figures of the results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

Curve = Sequence[tuple[float, float]]
"""(wall seconds, best validation loss so far), in the order of time."""


def step_ratios(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Bars: how many times faster than the tutorial and than nn.LSTM the fast core's training step is."""
    figure, axes = plt.subplots(figsize=(9, 4.5), layout="constrained")
    places = range(len(rows))
    for shift, name in ((-0.2, "tutorial / fast"), (0.2, "stock / fast")):
        bars = axes.bar([place + shift for place in places], [row[name] for row in rows], width=0.4, label=name)
        axes.bar_label(bars, fmt="%.1f", fontsize=8)
    labels = [f"T {row['T']}, F {row['F']}\nH {row['H']}\nbatch {row['batch']}" for row in rows]
    axes.set_xticks(list(places), labels, fontsize=8)
    axes.axhline(1.0, color="black", linewidth=0.8)
    axes.set_ylabel("time of a training step, ratio")
    axes.set_title("Training step, one thread: times as long as with the fast core")
    axes.legend()
    _save(figure, path)


def best_against_wall(curves: Mapping[str, Curve], ends_s: Mapping[str, float], path: Path) -> None:
    """The best validation loss so far against wall time, a line a contender, to the end of its process."""
    figure, axes = plt.subplots(figsize=(9, 5), layout="constrained")
    for name, curve in curves.items():
        walls = [wall_s for wall_s, _ in curve] + [ends_s[name]]
        bests = [best for _, best in curve]
        axes.step(walls, [*bests, bests[-1]], where="post", label=f"{name}, {ends_s[name]:.0f} s")
        axes.plot(ends_s[name], bests[-1], "|", color="black")
    axes.set_yscale("log")
    axes.set_xlabel("wall time since the process was started (s)")
    axes.set_ylabel("best validation loss so far (MSE)")
    axes.set_title("The 12-point grid on synthetic; | marks the end of the process")
    axes.legend()
    axes.grid(alpha=0.3, which="both")
    _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, dpi=120)
    plt.close(figure)
