"""Where files go when the home folder, the temporary folder or shared memory cannot be used."""

import os
import pwd
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from ae.cache import cache_folder, private_folder
from ae.errors import UserError
from sweeps.engine import ray_files
from sweeps.engine.ray_files import LONGEST, data_folder, ray_folder, why_not
from sweeps.storage.home import settle_home

NOWHERE = "/dev/null/home"
"""A home that cannot be made, not even by root."""
LONG = "x" * 100
OWN_RAY = """
import os, sys, ray
from pathlib import Path
from sweeps.config.plan_file import load
from sweeps.engine.session import ray_session

with ray_session(load(Path(sys.argv[1]))):
    folder = Path(ray._private.worker._global_node.get_session_dir_path()).parent
    print(ray.get(ray.remote(lambda: "a task ran").remote()), folder, oct(folder.parent.stat().st_mode & 0o777))
print(folder.parent.exists(), "RAY_AUTH_TOKEN_PATH" in os.environ)
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """A temporary folder of this test's own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def homeless(monkeypatch, temporary):
    """No home that can be written."""
    monkeypatch.setenv("HOME", NOWHERE)
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR"):
        monkeypatch.delenv(name, raising=False)
    return temporary


def test_the_cache_is_private_without_a_home_that_can_be_written(homeless, monkeypatch):
    folder = cache_folder()
    assert folder == cache_folder() == homeless / f"lstm-ae-sweeps-{os.getuid()}"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert cache_folder() == Path("/elsewhere/lstm-ae-sweeps")


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("/tmp"), lambda path: path.mkdir() or path.chmod(0o777)])
def test_a_folder_that_others_could_write_is_not_used(temporary, make):
    make(temporary / f"lstm-ae-sweeps-{os.getuid()}")
    folder = private_folder()
    assert folder != temporary / f"lstm-ae-sweeps-{os.getuid()}"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_user_without_a_home_gets_one(homeless, monkeypatch):
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)  # as for a number that is in no list of users
    settle_home()
    assert os.environ["HOME"] == str(private_folder())


def test_a_home_that_can_only_be_read_stays_the_home(homeless):
    settle_home()
    assert os.environ["HOME"] == NOWHERE
    assert os.environ["MPLCONFIGDIR"] == str(cache_folder() / "matplotlib")


def test_a_home_that_can_be_written_is_left_alone(homeless, monkeypatch):
    monkeypatch.setenv("HOME", str(homeless))
    settle_home()
    assert "MPLCONFIGDIR" not in os.environ
    assert cache_folder() == homeless / ".cache" / "lstm-ae-sweeps"


def test_a_chart_is_drawn_without_a_home(request, kept, tmp_path):
    command = [sys.executable, "sweeps/compare.py", kept("synthetic/asha"), "--output", tmp_path / "chart.png"]
    place = {"HOME": NOWHERE, "TMPDIR": str(tmp_path)}
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "MPL"))} | place
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, env=environment, cwd=request.config.rootpath
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "chart.png").exists()


@pytest.mark.parametrize(
    ("folder", "reason"),
    [
        ("{}", ""),
        ("{}/new/folder", ""),
        (f"/{'x' * (LONGEST - 1)}", "" if os.access("/", os.W_OK) else "/ cannot be written"),
        (f"/{'x' * LONGEST}", f"has {LONGEST + 1} bytes, and a path that holds sockets at most {LONGEST}"),
        ("/tmp/\udcff", "the path /tmp/\udcff is not UTF-8"),
        (NOWHERE, "/dev/null cannot be written: Not a directory"),
    ],
)
def test_why_ray_cannot_keep_its_files_in_a_folder(folder, reason):
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        assert reason in (found := why_not(folder.format(short)))
        assert bool(reason) == bool(found)


def test_the_folder_that_ray_tmpdir_names_is_not_replaced_by_another(monkeypatch):
    monkeypatch.setenv("RAY_TMPDIR", f"/tmp/{LONG}")
    with pytest.raises(UserError, match=r"^RAY_TMPDIR: the path .* has 109 bytes, .*; set it to a short folder"):
        ray_folder()


def test_no_folder_at_all_is_one_line(monkeypatch):
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv("TMPDIR", NOWHERE)
    monkeypatch.setattr(ray_files, "SHORT_FOLDERS", (NOWHERE,))
    with pytest.raises(UserError, match=r"^Ray has no folder for its files: /dev/null cannot be written: Not a dir"):
        ray_folder()


@pytest.mark.skipif(sys.platform != "linux", reason="Ray needs shared memory on Linux alone")
def test_missing_shared_memory_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(ray_files, "SHARED_MEMORY", tmp_path / "shm")
    with pytest.raises(UserError, match=f"there is no {tmp_path}/shm; mount a tmpfs there"):
        data_folder(None)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="TMPDIR is for Ray on Linux alone")
def test_ray_starts_where_neither_home_nor_temporary_folder_can_be_used(begun, tmp_path):
    bad = os.fsencode(tmp_path / LONG) + b"\xff"
    os.mkdir(bad)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    done = subprocess.run(
        [sys.executable, "-c", OWN_RAY, str(begun())],
        capture_output=True,
        text=True,
        env=environment | {"HOME": NOWHERE, "TMPDIR": os.fsdecode(bad)},
    )
    first, second = done.stdout.splitlines()
    assert first.startswith("a task ran /tmp/ray-"), done.stderr
    assert first.endswith("0o700")
    assert second == "False False", "its folder and its token's place are gone"


def test_a_path_that_is_not_utf_8_is_refused(run, tmp_path):
    status, output, error, _ = run("--results", tmp_path / "\udcff")
    assert (status, output) == (2, "")
    assert "is not UTF-8; rename it, or give a link with another name" in error
    assert error.count("\n") == 1


def test_too_few_processes_are_refused_before_ray_ends_the_program():
    """For a user who is not root, for whom the limit does not hold."""
    code = """
import os, resource
from sweeps.engine.limits import check_limits, low_limits
resource.setrlimit(resource.RLIMIT_NPROC, (30, 30))
if os.geteuid() == 0:
    check_limits()
    os.seteuid(12345)
print(low_limits())
check_limits()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "ulimit -u is 30: raise it\n"
    assert "UserError: Ray needs some hundred processes and threads; raise ulimit -u, which is 30" in done.stderr
