"""Reads .ts files, the format of the UCR and UEA archives, which aeon and sktime also read.

```
# a comment
@problemName JapaneseVowels
@classLabel true 1 2 3
@data
0.5,0.7,?:1.0,1.2,1.1:2
```

A line is a sequence: colons separate its features, commas their steps, ? is missing, and the class comes last.
Other lines with @ are not needed; what they say follows from the data.

Source: https://www.aeon-toolkit.org/en/stable/examples/datasets/data_loading.html

Shape suffixes: N sequences, T time steps, F features.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """What the lines before @data say."""

    has_last: bool
    """Whether the last part of a line is no feature: a class, or a target of a regression."""
    classes: frozenset[str] | None
    """The classes that there may be; None if the last part is no class."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cases:
    """The sequences in a file."""

    sequences: list[NDArray[np.float64]] = field(default_factory=list)
    """Each (T, F); NaN where a value is missing."""
    labels: list[str] | None = None
    """The class of each; None if the file has none."""


def parse_ts(lines: Iterable[str]) -> Cases:
    """The sequences in the lines of a .ts file.

    Raises:
        ValueError: if a line is not as the format wants it; the message names the line.
    """
    numbered = ((number, line.strip()) for number, line in enumerate(lines, 1))
    told = ((number, line) for number, line in numbered if line and not line.startswith(("#", "%")))
    header = _header(told)
    cases = Cases(labels=[] if header.classes is not None else None)
    for number, line in told:
        try:
            _add(line, header, cases)
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
    if not cases.sequences:
        raise ValueError("no sequence follows @data")
    return cases


def _header(told: Iterable[tuple[int, str]]) -> Header:
    has_last, classes = False, None
    for number, line in told:
        key, *words = line.lower().split()
        if key == "@data":
            return Header(has_last=has_last, classes=classes)
        if not key.startswith("@"):
            raise ValueError(f"line {number}: must begin with @ or # before @data, got {line[:40]!r}")
        is_on = words[:1] == ["true"]
        if key == "@timestamps" and is_on:
            raise ValueError(f"line {number}: steps with time stamps are not read; save the values alone")
        if key == "@targetlabel" and is_on:
            has_last = True
        if key == "@classlabel" and is_on:
            has_last, classes = True, frozenset(line.split()[2:])
    raise ValueError("no line says @data")


def _add(line: str, header: Header, cases: Cases) -> None:
    parts = line.split(":")
    if header.has_last:
        *parts, last = parts
        if cases.labels is not None:
            cases.labels.append(_class(last.strip(), header))
    if not parts:
        raise ValueError("has no values")
    features = [_values(part) for part in parts]
    if len({len(feature) for feature in features}) > 1:
        raise ValueError(f"its features have {' and '.join(str(len(each)) for each in features[:2])} steps")
    if cases.sequences and len(features) != cases.sequences[0].shape[1]:
        raise ValueError(f"must have {cases.sequences[0].shape[1]} features as the first sequence, got {len(features)}")
    cases.sequences.append(np.stack(features, axis=1))


def _values(part: str) -> NDArray[np.float64]:
    """The steps of one feature."""
    cells = [cell.strip() for cell in part.split(",")]
    try:
        return np.array(["nan" if cell == "?" else cell for cell in cells], dtype=np.float64)
    except ValueError:
        raise ValueError(f"values must be numbers, separated by commas, got {part.strip()[:40]!r}") from None


def _class(name: str, header: Header) -> str:
    if not name or (header.classes and name not in header.classes):
        raise ValueError(f"must end with one of the classes of @classLabel, got {name[:40]!r}")
    return name
