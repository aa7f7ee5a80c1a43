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
from stored import SPACE, TASK, begun, cut_back, found, reports, unfinish

from sweeps.engine.room import Watch
from sweeps.run import main
from sweeps.storage import mirror
from sweeps.storage.filesystem import read_file, write_file

ROOT = Path(__file__).parents[1]


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
    for plan in tmp_path.rglob("plan.json"):
        plan.write_text(plan.read_text().replace(str(finished), str(tmp_path)))
    return tmp_path / "shared" / TASK / "sweep", tmp_path / "here" / TASK / "sweep"


@pytest.fixture
def resume(tmp_path, capsys):
    """Resumes with these options on a machine of that name, which has its own results; gives status, error, folder."""

    def resume(*options, machine="here"):
        capsys.readouterr()
        status = main([*map(str, options), "--results", str(tmp_path / machine)])
        return status, capsys.readouterr().err, tmp_path / machine / TASK / "sweep"

    return resume


def test_a_shared_folder_has_checkpoints_and_a_copy(finished):
    place, folder = (finished / one / TASK / "sweep" for one in ("shared", "here"))
    assert not (folder / "checkpoints").exists()
    assert not (folder / "ray").exists()
    assert {path.name for path in (place / "checkpoints").iterdir()} == {"0000-seed1", "session"}
    assert {path.name for path in (place / "ray").iterdir()} == {"search", "retrain"}
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "lock":
            assert (place / path.relative_to(folder)).read_bytes() == path.read_bytes()
    session = json.loads((folder / "events.jsonl").read_text().splitlines()[0])["session"]
    assert json.loads((place / "mirror.json").read_text()) == {"session": session}
    assert (place / "checkpoints" / "session").read_text() == session
    assert not list((finished / "shared").glob(".*")), "what the check wrote is taken away again"


def test_another_machine_resumes_an_older_copy_to_the_same_end(stored, resume):
    place, folder = stored
    cut_back(place, reports=7)  # into the retraining, whose checkpoint is ahead of that
    status, error, other = resume("--resume", place, machine="other")
    assert status == 0, error
    assert found(other) == found(folder)
    status, error, third = resume("--resume", place, machine="third")
    assert status == 0, error
    assert found(third) == found(folder), "a finished sweep is brought to a machine and stays as it is"


@pytest.mark.parametrize("cut", [0, 25])
def test_the_folder_wins_where_the_storage_has_the_beginning_of_its_events(stored, resume, cut):
    place, folder = stored
    whole = found(folder)
    cut_back(place, reports=4)
    if cut:  # a line that was cut off counts for nothing
        with (place / "events.jsonl").open("a") as file:
            file.write('{"event":"something else, '[:cut])
    unfinish(folder)
    assert resume("--resume", place)[0] == 0
    assert found(folder) == whole
    assert (place / "events.jsonl").read_bytes() == (folder / "events.jsonl").read_bytes()


@pytest.mark.parametrize("here", ["the beginning", "another end", "nothing"])
def test_the_storage_wins_where_the_folder_lacks_some_of_its_events(stored, resume, here):
    place, folder = stored
    whole = found(folder)
    if here == "the beginning":
        cut_back(folder, reports=5)
    elif here == "another end":  # written by a session that died before it was copied; another machine resumed then
        cut_back(folder, reports=5)
        with (folder / "events.jsonl").open("a") as file:
            file.write('{"event":"reported","time":1,"phase":"search","trial":"0001","epoch":2,"lost":true}\n' * 99)
    else:
        (folder / "events.jsonl").unlink()
    (folder / "curves.csv").write_text("of a session before that\n")
    assert resume("--resume", folder)[0] == 0
    assert found(folder) == whole
    assert (place / "events.jsonl").read_bytes() == (folder / "events.jsonl").read_bytes()


def test_a_renamed_folder_stays_with_the_storage_that_it_began_with(stored, resume):
    place, folder = stored
    renamed = folder.rename(folder.with_name("renamed"))
    cut_back(place, reports=0)
    unfinish(renamed)
    assert resume("--resume", renamed)[0] == 0
    newer = (renamed / "events.jsonl").read_bytes()
    cut_back(place, reports=5)
    assert resume("--resume", renamed, "--dry-run")[0] == 0
    assert (renamed / "events.jsonl").read_bytes() == newer, "the older copy must not come back"
    assert [path.name for path in place.parent.iterdir()] == ["sweep"]


def test_another_sweep_is_never_written_over(stored, resume, tmp_path):
    place, folder = stored
    status, error, _ = resume(*begun(tmp_path), machine="other")
    assert status == 2
    assert error == f"error: {place} exists and is never overwritten; give another --name, or --resume {place}\n"
    plan = json.loads((folder / "plan.json").read_text())
    (folder / "plan.json").write_text(json.dumps(plan | {"commands": [["python", "sweeps/run.py", "--task", TASK]]}))
    (folder / "events.jsonl").write_text("")
    for place_or_folder in stored:
        status, error, _ = resume("--resume", place_or_folder)
        assert status == 2
        assert error == (
            f"error: --resume {folder} holds another sweep, and is never overwritten; give another folder\n"
        )
    assert (folder / "events.jsonl").read_text() == ""


def test_what_was_brought_here_and_not_resumed_is_brought_anew(stored, resume):
    place, _ = stored
    whole = (place / "events.jsonl").read_text()
    cut_back(place, reports=5)
    status, error, other = resume("--resume", place, "--dry-run", machine="other")
    assert status == 0, error
    assert reports(other) == 5
    (place / "events.jsonl").write_text(whole)
    cut_back(place, reports=7)  # the session that runs elsewhere has gone on
    assert resume("--resume", place, "--dry-run", machine="other")[0] == 0
    assert reports(other) == 7


def test_results_that_were_fetched_during_a_run_are_brought_anew(stored, resume, tmp_path, cluster_module):
    place, _ = stored
    whole = (place / "events.jsonl").read_text()
    cut_back(place, reports=5)
    folder = tmp_path / "other" / TASK / "sweep"
    assert cluster_module("results").main([str(place), str(folder)]) == 0
    (place / "events.jsonl").write_text(whole)
    cut_back(place, reports=7)  # the session that runs elsewhere has gone on
    status, error, _ = resume("--resume", folder, "--dry-run", machine="other")
    assert status == 0, error
    assert reports(folder) == 7


def test_a_storage_is_not_taken_for_the_results(stored, resume):
    place, _ = stored
    cut_back(place, reports=0)
    status, error, _ = resume("--resume", place, "--dry-run", machine="shared")
    assert status == 2
    assert error == f"error: --resume {place}: must be outside the results folder; give another folder\n"


def test_a_session_that_fails_before_the_storage_is_its_own_leaves_the_folder_newer(stored, resume):
    place, folder = stored
    cut_back(place, reports=0)
    unfinish(folder)
    newer = (folder / "events.jsonl").read_bytes()
    (place / "mirror.json.part").mkdir()
    status, error, _ = resume("--resume", folder)
    assert status == 1
    assert "mirror.json" in error
    (place / "mirror.json.part").rmdir()
    assert resume("--resume", folder, "--dry-run")[0] == 0
    assert (folder / "events.jsonl").read_bytes() == newer, "the older copy must not come back"


@pytest.mark.parametrize("machine", ["here", "other"])
def test_a_sweep_whose_last_copy_fails_is_not_finished_before_the_storage_has_all(stored, resume, machine):
    place, folder = stored
    whole = found(folder)
    for one in (place, folder):
        cut_back(one, reports=8)
        (one / "summary.json").unlink()
    (place / "summary.json.part").mkdir()
    status, error, _ = resume("--resume", place)
    assert status == 1
    assert "summary.json" in error
    assert f"fix that, then python sweeps/run.py --resume {folder}\n" in error
    assert '"finished","wall_s"' not in (folder / "events.jsonl").read_text()
    (place / "summary.json.part").rmdir()
    status, error, folder = resume("--resume", place, machine=machine)
    assert status == 0, error
    assert found(folder) == whole
    for name in ("events.jsonl", "plan.json"):
        assert (place / name).read_bytes() == (folder / name).read_bytes()
    assert json.loads((folder / "events.jsonl").read_text().splitlines()[-1])["status"] == "finished"


def test_or_resume_begins_or_resumes(stored, resume, tmp_path):
    command = (*begun(tmp_path), "--or-resume")
    cut_back(stored[0], reports=7)
    status, error, other = resume(*command, machine="other")
    assert status == 0, error
    assert found(other) == found(stored[1])
    assert resume(*command, "--max-concurrent", "2", machine="other")[0] == 0, "where trials run may change"
    status, error, _ = resume(*command, "--seed", "5", machine="other")
    assert status == 2
    assert "--seed cannot change in a sweep that is resumed" in error


def test_a_session_that_another_one_has_taken_over_ends(stored, resume, monkeypatch):
    place = stored[0]
    cut_back(place, reports=7)
    monkeypatch.setattr(mirror, "EVERY_S", 0.0)

    def taken_over(self, iteration, trials, **info):  # again and again: a copy that has begun may still write its own
        (place / "mirror.json").write_text('{"session": "of another machine"}')

    monkeypatch.setattr(Watch, "on_step_begin", taken_over)
    status, error, _ = resume("--resume", place, machine="other")
    assert status == 1
    assert error.startswith(f"error: {place}: another process has resumed this sweep, so this one ends")
    assert error.count("\n") == 1


@pytest.fixture(scope="module")
def endpoint():
    """A server of S3's interface on this machine, with a bucket."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    address = "{}:{}".format(*server.get_host_and_port())
    urllib.request.urlopen(urllib.request.Request(f"http://{address}/bucket", method="PUT")).close()
    yield address
    server.stop()


def resume_from_a_bucket(run, storage_uri, place, tmp_path):
    """Store a sweep in a bucket, take its copy there back to an older moment, and resume it on another machine."""
    (tmp_path / "space.yaml").write_text(SPACE)
    options = [storage_uri if option.endswith("/shared") else option for option in begun(tmp_path)]
    status, error, folder = run(*options, machine="here")
    assert status == 0, error
    assert run(*options, machine="other")[1] == (
        f"error: {place} exists and is never overwritten; give another --name, or --resume {place}\n"
    )
    filesystem, root = FileSystem.from_uri(place)
    files = filesystem.get_file_info(FileSelector(f"{root}/checkpoints", recursive=True))
    there = [file.path.split("/")[-2:] for file in files if file.type == FileType.File]
    assert sorted(name for _, name in there) == ["epoch-000002.pt", "epoch-000003.pt", "session"]
    assert {trial for trial, _ in there} == {"0000-seed1", "checkpoints"}
    lines = read_file(filesystem, f"{root}/events.jsonl").splitlines(keepends=True)
    assert b"".join(lines) == (folder / "events.jsonl").read_bytes()
    write_file(filesystem, f"{root}/events.jsonl", b"".join(lines[:-4]))  # without the retraining's last report
    assert b'"epoch":3' in lines[-4]
    status, error, other = run("--resume", place, machine="other")
    assert status == 0, error
    assert found(other) == found(folder)
    assert {path.name for path in other.iterdir()} == {path.name for path in folder.iterdir()}
    assert read_file(filesystem, f"{root}/events.jsonl") == (other / "events.jsonl").read_bytes()


def test_a_bucket_has_the_sweep_and_another_machine_resumes_it(endpoint, resume, tmp_path, one_ray):
    uri = "s3://nobody:nothing@bucket/{}?scheme=http&endpoint_override=" + endpoint.replace(":", "%3A")
    resume_from_a_bucket(resume, uri.format("x"), uri.format(f"x/{TASK}/sweep"), tmp_path)


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
        resume_from_a_bucket(run, "s3://bucket/y", f"s3://bucket/y/{TASK}/sweep", tmp_path)
