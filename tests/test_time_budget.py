"""--time-budget: a sweep ends in time with what it has found, and says so."""

import json
import re
import time

import pytest
from small_tune import SmallTune
from sweep_logs import begin_session, plain_space, plan_of

from sweeps import show
from sweeps.config.plan_file import write
from sweeps.engine.phase import Phase
from sweeps.pipeline import selection
from sweeps.pipeline.retraining import planned_runs, reopen
from sweeps.pipeline.time_budget import TimeBudget
from sweeps.records.progress import early_ends
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import RETRAIN, SEARCH, STOPPED
from sweeps.run import main
from sweeps.scheduling.base import Scheduler, make_scheduler
from sweeps.search.suggestions import suggestions_of

TRIALS, EPOCHS, WORKERS, START_S, TAIL_S = 12, 8, 3, 20.0, 25.0


class Clock:
    """The time, which a test sets."""

    def __init__(self):
        self.now = 1e9

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(time, "time", clock)
    return clock


class TimedTune(SmallTune):
    """Trials on a clock: each takes so many seconds from one report to the next."""

    def __init__(self, phase, clock, epoch_s):
        super().__init__(phase, lambda name: [0.1 * epoch + int(name[:4]) / 1000 for epoch in range(1, 100)], epoch_s)
        self.clock, self.epoch_s, self.due = clock, epoch_s, {}

    def run(self):
        self.fill()
        while self.running:
            for name in self.running:
                self.due.setdefault(name, self.clock.now + self.epoch_s)
            first = min(self.running, key=self.due.__getitem__)
            while self.clock.now < self.due[first]:  # the controller steps meanwhile
                self.clock.now = min(self.due[first], self.clock.now + 1)
                self.callback.on_step_end(0, [])
            del self.due[first]
            self.step(first)


def sweep(plan, clock, epoch_s, later_s=None):
    """A whole sweep on a clock; epochs may take longer from the retraining on. Gives its log."""
    log = SweepLog.read(plan)
    log.open()
    begin_session(log)
    log.spent_s += START_S
    budget = TimeBudget(plan, log)
    scheduler = make_scheduler(plan.scheduler, plan.budget, plan.task.objective, WORKERS)
    run(Phase(SEARCH, log, scheduler, suggestions_of(plan, log), [], look=budget.check), clock, epoch_s)
    runs = planned_runs(log, budget, selection.select(plan, log))
    reopen(log, set())
    if runs:
        source = selection.PlannedTrials(runs, log)
        run(Phase(RETRAIN, log, Scheduler(WORKERS), source, [], look=budget.check), clock, later_s or epoch_s)
    clock.now += TAIL_S
    return log


def run(phase, clock, epoch_s):
    tune = TimedTune(phase, clock, epoch_s)
    with phase:
        tune.run()


@pytest.fixture
def plan(tmp_path):
    def plan(budget, *options):
        space = plain_space(tmp_path / "space.yaml")
        search = ("--search", "optuna", "--space", space, "--sampler", "random", "--trials", TRIALS)
        epochs = ("--max-epochs", EPOCHS, "--eval-every", 1, "--grace-period", 2, "--reduction-factor", 2)
        few = ("--top-k", 3, "--seeds", 2, "--time-budget", budget)
        return plan_of(tmp_path, *search, *epochs, *few, *options, name=f"of-{budget}")

    return plan


@pytest.mark.parametrize("epoch_s", [1.0, 3.0, 8.0, 15.0, 40.0])
def test_a_sweep_ends_within_its_budget_with_a_model(plan, clock, epoch_s):
    log = sweep(plan("10m"), clock, epoch_s)
    assert log.taken_s(clock.now) <= 600
    assert selection.with_model(log.retraining.trials)
    assert log.search.is_complete
    assert log.retraining.is_complete


def test_a_budget_that_holds_the_sweep_changes_nothing(plan, clock):
    log = sweep(plan("10m"), clock, epoch_s=1.0)
    assert not log.ran_out_of_time
    assert early_ends(log) == []
    assert len(log.search.records) == TRIALS
    assert [record.epoch for record in log.retraining.trials] == [EPOCHS] * 6


def test_the_search_ends_in_time_to_retrain_all_that_the_plan_has(plan, clock):
    log = sweep(plan("10m"), clock, epoch_s=11.0)
    assert re.fullmatch(
        r"The search ended early: the time budget of 0:10:00 ran out; \d+ of 12 trials had started\.",
        " ".join(early_ends(log)),
    )
    assert [record.epoch for record in log.retraining.trials] == [EPOCHS] * 6
    assert {record.reason for record in log.search.trials if record.status == STOPPED} >= {
        "stopped at epoch 2: the time budget of 0:10:00 ran out"
    }


def test_what_does_not_fit_is_left_out_runners_up_first_then_seeds(plan, clock):
    two = sweep(plan("10m", "--seeds", 3), clock, epoch_s=15.0)
    assert two.fewer == "2 of 3 configurations, 3 of 3 seeds each: the time budget of 0:10:00 ran out"
    one = sweep(plan("9m", "--seeds", 5), clock, epoch_s=25.0)
    assert one.fewer == "1 of 3 configurations, 3 of 5 seeds each: the time budget of 0:09:00 ran out"
    assert "Retrained: 1 of 3 configurations" in " ".join(early_ends(one))


def test_a_retraining_that_cannot_end_in_time_leaves_the_model_it_has(plan, clock):
    log = sweep(plan("10m"), clock, epoch_s=40.0)
    epochs = {record.epoch for record in log.retraining.trials}
    assert max(epochs) < EPOCHS
    assert {record.status for record in log.retraining.trials} == {STOPPED}
    assert f"models trained for {max(epochs)} of 8 epochs" in early_ends(log)[-1]


def test_a_machine_that_becomes_slower_costs_epochs_not_the_budget(plan, clock):
    log = sweep(plan("10m"), clock, epoch_s=8.0, later_s=20.0)
    assert log.retraining.closed == "the time budget of 0:10:00 ran out"
    assert log.taken_s(clock.now) <= 600


def test_without_time_for_a_single_report_nothing_is_retrained(plan, clock):
    log = sweep(plan("5m"), clock, epoch_s=200.0)
    assert log.fewer == "none of 3 configurations: the time budget of 0:05:00 ran out"
    assert log.taken_s(clock.now) <= 300


def test_earlier_sessions_count(plan, clock):
    given = plan("10m")
    log = SweepLog.read(given)
    log.open()
    log.add("session_begun", session="a", host="here", device="cpu", versions={}, start_s=30.0)
    clock.now += 100
    log.add("session_ended", status="interrupted", wall_s={}, total_s=100.0)
    log.flush()
    clock.now += 86_400  # until somebody resumes it
    later = sweep(given, clock, epoch_s=12.0)
    assert later.taken_s(clock.now) <= 600
    assert later.spent_s > 30 + 100
    assert later.ran_out_of_time


def test_with_a_longer_budget_the_search_and_the_retraining_go_on(plan, clock, resumed):
    given = plan("10m")
    first = sweep(given, clock, epoch_s=40.0)
    first.flush()
    write(given)
    longer = resumed(given.folder, "--time-budget", "5h")
    again = SweepLog.read(longer)
    assert again.search.closed == ""
    assert again.fewer == ""
    assert again.retraining.closed == ""
    log = sweep(longer, clock, epoch_s=40.0)
    assert not log.ran_out_of_time
    assert len(log.search.records) == TRIALS
    assert [record.epoch for record in log.retraining.trials] == [EPOCHS] * 6


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        ("10", "--time-budget must be >= 30 seconds, which Ray and the report take, and <= 1e+09, got 10"),
        ("soon", "must be a duration such as 90 (seconds), 10m, 1h30, 2d or 1:30:00 (h:mm:ss), got 'soon'"),
    ],
)
def test_a_budget_that_cannot_be_is_refused_in_one_line(run, budget, words):
    status, _, error, folder = run("--time-budget", budget)
    assert status == 2
    assert words in error
    assert error.count("\n") == 1
    assert not folder.exists()


def test_a_real_sweep_ends_within_its_budget(one_ray, run, summary_of, shown):
    began = time.monotonic()
    many = ("--search", "optuna", "--sampler", "random", "--trials", 2000, "--max-epochs", 6, "--eval-every", 1)
    status, output, _, folder = run(*many, "--subset", 100, "--time-budget", "100s", task="synthetic-smooth")
    took_s = time.monotonic() - began
    assert status == 0
    assert took_s < 130, "of 100; beside other jobs"
    assert "The search ended early: the time budget of 0:01:40 ran out" in output
    assert f"With more time: python sweeps/run.py --resume {folder} --time-budget LONGER" in output
    summary = summary_of(folder)
    assert summary["time_budget"]["ran_out"] is True
    assert summary["time_budget"]["seconds"] == 100
    assert summary["test"]
    assert "the time budget of 0:01:40 ran out" in (folder / "report.html").read_text()
    assert "the time budget of 0:01:40 ran out" in " ".join(shown(show.main, folder)[1].split())
    assert main(["--resume", str(folder)]) == 0, "it is finished"
    assert json.loads((folder / "plan.json").read_text())["resources"]["time_budget_s"] == 100
