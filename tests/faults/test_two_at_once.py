"""Two sessions on one results folder."""

import pytest
from victim import LONG, assert_same

pytestmark = [pytest.mark.faults, pytest.mark.slow]


def test_two_sweeps_of_one_name_started_at_once(start, small, whole):
    options, folder = small
    sessions = [start(*options), start(*options)]
    statuses = [session.end() for session in sessions]
    assert sorted(statuses) == [0, 2], [session.output for session in sessions]
    refused = sessions[statuses.index(2)].output
    assert refused.count("error: ") == 1
    assert "give another --name" in refused
    assert_same(folder, whole.folder)


def test_a_sweep_that_runs_cannot_be_resumed_beside_itself(start, small, whole):
    options, folder = small
    first = start(*options, faults={**LONG, "seconds": 60})
    first.reach(folder, "0003", 4)
    second = start("--resume", folder)
    assert second.end() == 2
    assert f"error: {folder} is in use by a running sweep" in second.output
    assert first.process.poll() is None
    first.clear()
    assert start("--resume", folder).end() == 0
    assert_same(folder, whole.folder)
