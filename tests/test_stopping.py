"""--patience and --target: rules of the user's own that end a trial, or the search."""

import html
import math
from dataclasses import replace

import pandas as pd
import pytest
from small_tune import SmallTune
from sweep_logs import begin_session, plan_of

from ae.configuration import Configuration
from ae.task import Objective
from sweeps import show
from sweeps.config.choices import SCHEDULERS
from sweeps.engine.phase import Phase
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import FINISHED, STOPPED, Report, TrialRecord
from sweeps.run import main
from sweeps.scheduling.base import make_scheduler
from sweeps.scheduling.stopping import StoppingRules, reports_without_improvement
from sweeps.search.suggestions import suggestions_of

LOSS, ACCURACY = Objective(metric="loss", mode="min"), Objective(metric="accuracy", mode="max")
EPOCHS, TRIALS = 8, 10
FEW = ("--max-epochs", EPOCHS, "--grace-period", 1, "--reduction-factor", 2, "--top-k", 1)
SMALL = ("--subset", 60, "--max-epochs", 4, "--eval-every", 1, "--grace-period", 1, "--reduction-factor", 2)
LAST = ("--top-k", 1, "--seeds", 1, "--retrain-epochs", 1, "--max-concurrent", 1)
TASK = "synthetic-smooth"


def trial(objective, *values):
    """A trial that has reported these values, one per epoch."""
    record = TrialRecord(name="0000", config=Configuration())
    for epoch, value in enumerate(values, 1):
        metrics = {"loss": 0.5, objective.metric: value}
        record.add(Report(epoch, 0.5, metrics, train_s=1.0, wall_s=0.0, time=0.0, best=None), objective)
    return record


@pytest.mark.parametrize(
    ("objective", "values", "since"),
    [
        (LOSS, [], 0),
        (LOSS, [0.5], 0),
        (LOSS, [0.5, 0.5], 1),
        (LOSS, [0.5, 0.4994], 0),
        (LOSS, [0.5, 0.4996], 1),
        (LOSS, [0.5, 0.4996, 0.4992], 0),
        (LOSS, [0.5, 0.6, 0.55, 0.5], 3),
        (LOSS, [0.5, 0.6, 0.4, 0.4], 1),
        (LOSS, [-0.5, -0.5004, -0.51], 0),
        (LOSS, [-0.5, -0.5004], 1),
        (LOSS, [0.0, 0.0, -1e-9], 0),
        (LOSS, [math.nan, 0.5, math.nan], 1),
        (ACCURACY, [0.9, 0.9008], 1),
        (ACCURACY, [0.9, 0.901], 0),
        (ACCURACY, [0.9, 0.8, 0.9005, 0.9009], 3),
    ],
)
def test_an_improvement_is_one_of_more_than_a_thousandth_of_the_best_and_small_ones_add_up(objective, values, since):
    assert reports_without_improvement(trial(objective, *values), objective) == since


@pytest.mark.parametrize(
    ("objective", "target", "reached"), [(LOSS, 0.25, True), (LOSS, 0.2, False), (ACCURACY, 0.25, True)]
)
def test_a_target_is_reached_by_the_best_value_in_the_objective_s_direction(objective, target, reached):
    rules = StoppingRules(objective=objective, target=target)
    assert bool(rules.reached(trial(objective, 0.25))) == reached
    assert not rules.reached(trial(objective, math.nan))
    assert not rules.reached(trial(objective))


IMPROVES_TO = (1, 8, 4, 8, 7, 3, 4, 2, 5, 8)
"""The epoch up to which each trial improves."""


def curve(name):
    """Accuracies that rise by 0.01 per epoch, and then no more."""
    return [round(0.01 * min(epoch, IMPROVES_TO[int(name)]) + int(name) / 1000, 4) for epoch in range(1, EPOCHS + 1)]


def begin(plan, most=3):
    """A session on what the results folder has."""
    log = SweepLog.read(plan)
    log.open()
    begin_session(log)
    scheduler = make_scheduler(plan.scheduler, plan.budget, plan.task.objective, most)
    phase = Phase("search", log, scheduler, suggestions_of(plan, log), [])
    tune = SmallTune(phase.__enter__(), curve)
    tune.fill()
    return tune


def run(tune, most=1000):
    """So many reports, each of the trial with the lowest name."""
    for _ in range(most):
        if not tune.running:
            break
        tune.step(min(tune.running))


def ends(tune):
    """How every trial of a search ended, once it has run to its end."""
    run(tune)
    tune.phase.__exit__(None, None, None)
    return {record.name: (record.status, record.epoch, record.reason) for record in tune.phase.trials.trials}


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("cut", [3, 9, 18])
def test_the_rules_go_with_every_scheduler_and_a_resumed_search_decides_the_same(name, cut, tmp_path):
    def plan(folder):
        options = ("--search", "optuna", "--sampler", "random", "--trials", TRIALS, "--scheduler", name)
        return plan_of(tmp_path, *options, *FEW, "--patience", 2, "--target", 0.083, name=folder)

    whole = ends(begin(plan("whole")))
    cut_off = begin(plan("cut"))
    run(cut_off, cut)
    cut_off.phase.log.flush()
    assert ends(begin(cut_off.phase.log.plan)) == whole
    stalled = {trial: how for trial, how in whole.items() if "no improvement in 2 reports at epoch" in how[2]}
    for trial, (status, epoch, _) in stalled.items():
        assert (status, epoch) == (STOPPED, IMPROVES_TO[int(trial)] + 2)
    if name == "none":
        assert list(stalled) == ["0000", "0002"]
        assert whole["0003"] == (FINISHED, 8, "reached its last epoch, 8, and the target, accuracy 0.083")
        assert whole["0005"] == (STOPPED, 1, "stopped at epoch 1: trial 0003 reached the target, accuracy 0.083")
        assert "0006" not in whole


def test_a_trial_that_reaches_the_target_earlier_was_stopped_early(tmp_path):
    plan = plan_of(tmp_path, "--scheduler", "none", *FEW, "--target", 0.05)
    found = ends(begin(plan, most=1))
    assert found == {
        "0000": (FINISHED, 8, "reached its last epoch, 8"),
        "0001": (STOPPED, 5, "reached the target, accuracy 0.05, with 0.051 at epoch 5"),
    }


def test_a_target_that_was_reached_before_ends_a_resumed_search_at_once(tmp_path):
    plan = plan_of(tmp_path, "--scheduler", "none", *FEW)
    cut_off = begin(plan, most=1)
    run(cut_off, 12)
    cut_off.phase.log.flush()
    easier = begin(replace(plan, target=0.03), most=1)
    assert not easier.running
    assert easier.phase.trials.closed == "trial 0001 reached the target, accuracy 0.03"
    assert easier.phase.trials.is_complete
    more = begin(replace(plan, target=0.03, trials=plan.trials + 1), most=1)
    assert sorted(more.running) == ["0002"], "more trials were asked for although the target is reached"
    run(more)
    assert more.phase.trials.closed == "trial 0002 reached the target, accuracy 0.03"


def table(folder):
    """The search's rows of trials.csv, by trial."""
    rows = pd.read_csv(folder / "trials.csv", dtype={"trial": str})
    return rows[rows["phase"] == "search"].set_index("trial")


@pytest.mark.usefixtures("one_ray")
def test_a_sweep_that_ends_at_its_target_is_the_same_resumed_and_continues_with_a_stricter_one(
    run, ctrl_c, summary_of, capsys, tmp_path
):
    (tmp_path / "space.yaml").write_text("lr: 0.01\nclip: [1, none]\nhidden_size: [8, 30, 60]\n")
    rules = ("--space", tmp_path / "space.yaml", "--scheduler", "none", "--patience", 1, "--target", 0.0205)
    status, output, _, whole = run(*SMALL, *LAST, *rules, name="whole", task=TASK)
    early = "The search ended early: trial 0003 reached the target, loss 0.0205; 4 of 6 trials had started."
    assert status == 0
    assert early in output
    assert early in html.unescape((whole / "report.html").read_text())
    assert list(table(whole)["reason"].str.split(", with").str[0]) == [
        "no improvement in 1 report at epoch 3",
        "no improvement in 1 report at epoch 3",
        "no improvement in 1 report at epoch 2",
        "reached the target, loss 0.0205",
    ]
    with ctrl_c("0001", epoch=2):
        assert run(*SMALL, *LAST, *rules, name="cut", task=TASK)[0] == 130
    cut = whole.with_name("cut")
    assert main(["--resume", str(cut)]) == 0
    columns = ["status", "epochs", "best_loss", "reason"]
    pd.testing.assert_frame_equal(table(cut)[columns], table(whole)[columns])
    capsys.readouterr()
    assert show.main([str(cut)]) == 0
    assert early in " ".join(capsys.readouterr().out.split())
    assert main(["--resume", str(cut), "--target", "0.0001"]) == 0
    assert len(table(cut)) == summary_of(cut)["search"]["requested"] == 6
    pd.testing.assert_frame_equal(table(cut)[columns][:4], table(whole)[columns])
    assert "ended early" not in (cut / "report.html").read_text()
    capsys.readouterr()
    assert main(["--resume", str(cut), "--target", "0.0001"]) == 0
    assert "is finished" in capsys.readouterr().out


def test_a_patience_or_a_target_that_cannot_be_is_refused_in_one_line(run, begun, capsys):
    for option, value, words in (
        ("--patience", 0, "--patience must be >= 1, got 0"),
        ("--target", "nan", "--target must be a finite number, a value of the objective, got nan"),
    ):
        status, _, error, folder = run(option, value)
        assert (status, error, folder.exists()) == (2, f"error: {words}\n", False)
    folder = begun()
    assert main(["--resume", str(folder), "--dry-run", "--patience", "3"]) == 2
    assert capsys.readouterr().err == "error: --patience cannot change in a sweep that is resumed; begin a new one\n"
    assert main(["--resume", str(folder), "--dry-run", "--target", "0.5"]) == 0
    assert "the search ends once it is 0.5, or better" in capsys.readouterr().out
