"""The names of trials."""

from __future__ import annotations

import re

NAME = re.compile(r"[0-9]+(-seed[0-9]+)?")
"""The name of a trial, or of a retraining."""


def trial_name(number: int) -> str:
    """The name, in every table, of the search's trial of that number."""
    return f"{number:04d}"
