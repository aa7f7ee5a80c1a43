"""The mirror alone: what it does for checkpoints and databases, and what it says of a storage that fails."""

import concurrent.futures
import contextlib
import errno
import json
import sqlite3
import threading

import pytest

from sweeps.storage import mirror
from sweeps.storage.checkpoints import Checkpoints

SESSION = "of this machine"


@pytest.fixture
def places(tmp_path):
    """The folder of a sweep that has begun, and its place in a storage beside it."""
    folder, place = tmp_path / "here" / "sweep", tmp_path / "shared" / "sweep"
    folder.mkdir(parents=True)
    (folder / "plan.json").write_text("{}")
    (folder / "events.jsonl").write_text('{"event":"asked"}\n')
    return folder, place


@pytest.fixture
def new_mirror(places):
    """Makes a mirror of that folder, for a session of that name."""
    folder, place = places

    def new_mirror(session=SESSION):
        return mirror.Mirror(folder, str(place), Checkpoints(str(place / "checkpoints")), session)

    return new_mirror


def tick(copy):
    """The next copy, as if its time had come; waits for it."""
    copy.pause_s = 0
    copy.tick()
    concurrent.futures.wait([copy.copying])


def test_the_manifest_has_the_session_alone(new_mirror, places):
    with new_mirror():
        assert json.loads((places[1] / "mirror.json").read_text()) == {"session": SESSION}


def test_the_storage_has_what_the_folder_has_once_the_session_is_over(new_mirror, places):
    folder, place = places
    with new_mirror() as copy:
        (folder / "figures").mkdir()
        (folder / "figures" / "a.png").write_bytes(b"a")
        tick(copy)
        assert (place / "figures" / "a.png").read_bytes() == b"a"
        (folder / "figures" / "a.png").write_bytes(b"another")
        for name in ("lock", "plan.json.7.part", "mlflow.db-wal", "mlflow.db-journal"):
            (folder / name).write_text("stays here")
    assert (place / "figures" / "a.png").read_bytes() == b"another"
    there = {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}
    assert there == {"plan.json", "events.jsonl", "mirror.json", "figures/a.png"}


def test_the_storage_is_the_first_to_have_the_last_events(new_mirror, places):
    folder, place = places
    with new_mirror() as copy:
        before = (folder / "events.jsonl").read_text()
        copy.finish("the end\n")
        assert (folder / "events.jsonl").read_text() == before
        assert (place / "events.jsonl").read_text() == before + "the end\n"


def test_checkpoints_of_all_that_ended_are_gone_when_the_session_is(new_mirror):
    with new_mirror() as copy:
        checkpoints = copy.checkpoints
        for name in ("0000", "0001", "0002", "0003"):
            checkpoints.save(name, 1, {})
        copy.ended += ["0000", "0001", "0002"]
        assert checkpoints.epochs("0000") == [1], "not before the storage says that it has ended"
    assert [name for name in ("0000", "0001", "0002", "0003") if checkpoints.epochs(name)] == ["0003"]


def test_a_session_that_another_one_has_taken_over_writes_no_more(new_mirror, places):
    folder, place = places
    with new_mirror() as copy:
        with new_mirror("of another machine"):
            (folder / "events.jsonl").write_text("ours alone")
        kept = (place / "events.jsonl").read_text()
        (folder / "events.jsonl").write_text("ours alone, and more")
        tick(copy)
        copy.pause_s = 0
        with pytest.raises(OSError, match="another process has resumed this sweep") as error:
            copy.tick()
        assert error.value.errno == errno.EBUSY
        assert (place / "events.jsonl").read_text() == kept
        assert json.loads((place / "mirror.json").read_text()) == {"session": "of another machine"}
        (place / "mirror.json").write_text(json.dumps({"session": SESSION}))  # so that this session can end


def test_a_storage_that_fails_for_long_is_said_and_so_is_its_return(new_mirror, places, monkeypatch, caplog):
    folder, place = places
    monkeypatch.setattr(mirror, "SILENT_S", 0)

    with new_mirror() as copy:
        (place / "new.csv.part").mkdir()  # a file of this name cannot be written
        (folder / "new.csv").write_text("new")
        for _ in range(3):
            tick(copy)
        (place / "new.csv.part").rmdir()
        for _ in range(3):
            tick(copy)
    failed, recovered = (record.getMessage() for record in caplog.records)
    assert failed.startswith(f"{place}: cannot be written: ")
    assert "new.csv" in failed
    assert failed.endswith(f"; will try again, {folder} has everything")
    assert recovered == f"{place}: can be written again"
    assert (place / "new.csv").read_text() == "new"


def test_a_database_that_is_written_meanwhile_is_copied_as_of_one_moment(new_mirror, places):
    """Two tables that one transaction fills: a copy that is not of one moment has more rows in one of them."""
    folder, place = places
    ready, over = threading.Event(), threading.Event()

    def write():
        with contextlib.closing(sqlite3.connect(folder / "mlflow.db")) as database:
            database.execute("PRAGMA journal_mode=WAL")  # the newest rows are in another file, which is not copied
            database.execute("CREATE TABLE first (text)")
            database.execute("CREATE TABLE second (text)")
            while not over.is_set():
                with database:
                    for table in ("first", "second"):
                        database.executemany(f"INSERT INTO {table} VALUES (?)", [("x" * 500,)] * 40)
                ready.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert ready.wait(60)
        with new_mirror() as copy:
            for _ in range(5):
                tick(copy)
                assert copy.copying.exception() is None
                rows = rows_of(place / "mlflow.db")
                assert rows["first"] == rows["second"] > 0
    finally:
        over.set()
        writer.join()
    with new_mirror():
        pass
    assert rows_of(place / "mlflow.db") == rows_of(folder / "mlflow.db")


def rows_of(path):
    """The rows of each table, once the database says that it is intact."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return {name: database.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in ("first", "second")}


def test_a_damaged_database_is_an_error_of_the_storage_with_its_name(new_mirror, places):
    (places[0] / "mlflow.db").write_bytes(b"no database" * 100)
    with pytest.raises(OSError, match="not a database") as error, new_mirror():
        pass
    assert error.value.filename == str(places[0] / "mlflow.db")
