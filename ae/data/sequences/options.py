"""How a user's file becomes sequences: the options of the task `sequences`."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any, get_type_hints

from ae.errors import UserError

LAYOUTS = ("rows", "long", "series")
SCALES = ("standard", "minmax", "robust", "per-sequence", "none")


def _option(default: Any, help: str, **more: Any) -> Any:
    return dataclasses.field(default=default, metadata={"help": help, **more})


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What a file's columns mean, and what is learned from them.

    Raises:
        UserError: at construction, naming the option, the rule and the value that broke it.
    """

    layout: str | None = _option(
        None, "rows (one sequence per row), long (an id column) or series (one long series); default: detected"
    )
    """None finds it out from the columns."""
    id_column: str | None = _option(None, "long layout: the column that names a row's sequence")
    time_column: str | None = _option(None, "the column that orders the rows of a sequence")
    columns: str | None = _option(None, "the columns of values, separated by commas (default: all that are numbers)")
    label_column: str | None = _option(None, "the column with the class of a sequence, or of a step")
    group_column: str | None = _option(None, "sequences of one group, such as a patient, stay in one split")
    window: int | None = _option(None, "cut every series into windows of this many steps")
    """T, in steps. None keeps sequences whole, and cuts one long series into windows of 100 steps."""
    stride: int | None = _option(
        None, "steps from one window to the next (default: some 2,000 windows, or a quarter of a window)"
    )
    scale: str = _option("standard", f"{', '.join(SCALES)}; fitted on the training split (default: standard)")
    split: str = _option("60/20/20", "percent to train, validate and test (default: 60/20/20)")
    test_data: str | None = _option(None, "a file of its own for the test split", path=True)
    classify: bool = _option(False, "also learn the classes of the label column")
    normal: str | None = _option(None, "train on this class alone; the others test the detection of anomalies")
    predict: bool = _option(False, "also predict the next step")

    def __post_init__(self) -> None:
        if self.layout not in (None, *LAYOUTS):
            raise UserError(f"--layout must be one of {', '.join(LAYOUTS)}, got {self.layout!r}")
        if self.scale not in SCALES:
            raise UserError(f"--scale must be one of {', '.join(SCALES)}, got {self.scale!r}")
        for name in ("window", "stride"):
            value = getattr(self, name)
            if value is not None and not 1 <= value < 2**31:
                raise UserError(f"--{name} must be from 1 to 2**31 - 1 steps, got {value}")
        if self.window == 1:
            raise UserError("--window must be >= 2 steps, got 1")
        if self.classify and self.normal is not None:
            raise UserError("--classify and --normal do not go together; leave one of them out")
        if self.layout in ("rows", "series") and self.id_column:
            raise UserError(f"--id-column goes with --layout long, not with {self.layout}; leave one of them out")
        if self.columns is not None and not self.value_columns():
            raise UserError(f"--columns must name columns, separated by commas, got {self.columns!r}")
        self.shares()

    def value_columns(self) -> list[str] | None:
        """The columns of values that were named; None for all that are numbers."""
        return None if self.columns is None else [part.strip() for part in self.columns.split(",") if part.strip()]

    def shares(self) -> tuple[float, float, float]:
        """Shares of the data to train, validate and test; the last is 0 if the test split has a file of its own.

        Raises:
            UserError: if the option does not say so.
        """
        number = r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*%?\s*"
        match = re.fullmatch(rf"{number}[/:,]{number}(?:[/:,]{number})?", self.split)
        parts = [float(part or 0) for part in match.groups()] if match else [0.0]
        if self.test_data:
            parts = [*parts[:2], 0.0]
        if not all(parts[:2]) or (not parts[-1] and not self.test_data):
            rule = "--split must be three numbers > 0, to train, validate and test, such as 60/20/20"
            hint = "; with --test-data two are enough" if match and not parts[-1] else ""
            raise UserError(f"{rule}, got {self.split!r}{hint}")
        train, validation, test = (part / sum(parts) for part in parts)
        return train, validation, test

    def table_options(self) -> list[str]:
        """The options that were given and name columns of a table."""
        names = ("id_column", "time_column", "columns", "label_column", "group_column")
        return [f"--{name.replace('_', '-')}" for name in names if getattr(self, name) is not None]


def options_from_json(values: Any) -> Options:
    """The options that were saved with a model.

    Raises:
        ValueError: if a value has the wrong type, or no option has that name.
    """
    types = get_type_hints(Options)
    if not isinstance(values, dict) or not values.keys() <= types.keys():
        raise ValueError("options must be those of the task sequences")
    for name, value in values.items():
        if not isinstance(value, types[name]) or (isinstance(value, bool) and types[name] is not bool):
            raise ValueError(f"{name} cannot be {value!r}")
    return Options(**values)
