"""A disk that is full, and one that becomes read-only: a small one of memory, mounted for the test."""

import errno
import os
import subprocess

import pytest
from victim import LONG, assert_same

pytestmark = [pytest.mark.faults, pytest.mark.slow]


@pytest.fixture
def mount():
    """Mounts a disk of so many KiB; skips where that is not allowed."""
    mounted = []

    def mount(place, kib):
        place.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "faults", place], capture_output=True, text=True
        )
        if done.returncode:
            pytest.skip(f"a disk cannot be mounted here: {done.stderr.strip()}")
        mounted.append(place)
        return place

    yield mount
    for place in filter(os.path.ismount, reversed(mounted)):
        subprocess.run(["umount", "--lazy", place], check=True)


def fill(place):
    """Leave no byte free."""
    with (place / "ballast").open("wb", buffering=0) as file:
        try:
            for size in (2**20, 2**12, 1):
                while True:
                    try:
                        file.write(bytes(size))
                    except OSError as error:
                        if error.errno != errno.ENOSPC:
                            raise
                        break
        finally:
            os.sync()


@pytest.mark.parametrize("at", ["0003", "0003-seed1"], ids=["in the search", "in retraining"])
def test_a_full_disk_ends_the_sweep_with_one_line_and_it_resumes_with_room(
    start, small, whole, twice, mount, tmp_path, at
):
    options, folder = small
    mount(tmp_path / "disk", 20_000)
    options = [tmp_path / "disk" if option == tmp_path else option for option in options]
    folder = tmp_path / "disk" / folder.relative_to(tmp_path)
    session = start(*options, faults=LONG)
    session.reach(folder, at, 4)
    fill(tmp_path / "disk")
    assert session.end() == 1, session.output
    error = session.output.splitlines()[-1]
    assert error.startswith(f"error: {folder}"), session.output
    assert "No space left on device" in error
    (tmp_path / "disk" / "ballast").unlink()
    resumed = start(*error.split("sweeps/run.py ")[1].split())
    assert resumed.end() == 0, resumed.output
    assert_same(folder, whole.folder)
    print(f"lost: {twice()} epochs trained twice")


def test_no_room_for_checkpoints_costs_no_trial(start, small, whole, twice, mount):
    options, folder = small
    session = start(*options, faults=LONG)
    session.reach(folder, "0000", 1)
    known = (folder / "checkpoints" / "session").read_bytes()
    place = mount(folder / "checkpoints", 8)
    (place / "session").write_bytes(known)  # the disk is the sweep's, and it is full
    assert session.end() == 1, session.output
    error = session.output.splitlines()[-1]
    assert "the last checkpoint of 0000-seed1, 0003-seed1 could not be written" in error
    assert "could not be written: [Errno 28]" in (folder / "trials.csv").read_text()
    subprocess.run(["umount", place], check=True)
    assert start("--resume", folder).end() == 0
    assert_same(folder, whole.folder)
    print(f"lost: {twice()} epochs trained twice")


@pytest.fixture
def lock():
    """Makes a folder and all in it read-only, for root too, and back; skips where that cannot be."""
    locked = []

    def lock(folder, on=True):
        if os.geteuid():
            subprocess.run(["chmod", "-R", "a-w" if on else "u+w", folder], check=True)
        elif subprocess.run(["chattr", "-R", "+i" if on else "-i", folder], capture_output=True).returncode:
            pytest.skip("root cannot be kept from writing here: chattr +i does not work")
        locked.append(folder)

    yield lock
    for folder in set(locked):
        lock(folder, on=False)


@pytest.mark.parametrize("at", ["0003", "0003-seed1"], ids=["in the search", "in retraining"])
def test_a_results_folder_that_becomes_read_only(start, small, whole, twice, lock, at):
    options, folder = small
    session = start(*options, faults=LONG)
    session.reach(folder, at, 4)
    lock(folder)
    assert session.end() == 1, session.output
    error = session.output.splitlines()[-1]
    assert error.startswith(f"error: {folder}"), session.output
    assert "ermi" in error  # Operation not permitted, Permission denied
    refused = start("--resume", folder)
    assert refused.end() == 2
    assert refused.output.startswith(f"error: {folder} cannot be written: ")
    lock(folder, on=False)
    resumed = start(*error.split("sweeps/run.py ")[1].split())
    assert resumed.end() == 0, resumed.output
    assert_same(folder, whole.folder)
    print(f"lost: {twice()} epochs trained twice")
