"""Output that a terminal cannot show, or that nobody reads, costs no result and no exit status."""

import os
import re
import subprocess
import sys

import pytest

from sweeps.run import main


@pytest.fixture
def show(request):
    """Starts show.py on a kept sweep, whose page has characters beyond ASCII."""
    root = request.config.rootpath
    command = [sys.executable, "sweeps/show.py", "results/reference/mnist-rec/asha"]

    def show(**how):
        environment = os.environ | how.pop("environment", {})
        return subprocess.Popen(command, cwd=root, env=environment, stderr=subprocess.PIPE, text=True, **how)

    return show


@pytest.mark.parametrize("encoding", ["ascii", "iso8859-2"])
def test_a_character_that_the_terminal_lacks_is_replaced(show, encoding):
    process = show(stdout=subprocess.PIPE, encoding=encoding, environment={"PYTHONIOENCODING": encoding})
    output, error = process.communicate()
    assert (process.returncode, error) == (0, "")
    assert re.search(r"in validation 0\.\d+ \? 0\.\d+", " ".join(output.split()))


def test_a_full_disk_behind_the_output_is_no_error(show):
    with open("/dev/full", "w") as full:
        process = show(stdout=full)
        assert (process.communicate()[1], process.returncode) == ("", 0)


def test_a_reader_that_goes_away_is_no_error(show):
    reading, writing = os.pipe()
    os.close(reading)
    process = show(stdout=writing)
    os.close(writing)
    assert (process.communicate()[1], process.returncode) == ("", 0)


@pytest.mark.usefixtures("one_ray")
def test_a_sweep_ends_well_though_it_cannot_say_a_word(tmp_path, monkeypatch):
    few = ("--search", "optuna", "--trials", "1", "--top-k", "1", "--seeds", "1", "--subset", "60", "--max-epochs", "1")
    options = ("--task", "synthetic-smooth", "--eval-every", "1", "--results", str(tmp_path), "--name", "sweep")
    with open("/dev/full", "w") as full, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", full)
        assert main([*options, *few]) == 0
    assert (tmp_path / "synthetic-smooth" / "sweep" / "report.html").exists()
