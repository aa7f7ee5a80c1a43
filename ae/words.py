"""Numbers in messages."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """A number with its noun, singular or plural: '1 seed', '1,200 trials'."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
