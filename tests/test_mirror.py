"""The mirror alone: what it does for checkpoints, and what it says of a storage that fails."""

import concurrent.futures

import pytest

from sweeps.config.arguments import parser
from sweeps.config.planning import make_plan
from sweeps.storage import filesystem as storage
from sweeps.storage import mirror
from sweeps.storage.checkpoints import Checkpoints, Tidy
from sweeps.storage.folder import make


@pytest.fixture
def plan(tmp_path):
    """Of a sweep that has begun, in a folder of its own and a storage beside it."""
    places = ("--results", str(tmp_path / "here"), "--storage", str(tmp_path / "shared"))
    arguments = ["--task", "synthetic-smooth", "--name", "sweep", *places]
    plan = make_plan(parser().parse(arguments), arguments)
    make(plan.folder, plan.record, None)
    return plan


def test_checkpoints_of_all_that_ended_are_gone_when_the_session_is(plan):
    checkpoints = Checkpoints(plan.checkpoints)
    with mirror.Mirror(plan) as copy:
        for name in ("0000", "0001", "0002", "0003"):
            checkpoints.save(name, 1, {})
        Tidy(checkpoints, later=copy.ended).drop(["0000", "0001", "0002"])
        assert checkpoints.epochs("0000") == [1], "not before the storage says that it has ended"
    assert [name for name in ("0000", "0001", "0002", "0003") if checkpoints.epochs(name)] == ["0003"]


def test_a_storage_that_fails_for_long_is_said_and_so_is_its_return(plan, monkeypatch, caplog):
    monkeypatch.setattr(mirror, "SILENT_S", 0)

    def tick(copy):
        copy.pause_s = 0
        copy.on_step_begin(0, [])
        concurrent.futures.wait([copy.copying])

    with mirror.Mirror(plan) as copy:
        with monkeypatch.context() as broken:
            broken.setattr(storage, "write", lambda *what: (_ for _ in ()).throw(OSError("ExpiredToken")))
            for _ in range(3):
                tick(copy)
        for _ in range(3):
            tick(copy)
    messages = [record.getMessage() for record in caplog.records]
    assert messages == [
        f"{plan.place}: cannot be written: ExpiredToken; it is tried again, {plan.folder} has all",
        f"{plan.place}: is written again",
    ]
