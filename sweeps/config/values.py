"""Types of options: each makes a value of what a person types, or says the rule in one line."""

from __future__ import annotations

import math
import os
import re
from argparse import ArgumentTypeError
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ae.errors import UserError

LARGEST = 10**15
"""Largest whole number that may be written with an exponent: int() of a huge one would take for ever."""
UNITS_S = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
"""Units of a duration in seconds, the largest first."""
WORDS = ("d(?:ays?)?", "h(?:rs?|ours?)?", "m(?:ins?|inutes?)?", "s(?:ecs?|econds?)?")
UNITS = re.compile(r"\s*".join(rf"(?:(\d+(?:\.\d+)?)\s*{word})?" for word in WORDS), re.IGNORECASE)
CLOCK = re.compile(r"(?:(\d+)-)?(\d+):([0-5]\d):([0-5]\d)")


def path(text: str) -> Path:
    """A path in which ~ is the user's home: a shell does not expand it after an equals sign."""
    return Path(os.path.expanduser(text))  # a user that does not exist stays as typed


def absolute_text(text: str) -> str:
    """A path, absolute, in which ~ is the user's home, as text: a task's options are plain values."""
    return str(path(text).absolute())


def place(text: str) -> str:
    """A URI as it is, or a path in which ~ is the user's home."""
    return text if "://" in text or not text else str(path(text))


def whole(text: str) -> int:
    """A whole number, also as 1_000, 1,000 or 1e3."""
    try:
        return int(_plain(text))
    except ValueError:
        value = _float(text)
    if value is None or not value.is_integer() or abs(value) > LARGEST:
        raise ArgumentTypeError(f"must be a whole number, got {text!r}")
    return int(value)


def positive(text: str) -> int:
    """A whole number from 1."""
    if (value := whole(text)) < 1:
        raise ArgumentTypeError(f"must be a whole number >= 1, got {text!r}")
    return value


def positives(text: str) -> list[int]:
    """Whole numbers from 1, separated by commas."""
    try:
        return [positive(part) for part in text.split(",")]
    except ArgumentTypeError:
        rule = "must be whole numbers >= 1, separated by commas"
        raise ArgumentTypeError(f"{rule}, got {text!r}") from None


def number(text: str) -> float:
    """A number, also as 1_000 or 1,000."""
    value = _float(text)
    if value is None:
        fix = f"; write {text.replace(',', '.')}" if re.fullmatch(r"[+-]?\d*,\d+", text.strip()) else ""
        raise ArgumentTypeError(f"must be a number, got {text!r}{fix}")
    return value


def share(text: str) -> float:
    """A number, also as 50% or 1/4."""
    top, _, bottom = text.partition("/")
    if _float(top) is not None and _float(bottom):
        return number(top) / number(bottom)
    percent, sign, rest = text.partition("%")
    return number(percent) / 100 if sign and not rest.strip() and _float(percent) is not None else number(text)


def duration_s(text: str) -> float:
    """Seconds, of a duration as a person writes it: 90, 90s, 10m, 1h30, 1.5 hours, 2d, 1:30:00, 1-12:00:00 (days)."""
    value = _float(text)
    if value is None:
        last = re.search(r"([dhm])[a-z]*\s*\d+$", text.lower())  # 1h30: minutes follow hours
        unit = list(UNITS_S)[list(UNITS_S).index(last[1]) + 1] if last else ""
        parts = CLOCK.fullmatch(text.strip()) or UNITS.fullmatch(text.strip() + unit)
        if parts and any(parts.groups()):
            value = sum(
                float(part or 0) * unit_s for part, unit_s in zip(parts.groups(), UNITS_S.values(), strict=True)
            )
    if value is None or not math.isfinite(value):
        rule = "must be a duration such as 90 (seconds), 10m, 1h30, 2d or 1:30:00 (h:mm:ss)"
        raise ArgumentTypeError(f"{rule}, got {text!r}")
    return value


def truth(text: str) -> bool:
    """True or false, as a YAML file may say it."""
    for value, names in ((True, ("true", "yes", "on", "1")), (False, ("false", "no", "off", "0"))):
        if text.lower() in names:
            return value
    raise ArgumentTypeError(f"must be true or false, got {text!r}")


class More(int):
    """A number of trials, configurations or seeds to add to a sweep."""


def count(text: str) -> int:
    """A whole number, or with a plus sign a number to add."""
    return More(whole(text[1:])) if text.startswith("+") else whole(text)


@dataclass(frozen=True, slots=True)
class OrNone:
    """A value of a type; "none" is None."""

    kind: Callable[[str], Any]

    def __call__(self, text: str) -> Any:
        """The value of a text."""
        return None if text.lower() == "none" else self.kind(text)


def or_none(kind: Callable[[str], Any]) -> OrNone:
    """The type of an option that "none" resets."""
    return OrNone(kind)


def _plain(text: str) -> str:
    """A number without separators of thousands."""
    grouped = re.fullmatch(r"\s*[+-]?\d{1,3}(,\d{3})+(\.\d*)?\s*", text)
    return text.replace(",", "") if grouped else text


def _float(text: str) -> float | None:
    try:
        return float(_plain(text))
    except ValueError:
        return None


def shown_folder(places: Sequence[str], port: int | None) -> Path:
    """The results folder that is shown on the terminal.

    Raises:
        UserError: if several are named, one that is stored elsewhere, or a port.
    """
    if port is not None:
        raise UserError("--port goes with --serve; give both, or neither")
    if len(places) > 1:
        raise UserError(f"{places[1]}: one folder is shown; add --serve for a page of several")
    if "://" in places[0]:
        raise UserError(f"{places[0]}: a sweep that is stored elsewhere is shown with --serve alone; add --serve")
    return Path(places[0])
