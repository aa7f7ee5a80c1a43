"""Fetching the results of a sweep that is stored elsewhere; and the make targets, as far as they run offline."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from sweep_logs import plan_of

from sweeps.config.plan_file import load, text, write
from sweeps.records.status import read_status

ROOT = Path(__file__).parents[1]
SESSION = '{"event":"session_begun","time":1,"session":"abc","host":"a","device":"cpu","versions":{}}\n'


@pytest.fixture
def fetch(cluster_module, capsys):
    def fetch(*arguments):
        status = cluster_module("results").main(list(map(str, arguments)))
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return fetch


@pytest.fixture
def stored(tmp_path):
    """A sweep in a storage, as a session that runs leaves it."""
    plan = plan_of(tmp_path / "first machine", "--storage", tmp_path / "storage", name="first")
    place = tmp_path / "storage/mnist-cls/first"
    for name in ("curves.csv", "best/model.json", "checkpoints/0000/epoch-1.pt", "ray/search/x"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(name)
    (place / "plan.json").write_text(text(plan))
    (place / "events.jsonl").write_text(SESSION + '{"event":"session_ended","ti')
    (place / "mirror.json").write_text(json.dumps({"session": "of the storage"}))
    return place


def test_results_are_fetched_and_what_is_large_stays(fetch, stored, tmp_path):
    folder = tmp_path / "results/first"
    assert fetch(stored, folder) == (0, f"results in {folder}; the sweep has not ended yet\n", "")
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert there == {"plan.json", "events.jsonl", "curves.csv", "best/model.json", "lock"}
    assert load(folder) == replace(load(stored), folder=folder)
    assert read_status(folder).log.session == "abc", "the half line is that of an event that is being written"
    (stored / "events.jsonl").write_text(SESSION + SESSION)
    (stored / "report.html").write_text("report")
    assert fetch(stored, folder)[1].endswith(f"open {folder}/report.html\n")


def test_a_folder_that_is_as_new_stays_as_it_is(fetch, stored, tmp_path):
    folder = tmp_path / "results/first"
    assert fetch(stored, folder)[0] == 0
    (folder / "events.jsonl").write_text(SESSION + SESSION)
    (folder / "curves.csv").write_text("newer")
    assert fetch(stored, folder)[0] == 0
    assert (folder / "curves.csv").read_text() == "newer"


def test_a_place_without_a_sweep_is_refused(fetch, tmp_path):
    assert fetch(tmp_path / "none", tmp_path) == (2, "", f"error: {tmp_path / 'none'}: no sweep is there\n")
    assert fetch("ftp://somewhere/first", tmp_path)[0] == 2
    assert fetch()[0] == 2


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_damaged_manifest_is_one_line(fetch, stored, tmp_path, content):
    (stored / "mirror.json").write_text(content)
    status, output, error = fetch(stored, tmp_path / "results/first")
    assert (status, output, error.count("\n")) == (2, "", 1)
    assert "mirror.json" in error
    assert not (tmp_path / "results").exists()


def test_neither_another_sweep_nor_the_storage_itself_is_written_over(fetch, stored, tmp_path):
    folder = plan_of(tmp_path / "results", "--smoke", name="first").folder
    write(plan_of(tmp_path / "another", "--smoke", name="first"))
    (tmp_path / "another/mnist-cls/first/plan.json").rename(folder / "plan.json")
    (folder / "curves.csv").write_text("its own")
    status, _, error = fetch(stored, folder)
    assert (status, error) == (
        2,
        f"error: {folder} holds another sweep, and is never overwritten; give another folder\n",
    )
    assert (folder / "curves.csv").read_text() == "its own"
    assert fetch(stored, stored)[0] == 2
    assert (stored / "curves.csv").read_text() == "curves.csv"


@pytest.mark.parametrize(
    ("target", "variables", "words"),
    [
        (
            "cluster-submit",
            ["AUTOSCALE=8"],
            "--name first --or-resume --storage /s --address auto --autoscale 8 --smoke",
        ),
        ("cluster-submit", ["AUTOSCALE="], "--name first --or-resume --storage /s --address auto  --smoke"),
        ("cluster-results", [], "cluster/results.py /s/sp500-rec/first results/sp500-rec/first"),
        ("cluster-up", ["CLUSTER=cluster/onprem.yaml"], "cluster/check.py cluster/onprem.yaml"),
        (
            "cluster-up",
            ["CLUSTER=cluster/onprem.yaml"],
            "RAY_AUTH_MODE=token RAY_UP_enable_autoscaler_v2=0 .venv/bin/ray up --yes cluster/onprem.yaml",
        ),
        ("cluster-down", [], "RAY_AUTH_MODE=token .venv/bin/ray down --yes cluster/gpu.yaml"),
        ("cluster-dashboard", [], "RAY_AUTH_MODE=token .venv/bin/ray dashboard cluster/gpu.yaml"),
    ],
)
def test_what_make_would_run(target, variables, words):
    command = ["make", "--dry-run", target, "TASK=sp500-rec", "STORAGE=/s", "ARGS=--smoke", *variables]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert words in " ".join(done.stdout.replace("\\\n", "").split(" ")).replace("\t", " ").replace("   ", " "), (
        done.stdout
    )
