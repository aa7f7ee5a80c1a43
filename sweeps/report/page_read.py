"""What an earlier page of a results folder says that neither the events nor the figures tell."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from sweeps.records.result import SweepResult
from sweeps.report.page_data import VERSION
from sweeps.storage.folder import REPORT

DATA = re.compile(r'<script id="data" type="application/json">(.*?)</script>', re.DOTALL)


def read_page(folder: Path) -> dict[str, Any] | None:
    """The sweep that the page of a results folder shows, as `page_data.sweep_data` made it; None if there is none."""
    path = folder / REPORT
    found = DATA.search(path.read_text(encoding="utf-8", errors="replace")) if path.exists() else None
    try:
        data = json.loads(found[1]) if found else {}
    except ValueError:
        return None
    if data.get("version") != VERSION:
        return None
    sweep: dict[str, Any] = data["sweeps"][0]
    return sweep


def take_over(result: SweepResult, page: dict[str, Any] | None) -> str:
    """Put what only the report could know into a result that was read from the events; returns the task's remark."""
    if not page:
        return ""
    result.source, result.problems = page["source"], list(page["problems"])
    answer = page["answer"] or {}
    result.baseline = dict(answer.get("baseline", {}))
    return str(answer.get("remark", "")) if result.tested else ""
