"""What the fuzzing tests share: a command line run in this process, and values to put into it.

FUZZ=50 in the environment draws 50 times as many examples, other ones at every run.
"""

from __future__ import annotations

import io
import logging
import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from rich.console import Console

from ae import tasks
from ae.splits import Splits
from sweeps import run
from sweeps.config.plan import Plan
from sweeps.engine.phase import Phase
from sweeps.pipeline import selection, start, sweep
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import SEARCH
from sweeps.scheduling.base import make_scheduler
from sweeps.search.suggestions import suggestions_of

MORE = int(os.environ.get("FUZZ", "1"))


def fuzz(examples: int) -> settings:
    """Settings of a test: the same examples at every run, unless FUZZ asks for more."""
    return settings(
        max_examples=examples * MORE,
        derandomize=MORE == 1,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def main(arguments: Sequence[str]) -> int:
    """The main job up to its start: the data is loaded and the record is taken in, Ray does not start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep, "run_sweep", _run_sweep)
        patch.setattr(start, "expected_time", lambda plan, resumed: "not estimated")
        logging.disable()  # what was repaired is told in lines of its own
        try:
            return run.main(arguments)
        finally:
            logging.disable(logging.NOTSET)


def _run_sweep(plan: Plan, before: Plan | None, splits: Splits, console: Console, began: float) -> int:
    for split in (splits.train, splits.validation, splits.test):
        assert len(split) >= 1
        assert np.isfinite(split.steps_SF).all()
        assert np.isfinite(split.sequence(0)).all()
    log = SweepLog.read(plan)
    scheduler = make_scheduler(plan.scheduler, plan.budget, plan.task.objective, 2)
    source = suggestions_of(plan, log)
    Phase(SEARCH, log, scheduler, source, [])
    if source.has_more:
        source.ask()
    selection.retrainings(plan, selection.select(plan, log))
    return 0


def check(main: Callable[[Sequence[str]], int], *arguments: object) -> int:
    """Run a command line; its exit status must be 0, or 2 with one line on stderr."""
    output = io.TextIOWrapper(io.BytesIO(), "utf-8")  # as strict as a terminal about what it can show
    with redirect_stdout(output), redirect_stderr(io.StringIO()) as errors:
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as end:
            status = int(end.code or 0)
    lines = errors.getvalue().splitlines()
    refused = status == 2 and len(lines) == 1 and lines[0].startswith("error: ")
    assert refused or (status, lines) == (0, []), traceback_of(lines)
    return status


def traceback_of(lines: Sequence[str]) -> str:
    """The traceback that a line of stderr names, of an error that is a bug."""
    named = re.search(r"the traceback is in (\S+\.log)", " ".join(lines))
    return Path(named[1]).read_text() if named and Path(named[1]).exists() else "no traceback"


def check_files(main: Callable[[Sequence[str]], int], files: Mapping[str, bytes], *arguments: object) -> int:
    """Run a command line on files; {} in an argument stands for their folder."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / name).write_bytes(content)
        return check(main, *(str(argument).replace("{}", folder) for argument in arguments))


def encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


# Values

NUMBERS = st.one_of(
    st.integers(-3, 300),
    st.sampled_from([2**31, 2**32, 2**63, 2**64, 10**30, 10**400, -(10**30)]),
    st.floats(),
    st.sampled_from([0.0, -0.0, 1e-320, 1e308, float("inf"), float("nan"), 1e-4, 0.5]),
)
TEXTS = st.one_of(
    st.text(st.characters(exclude_characters="\0"), max_size=20),
    st.sampled_from(
        ["", " ", "none", "NaN", "..", "/", "~", "-", "--", "a\nb", "\x1b[31m", "é", "\udc80", "٣", "1e400"]
    ),
    st.sampled_from(["x" * 300, "é" * 100, "x" * 5000, "a/" * 3000, "9" * 5000, "+3", "+"]),
)
WORDS = ("auto", "optuna", "grid", "gp", "asha", "cpu", "fast", "2", "10", "0.5", "2015-01-05", "AAPL,MSFT", "close")
VALUES = st.one_of(TEXTS, NUMBERS.map(str), st.sampled_from([*WORDS, *tasks.names()]))


JSON = st.recursive(
    st.one_of(NUMBERS, TEXTS, st.none(), st.booleans()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=4,
)


def damaged(data: st.DataObject, content: bytes) -> bytes:
    """A few bytes changed, and perhaps cut short or made longer."""
    changed = bytearray(content)
    where = st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255))
    for position, byte in data.draw(st.lists(where, max_size=4)):
        changed[position] = byte
    end = data.draw(st.sampled_from([None, None, len(content) // 2, -1, 1]))
    return bytes(changed[:end]) + data.draw(st.binary(max_size=3))
