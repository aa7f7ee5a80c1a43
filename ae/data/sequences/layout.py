"""Finds out what the columns of a table mean: one sequence per row, an id column, or one long series."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ae.data.sequences.options import Options
from ae.errors import UserError
from ae.words import did_you_mean, listed, nearest

ID = r"(.*_)?id|series|sequence|seq|sample|case|unit(_number)?|patient|subject|machine|device|item|engine|symbol|ticker"
TIME = r"(date_?)?time(_?stamp)?|date|ds|t|(time_?)?step|index|cycle|day|hour"
LABEL = r"class|labels?|(is_)?anomaly|(is_)?outlier"
"""What columns are often called, in small letters and with _ for a space."""
MIN_STEPS = 3
"""Columns named like time steps from which on a table is taken for one sequence per row."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Roles:
    """What the columns of a table are, by position."""

    layout: str
    values: list[int]
    id: int | None = None
    time: int | None = None
    label: int | None = None
    group: int | None = None

    @property
    def texts(self) -> list[int]:
        """Columns that are read as text."""
        return [at for at in (self.id, self.time, self.label, self.group) if at is not None]

    @property
    def blank_is_missing(self) -> bool:
        """Whether a blank row is a step whose values are missing: where no column says which step a row is."""
        return self.layout == "series" and self.time is None


def roles_of(names: Sequence[str], options: Options, is_number: Callable[[int], bool], source: str) -> Roles:
    """What the columns of a table mean, as the options say or their names suggest.

    Args:
        names: of the columns.
        options: of the task.
        is_number: whether the first rows of a column hold numbers.
        source: names the file in messages.

    Raises:
        UserError: if a named column is not there, or the layout cannot be told.
    """
    named = {
        role: _position(names, getattr(options, f"{role}_column"), f"--{role}-column", source)
        for role in ("id", "time", "label", "group")
    }
    taken = {at for at in named.values() if at is not None}
    if options.value_columns():
        chosen = [_position(names, name, "--columns", source) for name in options.value_columns() or []]
        values = [at for at in chosen if at is not None]
        if both := taken & set(values):
            raise UserError(f"{source}: --columns names {names[min(both)]!r}, which another option names too")
    else:
        values = []
    guess = _Guess(names, taken | set(values))
    if options.label_column is None and options.columns is None:
        named["label"] = guess.take(LABEL)
    layout = options.layout or _layout(names, options, named, guess, source)
    if layout != "rows":
        if layout == "long" and named["id"] is None:
            named["id"] = guess.take(ID)
            if named["id"] is None:
                raise UserError(f"{source}: the long layout needs --id-column; the columns are {listed(names)}")
        if named["time"] is None:
            named["time"] = guess.take(TIME)
    elif named["id"] is None:
        named["id"] = guess.take(ID)
    taken = {at for at in named.values() if at is not None}
    rest = [at for at in range(len(names)) if at not in taken and is_number(at)]
    values = values or rest
    if not values:
        raise UserError(f"{source}: no column of numbers; the columns are {listed(names)}; name some by --columns")
    return Roles(layout=layout, values=values, **named)


def _layout(names: Sequence[str], options: Options, named: dict[str, int | None], guess: _Guess, source: str) -> str:
    if named["id"] is not None:
        return "long"
    if are_steps([names[at] for at in guess.free]):
        return "rows"
    if guess.find(ID) is not None:
        return "long"
    if options.window or named["time"] is not None or guess.find(TIME) is not None:
        return "series"
    how = "give --layout rows, --layout series, or --id-column"
    raise UserError(f"{source}: cannot tell what the columns {listed(names)} mean; {how}")


class _Guess:
    """Finds columns by names that people often use; each is taken once."""

    def __init__(self, names: Sequence[str], taken: set[int]) -> None:
        self.names = [name.strip().lower().replace(" ", "_") for name in names]
        self.free = [at for at in range(len(names)) if at not in taken]

    def find(self, pattern: str) -> int | None:
        """The first free column whose name matches."""
        return next((at for at in self.free if re.fullmatch(pattern, self.names[at])), None)

    def take(self, pattern: str) -> int | None:
        """As `find`; the column is free no more."""
        found = self.find(pattern)
        if found is not None:
            self.free.remove(found)
        return found


def are_steps(names: Sequence[str]) -> bool:
    """Whether columns are named like the steps of a sequence: one prefix and numbers that count up."""
    matches = [re.fullmatch(r"(.*?)(\d+)", name.strip()) for name in names]
    numbers = [int(match[2]) for match in matches if match]
    prefixes = {match[1] for match in matches if match}
    counts_up = all(one + 1 == other for one, other in itertools.pairwise(numbers))
    return len(numbers) == len(names) >= MIN_STEPS and len(prefixes) == 1 and counts_up


def _position(names: Sequence[str], name: str | None, option: str, source: str) -> int | None:
    """Where a column is that an option names, in any case."""
    if name is None:
        return None
    if name in names:
        return list(names).index(name)
    lowered = [each.strip().lower() for each in names]
    if lowered.count(name.strip().lower()) == 1:
        return lowered.index(name.strip().lower())
    hint = did_you_mean(nearest(name, names)) or f"; the columns are {listed(names)}"
    raise UserError(f"{source}: {option} {name}: there is no such column{hint}")
