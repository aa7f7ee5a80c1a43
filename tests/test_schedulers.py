"""What holds for every scheduler; a new one in `SCHEDULERS` is tested here without being named."""

import importlib
import math
import os
import random
import tempfile
from itertools import accumulate
from pathlib import Path

import pytest
from fuzzing import fuzz
from hypothesis import given
from hypothesis import strategies as st
from small_tune import FAILS, SmallTune
from sweep_logs import begin_session, plan_of

from ae.task import Budget, Objective
from sweeps.config.choices import SCHEDULERS
from sweeps.engine.phase import Phase
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import FINISHED, STOPPED
from sweeps.scheduling.base import Decision, Scheduler, make_scheduler
from sweeps.search.suggestions import suggestions_of

EPOCHS, TRIALS = 8, 14
FEW = ("--max-epochs", EPOCHS, "--grace-period", 1, "--reduction-factor", 2, "--top-k", 1)
every_scheduler = pytest.mark.parametrize("name", SCHEDULERS)


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch):
    """Nothing here is about a power cut: do not wait for the disk."""
    monkeypatch.setattr(os, "fsync", lambda file: None)


def plan_with(folder, scheduler, trials=TRIALS):
    """Random draws, with early stopping at epochs 1, 2 and 4 of 8; the higher the accuracy, the better."""
    options = ("--search", "optuna", "--sampler", "random", "--trials", trials, "--scheduler", scheduler)
    return plan_of(folder, *options, *FEW)


def begin(plan, curve, most):
    """A session on what the results folder has."""
    log = SweepLog.read(plan)
    log.open()
    begin_session(log)
    scheduler = make_scheduler(plan.scheduler, plan.budget, plan.task.objective, most)
    phase = Phase("search", log, scheduler, suggestions_of(plan, log), [])
    tune = SmallTune(phase.__enter__(), curve)
    tune.fill()
    return tune


def run(tune, steps, most=10_000):
    """So many reports, of trials that are chosen at random, or all there are."""
    for _ in range(most):
        if not tune.running:
            break
        tune.step(steps.choice(sorted(tune.running)))


def random_curve(seed, lost=0.05):
    """Accuracies that go up and down; some trials diverge, or fail."""

    def curve(name):
        drawn = random.Random(f"{seed} {name}")
        values = [round(drawn.random(), 2) for _ in range(EPOCHS)]
        for epoch in range(EPOCHS):
            if drawn.random() < lost:
                values[epoch] = drawn.choice([math.nan, FAILS])
        return values

    return curve


@every_scheduler
@fuzz(20)
@given(st.integers(0, 2**32), st.integers(0, 60), st.integers(1, 10))
def test_a_restored_scheduler_decides_like_one_that_was_never_interrupted(name, seed, cut, most):
    with tempfile.TemporaryDirectory() as folder:
        plan, curve, steps = plan_with(Path(folder), name), random_curve(seed), random.Random(seed)
        whole = begin(plan, curve, most)
        run(whole, steps, cut)
        resumed = begin(plan_with(Path(folder) / "copy", name), curve, most)
        same = random.Random(seed)
        run(resumed, same, cut)
        resumed = begin(resumed.phase.log.plan, curve, most)
        assert sorted(resumed.running) == sorted(whole.running)
        before, started = len(whole.decisions), len(resumed.decisions)
        run(whole, steps)
        run(resumed, same)
        assert resumed.decisions[started:] == whole.decisions[before:]
        for one in (whole, resumed):
            one.phase.__exit__(None, None, None)
        statuses = [{record.name: record.status for record in one.phase.trials.trials} for one in (whole, resumed)]
        assert statuses[0] == statuses[1]


@every_scheduler
@fuzz(10)
@given(st.integers(0, 2**32), st.integers(1, 10))
def test_every_scheduler_judges_a_trial_by_its_best_value_so_far(name, seed, most):
    raw = random_curve(seed, lost=0)
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for place, curve in (("raw", raw), ("best", lambda trial: list(accumulate(raw(trial), max)))):
            tune = begin(plan_with(Path(folder) / place, name), curve, most)
            run(tune, random.Random(seed))
            found.append(tune.decisions)
        assert found[0] == found[1]


@pytest.mark.parametrize("name", [name for name, choice in SCHEDULERS.items() if choice.grace_period])
def test_a_trial_that_was_good_and_got_worse_is_kept(name, tmp_path):
    curves = {f"{place:04d}": [value] * 8 for place, value in enumerate((0.5, 0.45, 0.4, 0.3))}
    curves["0004"] = [0.9, *[0.1] * 7]
    tune = begin(plan_with(tmp_path, name, trials=5), curves.__getitem__, most=5)
    while tune.running:
        tune.step(min(tune.running, key=lambda trial: (tune.phase.trials.records[trial].epoch, trial)))
    records = tune.phase.trials.records
    assert records["0004"].status == FINISHED
    assert records["0003"].status == STOPPED
    assert [record.name for record in tune.phase.trials.ranked()] == ["0004", "0000", "0001", "0002", "0003"]


@every_scheduler
@fuzz(5)
@given(st.integers(0, 2**32), st.integers(1, 10))
def test_every_search_ends_and_some_trial_reaches_the_last_epoch(name, seed, most):
    with tempfile.TemporaryDirectory() as folder:
        tune = begin(plan_with(Path(folder), name), random_curve(seed, lost=0), most)
        run(tune, random.Random(seed))
        tune.phase.__exit__(None, None, None)
        assert tune.phase.trials.is_complete
        assert tune.phase.trials.count(FINISHED) >= 1


@every_scheduler
def test_a_scheduler_is_a_line_in_the_choices_and_a_module_with_make(name):
    module = importlib.import_module(f"sweeps.scheduling.{name.replace('-', '_')}")
    budget, objective = Budget(max_epochs=8, eval_every=1, grace_period=1), Objective(metric="loss", mode="min")
    made = module.make(budget, objective, 2)
    assert isinstance(made, Scheduler)
    made.on_start("a")
    assert made.has_capacity
    made.on_start("b")
    assert not made.has_capacity
    assert isinstance(made.on_result("a", 1, 0.5), Decision)
    assert SCHEDULERS[name].description.format(rungs="1, 2", factor=2, grace=1)
