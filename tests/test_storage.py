"""A sweep that keeps its checkpoints and a copy of its results in a storage: a shared folder, a bucket."""

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer
from pyarrow.fs import FileSelector, FileSystem, FileType

from sweeps.engine.room import Watch
from sweeps.records import tables
from sweeps.run import main
from sweeps.storage import filesystem as storage
from sweeps.storage import mirror
from sweeps.storage.fetch import GROWING

ROOT = Path(__file__).parents[1]
TASK = "synthetic-smooth"
SPACE = "lr: [0.01, 0.003]\nhidden_size: [8]\nbatch_size: 32\n"
TINY = ("--subset", "60", "--max-epochs", "3", "--eval-every", "1", "--scheduler", "none", "--max-concurrent", "1")


def begun(place):
    """The command line of the sweep of these tests, its storage and its results in a folder."""
    few = ("--space", place / "space.yaml", "--top-k", "1", "--seeds", "1", "--name", "sweep")
    return ["--task", TASK, *TINY, *map(str, few), "--storage", str(place / "shared")]


@pytest.fixture(scope="module")
def finished(tmp_path_factory, one_ray):
    """A sweep that was stored in a shared folder and ended: shared/ is the storage, here/ the results."""
    place = tmp_path_factory.mktemp("stored")
    (place / "space.yaml").write_text(SPACE)
    assert main([*begun(place), "--results", str(place / "here")]) == 0
    return place


@pytest.fixture
def stored(finished, tmp_path):
    """A copy of it: STORAGE/TASK/NAME, and the results folder."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    for record in tmp_path.rglob("sweep.json"):
        record.write_text(record.read_text().replace(str(finished), str(tmp_path)))
    return tmp_path / "shared" / TASK / "sweep", tmp_path / "here" / TASK / "sweep"


@pytest.fixture
def resume(tmp_path, capsys):
    """Goes on with these options on a machine of that name, which has its own results; gives status, error, folder."""

    def resume(*options, machine="here"):
        capsys.readouterr()
        status = main([*map(str, options), "--results", str(tmp_path / machine)])
        return status, capsys.readouterr().err, tmp_path / machine / TASK / "sweep"

    return resume


def cut_back(place, reports, trials=0):
    """Make the copy in a shared folder that of an earlier moment: after so many reports, with so many trials ended."""
    manifest = json.loads((place / "mirror.json").read_text())
    for name, rows in (("curves.csv", reports), ("trials.csv", trials)):
        lines = (place / name).read_bytes().splitlines(keepends=True)
        manifest["sizes"][name] = len(b"".join(lines[: rows + 1])) if rows else 0
    (place / "mirror.json").write_text(json.dumps(manifest))
    record = json.loads((place / "sweep.json").read_text())
    (place / "sweep.json").write_text(json.dumps(record | {"finished": False}))


def found(folder):
    summary = json.loads((folder / "summary.json").read_text())
    points = [(row["trial"], row["epoch"], row["val_loss"]) for row in tables.rows(folder / "curves.csv")]
    return {key: summary[key] for key in ("best", "retrained", "test")}, sorted(points)


def test_a_shared_folder_has_checkpoints_and_a_copy(finished):
    place, folder = (finished / one / TASK / "sweep" for one in ("shared", "here"))
    assert not (folder / "checkpoints").exists()
    assert not (folder / "ray").exists()
    assert [path.name for path in (place / "checkpoints").iterdir()] == ["0000-seed1"]
    assert {path.name for path in (place / "ray").iterdir()} == {"search", "retrain"}
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "lock":
            assert (place / path.relative_to(folder)).read_bytes() == path.read_bytes()
    assert not list((finished / "shared").glob(".*")), "what the check wrote is taken away again"


def test_another_machine_goes_on_from_an_older_copy_to_the_same_end(stored, resume):
    place, folder = stored
    cut_back(place, reports=7, trials=2)  # into the retraining, whose checkpoint is ahead of that
    status, error, other = resume("--resume", place, machine="other")
    assert status == 0, error
    assert found(other) == found(folder)
    status, error, third = resume("--resume", place, machine="third")
    assert status == 0, error
    assert found(third) == found(folder), "a finished sweep is brought to a machine and stays as it is"


def test_the_folder_wins_over_the_mirror_that_it_wrote(stored, resume):
    place, folder = stored
    whole = found(folder)
    cut_back(place, reports=0)  # as if the mirror were far behind
    record = json.loads((folder / "sweep.json").read_text())
    (folder / "sweep.json").write_text(json.dumps(record | {"finished": False}))
    assert resume("--resume", place)[0] == 0
    assert found(folder) == whole
    sizes = {name: (folder / name).stat().st_size for name in GROWING}
    assert json.loads((place / "mirror.json").read_text())["sizes"] == sizes


def test_the_mirror_wins_once_another_machine_has_gone_on(stored, resume):
    place, folder = stored
    whole = found(folder)
    (folder / "curves.csv").write_text("of a session before that\n")
    manifest = json.loads((place / "mirror.json").read_text())
    (place / "mirror.json").write_text(json.dumps(manifest | {"session": "of the other machine"}))
    assert resume("--resume", folder)[0] == 0
    assert found(folder) == whole


def test_a_renamed_folder_stays_with_the_storage_that_it_began_with(stored, resume):
    place, folder = stored
    renamed = folder.rename(folder.with_name("renamed"))
    cut_back(place, reports=0)
    record = json.loads((renamed / "sweep.json").read_text())
    (renamed / "sweep.json").write_text(json.dumps(record | {"finished": False}))
    assert resume("--resume", renamed)[0] == 0
    (renamed / "curves.csv").write_text("newer\n")
    assert resume("--resume", renamed, "--dry-run")[0] == 0
    assert (renamed / "curves.csv").read_text() == "newer\n", "the older copy must not come back"
    assert [path.name for path in place.parent.iterdir()] == ["sweep"]


def test_another_sweep_is_never_written_over(stored, resume, tmp_path):
    place, folder = stored
    status, error, _ = resume(*begun(tmp_path), machine="other")
    assert status == 2
    assert error == f"error: {place} exists and is never overwritten; give another --name, or --resume {place}\n"
    record = json.loads((folder / "sweep.json").read_text())
    (folder / "sweep.json").write_text(json.dumps(record | {"arguments": ["--task", TASK], "session": "x"}))
    status, error, _ = resume("--resume", place)
    assert status == 2
    assert error == f"error: {folder} has another sweep, and is never overwritten; give another folder\n"


def test_what_was_brought_here_and_not_gone_on_with_is_brought_anew(stored, resume):
    place, _ = stored
    cut_back(place, reports=5, trials=1)
    status, error, other = resume("--resume", place, "--dry-run", machine="other")
    assert status == 0, error
    assert len(tables.rows(other / "curves.csv")) == 5
    cut_back(place, reports=7, trials=2)  # the session that runs elsewhere has gone on
    assert resume("--resume", place, "--dry-run", machine="other")[0] == 0
    assert len(tables.rows(other / "curves.csv")) == 7


def test_results_that_were_fetched_during_a_run_are_brought_anew(stored, resume, tmp_path, cluster_module):
    cut_back(stored[0], reports=5, trials=1)
    folder = tmp_path / "other" / TASK / "sweep"
    assert cluster_module("results").main([str(stored[0]), str(folder)]) == 0
    cut_back(stored[0], reports=7, trials=2)  # the session that runs elsewhere has gone on
    status, error, _ = resume("--resume", folder, "--dry-run", machine="other")
    assert status == 0, error
    assert len(tables.rows(folder / "curves.csv")) == 7


def test_a_storage_is_not_taken_for_the_results(stored, resume):
    place, _ = stored
    cut_back(place, reports=0)
    status, error, _ = resume("--resume", place, "--dry-run", machine="shared")
    assert status == 2
    assert error == f"error: {place}: must be elsewhere than the results; give another folder\n"


def test_a_session_that_fails_before_the_storage_is_its_own_leaves_the_folder_newer(stored, resume):
    place, folder = stored
    cut_back(place, reports=0)
    record = json.loads((folder / "sweep.json").read_text())
    (folder / "sweep.json").write_text(json.dumps(record | {"finished": False}))
    (place / "mirror.json.part").mkdir()
    status, error, _ = resume("--resume", folder)
    assert status == 1
    assert "mirror.json" in error
    (place / "mirror.json.part").rmdir()
    (folder / "curves.csv").write_text("newer\n")
    assert resume("--resume", folder, "--dry-run")[0] == 0
    assert (folder / "curves.csv").read_text() == "newer\n", "the older copy must not come back"


@pytest.mark.parametrize("machine", ["here", "other"])
def test_a_sweep_whose_last_copy_fails_is_not_finished_before_the_storage_has_all(stored, resume, machine):
    place, folder = stored
    whole = found(folder)
    cut_back(place, reports=8, trials=3)
    record = json.loads((folder / "sweep.json").read_text())
    (folder / "sweep.json").write_text(json.dumps(record | {"finished": False}))
    for one in (place, folder):
        (one / "tested.json").unlink()
    (place / "tested.json.part").mkdir()
    status, error, _ = resume("--resume", place)
    assert status == 1
    assert "tested.json" in error
    assert f"mend that, then python sweeps/run.py --resume {folder}\n" in error
    (place / "tested.json.part").rmdir()
    status, error, folder = resume("--resume", place, machine=machine)
    assert status == 0, error
    assert found(folder) == whole
    for name in ("tested.json", "sweep.json"):
        assert (place / name).read_bytes() == (folder / name).read_bytes()
    assert json.loads((folder / "sweep.json").read_text())["finished"]


def test_or_resume_begins_or_goes_on(finished, stored, resume, tmp_path):
    command = (*begun(tmp_path), "--or-resume")
    cut_back(stored[0], reports=7, trials=2)
    status, error, other = resume(*command, machine="other")
    assert status == 0, error
    assert found(other) == found(stored[1])
    assert resume(*command, "--max-concurrent", "2", machine="other")[0] == 0, "where trials run may change"
    status, error, _ = resume(*command, "--seed", "5", machine="other")
    assert status == 2
    assert "--seed cannot change in a sweep that is resumed" in error


def test_a_session_that_another_one_has_taken_over_ends(stored, resume, monkeypatch):
    place = stored[0]
    cut_back(place, reports=7, trials=2)
    monkeypatch.setattr(mirror, "EVERY_S", 0.0)
    manifest = json.loads((place / "mirror.json").read_text()) | {"session": "of another machine"}

    def taken_over(self, iteration, trials, **info):  # again and again: a copy that has begun may still write its own
        (place / "mirror.json").write_text(json.dumps(manifest))

    monkeypatch.setattr(Watch, "on_step_begin", taken_over)
    status, error, _ = resume("--resume", place, machine="other")
    assert status == 1
    assert error.startswith(f"error: {place}: another session goes on with this sweep, and this one ends")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("ftp://bucket/x", "cannot be used: Unrecognized filesystem type"),
        ("s3://", "cannot be used: "),
        ("", "--storage must be s3://, gs://, or a folder"),
        ("{}/file/below", "cannot be used: "),
        ("{}", "must be elsewhere than the results"),
        ("file://{}", "must be elsewhere than the results"),
    ],
)
def test_a_storage_that_cannot_be_used_is_one_line_and_status_2(run, tmp_path, place, message):
    (tmp_path / "file").touch()
    status, output, error, folder = run("--storage", place.format(tmp_path), task=TASK)
    assert status == 2
    assert message in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert output == ""
    assert not folder.parent.exists()


def test_resume_of_a_place_without_a_sweep_is_one_line_and_status_2(capsys, tmp_path):
    place = f"file://{tmp_path}/task/name"
    assert main(["--resume", place]) == 2
    assert capsys.readouterr().err == f"error: --resume {place}: no sweep is there; give STORAGE/TASK/NAME\n"


def test_or_resume_needs_a_name(capsys, tmp_path):
    assert main(["--task", TASK, "--or-resume", "--results", str(tmp_path)]) == 2
    assert "--or-resume goes with --name" in capsys.readouterr().err


@pytest.fixture(scope="module")
def endpoint():
    """A server of S3's interface on this machine, with a bucket."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    address = "{}:{}".format(*server.get_host_and_port())
    urllib.request.urlopen(urllib.request.Request(f"http://{address}/bucket", method="PUT")).close()
    yield address
    server.stop()


def go_on_from_a_bucket(run, storage_uri, place, tmp_path):
    """Store a sweep in a bucket, take its copy there back to an older moment, and go on from it on another machine."""
    (tmp_path / "space.yaml").write_text(SPACE)
    options = [storage_uri if option.endswith("/shared") else option for option in begun(tmp_path)]
    status, error, folder = run(*options, machine="here")
    assert status == 0, error
    assert run(*options, machine="other")[1] == (
        f"error: {place} exists and is never overwritten; give another --name, or --resume {place}\n"
    )
    filesystem, root = FileSystem.from_uri(place)
    files = filesystem.get_file_info(FileSelector(f"{root}/checkpoints", recursive=True))
    assert [file.path.split("/")[-2] for file in files if file.type == FileType.File] == ["0000-seed1"] * 2
    for name, change in (("mirror.json", older), ("sweep.json", lambda record: record | {"finished": False})):
        content = json.loads(storage.read(filesystem, f"{root}/{name}"))
        storage.write(filesystem, f"{root}/{name}", json.dumps(change(content)).encode())
    status, error, other = run("--resume", place, machine="other")
    assert status == 0, error
    assert found(other) == found(folder)
    assert {path.name for path in other.iterdir()} == {path.name for path in folder.iterdir()}


def older(manifest):
    """That of a copy without the retraining's last rows."""
    sizes = {name: size - 40 if name.endswith(".csv") else size for name, size in manifest["sizes"].items()}
    return manifest | {"sizes": sizes}


def test_a_bucket_has_the_sweep_and_another_machine_goes_on_from_it(endpoint, resume, tmp_path, one_ray):
    uri = "s3://nobody:nothing@bucket/{}?scheme=http&endpoint_override=" + endpoint.replace(":", "%3A")
    go_on_from_a_bucket(resume, uri.format("x"), uri.format(f"x/{TASK}/sweep"), tmp_path)


@pytest.mark.faults
@pytest.mark.slow
def test_a_bucket_that_the_environment_tells_of(endpoint, tmp_path):
    credentials = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing"}
    environment = os.environ | credentials | {"AWS_ENDPOINT_URL": f"http://{endpoint}", "PYTHONPATH": str(ROOT)}

    def run(*options, machine):
        command = [sys.executable, "sweeps/run.py", *map(str, options), "--results", str(tmp_path / machine)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
        return done.returncode, done.stderr, tmp_path / machine / TASK / "sweep"

    with pytest.MonkeyPatch.context() as patch:
        for name in (*credentials, "AWS_ENDPOINT_URL"):
            patch.setenv(name, environment[name])
        go_on_from_a_bucket(run, "s3://bucket/y", f"s3://bucket/y/{TASK}/sweep", tmp_path)
