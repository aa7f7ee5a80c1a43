"""What the tests of faults share: runs of the sweep that suffers, and what they trained twice."""

from __future__ import annotations

import pandas as pd
import pytest
from victim import SMALL, SPACE, TASK, Whole, sessions


@pytest.fixture
def space(tmp_path):
    """Options that give a search space."""

    def write(content: str) -> tuple[str, str]:
        path = tmp_path / "space.yaml"
        path.write_text(content)
        return "--space", str(path)

    return write


@pytest.fixture
def start(tmp_path):
    """Starts the main job with these options in a process of its own."""
    with sessions(tmp_path) as start:
        yield start


@pytest.fixture
def small(tmp_path, space):
    """The options of the small sweep, its results in tmp_path, and its folder."""
    return (*SMALL, *space(SPACE), "--results", tmp_path, "--name", "sweep"), tmp_path / TASK / "sweep"


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """The small sweep as it ends when nothing goes wrong."""
    place = tmp_path_factory.mktemp("whole")
    (place / "space.yaml").write_text(SPACE)
    with sessions(place) as start:
        session = start(*SMALL, "--space", place / "space.yaml", "--results", place, "--name", "sweep")
        assert session.end() == 0, session.output
    folder = place / TASK / "sweep"
    return Whole(folder, len(pd.read_csv(folder / "curves.csv")))


@pytest.fixture
def twice(tmp_path):
    """Epochs that were trained more than once in this test."""

    def twice():
        lines = [line for line in (tmp_path / "epochs.log").read_text().splitlines() if line]
        return len(lines) - len(set(lines))

    return twice
