"""Schedulers replayed over recorded learning curves."""

import json
import math
import re
import shutil
from dataclasses import fields, replace

import pandas as pd
import pytest

from ae.configuration import Configuration
from ae.errors import UserError
from ae.task import Budget, Objective
from sweeps import replay
from sweeps.config.choices import SCHEDULERS
from sweeps.config.plan_file import load, write
from sweeps.config.rungs import rung_epochs
from sweeps.pipeline.replay import TO_THE_END, compared
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import FINISHED, PAUSED, RUNNING, STOPPED, Report
from sweeps.scheduling.simulation import Recording, Setting, Simulation, recording_of, simulate

SECONDS = 2.0
"""What every report of `recording` takes."""
TINY = "lr: [0.001, 0.01, 0.03]\nhidden_size: [4, 8]\nbatch_size: 32\n"
SMALL = ("--subset", "60", "--max-epochs", "6", "--eval-every", "1", "--reduction-factor", "2")


def recording(curves):
    """A recording of losses: one list per trial, one value per epoch, NaN where it diverges."""
    last = len(curves[0])
    reports = {
        f"{number:04d}": [
            Report(epoch, value, {"loss": value}, train_s=SECONDS, wall_s=0.0, time=0.0, best=None)
            for epoch, value in enumerate(curve, 1)
        ]
        for number, curve in enumerate(curves)
    }
    return Recording(
        objective=Objective(metric="loss", mode="min"),
        budget=Budget(max_epochs=last, eval_every=1, grace_period=1, reduction_factor=2),
        curves=reports,
        configs=dict.fromkeys(reports, Configuration()),
    )


def recorded(folder):
    """The recording of the sweep in a results folder."""
    plan = load(folder)
    return recording_of(plan, SweepLog.read(plan))


def epochs_of(log):
    """The epochs that each trial trained."""
    return {record.name: record.epoch for record in log.trials}


def setting(scheduler, workers=1):
    return Setting(scheduler=scheduler, grace_period=1, reduction_factor=2, workers=workers)


def falling(trials=12, epochs=60):
    """Losses that fall and cross: trials that begin well end badly."""
    return recording(
        [[(trial + 1) / epoch + (trials - trial) / 20 for epoch in range(1, epochs + 1)] for trial in range(trials)]
    )


@pytest.mark.parametrize(("workers", "wall_s"), [(1, 12 * 60), (2, 6 * 60), (5, 3 * 60), (64, 60)])
def test_without_a_scheduler_every_trial_trains_to_its_end_side_by_side(workers, wall_s):
    result = simulate(falling(), setting("none", workers))
    assert result.epochs == 12 * 60
    assert result.wall_s == SECONDS * wall_s
    assert result.trial == "0011"


def test_asha_spends_the_epochs_that_the_paper_s_rule_spends():
    curves = [[0.9, 0.8, 0.7, 0.6], [0.5, 0.4, 0.3, 0.2], [0.6, 0.5, 0.4, 0.1], [0.8, 0.8, 0.8, 0.8]]
    simulation = Simulation(recording(curves), setting("asha"))
    simulation.run()
    # Rungs at epochs 1 and 2. 0000 and 0001 reach the first, 0001 is promoted to the second; 0002 and 0003 reach the
    # first, which may now promote two: 0002, to the second, which may now promote one: 0001, to the last epoch.
    epochs = epochs_of(simulation.log)
    assert epochs == {"0000": 1, "0001": 4, "0002": 2, "0003": 1}
    assert simulation.clock_s == SECONDS * sum(epochs.values())
    assert simulation.log.ranked()[0].name == "0001"


@pytest.mark.parametrize("workers", [1, 64])
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_every_scheduler_runs_to_its_end(scheduler, workers):
    simulation = Simulation(falling(), setting(scheduler, workers))
    simulation.run()
    log = simulation.log
    assert len(log.trials) == 12
    assert not log.names(RUNNING)
    assert log.epochs * SECONDS / workers <= simulation.clock_s <= log.epochs * SECONDS
    assert max(epochs_of(log).values()) > 50


def test_a_replay_ends_though_hyperband_paused_a_trial_and_forgot_it():
    curves = [[0.5] * 4 for _ in range(9)]
    curves[7][1] = math.nan  # it ends as the others of its bracket wait for it
    simulation = Simulation(recording(curves), setting("hyperband", workers=64))
    simulation.run()
    assert simulation.log.names(PAUSED) == {"0008"}
    assert simulation.log.ended == 8


def test_a_diverged_trial_is_not_the_best():
    result = simulate(recording([[0.1, math.nan, math.nan, math.nan], [0.5, 0.4, 0.3, 0.2]]), setting("none"))
    assert (result.trial, result.best, result.epochs) == ("0001", 0.2, 6)
    with pytest.raises(UserError, match="every one diverged"):
        simulate(recording([[math.nan] * 4]), setting("asha"))


@pytest.fixture
def space(tmp_path):
    path = tmp_path / "space.yaml"
    path.write_text(TINY)
    return "--space", path


@pytest.mark.usefixtures("one_ray")
def test_a_replay_is_the_sweep_that_it_predicts(run, summary_of, space, ctrl_c_at_the_end, capsys):
    early = ("--scheduler", "asha", "--grace-period", "1", "--max-concurrent", "1")
    with ctrl_c_at_the_end():  # a sweep need not be retrained to be replayed, or to be compared with its replay
        full = run(*SMALL, *space, "--scheduler", "none", name="full", task="synthetic-smooth")[3]
        status, _, _, real = run(*SMALL, *space, *early, name="real", task="synthetic-smooth")
    assert (status, summary_of(real)["retrained"]) == (130, [])
    search = summary_of(full)["search"]
    assert search["epochs_trained"] == search["epochs_possible"] == 36

    simulation = Simulation(recorded(full), setting("asha"))
    simulation.run()
    assert rung_epochs(load(real).budget) == [1, 2, 4]
    epochs = epochs_of(simulation.log)
    assert epochs == epochs_of(SweepLog.read(load(real)).search)

    assert replay.main([str(full), "--check", str(real), "--workers", "1"]) == 0
    assert "+0.0 %" in capsys.readouterr().out
    assert replay.main([str(full), "--scheduler", "none,asha", "--grace-period", "1,2", "--workers", "1,2"]) == 0
    assert "Every trial to its last epoch: 36 epochs" in capsys.readouterr().out
    table = pd.read_csv(full / "replay.csv", dtype={"trial": str})
    assert len(table) == 6
    assert table.query("scheduler == 'none'")["regret"].tolist() == [0, 0]
    assert table.query("scheduler == 'asha' and grace_period == 1")["epochs"].iloc[0] == sum(epochs.values())
    assert (full / "figures" / "replay.png").stat().st_size > 20_000

    assert replay.main([str(real)]) == 2
    error = capsys.readouterr().err
    assert "run the sweep with --scheduler none" in error
    assert error.count("\n") == 1


@pytest.fixture
def real(kept, tmp_path):
    """A copy of a kept sweep of the same trials as the recording mnist-cls/full."""
    return shutil.copytree(kept("mnist-cls/asha"), tmp_path / "real")


@pytest.fixture
def check(kept, real, shown):
    """Compares it with its replay."""
    return lambda: shown(replay.main, kept("mnist-cls/full"), "--workers", "1", "--check", real)


def test_a_check_takes_the_best_of_the_trials_that_can_be_selected(real, check, edit_events):
    def fail(event):
        is_best = event["event"] == "ended" and event["trial"] == "0001"
        return event | {"status": "failed", "reason": "killed"} if is_best else event

    edit_events(real, fail)
    assert re.search(r"best val accuracy │ 0\.9874 +│ 0\.9814 ", check()[1])
    edit_events(real, lambda event: None if event["event"] == "ended" and event["trial"] == "0002" else event)
    status, _, error = check()
    assert status == 2
    assert "11 of 12 trials have ended; --resume it first" in error


def test_a_check_refuses_a_search_that_ended_early(real, check):
    limits = load(real).search_limits
    closed = {"event": "search_closed", "time": 0.0, "reason": "trial 0001 reached the target", "limits": limits}
    with (real / "events.jsonl").open("a") as file:
        file.write(json.dumps(closed) + "\n")
    status, _, error = check()
    assert (status, error.count("\n")) == (2, 1)
    assert "its search ended early, which a replay does not know: trial 0001 reached the target" in error


def test_a_check_refuses_a_sweep_that_was_validated_at_other_epochs(real, check):
    assert check()[0] == 0
    plan = load(real)
    write(replace(plan, budget=replace(plan.budget, eval_every=2)))
    status, _, error = check()
    assert (status, error.count("\n")) == (2, 1)
    assert "its eval_every must be the same as that of" in error


@pytest.mark.parametrize("task", ["mnist-cls", "synthetic", "synthetic-smooth"])
def test_a_kept_replay_comes_again_from_the_kept_curves(kept, task):
    folder = kept(f"{task}/full")
    recording = recorded(folder)
    whole = {"trial": str, "grace_period": "Int64", "reduction_factor": "Int64"}
    before = pd.read_csv(folder / "replay.csv", dtype=whole)
    assert set(before["scheduler"]) == set(SCHEDULERS) - {"none"}
    given = (
        before[[one.name for one in fields(Setting) if one.name in before]].astype(object).where(before.notna(), None)
    )
    results = [simulate(recording, Setting(**row)) for row in given.to_dict("records")]
    found = compared(results, simulate(recording, TO_THE_END), load(folder))
    pd.testing.assert_frame_equal(found, before)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_patience_ends_a_replayed_trial_as_it_ends_one_of_a_sweep(scheduler):
    curves = [[0.5, 0.5, 0.5, 0.1], [0.4, 0.3, 0.2, 0.1], [0.6, 0.7, 0.65, 0.1]]
    for workers in (1, 3):
        simulation = Simulation(recording(curves), replace(setting(scheduler, workers), patience=2))
        simulation.run()
        assert epochs_of(simulation.log)["0001"] == 4
        assert all(epochs <= 3 for name, epochs in epochs_of(simulation.log).items() if name != "0001")
    if scheduler == "none":
        assert epochs_of(simulation.log) == {"0000": 3, "0001": 4, "0002": 3}
        assert [record.status for record in simulation.log.trials] == [STOPPED, FINISHED, STOPPED]


def test_a_replay_with_patience_says_so_and_costs_less(kept, tmp_path, shown):
    options = ("--scheduler", "none,asha", "--workers", 1, "--grace-period", 1, "--output", tmp_path)
    status, output, _ = shown(replay.main, kept("synthetic-smooth/full"), *options, "--patience", 3)
    assert status == 0
    assert "the settings below with --patience 3" in output
    table = pd.read_csv(tmp_path / "replay.csv")
    assert table["patience"].tolist() == [3, 3]
    assert table["epochs_percent"].iloc[0] < 100
    assert not table["own"].any()


def test_recorded_trials_come_in_the_order_in_which_the_search_asked_for_them(kept, tmp_path, edit_events):
    full = shutil.copytree(kept("mnist-cls/full"), tmp_path / "full")
    later = {"0010": "1001", "0011": "10000"}
    edit_events(full, lambda event: event | {"trial": later.get(event.get("trial"), event.get("trial"))})
    assert list(recorded(full).curves)[-3:] == ["0009", "1001", "10000"]


def test_a_folder_that_cannot_be_written_is_one_line(kept, tmp_path, capsys):
    full = shutil.copytree(kept("mnist-cls/full"), tmp_path / "full")
    (full / "replay.csv").unlink()
    (full / "replay.csv").mkdir()
    assert replay.main([str(full), "--scheduler", "none", "--workers", "1"]) == 2
    error = capsys.readouterr().err
    assert "replay.csv" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere: not the results folder of a sweep: it has no plan.json"),
        (["nowhere", "--scheduler", "asha,magic"], "separated by commas, got 'magic'"),
        (["nowhere", "--workers=--"], "--workers needs a value"),
        (["nowhere", "--workers", "0"], "must be whole numbers >= 1, separated by commas, got '0'"),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, message, capsys):
    try:
        status = replay.main(arguments)
    except SystemExit as end:
        status = end.code
    error = capsys.readouterr().err
    assert status == 2
    assert message in error
    assert error.count("\n") == 1
