"""The clock jumps hours ahead, and back behind where it was."""

import json

import pandas as pd
import pytest
from victim import assert_same

pytestmark = [pytest.mark.faults, pytest.mark.slow]


def test_a_clock_that_jumps_changes_nothing(start, small, whole, twice, tmp_path):
    options, folder = small
    session = start(*options, faults={"clock": [2.0, 5, str(tmp_path / "jumped")]})
    assert session.end() == 0, session.output
    assert (tmp_path / "jumped").exists(), "ahead and back, before the sweep was over"
    assert_same(folder, whole.folder)
    curves = pd.read_csv(folder / "curves.csv")
    assert curves["train_s"].between(0, 60).all()
    for _, phase in curves.groupby("phase"):
        assert phase["wall_s"].is_monotonic_increasing
        assert phase["wall_s"].between(0, 600).all()
    assert 0 < json.loads((folder / "summary.json").read_text())["wall_s"] < 600
    print(f"lost: {twice()} epochs trained twice")
