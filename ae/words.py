"""Numbers as a person says them."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """A number of things in words: '1 seed', '1,200 trials'."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
