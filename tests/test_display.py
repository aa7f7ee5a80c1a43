"""What a person sees while a sweep runs."""

import io

import pytest
from rich.console import Console

from ae import tasks
from ae.configuration import Configuration
from sweeps.records.progress import bar
from sweeps.records.trials import DIVERGED, FINISHED, RUNNING, STOPPED, Report, TrialLog, TrialRecord
from sweeps.tracking.display import Display


@pytest.fixture
def log():
    return TrialLog("search", tasks.find("mnist-cls").objective, 3, 10, expected=[10, 4, 2])


def add(log, name, status, *accuracies, every=1):
    record = log.records[name] = TrialRecord(name=name, config=Configuration(lr=0.01, clip=None), status=status)
    for number, accuracy in enumerate(accuracies, 1):
        metrics = {"loss": accuracy, "accuracy": accuracy}
        record.add(Report(number * every, 0.1, metrics, 1.0, 1.0, time=0.0, best=None), log.objective)
    return record


def test_lines_of_a_file_tell_the_news_and_how_far_the_search_is(log):
    console = Console(width=40, file=io.StringIO())
    display = Display(log, "a search", ["lr", "clip"], console)
    display.open()
    record = add(log, "0000", RUNNING, 0.5, 0.25)
    display.begin(record)
    display.report(record)
    record.status, record.reason = FINISHED, "all epochs"
    display.end(record)  # within a second of the line before
    lost = add(log, "0001", DIVERGED, float("nan"))
    lost.reason = "the loss is NaN"
    display.end(lost)
    display.close()
    title, report, lost, last = console.file.getvalue().splitlines()
    assert title == "a search"
    assert report.split(" | ")[1:] == [
        "0000 epoch 2/10 accuracy 0.25",
        "1 running, 2 to come, 2/30 epochs",
        "best accuracy 0.5, 0000 at epoch 1 (lr 0.01, clip none)",
    ]
    assert lost.split(" | ")[1] == "0001 diverged: the loss is NaN"
    assert last.startswith("ended after 0:00:00 | 1 finished, 1 diverged, 1 to come, 3/30 epochs | best accuracy 0.5")


def test_a_terminal_shows_the_trials_that_train(log):
    console = Console(width=120, file=io.StringIO(), force_terminal=True, color_system=None)
    for number in range(14):
        add(log, f"{number:04d}", RUNNING, 0.5)
    console.print(Display(log, "a search", ["lr"], console).render())
    shown = console.file.getvalue()
    assert "0011" in shown
    assert "0012" not in shown
    assert "and 2 more" in shown


@pytest.mark.parametrize(
    ("accuracies", "words"), [((), "no validation yet"), ([float("nan")], "every validated trial failed or diverged")]
)
def test_no_best_trial_is_said_with_its_reason(log, accuracies, words):
    add(log, "0000", DIVERGED, *accuracies)
    console = Console(width=40, file=io.StringIO())
    Display(log, "a search", ["lr"], console).close()
    assert console.file.getvalue().rstrip().endswith(words)


def test_a_search_that_stops_trials_early_fills_its_bar(log):
    for name, epoch in (("0000", 10), ("0001", 4), ("0002", 2)):
        add(log, name, STOPPED, 0.5, every=epoch)
    console = Console(width=100, file=io.StringIO())
    console.print(bar(log))
    assert console.file.getvalue().count("━") == 60
