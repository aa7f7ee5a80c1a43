"""Numbers, names and lists in messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher

LEAST_LIKENESS = 0.65
"""From which on one name may be a mistyped other one."""


def counted(number: int, noun: str) -> str:
    """A number with its noun, singular or plural: '1 seed', '1,200 trials'."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def nearest(typed: str, names: Iterable[str], synonyms: Mapping[str, str] | None = None) -> str | None:
    """The name that a mistyped one probably means; None if none is like it.

    Args:
        typed: upper case, "-", "_", "." and spaces do not count.
        names: those that exist.
        synonyms: what other programs call them, in lower case without separators.
    """
    spelling = plain(typed)
    own, others = {plain(name): name for name in names}, synonyms or {}
    if spelling in others and spelling not in own:
        return others[spelling]
    for known in (own, others):
        likeness = {other: SequenceMatcher(None, other, spelling).ratio() for other in known}
        best = max(likeness, key=lambda other: likeness[other], default="")  # the first of equal ones
        if likeness.get(best, 0) >= LEAST_LIKENESS:
            return known[best]
    return None


def plain(name: str) -> str:
    """A name in lower case without separators, as names are compared."""
    return "".join(mark for mark in str(name).lower() if mark not in "-_. ")


def did_you_mean(name: str | None) -> str:
    """The question, after a semicolon; nothing without a name."""
    return f"; did you mean {name}?" if name else ""


def listed(names: Sequence[str], *, most: int = 5) -> str:
    """Names in a message, only the first few of them: 'AAA, BBB and 3 more'."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
