"""`study.log`: the search as Optuna's own tools find it."""

import io
import json
import math
import random

import optuna
import pandas as pd
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from small_tune import FAILS, SmallTune
from sweep_logs import ask, begin_session, end, plan_of, report

from sweeps.engine.phase import Phase
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import DIVERGED, FAILED, FINISHED, STOPPED
from sweeps.scheduling.base import make_scheduler
from sweeps.search.journal import StudyJournal, write_study
from sweeps.search.suggestions import suggestions_of


def storage_of(folder):
    return JournalStorage(JournalFileBackend(str(folder / "study.log")))


def study_of(folder):
    """The Optuna study of a results folder."""
    return optuna.load_study(study_name=None, storage=storage_of(folder))


def told(study):
    """What a study says of each trial, times left out."""
    return [
        {
            "number": trial.number,
            "state": trial.state,
            "values": trial.values,
            "params": trial.params,
            "curve": trial.intermediate_values,
            "attributes": trial.user_attrs,
            "constraints": dict(trial.constraints),
        }
        for trial in study.trials
    ]


@pytest.fixture
def plan(tmp_path):
    early = ("--max-epochs", 8, "--grace-period", 1, "--reduction-factor", 2, "--top-k", 1)
    return plan_of(tmp_path, "--search", "optuna", "--sampler", "random", "--trials", 10, *early)


@pytest.fixture
def log(plan):
    log = SweepLog(plan)
    log.open()
    begin_session(log)
    return log


def test_every_end_has_its_state(plan, log):
    for name, (status, epoch, value) in {
        "0000": (FINISHED, 8, 0.75),
        "0001": (STOPPED, 4, 0.5),
        "0002": (DIVERGED, 2, math.nan),
    }.items():
        ask(log, name, lr=0.001)
        report(log, name, epoch, value)
        end(log, name, status)
    ask(log, "0003", lr=0.001)
    end(log, "0003", FAILED)
    ask(log, "0004", lr=0.001)
    report(log, "0004", 1, 0.25)
    assert write_study(plan, log) == plan.folder / "study.log"
    study = study_of(plan.folder)
    states = [TrialState.COMPLETE, TrialState.PRUNED, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING]
    assert [trial.state for trial in study.trials] == states
    assert study.best_value == 0.75
    assert [trial.intermediate_values for trial in study.trials] == [{8: 0.75}, {4: 0.5}, {}, {}, {1: 0.25}]
    attributes = [trial.user_attrs for trial in study.trials]
    assert [one.get("status") for one in attributes] == [FINISHED, STOPPED, DIVERGED, FAILED, None]
    assert attributes[1] == {"status": STOPPED, "reason": "why", "epochs": 4, "train_s": 1.0}
    assert study.metric_names == ["validation accuracy"]
    assert study.user_attrs["scheduler"] == "asha"
    assert study.user_attrs["command"].startswith("python sweeps/run.py --task mnist-cls ")


def curve(name):
    drawn = random.Random(name)
    values = [round(drawn.random(), 2) for _ in range(8)]
    if drawn.random() < 0.3:
        values[drawn.randrange(8)] = drawn.choice([math.nan, FAILS])
    return values


def session(plan, steps=None):
    """A session that keeps the study while it runs; so many reports, or all there are."""
    log = SweepLog.read(plan)
    log.open()
    begin_session(log)
    scheduler = make_scheduler(plan.scheduler, plan.budget, plan.task.objective, 2)
    phase = Phase("search", log, scheduler, suggestions_of(plan, log), [StudyJournal(plan, log)]).__enter__()
    tune = SmallTune(phase, curve)
    tune.fill()
    while tune.running and steps != 0:
        tune.step(max(tune.running))
        steps = steps and steps - 1
    if not tune.running:
        phase.__exit__(None, None, None)


@pytest.mark.parametrize("cut", [0, 1, 7, 20])
def test_the_study_that_grew_is_the_one_that_is_written_anew(plan, cut):
    if cut:
        session(plan, cut)
        assert [trial.state for trial in study_of(plan.folder).trials].count(TrialState.RUNNING) >= 2
    session(plan)
    live = told(study_of(plan.folder))
    (plan.folder / "study.log").unlink()
    write_study(plan, SweepLog.read(plan))
    assert told(study_of(plan.folder)) == live
    assert {TrialState.COMPLETE, TrialState.PRUNED} <= {trial["state"] for trial in live}
    assert len(live) == 10


def test_trials_have_the_numbers_of_their_names_in_whatever_order_they_start(plan, log):
    journal = StudyJournal(plan, log)
    journal.open()
    for name, lr in (("0000", 0.001), ("0001", 0.002), ("0002", 0.003)):
        ask(log, name, lr=lr)
    for name in ("0001", "0000", "0002"):
        journal.begin(log.search.records[name])
    report(log, "0001", 1, 0.5)
    journal.report(log.search.records["0001"])
    journal.close()
    study = study_of(plan.folder)
    assert [trial.params["lr"] for trial in study.trials] == [0.001, 0.002, 0.003]
    assert [trial.intermediate_values for trial in study.trials] == [{}, {1: 0.5}, {}]


def test_a_study_that_is_damaged_is_written_anew_by_the_next_session(plan):
    session(plan, 7)
    path = plan.folder / "study.log"
    path.write_bytes(path.read_bytes()[:-20] + b"nonsense")
    session(plan)
    assert len(study_of(plan.folder).trials) == 10


def test_trials_of_an_older_sweep_come_first(plan, log):
    log.add("known", trial="0007", source="older", config={"lr": 0.001}, status=FINISHED, curve=[[4, 0.5], [8, 0.75]])
    ask(log, "0000", lr=0.001)
    write_study(plan, log)
    known, own = study_of(plan.folder).trials
    assert (known.state, known.value, known.intermediate_values) == (TrialState.COMPLETE, 0.75, {4: 0.5, 8: 0.75})
    assert own.state == TrialState.RUNNING


@pytest.mark.slow
def test_a_grid_s_study_says_how_each_trial_ended(swept):
    study = optuna.load_study(study_name="mnist-cls/grid", storage=storage_of(swept))
    assert study.metric_names == ["validation accuracy"]
    assert study.user_attrs["scheduler"] == "asha"
    table = pd.read_csv(swept / "trials.csv", dtype={"trial": str}).query("phase == 'search'").set_index("trial")
    assert len(study.trials) == len(table) == 4
    for trial in study.trials:
        row = table.loc[f"{trial.number:04d}"]
        assert trial.user_attrs["status"] == row["status"]
        assert trial.user_attrs["reason"] == row["reason"]
        assert trial.user_attrs["epochs"] == row["epochs"]
        assert trial.user_attrs["train_s"] == pytest.approx(row["train_s"], abs=1e-3)
    assert {trial.user_attrs["status"] for trial in study.trials} >= {"finished", "diverged"}


def test_optuna_dashboard_opens_the_study_as_it_is(plan):
    dashboard = pytest.importorskip("optuna_dashboard", reason="optuna-dashboard is not installed")
    session(plan, 20)
    environment = {"REQUEST_METHOD": "GET", "PATH_INFO": "/api/studies/0", "wsgi.input": io.BytesIO()}
    environment |= {"SERVER_NAME": "x", "SERVER_PORT": "80", "wsgi.url_scheme": "http", "wsgi.errors": io.StringIO()}
    answer = json.loads(b"".join(dashboard.wsgi(storage_of(plan.folder))(environment, lambda *status: None)))
    assert answer["name"] == "mnist-cls/sweep"
    assert len(answer["trials"]) == len(SweepLog.read(plan).search.records)
