"""Fetching the results of a sweep that is stored elsewhere; and the make targets, as far as they run offline."""

import json
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def fetch(cluster_module, capsys):
    def fetch(*arguments):
        status = cluster_module("results").main(list(map(str, arguments)))
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return fetch


@pytest.fixture
def stored(tmp_path):
    """A sweep in a storage."""
    place = tmp_path / "storage/mnist-cls/first"
    for name in ("sweep.json", "curves.csv", "best/model.json", "checkpoints/0000/epoch-1.pt", "ray/search/x"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(name)
    (place / "sweep.json").write_text('{"trials": 2, "session": "of the storage"}')
    (place / "mirror.json").write_text("{}")
    return place


def test_results_are_fetched_and_what_is_large_stays(fetch, stored, tmp_path):
    folder = tmp_path / "results/first"
    assert fetch(stored, folder) == (0, f"3 files in {folder}; the sweep has not ended yet\n", "")
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert there == {"sweep.json", "curves.csv", "best/model.json"}
    assert json.loads((folder / "sweep.json").read_text()) == {"trials": 2, "session": ""}
    (stored / "report.html").write_text("report")
    (stored / "curves.csv").write_text("longer")
    assert fetch(stored, folder)[1].endswith(f"open {folder}/report.html\n")
    assert (folder / "curves.csv").read_text() == "longer"


def test_a_place_without_a_sweep_is_refused(fetch, tmp_path):
    assert fetch(tmp_path / "none", tmp_path) == (2, "", f"error: {tmp_path / 'none'}: no sweep is there\n")
    assert fetch("ftp://somewhere/first", tmp_path)[0] == 2
    assert fetch()[0] == 2


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_damaged_record_is_one_line(fetch, stored, tmp_path, content):
    (stored / "sweep.json").write_text(content)
    status, output, error = fetch(stored, tmp_path / "results/first")
    assert (status, output, error.count("\n")) == (2, "", 1)
    assert not (tmp_path / "results").exists()


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
