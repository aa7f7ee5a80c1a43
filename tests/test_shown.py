"""What show and compare say of sweeps that are kept in results/reference."""

import fcntl
import json
import os
import re
import shutil
import threading
import time
from contextlib import nullcontext

import pytest

from sweeps import compare, show
from sweeps.records import tables
from sweeps.storage.folder import LOCK, held, in_use


@pytest.fixture
def extended(kept, tmp_path):
    """A tested sweep, as it is when more trials are to come."""
    folder = shutil.copytree(kept("mnist-rec/asha"), tmp_path / "extended")
    record = json.loads((folder / "sweep.json").read_text())
    (folder / "sweep.json").write_text(json.dumps(record | {"finished": False}))
    return folder


def test_a_test_is_told_with_the_configuration_that_met_it(kept, shown, tmp_path):
    status, output, _ = shown(show.main, kept("mnist-rec/asha"))
    assert status == 0
    assert "best loss 0.00389, 0003 at epoch 15 (lr 0.01, clip none, hidden_size 120)" in output
    values = "loss in validation 0.003705 ± 0.000087, on the test split 0.003661 ± 0.000083"
    assert f"1. lr 0.01, clip 1, hidden_size 120: {values}" in " ".join(output.split())
    status, output, _ = shown(compare.main, kept("mnist-rec/asha"), "--output", tmp_path / "x.png")
    assert status == 0
    assert re.search(r"best validation of the search +0\.00389", output)
    assert re.search(
        r"best configuration +lr 0\.01\s+clip 1\s+hidden_size 120\s+validation in the search +0\.005645", output
    )


def test_sweeps_of_one_name_are_told_apart_by_their_folders(kept, shown, tmp_path, monkeypatch):
    shutil.copytree(kept("mnist-rec/asha"), tmp_path / "asha")
    shutil.copytree(kept("mnist-rec/asha"), tmp_path / "other/asha")
    monkeypatch.chdir(tmp_path)
    status, output, _ = shown(compare.main, "asha", "other/asha")
    assert status == 0
    assert output.splitlines()[2].split() == ["asha", "other/asha"]


def test_an_extended_sweep_has_no_test_before_its_new_one(extended, shown, tmp_path):
    assert "on the test split" not in shown(show.main, extended)[1]
    output = shown(compare.main, extended, "--output", tmp_path / "x.png")[1]
    assert re.search("retrained, test +not tested", output)
    assert re.search(r"best configuration +lr 0\.01\s+clip none", output)


def last_report(folder, ago):
    os.utime(folder / "curves.csv", (0, time.time() - ago))


@pytest.mark.parametrize(
    ("ago", "runs", "words"),
    [
        (500, False, "ended before its test; go on with --resume"),
        (500, True, "last report 0:08:20 ago"),
        (200, False, "last report 0:03:20 ago"),
    ],
)
def test_a_sweep_goes_on_if_a_session_has_it_or_reported_of_late(ago, runs, words, extended, shown):
    last_report(extended, ago)
    with held(extended) if runs else nullcontext():
        assert words in shown(show.main, extended)[1]


def test_watch_ends_with_a_sweep_that_does_not_go_on(extended, shown):
    (extended / "summary.json").unlink()
    last_report(extended, 500)
    status, output, _ = shown(show.main, extended, "--watch", "60")
    assert status == 0
    assert f"; not running on this machine; go on with --resume {extended}" in " ".join(output.split())


def test_a_look_does_not_keep_a_session_out(extended):
    with (extended / LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        letting_go = threading.Timer(0.15, fcntl.flock, (file, fcntl.LOCK_UN))
        letting_go.start()
        with held(extended):
            assert in_use(extended)
        letting_go.join()


def test_what_is_told_to_resume_is_one_word_to_a_shell(extended, shown):
    spaced = extended.rename(extended.with_name("two words"))
    last_report(spaced, 500)
    assert f"; ended before its test; go on with --resume '{spaced}'" in shown(show.main, spaced)[1]


def test_a_narrow_terminal_has_a_line_a_trial(kept, shown, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    output = shown(show.main, kept("mnist-cls/asha"))[1]
    assert max(map(len, output.splitlines())) <= 80
    assert re.search(r"^0000 .* lr 0\.001, clip 1, hidden_size 120 *$", output, re.MULTILINE)


def test_a_sweep_in_which_all_failed_has_nothing_to_go_on_with(extended, shown):
    rows = tables.rows(extended / tables.TRIALS)
    failed = [row | {"status": "failed", "reason": "out of memory"} for row in rows if row["phase"] == "search"]
    tables.rewrite(extended / tables.TRIALS, failed)
    output = shown(show.main, extended)[1]
    assert "ended, as no trial can be selected" in output
    assert "--resume" not in output
