"""A sweep watched: in the terminal, beside other sweeps, in Grafana."""

import json
import re
import shutil
import threading
import time
from contextlib import ExitStack

import pandas as pd
import pytest

from ae.words import counted
from sweeps import compare, evaluate, replay, show
from sweeps.config.words import duration, spread
from sweeps.records.sparkline import BARS, span, sparkline
from sweeps.report import comparison
from sweeps.storage.folder import locked
from sweeps.tracking import prometheus as metrics


@pytest.fixture
def held(running):
    """The folder of a running sweep, its lock held as the sweep's process would."""
    with locked(running):
        yield running


@pytest.fixture
def other(swept, tmp_path):
    """Makes a copy of the sweep whose plan has these facts."""
    folder = shutil.copytree(swept, tmp_path / "other")

    def change(**facts):
        plan = json.loads((swept / "plan.json").read_text())
        (folder / "plan.json").write_text(json.dumps(plan | facts))
        return folder

    return change


def first(folder):
    """The best trial of a search; it may not have won once retrained."""
    trials = pd.read_csv(folder / "trials.csv", dtype={"trial": str}).query("phase == 'search'")
    return trials.loc[trials["best_accuracy"].idxmax()]


@pytest.mark.parametrize(
    ("mean", "std", "words"),
    [
        (0.98712, 0.000617, "0.98712 ± 0.00062"),
        (0.0048626, 8.0054e-05, "0.004863 ± 0.000080"),
        (0.0048626, None, "0.004863"),
        (0.5, 0.0, "0.5 ± 0"),
        (123.456, 17.2, "123 ± 17"),
    ],
)
def test_a_mean_is_told_to_two_digits_of_its_deviation(mean, std, words):
    assert spread({"mean": mean, "std": std}) == words


def test_one_of_a_thing_is_told_as_one():
    assert [counted(number, "seed") for number in (0, 1, 2, 1200)] == ["0 seeds", "1 seed", "2 seeds", "1,200 seeds"]


def test_more_than_a_day_is_told_in_hours():
    assert [duration(seconds) for seconds in (0, 3599.6, 26 * 3600)] == ["0:00:00", "1:00:00", "26:00:00"]


def test_a_finished_sweep_is_shown_with_its_best_trials_first(swept, shown, summary_of):
    status, output, _ = shown(show.main, swept)
    assert status == 0
    assert "mnist-cls/grid  grid of 4, asha; finished" in output
    assert "2 diverged" in output
    test = summary_of(swept)["test"]["accuracy"]
    assert f"on the test split {spread(test)}" in " ".join(output.split())
    ranking = re.split(r" hidden_size *\n", output)[1].splitlines()
    assert len(ranking) == 4
    best = first(swept)
    assert ranking[0].split()[:2] == [best["trial"], "finished"]
    assert f" 4/4    {best['best_accuracy']:.4g} " in ranking[0]
    assert ranking[0].split()[-2:] == ["0.01", str(best["hidden_size"])]
    assert any(block in ranking[0] for block in BARS)


def test_a_smoke_run_says_that_its_figures_mean_nothing(smoke, kept, shown, tmp_path):
    output, folder = smoke
    words = "This is a smoke run: its figures mean nothing."
    assert words in output.splitlines()
    assert words in (folder / "report.html").read_text()
    assert words in shown(show.main, folder)[1]
    assert f"note: {words}" in shown(evaluate.main, folder)[1]
    assert (
        "smoke runs, whose figures mean nothing: grid" in shown(compare.main, folder, "--output", tmp_path / "x.png")[1]
    )
    assert "smoke" not in shown(show.main, kept("mnist-rec/asha"))[1]


def test_a_running_sweep_is_shown_and_not_touched(held, shown):
    before = {path: path.read_bytes() for path in held.rglob("*") if path.is_file()}
    status, output, _ = shown(show.main, held)
    assert status == 0
    assert re.search(r"; running, last event 0:\d\d:\d\d ago", output)
    assert "search: 1 running, 1 paused, 2 to come, 1/16 epochs" in output
    assert "on the test split" not in output
    assert {path: path.read_bytes() for path in held.rglob("*") if path.is_file()} == before


def test_a_running_sweep_says_how_long_the_whole_of_it_may_take(held, shown):
    left = r"\d:\d\d:\d\d elapsed, (at most \d+|under \d+|[\d.]+ to [\d.]+) (s|min) left"
    assert re.search(left, shown(show.main, held)[1])


def test_watch_ends_with_the_sweep(swept, shown):
    status, output, _ = shown(show.main, swept, "--watch", "0.1", "--trials", "2")
    assert status == 0
    assert "and 2 more" in output


def test_what_does_not_run_has_no_time_left(running, shown):
    with locked(running):
        assert " left" in shown(show.main, running)[1]
    output = shown(show.main, running)[1]
    assert " left" not in output
    assert "; not running\n" in output
    assert "Resume with: python sweeps/run.py --resume" in output
    assert not re.search(r"\d running", output)


def test_watch_goes_on_until_the_sweep_has_ended(running, shown):
    lock, path = ExitStack(), running / "events.jsonl"
    lock.enter_context(locked(running))
    ended = {"event": "session_ended", "time": time.time(), "status": "finished", "wall_s": {}}

    def finish():
        path.write_text(path.read_text().rpartition("\n")[0] + "\n" + json.dumps(ended) + "\n")
        lock.close()

    finishes = threading.Timer(0.3, finish)
    finishes.start()
    status, output, _ = shown(show.main, running, "--watch", "0.1")
    assert status == 0
    assert "; finished" in output
    assert not finishes.is_alive()


def test_a_sweep_of_which_no_retraining_left_a_model_has_ended(swept, tmp_path, shown, edit_events):
    folder = shutil.copytree(swept, tmp_path / "lost")
    (folder / "summary.json").unlink()

    def fail(event):
        if event["event"] in ("tested", "session_ended"):
            return None
        if event.get("phase") == "retrain" and event["event"] == "reported":
            return None
        is_lost = event.get("phase") == "retrain" and event["event"] == "ended"
        return event | {"status": "failed"} if is_lost else event

    edit_events(folder, fail)
    assert "; ended: no retraining left a model" in shown(show.main, folder)[1]


def test_a_sparkline_shows_values_to_a_scale():
    first, second = {1: 1.0, 2: 2.0, 4: 8.0}, {1: 4.5, 2: float("nan"), 3: 100.0}
    scale = span([first, {1: float("inf")}])
    assert scale == (1.0, 8.0)
    assert [sparkline(curve, 4, 4, "12345678", scale) for curve in (first, second)] == ["1288", "5 8"]
    decades = {1: 1e-4, 2: 1e-2, 3: 1.0}
    assert sparkline(decades, 3, 3, "123", span([decades]), log=True) == "123"
    assert sparkline(decades, 3, 3, "123", span([decades])) == "113"
    assert sparkline({epoch: 1.0 for epoch in range(1, 301)}, 300, 24, "1", (1.0, 1.0), log=True) == 24 * "1"


def test_sweeps_are_compared_in_a_table_and_a_chart(swept, running, shown, summary_of, log_of, tmp_path):
    status, output, _ = shown(compare.main, swept, running, "--output", tmp_path / "both.png")
    assert status == 0
    assert re.search(r"scheduler +asha +asha", output)
    assert re.search(rf"trials ended +4 of 4 +{log_of(running).search.ended} of 4", output)
    assert re.search(rf"best validation of the search +{first(swept)['best_accuracy']:.4g} ", output)
    assert re.search(rf"validation in the search +{summary_of(swept)['best']['val']['accuracy']:.4g} ", output)
    assert "not tested" in output
    assert (tmp_path / "both.png").stat().st_size > 10_000


def test_a_sweep_has_its_own_name_wherever_one_stands(swept, other, shown, monkeypatch):
    monkeypatch.chdir(other(name="lr[big]"))
    assert "mnist-cls/lr[big]  " in shown(show.main, ".")[1]
    assert re.search(r"lr\[big\] +grid", shown(compare.main, ".", swept)[1])


def test_what_a_sweep_spent_until_it_found_its_best(swept, summary_of, log_of):
    found = comparison.progress(log_of(swept).search)
    assert found["best"].iloc[-1] == first(swept)["best_accuracy"]
    assert found["epochs"].iloc[-1] <= summary_of(swept)["search"]["epochs_trained"]
    assert found["best"].is_monotonic_increasing
    assert found["wall_s"].is_monotonic_increasing


def test_a_long_name_is_compared_whole_on_a_narrow_terminal(swept, other, shown, monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    table, _, note = shown(compare.main, other(name=60 * "Q"), swept)[1].partition("note: ")
    assert table.count("Q") == 60
    assert note.startswith(f"smoke runs, whose figures mean nothing: {60 * 'Q'}, grid\n")


def test_a_sweep_is_compared_with_others_alone(swept, shown, monkeypatch):
    monkeypatch.chdir(swept)
    status, _, error = shown(compare.main, swept, ".")
    assert (status, error) == (2, f"error: {swept} is named twice; name each sweep once\n")


def test_sweeps_of_other_data_at_the_same_path_are_compared_with_a_note(swept, other, tmp_path, shown):
    output = ("--output", tmp_path / "x.png")
    assert "note: the sweeps differ" not in shown(compare.main, swept, other(), *output)[1]
    differs = other(data_sha256="0" * 64)
    assert "note: the sweeps differ in their data" in shown(compare.main, swept, differs, *output)[1]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"task": "mnist-rec"}, "compare sweeps of one task"),
        ({"objective": {"metric": "loss", "mode": "min"}}, "was judged by loss (min)"),
    ],
)
def test_sweeps_of_other_tasks_and_objectives_are_not_compared(changed, message, swept, other, shown, tmp_path):
    status, _, error = shown(compare.main, swept, other(**changed), "--output", tmp_path / "x.png")
    assert (status, error.count("\n")) == (2, 1)
    assert message in error


@pytest.mark.parametrize("command", [show.main, compare.main, replay.main])
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("plan.json", None, "it has no plan.json"),
        ("plan.json", "{", "cannot be read"),
        ("events.jsonl", "{}\n", "events.jsonl, line 1: not an event of a sweep"),
        ("events.jsonl", "[" * 70_000 + "\n", "events.jsonl, line 1: not an event of a sweep"),
        ("events.jsonl", '{"event": "asked", "time": 0}\n', "events.jsonl, line 1: 'phase' is missing"),
        (
            "events.jsonl",
            '{"event": "paused", "time": 0, "phase": "search", "trial": "9999"}\n',
            "events.jsonl, line 1: trial 9999 was never asked for",
        ),
        ("summary.json", "[]", "summary.json: not the summary of a sweep"),
    ],
    ids=lambda value: None if value is None or len(value) < 100 else "long",
)
def test_a_folder_that_cannot_be_read_is_one_line(command, name, content, message, swept, tmp_path, shown):
    folder = shutil.copytree(swept, tmp_path / "damaged", ignore=shutil.ignore_patterns("ray", "best", "figures"))
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content)
    status, output, error = shown(command, folder)
    assert (status, output, error.count("\n")) == (2, "", 1)
    assert error.startswith("error: ")
    assert message in error
    assert "begin a new" not in error, "a command that only looks does not say to sweep again"


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        (show.main, ["x", "--watch", "0"], "must be a duration > 0, got '0'"),
        (show.main, ["x", "--trials", "0"], "must be a whole number >= 1"),
        (compare.main, ["x", "--output", "x.jpg"], "--output must end in .png or .html, got x.jpg"),
    ],
)
def test_options_are_checked(command, arguments, message, shown):
    status, _, error = shown(command, *arguments)
    assert (status, error.count("\n")) == (2, 1)
    assert message in error


def test_the_grafana_dashboard_asks_for_metrics_that_there_are(request):
    board = json.loads((request.config.rootpath / "cluster/grafana/sweep.json").read_text())
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    queries += [variable["definition"] for variable in board["templating"]["list"] if "definition" in variable]
    asked = {name for query in queries for name in re.findall(r"ray_\w+", query)}
    assert asked == {f"ray_{name}" for name in metrics.GAUGES}
    tags = {"task", "sweep", "phase", *(tag for _, more in metrics.GAUGES.values() for tag in more)}
    named = " ".join([*queries, *(target["legendFormat"] for panel in board["panels"] for target in panel["targets"])])
    assert set(re.findall(r"(\w+)=~|\{\{(\w+)\}\}", named)) <= {(tag, "") for tag in tags} | {("", tag) for tag in tags}
