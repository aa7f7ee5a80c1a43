"""How long --dry-run expects a sweep to take."""

import json
import re

import pytest

FEW = ("--dry-run", "--core", "stock", "--subset", 200, "--device", "cpu")
HOURS = re.compile(r"^time +about .+ (s|min|h) on this machine with (\d+ trials at once|one trial after .+)$", re.M)


@pytest.fixture
def timings(tmp_path, monkeypatch):
    """The file that timings are kept in; nothing is there yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "lstm-ae-sweeps" / "timings.json"


def test_the_time_is_measured_once_on_a_machine(run, timings):
    status, output, _, folder = run(*FEW, task="synthetic")
    assert status == 0
    assert HOURS.search(output)
    assert not folder.exists()
    measured = json.loads(timings.read_text())
    assert {key.rpartition(" ")[0].rpartition(" ")[2] for key in measured} == {"30", "120"}, "the ends of the grid"
    timings.write_text(json.dumps({key: [50.0, 0.0] for key in measured}))  # 50 s for 2 batches of 32
    again = run(*FEW, "--max-concurrent", 1, "--scheduler", "none", task="synthetic")[1]
    low, high = re.search(r"about (\d+) to (\d+) h on this machine with one trial", again).groups()
    assert int(low) < (12 + 9) * 300 * 200 / 64 * 50 / 3600 < int(high)


def test_a_damaged_file_is_measured_again(run, timings):
    timings.parent.mkdir(parents=True)
    timings.write_text("{")
    assert HOURS.search(run(*FEW, task="synthetic-smooth")[1])
    assert json.loads(timings.read_text())


def test_more_epochs_take_longer(run, timings):
    run(*FEW, task="synthetic")
    timings.write_text(json.dumps({key: [1.0, 0.1] for key in json.loads(timings.read_text())}))
    few, many = (run(*FEW, "--max-epochs", epochs, task="synthetic")[1] for epochs in (20, 200))
    assert "min on this machine" in HOURS.search(few)[0]
    assert " h on this machine" in HOURS.search(many)[0]


def test_a_schedule_with_fewer_steps_than_are_timed(run, timings):
    status, output, _, _ = run(*FEW, "--max-epochs", 4, task="mnist-cls")
    assert status == 0
    assert HOURS.search(output)


def test_why_nothing_is_known_is_said(run, timings, tmp_path):
    (tmp_path / "prices.csv").write_text("a,b\n1,2\n")
    status, output, _, _ = run("--dry-run", "--data", tmp_path / "prices.csv", task="sp500-rec")
    assert status == 0
    assert re.search(r"^time +not estimated: .*prices\.csv", output, re.M)
    assert re.search(r"^time +not estimated for the cluster at auto$", run("--dry-run", "--address", "auto")[1], re.M)
    assert not timings.exists()
