"""What models got on the test split, kept so that none meets it twice, however often a sweep is gone on with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ae.files import write_whole
from sweeps.records.outcome import Model

TESTED = "tested.json"


def recall(folder: Path, model: Model) -> dict[str, float]:
    """The test metrics of a model that an earlier session tested; empty if none did, or it was trained again since."""
    entry = _read(folder).get(model.name, {})
    test: dict[str, float] = entry["test"] if entry.get("validation") == model.validation else {}
    return test


def names(folder: Path) -> set[str]:
    """The retrainings whose models have met the test split."""
    return set(_read(folder))


def keep(folder: Path, model: Model) -> None:
    """Write down the test metrics of a model."""
    found = _read(folder) | {model.name: {"validation": model.validation, "test": model.test}}
    write_whole(folder / TESTED, json.dumps(found, indent=1) + "\n")


def _read(folder: Path) -> dict[str, dict[str, Any]]:
    """By the name of the retraining; nothing where the file is not there or not whole: a test gives the same again."""
    try:
        found = json.loads((folder / TESTED).read_text())
        whole = all({"validation", "test"} <= set(entry) for entry in found.values())
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
    return found if whole else {}
