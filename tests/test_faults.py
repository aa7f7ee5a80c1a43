"""Damaged files in a results folder, and what --resume makes of them; tests/faults has the faults that take long."""

import errno
import json

import optuna
import pandas as pd
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from sweeps.engine.failure import NO_MESSAGE, last_line
from sweeps.storage.checkpoints import Checkpoints


@pytest.fixture
def folder(sweep):
    """A sweep that lacks only its last event, that it has finished, as if it had been killed there; to damage."""
    path = sweep / "events.jsonl"
    *lines, last = path.read_text().splitlines(keepends=True)
    assert json.loads(last)["event"] == "session_ended"
    path.write_text("".join(lines))
    return sweep


@pytest.fixture
def resume(capsys):
    """Resumes a folder; gives exit status and error output."""
    from sweeps.run import main

    def resume(folder):
        capsys.readouterr()
        return main(["--resume", str(folder)]), capsys.readouterr().err

    return resume


def found(folder):
    summary = json.loads((folder / "summary.json").read_text())
    return {key: summary[key] for key in ("best", "retrained", "test")}


def cut(path, keep=0.5):
    """Leave the first part of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])


@pytest.mark.parametrize("damage", ["cut", "nonsense", "gone"])
def test_a_damaged_summary_is_written_again(folder, ended, resume, damage):
    summary = folder / "summary.json"
    if damage == "cut":
        cut(summary)
    elif damage == "nonsense":
        summary.write_bytes(b"\xff\x00 nonsense")
    else:
        summary.unlink()
    assert resume(folder)[0] == 0
    assert found(folder) == found(ended)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plan.json", b'{"version": 1, "task": "syn'),
        ("plan.json", b'{"version": 1}'),
        ("plan.json", b"[]"),
        ("plan.json", b"\xff\xfe"),
        ("events.jsonl", b"nonsense\nmore\n"),
        ("events.jsonl", b"\xff\x00\xfe\n"),
        ("events.jsonl", b"[]\n[]\n"),
        ("events.jsonl", b'{"event": "danced", "time": 1, "phase": "search", "trial": "0000"}\n'),
        ("events.jsonl", b'{"event": "reported", "time": 1, "phase": "search", "trial": "0000", "epoch": 1}\n'),
    ],
)
def test_a_damaged_file_that_is_needed_is_one_line_and_status_2(folder, resume, name, content):
    (folder / name).write_bytes(content)
    before = {path: path.read_bytes() for path in folder.glob("*.*") if path.is_file()}
    status, error = resume(folder)
    assert status == 2, error
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert name in error
    assert {path: path.read_bytes() for path in before} == before


def table(folder, name):
    """A table of a results folder without its seconds, in an order of its own."""
    columns = ["phase", "trial", "epoch" if name == "curves.csv" else "epochs"]
    frame = pd.read_csv(folder / name, dtype={"trial": str}).drop(columns=["train_s", "wall_s"], errors="ignore")
    return frame.sort_values(columns, ignore_index=True)


@pytest.mark.parametrize("damage", ["cut", "nonsense", "gone"])
@pytest.mark.parametrize("name", ["trials.csv", "curves.csv", "study.log"])
def test_what_follows_from_the_events_is_written_again(folder, ended, resume, name, damage):
    path = folder / name
    if damage == "cut":
        cut(path)
    elif damage == "nonsense":
        path.write_bytes(b"\xff\x00 nonsense\n[]\n")
    else:
        path.unlink()
    (folder / "summary.json").unlink()
    status, error = resume(folder)
    assert status == 0, error
    assert found(folder) == found(ended)
    if name != "study.log":
        pd.testing.assert_frame_equal(table(folder, name), table(ended, name), check_exact=True)
    assert states(folder) == states(ended)
    assert set(states(folder)) == {TrialState.COMPLETE, TrialState.PRUNED}


def states(folder):
    """The states of the trials in a study, in their order."""
    storage = JournalStorage(JournalFileBackend(str(folder / "study.log")))
    return [trial.state for trial in optuna.load_study(study_name=None, storage=storage).trials]


def test_a_last_line_that_was_cut_off_costs_that_event(folder, ended, resume):
    path = folder / "events.jsonl"
    path.write_bytes(path.read_bytes()[:-5])
    status, error = resume(folder)
    assert status == 0, error
    assert found(folder) == found(ended)
    for name in ("trials.csv", "curves.csv"):
        pd.testing.assert_frame_equal(table(folder, name), table(ended, name), check_exact=True)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_events_that_end_anywhere_lead_to_the_same_result(folder, ended, resume, share):
    lines = (folder / "events.jsonl").read_text().splitlines(keepends=True)
    (folder / "events.jsonl").write_text("".join(lines[: int(share * len(lines))]))
    status, error = resume(folder)
    assert status == 0, error
    assert found(folder) == found(ended)
    pd.testing.assert_frame_equal(table(folder, "curves.csv"), table(ended, "curves.csv"), check_exact=True)


def test_checkpoints_that_cannot_be_removed_cost_no_trial(ended, tmp_path, monkeypatch):
    from sweeps.config.plan_file import load
    from sweeps.run import main

    def refuse(self, trials):
        if trials := list(trials):
            raise PermissionError(errno.EACCES, "Permission denied", trials[0])

    monkeypatch.setattr(Checkpoints, "drop", refuse)
    assert main([*load(ended).commands[0][2:], "--results", str(tmp_path)]) == 1, "the end of the phase says so"
    folder = tmp_path / "synthetic-smooth" / "sweep"
    search = pd.read_csv(folder / "trials.csv").query("phase == 'search'")
    assert set(search["status"]) == {"finished", "stopped early"}
    monkeypatch.undo()
    assert main(["--resume", str(folder)]) == 0
    assert found(folder) == found(ended)


def test_a_model_that_is_damaged_is_trained_again(folder, ended, resume):
    cut(max((folder / "checkpoints").glob("*-seed1/*.pt")))
    assert resume(folder)[0] == 0
    assert found(folder) == found(ended)
    assert len(pd.read_csv(folder / "trials.csv").query("phase == 'retrain'")) == 1


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("Traceback\nValueError: no", "ValueError: no"),
        (
            "Traceback\ntorch.AcceleratorError: CUDA error: out of memory\nErrors might be late.\nCompile it.",
            "torch.AcceleratorError: CUDA error: out of memory",
        ),
        ("CUDA error: out of memory\nFailure # 2 (occurred at noon)\nValueError: no", "ValueError: no"),
        ("", NO_MESSAGE),
    ],
)
def test_the_line_of_an_error_that_says_what(tmp_path, lines, said):
    error_file = tmp_path / "error.txt"
    error_file.write_text(f"Failure # 1 (occurred at noon)\n{lines}\n" if lines else "")
    assert last_line(str(error_file)) == said
