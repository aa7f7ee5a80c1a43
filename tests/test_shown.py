"""What show, compare and rebuild make of the sweeps that are kept in results/reference."""

import fcntl
import json
import re
import shutil
import socket
import threading
import time
from contextlib import nullcontext
from dataclasses import asdict, fields

import pandas as pd
import pytest

from ae.configuration import Configuration
from sweeps import compare, rebuild, show
from sweeps.storage.folder import LOCK, is_locked, locked


def add_event(folder, kind, ago=500.0, **facts):
    """Something happened so many seconds ago."""
    with (folder / "events.jsonl").open("a") as file:
        file.write(json.dumps({"event": kind, "time": time.time() - ago, **facts}) + "\n")


def begin_session(folder, host="", ago=500.0):
    """Another process resumed the sweep so many seconds ago."""
    add_event(folder, "session_begun", ago, session="b", host=host, device="cpu", versions={})


@pytest.fixture
def extended(kept, tmp_path):
    """A tested sweep that was resumed to do more; the process was killed."""
    folder = shutil.copytree(kept("mnist-rec/asha"), tmp_path / "extended")
    begin_session(folder)
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


HERE = socket.gethostname()


@pytest.mark.parametrize(
    ("host", "ago", "is_held", "words"),
    [
        (HERE, 500, True, "running, last event 0:08:20 ago"),
        (HERE, 200, False, "not running"),
        ("another", 500, False, "not running"),
        ("another", 200, False, "running, last event 0:03:20 ago"),
    ],
)
def test_a_sweep_runs_if_a_process_has_it_or_another_machine_wrote_lately(
    host, ago, is_held, words, kept, shown, tmp_path
):
    folder = shutil.copytree(kept("mnist-rec/asha"), tmp_path / "resumed")
    begin_session(folder, host, ago)
    with locked(folder) if is_held else nullcontext():
        output = shown(show.main, folder)[1]
    assert f"; {words}" in output
    assert ("--resume" in output) == ("not running" in words)


def test_an_interrupted_sweep_says_so_and_its_open_trials_too(extended, shown):
    config = json.loads((extended / "plan.json").read_text())["base"]
    add_event(extended, "asked", phase="search", trial="0012", config=config)
    output = shown(show.main, extended, "--trials", "13")[1]
    assert "; not running\n" in output
    assert f"Resume with: python sweeps/run.py --resume {extended}\n" in output
    assert "1 interrupted" in output
    assert re.search("^0012 +interrupted", output, re.MULTILINE)
    add_event(extended, "session_ended", status="interrupted", wall_s={})
    output = shown(show.main, extended)[1]
    assert "; interrupted\n" in output
    assert "1 interrupted" in output


def test_watch_ends_with_a_sweep_that_does_not_run(extended, shown):
    (extended / "summary.json").unlink()
    status, output, _ = shown(show.main, extended, "--watch", "60")
    assert status == 0
    assert output.endswith(f"Resume with: python sweeps/run.py --resume {extended}\n")


def test_a_look_does_not_keep_a_session_out(extended):
    with (extended / LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        letting_go = threading.Timer(0.15, fcntl.flock, (file, fcntl.LOCK_UN))
        letting_go.start()
        with locked(extended):
            assert is_locked(extended)
        letting_go.join()


def test_what_is_told_to_resume_is_one_word_to_a_shell(extended, shown):
    spaced = extended.rename(extended.with_name("two words"))
    assert f"Resume with: python sweeps/run.py --resume '{spaced}'\n" in shown(show.main, spaced)[1]


def test_a_narrow_terminal_has_a_line_a_trial(kept, shown, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    output = shown(show.main, kept("mnist-cls/asha"))[1]
    assert max(map(len, output.splitlines())) <= 80
    assert re.search(r"^0000 .* 0\.001 +1 +120 *$", output, re.MULTILINE)


def test_a_sweep_in_which_all_failed_has_nothing_to_resume(kept, shown, tmp_path, edit_events):
    folder = shutil.copytree(kept("mnist-rec/asha"), tmp_path / "failed")

    def fail(event):
        if event["event"] in ("retraining", "tested", "session_ended") or event.get("phase") == "retrain":
            return None
        return event | {"status": "failed", "reason": "out of memory"} if event["event"] == "ended" else event

    edit_events(folder, fail)
    output = shown(show.main, folder)[1]
    assert "; ended: no trial can be selected" in output
    assert "--resume" not in output


def test_a_figure_that_is_there_is_overwritten_only_if_it_was_asked_for(kept, shown, tmp_path):
    folder = shutil.copytree(kept("mnist-rec/asha"), tmp_path / "one")
    assert shown(compare.main, folder)[0] == 0
    (tmp_path / "compare.png").write_text("mine")
    status, output, error = shown(compare.main, folder)
    assert (status, output, error.count("\n")) == (2, "", 1)
    assert f"{tmp_path / 'compare.png'} exists and is not overwritten; give --output" in error
    assert (tmp_path / "compare.png").read_text() == "mine"
    assert shown(compare.main, folder, "--output", tmp_path / "compare.png")[0] == 0
    assert (tmp_path / "compare.png").stat().st_size > 10_000


def test_a_figure_that_cannot_be_written_is_one_line(kept, shown, tmp_path):
    (tmp_path / "file").write_text("")
    status, output, error = shown(compare.main, kept("mnist-rec/asha"), "--output", tmp_path / "file" / "x.png")
    assert (status, output, error.count("\n")) == (2, "", 1)
    assert "cannot be written" in error


def completed(facts):
    """Facts of a summary, each configuration with the options that came after it was written, all of them off."""
    if isinstance(facts, list):
        return [completed(one) for one in facts]
    if not isinstance(facts, dict) or "config" not in facts:
        return facts
    names = [one.name for one in fields(Configuration) if one.name != "seed"]
    whole = asdict(Configuration(**facts["config"]))
    return facts | {"config": {name: whole[name] for name in names}}


def test_what_follows_from_the_events_is_written_again(kept, shown, tmp_path):
    names, folder = ("trials.csv", "curves.csv", "study.log"), tmp_path / "rebuilt"
    folder.mkdir()
    for name in ("plan.json", "events.jsonl"):
        shutil.copy(kept("mnist-rec/asha") / name, folder)
    status, output, _ = shown(rebuild.main, folder)
    assert status == 0
    assert output.split() == [str(folder / name) for name in (*names, "tensorboard", "summary.json", "report.html")]
    first, second = (json.loads((one / "summary.json").read_text()) for one in (folder, kept("mnist-rec/asha")))
    for key in ("task", "objective", "best", "retrained", "test", "versions", "device"):
        assert first[key] == completed(second[key])
    for name in names[:2]:
        tables = [pd.read_csv(place / name, dtype={"trial": str}) for place in (folder, kept("mnist-rec/asha"))]
        ordered = [table.sort_values(list(table)[:3], ignore_index=True) for table in tables]
        pd.testing.assert_frame_equal(*ordered)
    assert len(list((folder / "tensorboard" / "search").iterdir())) == 12
    assert len(list((folder / "tensorboard" / "retrain").iterdir())) == 9


def test_nothing_is_rebuilt_while_the_sweep_runs(kept, shown, tmp_path):
    folder = shutil.copytree(kept("mnist-rec/asha"), tmp_path / "running")
    (folder / "trials.csv").unlink()
    with locked(folder):
        status, _, error = shown(rebuild.main, folder)
    assert (status, error.count("\n")) == (2, 1)
    assert "is in use by a running sweep" in error
    assert not (folder / "trials.csv").exists()


def test_a_page_that_is_sent_to_a_colleague_holds_no_path_of_this_machine(shown, kept, tmp_path, monkeypatch):
    shutil.copytree(kept("mnist-cls/asha"), tmp_path / "sent")
    monkeypatch.chdir(tmp_path)
    assert shown(rebuild.main, "sent")[0] == 0
    assert str(tmp_path) not in (tmp_path / "sent" / "report.html").read_text()
