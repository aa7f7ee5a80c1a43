"""Tables on disk: NAME.json with everything, NAME.md with a table to read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import machine

Row = Mapping[str, Any]


def save(folder: Path, name: str, rows: Sequence[Row], *, raw: Any, remarks: Sequence[str]) -> None:
    """Write a benchmark's two files.

    Args:
        folder: made if it is not there.
        name: the benchmark's.
        rows: the table, columns by name with their units; a float is shown with 3 digits, None as a dash.
        raw: every measured value, for the JSON file alone.
        remarks: lines that say what the columns are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    described = machine.describe()
    content = {"machine": described, "rows": list(rows), "remarks": list(remarks), "raw": raw}
    (folder / f"{name}.json").write_text(json.dumps(content, indent=1, default=str) + "\n")
    where = ", ".join(f"{key} {value}" for key, value in described.items())
    text = [f"# {name}", "", *_table(rows), "", *(f"- {remark}" for remark in remarks), "", f"Machine: {where}.", ""]
    (folder / f"{name}.md").write_text("\n".join(text))
    print("\n".join(_table(rows)), flush=True)


def _table(rows: Sequence[Row]) -> list[str]:
    names = list(rows[0])
    lines = [[_text(row[name]) for name in names] for row in rows]
    return [_line(names), _line(["---"] * len(names)), *map(_line, lines)]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
