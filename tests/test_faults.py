"""Damaged files in a results folder, and what --resume makes of them; tests/faults has the faults that take long."""

import errno
import json
from dataclasses import replace
from types import SimpleNamespace

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from ae.task import Objective
from sweeps.engine.failure import NO_MESSAGE, last_line
from sweeps.engine.recorder import Recorder
from sweeps.records import tables
from sweeps.records.ledger import Ledger
from sweeps.scheduling.asha import ASHA, Rungs
from sweeps.storage.checkpoints import Checkpoints, Tidy
from sweeps.storage.folder import read


@pytest.fixture
def folder(sweep):
    """A sweep that lacks nothing but its record of having finished, as if it had been killed there; to damage."""
    replace(read(sweep), finished=False).write(sweep)
    return sweep


@pytest.fixture
def resume(capsys):
    """Goes on with a folder; gives exit status and error output."""
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
        ("study.log", b"nonsense\nmore\n"),
        ("study.log", b"\xff\x00\xfe\n"),
        ("study.log", b'{"op_code": 99}\n'),
        ("study.log", b'{"op_code": 4, "worker_id": "x", "study_id": 7}\n' * 2),
        ("study.log", b"[]\n[]\n"),
        ("sweep.json", b'{"arguments": ["--task", "syn'),
        ("sweep.json", b'{"arguments": "x", "trials": 2}'),
        ("sweep.json", b'{"trials": 2}'),
        ("sweep.json", b"\xff\xfe"),
        ("curves.csv", b"phase,trial,epoch,val_loss,train_s,wall_s\nsearch,0000,one,0.1,1,1\n"),
        ("curves.csv", b"phase,trial\nsearch,0000\n"),
        ("trials.csv", b"phase,trial\nsearch,0000\n"),
        ("space.yaml", b"lr: [0.0"),
    ],
)
def test_a_damaged_file_that_is_needed_is_one_line_and_status_2(folder, resume, name, content):
    (folder / name).write_bytes(content)
    before = {path: path.read_bytes() for path in folder.glob("*.[cj]s*") if path.name != name}
    status, error = resume(folder)
    assert status == 2, error
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert name in error or "curves.csv: trial 0000 is none of this sweep's" in error
    assert {path: path.read_bytes() for path in before} == before


def test_a_table_of_trials_cut_in_half_is_written_again(folder, ended, resume):
    before = tables.rows(folder / "trials.csv")
    cut(folder / "trials.csv")
    assert resume(folder)[0] == 0
    assert found(folder) == found(ended)
    again = {row["trial"]: (row["status"], row["epochs"]) for row in tables.rows(folder / "trials.csv")}
    assert again == {row["trial"]: (row["status"], row["epochs"]) for row in before}


def states(folder):
    """Of the trials in a study, in their order."""
    storage = JournalStorage(JournalFileBackend(str(folder / "study.log")))
    return [trial.state for trial in optuna.load_study(study_name=None, storage=storage).trials]


def test_a_study_that_missed_the_end_of_a_trial_is_told(folder, ended, resume):
    lines = (folder / "study.log").read_bytes().splitlines(keepends=True)
    (folder / "study.log").write_bytes(b"".join(lines[:-1]))
    assert TrialState.RUNNING in states(folder)
    assert resume(folder)[0] == 0
    assert states(folder) == states(ended)
    assert set(states(folder)) == {TrialState.COMPLETE, TrialState.PRUNED}


def test_a_trial_whose_process_dies_as_it_is_to_pause_is_promoted(tmp_path):
    objective = Objective(metric="loss", mode="min")
    asha = ASHA(Rungs(objective, [1, 3], 2), Ledger("search", tmp_path, objective, 2, 9), slots=1)
    trial = SimpleNamespace(config={"run": {"trial": "0000"}}, status="ERROR", error_file=None)
    asha.on_trial_add(None, trial)
    assert asha.decide(None, trial, {"epoch": 1, "best": 0.5}) == "PAUSE"
    asha.on_trial_error(None, trial)  # as Tune tells of a lost process: first this, then that the trial comes again
    asha.on_trial_add(None, trial)
    assert asha.promotion() is None
    assert not asha.paused
    assert asha.busy == {"0000"}


@pytest.mark.parametrize("again", [True, False])
def test_checkpoints_go_when_a_trial_has_failed_for_good(tmp_path, again):
    ledger = Ledger("search", tmp_path, Objective(metric="loss", mode="min"), 1, 9)
    checkpoints = Checkpoints(str(tmp_path / "checkpoints"))
    trial = SimpleNamespace(config={"run": {"trial": "0000", "configuration": {}}}, error_file=None)
    checkpoints.save("0000", 3, {})
    if again:
        ledger.again.add("0000")
    Recorder(ledger, [], ended=[Tidy(checkpoints).ended]).on_trial_error(0, [], trial)
    assert checkpoints.epochs("0000") == ([3] if again else [])


def test_a_checkpoint_that_cannot_be_removed_costs_no_trial(tmp_path, monkeypatch):
    def refuse(self, trial):
        raise PermissionError(errno.EACCES, "Permission denied", trial)

    monkeypatch.setattr(Checkpoints, "drop", refuse)
    ledger = Ledger("search", tmp_path, Objective(metric="loss", mode="min"), 1, 9)
    config = {"run": {"trial": "0000", "configuration": {}}}
    ledger.entry("0000", {}).epoch = 9
    tidy = Tidy(Checkpoints(str(tmp_path / "checkpoints")))
    Recorder(ledger, [], ended=[tidy.ended]).on_trial_complete(0, [], SimpleNamespace(config=config, last_result={}))
    assert [row["status"] for row in tables.rows(tmp_path / "trials.csv")] == ["finished"]
    with pytest.raises(PermissionError):
        tidy.drop(["0000"])


def test_a_study_cut_in_half_is_gone_on_with_or_refused(folder, resume):
    cut(folder / "study.log")
    status, error = resume(folder)
    assert status in (0, 2)
    assert error.count("\n") == (status == 2)


@pytest.mark.parametrize("name", ["study.log", "curves.csv"])
def test_a_last_line_that_was_cut_off_costs_that_line(folder, ended, resume, name):
    path = folder / name
    path.write_bytes(path.read_bytes()[:-5])
    status, error = resume(folder)
    assert status == 0, error
    assert found(folder) == found(ended)
    before, after = (sorted(row["trial"] for row in tables.rows(one / "trials.csv")) for one in (ended, folder))
    assert after == before
    before, after = (
        [(row["trial"], row["epoch"]) for row in tables.rows(one / "curves.csv")] for one in (ended, folder)
    )
    assert after == (before[:-1] if name == "curves.csv" else before)
    assert len(after) == len(set(after))


def test_a_model_that_is_damaged_is_trained_again(folder, ended, resume):
    cut(max((folder / "checkpoints").glob("*-seed1/*.pt")))
    assert resume(folder)[0] == 0
    assert found(folder) == found(ended)
    assert sum(row["phase"] == "retrain" for row in tables.rows(folder / "trials.csv")) == 1


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
