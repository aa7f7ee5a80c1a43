"""What a person sees while a sweep runs."""

import io
import re

import pyte
import pytest
from rich.console import Console
from sweep_logs import ask, begin_session, end, plan_of, report

from sweeps.records.progress import bar
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import DIVERGED, FINISHED, RETRAIN, SEARCH, STOPPED, TrialLog
from sweeps.tracking.display import Display
from sweeps.tracking.steps import Step

SPACE = "lr: [0.01, 0.001]\nclip: [none, 1.0]\nhidden_size: [30, 60]\nbatch_size: [32, 64]\n"


@pytest.fixture
def log(tmp_path):
    """The record of a grid of 16 trials, of up to 9 epochs, with rungs at epochs 1 and 3."""
    (tmp_path / "space.yaml").write_text(SPACE)
    rungs = ("--max-epochs", 9, "--grace-period", 1, "--reduction-factor", 3)
    plan = plan_of(tmp_path, "--space", tmp_path / "space.yaml", *rungs)
    log = SweepLog(plan)
    begin_session(log)
    return log


def add(log, name, *values, every=1, **changes):
    """A trial with its validations."""
    record = ask(log, name, **{"lr": 0.01, "clip": None, **changes})
    for number, value in enumerate(values, 1):
        report(log, name, number * every, value)
    return record


class Terminal(io.TextIOWrapper):
    """A stream that is a terminal."""

    def isatty(self):
        """As of a terminal."""
        return True


def drawn(log, width=80, height=24, encoding="utf-8", phase=SEARCH, show=lambda display: None):
    """The lines of the live display on a terminal of that size."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(width=width, height=height, file=stream, force_terminal=True, color_system=None)
    display = Display(log, phase, "a search", console)
    show(display)
    console.print(display.render())
    stream.seek(0)
    return [line.rstrip() for line in stream.read().splitlines()]


@pytest.fixture
def busy(log):
    """A search in which trials train, wait and have ended."""
    add(log, "0000", 0.5, 0.7, 0.8, hidden_size=60)
    log.add("paused", phase=SEARCH, trial="0000")
    add(log, "0001", 0.4)
    log.add("paused", phase=SEARCH, trial="0001")
    add(log, "0002", *(0.1 * epoch for epoch in range(1, 10)), lr=0.001)
    end(log, "0002", FINISHED)
    add(log, "0003", 0.2)
    end(log, "0003", DIVERGED)
    add(log, "0004", 0.3, 0.6)
    add(log, "0005")
    add(log, "0006", 0.35)
    return log


def test_the_display_has_the_phase_the_rungs_what_trains_and_the_best_five(busy):
    title, clock, counts, rungs, training, header, *rows = drawn(busy)
    assert title == "mnist-cls/sweep: search, then retraining, test and report"
    assert re.fullmatch(r"━+─+  0:\d\d:\d\d elapsed, .* left", clock)
    assert counts == "3 running, 2 paused, 1 finished, 1 diverged, 9 to come, 17/144 epochs"
    assert rungs == "rungs: 6 reached epoch 1 (0001 waits), 2 reached epoch 3 (0000 waits)"
    assert training == "training: 0004 at epoch 2, 0005, 0006 at epoch 1"
    assert header.split() == ["trial", "status", "epoch", "best", "accuracy", "curve", "lr", "clip", "hidden_size"]
    assert [row.split()[0] for row in rows] == ["0002", "0000", "0004", "0001", "0006"]
    assert rows[0].split() == ["0002", "finished", "9/9", "0.9", "▁▂▃▄▅▆▇██", "0.001", "none", "60"]
    assert rows[1].split()[:4] == ["0000", "paused", "3/9", "0.8"]


@pytest.mark.parametrize("width", [40, 52, 60, 80, 100, 140, 200])
@pytest.mark.parametrize("height", [12, 24])
def test_the_display_fits_the_terminal(busy, width, height):
    lines = drawn(busy, width, height)
    assert max(map(len, lines)) <= width
    assert len(lines) < height
    assert any("0002" in line for line in lines), "the best trial is always there"
    assert not any(line.endswith("…") for line in lines)
    words = {word for line in drawn(busy, 200, 24) for word in line.split()}
    shown = {word for line in lines for word in line.split() if word.isalpha()}
    assert shown <= {word.strip(",:()") for word in words}, "no word is cut"


def test_a_narrow_terminal_drops_columns_and_a_wide_one_has_them_all(busy):
    columns = {width: drawn(busy, width)[-6].split() for width in (40, 60, 140)}
    assert columns[40] == ["trial", "epoch", "accuracy", "curve", "lr"]
    assert columns[60][:6] == ["trial", "status", "epoch", "best", "accuracy", "curve"]
    assert columns[140][-4:] == ["lr", "clip", "hidden_size", "batch_size"]


@pytest.mark.parametrize("encoding", ["ascii", "iso-8859-2"])
def test_a_terminal_without_blocks_gets_plain_characters(busy, encoding):
    text = "\n".join(drawn(busy, encoding=encoding))
    assert text.isascii()
    assert "_.-=+*#@" in text


def test_the_last_frame_stays_and_says_how_the_search_ended(busy, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    stream, screen = Terminal(io.BytesIO(), encoding="utf-8"), pyte.Screen(80, 24)
    display = Display(busy, SEARCH, "a search", Console(width=80, height=24, file=stream))

    def seen():
        stream.flush()
        pyte.ByteStream(screen).feed(stream.buffer.getvalue().replace(b"\n", b"\r\n"))
        stream.buffer.seek(0)
        stream.buffer.truncate()
        return [line.rstrip() for line in screen.display if line.strip()]

    display.open()
    assert seen()[0] == "a search"
    assert seen()[2].endswith(" left")
    assert screen.cursor.hidden
    display.tell("Stopping")
    display.live.refresh()
    assert seen()[2] == "Stopping"
    display.close()
    _, title, counts, rungs, _, *rows = seen()
    assert title.startswith("mnist-cls/sweep: search interrupted after 0:00:")
    assert counts == "1 finished, 1 diverged, 5 interrupted, 9 to come, 17/144 epochs"
    assert rungs.startswith("rungs: 6 reached epoch 1")
    assert rows[1].split()[:2] == ["0000", "interrupted"]
    assert not screen.cursor.hidden


def test_retrainings_are_counted(log):
    runs = {f"0000-seed{seed}": log.plan.base for seed in (1, 2, 3)}
    log.add("retraining", runs=[{"trial": name, "config": {}} for name in runs])
    ask(log, "0000-seed1", RETRAIN)
    report(log, "0000-seed1", 1, 0.5, RETRAIN)
    end(log, "0000-seed1", FINISHED, RETRAIN)
    ask(log, "0000-seed2", RETRAIN)
    lines = drawn(log, phase=RETRAIN)
    assert lines[0] == "mnist-cls/sweep: retraining 2 of 3, then test and report"
    assert lines[-2].split()[:2] == ["0000-seed1", "finished"]
    assert not any("rungs" in line for line in lines)


def test_lines_of_a_file_tell_the_news_and_how_far_the_search_is(log):
    console = Console(width=40, file=io.StringIO())
    display = Display(log, SEARCH, "a search", console)
    display.open()
    record = add(log, "0000", 0.5, 0.25)
    display.begin(record)
    display.report(record)
    end(log, "0000", FINISHED, reason="all epochs")
    display.end(record)  # within a second of the line before
    lost = add(log, "0001", float("nan"))
    end(log, "0001", DIVERGED, reason="the loss is NaN")
    display.end(lost)
    display.close()
    title, reported, lost, last = console.file.getvalue().splitlines()
    assert title == "a search"
    assert reported.split(" | ")[1:] == [
        "0000 epoch 2/9 accuracy 0.25",
        "1 running, 15 to come, 2/144 epochs",
        "best accuracy 0.5, 0000 at epoch 1 (lr 0.01, clip none, hidden_size 60, batch_size 128)",
    ]
    assert lost.split(" | ")[1] == "0001 diverged: the loss is NaN"
    assert last.startswith("ended after 0:00:0")
    assert " | 1 finished, 1 diverged, 14 to come, 3/144 epochs | best accuracy 0.5" in last


def test_a_log_of_a_build_server_has_plain_lines_though_it_asks_for_colour(log, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    console = Console(width=80, file=io.StringIO())
    display = Display(log, SEARCH, "a search", console)
    display.open()
    display.close()
    with Step(console, "test") as step:
        step.now("model 1 of 2")
    assert "\x1b" not in console.file.getvalue()
    assert [line.split(" after")[0] for line in console.file.getvalue().splitlines()] == ["a search", "ended", "test"]


def test_a_dumb_terminal_has_plain_lines(log, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    stream = Terminal(io.BytesIO(), encoding="utf-8")
    display = Display(log, SEARCH, "a search", Console(width=40, file=stream))
    display.open()
    display.close()
    stream.seek(0)
    text = stream.read()
    assert text.startswith("a search\nended after 0:00:0")
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("accuracies", "words"), [((), "no validation yet"), ([float("nan")], "every validated trial failed or diverged")]
)
def test_no_best_trial_is_said_with_its_reason(log, accuracies, words):
    add(log, "0000", *accuracies)
    end(log, "0000", DIVERGED)
    console = Console(width=40, file=io.StringIO())
    Display(log, SEARCH, "a search", console).close()
    assert console.file.getvalue().rstrip().endswith(words)


def test_a_search_that_stops_trials_early_fills_its_bar(log):
    trials = TrialLog("search", log.plan.task.objective, 3, 10, expected=[10, 4, 2])
    trials.records = log.search.records
    for name, epoch in (("0000", 10), ("0001", 4), ("0002", 2)):
        add(log, name, 0.5, every=epoch)
        end(log, name, STOPPED)
    console = Console(width=100, file=io.StringIO())
    console.print(bar(trials, "the clock", console))
    assert console.file.getvalue().count("━") == 60
