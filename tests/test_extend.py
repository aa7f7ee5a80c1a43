"""--resume DIR --space MORE.yaml: configurations that are added to a grid."""

import html
import json

import pandas as pd
import pytest

from sweeps.config.plan_file import load, write
from sweeps.run import main
from sweeps.search.suggestions import suggestions_of

TASK = "synthetic-smooth"
SMALL = ("--subset", 60, "--max-epochs", 4, "--eval-every", 1, "--grace-period", 1, "--reduction-factor", 2)
LAST = ("--top-k", 1, "--seeds", 1, "--retrain-epochs", 1, "--max-concurrent", 1)


@pytest.fixture
def space(tmp_path):
    """Writes a search space; gives the options that name it."""

    def space(text, name="space"):
        (tmp_path / f"{name}.yaml").write_text(text)
        return "--space", str(tmp_path / f"{name}.yaml")

    return space


@pytest.fixture
def grid(begun, space):
    """A grid of lr 0.001 and 0.01 by width 8 and 16, without clipping, whose trials are all to come."""
    return begun(*space("lr: [0.001, 0.01]\nhidden_size: [8, 16]\nclip: none\n"))


def told(plan):
    """Step size, width and clipping of each point."""
    return [(point.lr, point.hidden_size, point.clip) for point in plan.points]


def test_points_that_are_new_are_added_and_the_plan_has_both_commands(grid, resumed, space):
    before = load(grid)
    more = space("lr: [0.01, 0.1]\nhidden_size: [8, 32]\n", "more")
    plan = resumed(grid, *more)
    new = [(0.01, 32, None), (0.1, 32, None), (0.1, 8, None)]  # clip stays what the grid fixes it to
    assert set(told(plan)) - set(told(before)) == set(new)
    assert [width for _, width, _ in told(plan)] == [32, 32, 16, 16, 8, 8, 8], "the largest first"
    assert (plan.trials, before.trials, plan.began["trials"]) == (7, 4, 4)
    assert plan.commands == (*before.commands, ("python", "sweeps/run.py", "--resume", str(grid), *more))
    assert plan.whole_space == {"lr": [0.001, 0.01, 0.1], "hidden_size": [8, 16, 32], "clip": [None]}
    write(plan)
    assert load(grid) == plan
    assert resumed(grid, *more).commands == plan.commands, "the same again adds nothing"
    third = resumed(grid, *space("clip: [0.5, none]\nlr: 0.1\nhidden_size: 8\n", "third"))
    assert set(told(third)) - set(told(plan)) == {(0.1, 8, 0.5)}
    assert third.varied == ["lr", "hidden_size", "clip"]


@pytest.mark.parametrize(
    ("search", "more", "message"),
    [
        ("grid", "lr: 0.001\nhidden_size: [8, 16]\n", "adds nothing: this sweep has all of its configurations"),
        ("grid", "lr: {low: 0.001, high: 0.1}\n", "lr: a grid needs a list of values, got a range"),
        ("grid", "lr: [0]\n", "lr: lr must be a number > 0, got 0"),
        ("optuna", "lr: [0.1, 0.5]\n", "an Optuna search that is resumed keeps its space; --trials +N searches it"),
    ],
)
def test_what_cannot_be_added_is_refused_in_one_line(begun, space, capsys, search, more, message):
    text = "lr: [0.001, 0.01]\nhidden_size: [8, 16]\nclip: none\n"
    folder = begun("--search", search, *space(text))
    before = (folder / "plan.json").read_text()
    assert main(["--resume", str(folder), *space(more, "more")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert (folder / "plan.json").read_text() == before


def test_a_command_that_is_submitted_again_adds_nothing(grid, space, capsys):
    again = ["--task", TASK, "--or-resume", "--name", "begun", "--results", str(grid.parents[1]), "--dry-run"]
    assert main([*again, *space("lr: [0.1]\n", "more")]) == 2
    assert capsys.readouterr().err == "error: --space cannot change in a sweep that is resumed; begin a new one\n"
    assert main([*again, "--space", str(grid.parents[1] / "space.yaml"), "--try", "lr=0.5"]) == 2
    assert capsys.readouterr().err == "error: --try cannot change in a sweep that is resumed; begin a new one\n"


def table(folder, phase="search"):
    rows = pd.read_csv(folder / "trials.csv", dtype={"trial": str}, keep_default_na=False)
    return rows[rows["phase"] == phase].set_index("trial")


def times_tested(folder):
    """How often each model was tested."""
    events = map(json.loads, (folder / "events.jsonl").read_text().splitlines())
    return pd.Series([event["trial"] for event in events if event["event"] == "tested"]).value_counts().to_dict()


@pytest.mark.usefixtures("one_ray")
def test_a_finished_grid_is_extended_interrupted_and_tests_no_model_twice(run, space, ctrl_c, summary_of, log_of):
    first = space("lr: [0.001, 0.01]\nhidden_size: [8, 16]\nclip: none\n")
    status, _, _, folder = run(*SMALL, *LAST, "--scheduler", "none", *first, task=TASK)
    assert status == 0
    before, (winner,) = table(folder), times_tested(folder)
    test = summary_of(folder)["test"]
    more = space("lr: [0.01, 0.03]\nhidden_size: [8, 24]\n", "more")
    with ctrl_c("0005", epoch=2):
        assert main(["--resume", str(folder), *more]) == 130
    assert summary_of(folder)["test"] == test, "what was found stays"
    assert main(["--resume", str(folder)]) == 0
    after = table(folder)
    pd.testing.assert_frame_equal(after[:4], before)
    columns = ["lr", "hidden_size", "status"]
    assert after[4:][columns].astype(str).values.tolist() == [
        ["0.01", "24", "finished"],
        ["0.03", "24", "finished"],
        ["0.03", "8", "finished"],
    ]
    tested = times_tested(folder)
    assert set(tested.values()) == {1}
    assert winner in tested
    assert test["loss"]["values"] in [one["test"]["loss"]["values"] for one in summary_of(folder)["retrained"]]
    best = min(log_of(folder).search.trials, key=lambda record: record.best)
    assert f"{best.name}-seed1" in tested, "the selection is over all of them"
    page = html.unescape((folder / "report.html").read_text())
    assert f"\npython sweeps/run.py --resume {folder} {' '.join(more)}</pre>" in page
    assert "added       lr 0.01 | 0.03; hidden_size 8 | 24" in page


def test_an_interrupted_grid_runs_what_was_left_and_what_is_new(grid, resumed, space, log_of):
    log = log_of(grid)
    log.open()
    source = suggestions_of(log.plan, log)
    for _ in range(2):
        name, point, facts = source.ask()
        values = {one: getattr(point, one) for one in point.__dataclass_fields__}
        log.add("asked", phase="search", trial=name, config=values, **facts)
    log.flush()
    write(resumed(grid, *space("lr: [0.01, 0.1]\nhidden_size: [8, 32]\n", "more")))
    log = log_of(grid)
    source, found = suggestions_of(log.plan, log), []
    while source.has_more:
        _, point, _ = source.ask()
        found.append((point.lr, point.hidden_size))
    assert found == [(0.01, 32), (0.1, 32), (0.001, 8), (0.01, 8), (0.1, 8)]
    assert log.search.to_come == 5
