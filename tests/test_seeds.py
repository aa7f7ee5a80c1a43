"""Trials with several seeds: `--seeds-per-trial`."""

import json
import math
import shutil
import statistics
from dataclasses import replace

import pandas as pd
import pytest
from ray import tune

from ae import tasks
from ae.configuration import Configuration
from ae.seeds import SeededTraining
from ae.task import Budget, Objective
from ae.training import DeviceSplit, Training
from sweeps import rebuild, replay, show
from sweeps.engine.trial import SweepTrial
from sweeps.records.trials import Report
from sweeps.run import main
from sweeps.scheduling.seeds import judged_by_seeds
from sweeps.scheduling.simulation import TO_THE_END, Recording, Setting
from sweeps.storage.checkpoints import Checkpoints

TASK = "synthetic-smooth"
SMALL = ("--subset", "60", "--max-epochs", "4", "--eval-every", "1", "--grace-period", "1", "--reduction-factor", "2")
FEW = ("--top-k", "1", "--seeds", "2", "--retrain-epochs", "1", "--max-concurrent", "1")
ASHA = Setting(scheduler="asha", grace_period=1, reduction_factor=2, workers=1)
SPACE = "lr: [0.001, 0.01]\nhidden_size: [4, 8]\nbatch_size: 32\n"


def config(trial="0000", seeds=3, known=None, **changes):
    """What Tune hands to a trial; `known` is the last epoch that the driver has recorded."""
    run = {"trial": trial, "configuration": {"hidden_size": 8, "batch_size": 32, "epochs": 4, **changes}}
    return {"run": run | {"seeds": seeds} | ({} if known is None else {"known": known})}


@pytest.fixture(params=["stock", "fast"])
def core(request):
    """The code that runs the LSTMs."""
    if request.param == "fast":
        request.getfixturevalue("fast_core")
    return request.param


@pytest.fixture
def new_trial(mnist, tmp_path):
    """A trial in this process, with no Ray started."""
    Checkpoints(str(tmp_path)).claim("a")

    def new(config, core="auto", **changes):
        rest = {"task": tasks.find("mnist-cls"), "train": mnist.train, "validation": mnist.validation, "eval_every": 2}
        rest |= {"threads": 1, "spare": None, "device": "cpu", "core": core, "checkpoints": str(tmp_path)}
        rest |= {"session": "a", "time_limit_s": None, "reused": False, **changes}
        return tune.with_parameters(SweepTrial, **rest)(config)

    return new


@pytest.fixture
def diverges(monkeypatch):
    """From the second epoch on, a seed has weights that are not numbers."""

    def diverges(seed):
        def train_epoch(training, whole=Training.train_epoch):
            if training.configuration.seed == seed and training.epoch:
                training.weights[0].data.fill_(math.nan)
            return whole(training)

        monkeypatch.setattr(Training, "train_epoch", train_epoch)

    return diverges


def test_a_trial_reports_the_mean_of_its_seeds_and_each_is_as_in_a_trial_of_its_own(new_trial, core):
    alone = [new_trial(config(f"000{seed}", seeds=1, seed=seed + 5), core) for seed in range(3)]
    whole = new_trial(config("0009", seed=5), core)
    for _ in range(2):
        each, report = [trial.train() for trial in alone], whole.train()
        assert report["per_seed"] == [one["val_accuracy"] for one in each]
        for name in ("train_loss", "val_loss", "val_accuracy"):
            assert report[name] == statistics.fmean(one[name] for one in each)
        assert [report[name] for name in ("epoch", "ends")] == [each[0][name] for name in ("epoch", "ends")]
        assert "per_seed" not in each[0]


def test_a_trial_that_is_killed_between_two_seeds_goes_on_like_one_never_stopped(new_trial, core, monkeypatch):
    whole, first = new_trial(config("0000"), core), new_trial(config("0001"), core)
    reports = [whole.train(), whole.train()]
    first.train()

    def killed(training, train_epoch=Training.train_epoch):
        if training.configuration.seed == 1:
            raise SystemExit
        return train_epoch(training)

    with monkeypatch.context() as patched:
        patched.setattr(Training, "train_epoch", killed)
        with pytest.raises(SystemExit):
            first.train()
    again = new_trial(config("0001", known=2), core).train()
    for name in ("epoch", "train_loss", "val_loss", "val_accuracy", "per_seed"):
        assert again[name] == reports[1][name]


def test_with_one_seed_a_checkpoint_is_that_of_a_single_run(new_trial, tmp_path, mnist):
    trial = new_trial(config(seeds=1))
    trial.train()
    trial.save()
    state = Checkpoints(str(tmp_path)).load("0000").state
    assert {"model", "optimizer", "best"} <= state.keys()
    assert "seeds" not in state


def test_one_seed_that_diverges_ends_the_trial_and_the_report_ends_with_it(new_trial, diverges):
    diverges(1)
    report = new_trial(config()).train()
    assert (report["epoch"], report["ends"]) == (2, True)
    assert math.isnan(report["val_loss"])
    assert math.isfinite(report["per_seed"][0])
    assert math.isnan(report["per_seed"][1])
    assert len(report["per_seed"]) == 2, "the third seed is not trained on"


def test_a_metric_that_is_no_number_has_no_mean_and_costs_no_trial(mnist):
    task = tasks.find("mnist-cls")

    def measure(model, *arguments):
        return task.measure(model, *arguments) | {"third": task.measure(model, *arguments)["loss"] * math.inf}

    splits = DeviceSplit(mnist.train, "cpu"), DeviceSplit(mnist.validation, "cpu")
    configuration = Configuration(hidden_size=4, epochs=1)
    found = SeededTraining(replace(task, measure=measure), configuration, *splits, seeds=2).train_and_validate(1)
    assert not found.has_diverged
    assert math.isfinite(found.metrics["accuracy"])
    assert math.isnan(found.metrics["third"])


@pytest.fixture(scope="module")
def seeded(one_ray, tmp_path_factory):
    """The results folder of a sweep with three seeds per trial; not to be changed."""
    place = tmp_path_factory.mktemp("seeded")
    (place / "space.yaml").write_text(SPACE)
    options = ("--task", TASK, "--results", str(place), "--name", "sweep", "--space", str(place / "space.yaml"))
    assert main([*options, *SMALL, *FEW, "--seeds-per-trial", "3", "--scheduler", "none"]) == 0
    return place / TASK / "sweep"


def test_a_sweep_is_judged_by_the_mean_and_says_so_everywhere(seeded, summary_of, log_of):
    log = log_of(seeded)
    for record in log.search.trials:
        assert [len(report.per_seed) for report in record.reports] == [3] * 4
        assert record.best == statistics.fmean(record.best_per_seed)
    assert {record.config.seed for record in log.search.trials} == {0}
    assert {record.config.seed for record in log.retrainings.values()} == {3, 4}, "seeds that the search did not use"
    table = pd.read_csv(seeded / "trials.csv", dtype={"trial": str}).set_index("trial")
    best = log.search.ranked()[0]
    assert table.loc[best.name, "best_loss"] == best.best
    assert table.loc[best.name, "best_loss_std"] == statistics.stdev(best.best_per_seed)
    assert table[table["phase"] == "retrain"]["best_loss_std"].isna().all()
    summary = summary_of(seeded)
    assert summary["search"]["seeds_per_trial"] == 3
    assert summary["search"]["epochs_trained"] == summary["search"]["epochs_possible"] == 4 * 4 * 3
    assert summary["best"]["val"]["loss"] == statistics.fmean(summary["best"]["per_seed"])
    assert "mean of 3 seeds" in (seeded / "report.html").read_text()


def of_seeds(*trials):
    """A recording of two epochs of trials with three seeds: for each trial and epoch the losses of its seeds."""
    curves = {
        f"{number:04d}": [
            Report(epoch, 0.5, {"loss": statistics.fmean(losses)}, 2.0, 0.0, 0.0, best=None, per_seed=losses)
            for epoch, losses in enumerate(trial, 1)
        ]
        for number, trial in enumerate(trials)
    }
    return Recording(
        objective=Objective(metric="loss", mode="min"),
        budget=Budget(max_epochs=2, eval_every=1, grace_period=1, reduction_factor=2),
        curves=curves,
        configs=dict.fromkeys(curves, Configuration()),
        seeds=3,
    )


def test_one_seed_may_choose_a_trial_that_the_mean_of_all_would_not():
    lucky, steady = [(0.9, 0.9, 0.9), (0.1, 0.9, 0.8)], [(0.6, 0.6, 0.6), (0.44, 0.44, 0.44)]
    one, two, all_three = judged_by_seeds(of_seeds(lucky, steady), [TO_THE_END])
    assert [result.trial for result in one.results] == ["0000", "0001", "0001"]
    assert one.regrets == pytest.approx([0.6 - 0.44, 0, 0])
    assert [result.trial for result in two.results] == ["0001"] * 3
    assert (all_three.regrets, len(all_three.results)) == ([0], 1)
    assert [one.results[0].epochs, two.results[0].epochs, all_three.results[0].epochs] == [4, 8, 12]
    assert [judged.results[0].train_s for judged in (one, all_three)] == pytest.approx([8 / 3, 8])


def test_early_stopping_of_fewer_seeds_sees_their_values_alone_and_regret_means_the_last_epoch():
    late, early = [(0.5, 0.9, 0.9), (0.2, 0.2, 0.2)], [(0.6, 0.6, 0.6), (0.5, 0.5, 0.5)]
    one, _, all_three = judged_by_seeds(of_seeds(late, early), [ASHA])
    assert [result.trial for result in one.results] == ["0000", "0001", "0001"]
    assert all_three.regrets == pytest.approx([0.3]), "at the rung the mean of all is in favour of the other trial"
    assert all_three.results[0].epochs == 3 * 3


def test_a_trial_with_a_seed_that_diverged_is_lost_whichever_seeds_are_left():
    diverging = [(0.1, 0.1, 0.1), (0.1, math.nan)]
    whole = of_seeds(diverging, [(0.5, 0.5, 0.5), (0.4, 0.4, 0.4)])
    assert {result.trial for judged in judged_by_seeds(whole, [TO_THE_END]) for result in judged.results} == {"0001"}


def test_a_replay_says_what_fewer_seeds_would_have_found(seeded, log_of, shown, tmp_path):
    status, output, _ = shown(replay.main, seeded, "--output", tmp_path, "--workers", "1")
    assert status == 0
    assert "Judged by the mean of fewer of the 3 seeds, 1 worker" in output
    table = pd.read_csv(tmp_path / "replay_seeds.csv")
    every = table[table["scheduler"] == "none"]
    assert every[["seeds", "choices", "epochs"]].to_numpy().tolist() == [[1, 3, 16], [2, 3, 32], [3, 1, 48]]
    trials = log_of(seeded).search.trials
    regrets, best = [], min(record.best for record in trials)
    for seed in range(3):
        chosen = min(trials, key=lambda record: min(report.per_seed[seed] for report in record.reports))
        regrets.append(chosen.best - best)
    assert every["regret"].tolist()[0] == pytest.approx(statistics.fmean(regrets))
    assert every["regret_worst"].tolist()[0] == pytest.approx(max(regrets))
    assert every["regret"].tolist()[2] == 0
    assert table["epochs"].max() == 48
    assert not (seeded / "replay_seeds.csv").exists()


def test_the_page_of_a_trial_has_the_value_of_each_seed(seeded, log_of, shown):
    best = log_of(seeded).search.ranked()[0]
    output = shown(show.main, seeded, "--trial", best.name)[1]
    each = ", ".join(f"{value:.4g}" for value in best.best_per_seed)
    assert f"loss is the mean of 3 seeds, at epoch {best.best_epoch}: {each}" in output


@pytest.mark.parametrize("per_seed", [[0.5, 0.5], [0.5, 0.5, "NaN"], "high", None])
def test_a_log_that_lacks_the_value_of_a_seed_is_damaged(seeded, tmp_path, edit_events, shown, per_seed):
    folder = shutil.copytree(seeded, tmp_path / "damaged")
    edit_events(folder, lambda event: event | ({"per_seed": per_seed} if "per_seed" in event else {}))
    for command in (show.main, replay.main):
        status, _, error = shown(command, folder)
        assert (status, error.count("\n")) == (2, 1)
        assert "events.jsonl, line 3: " in error


def test_tables_that_are_written_anew_are_the_same(seeded):
    before = {name: (seeded / name).read_bytes() for name in ("trials.csv", "curves.csv")}
    assert rebuild.main([str(seeded)]) == 0
    assert {name: (seeded / name).read_bytes() for name in before} == before


@pytest.mark.usefixtures("one_ray")
def test_an_interrupted_sweep_ends_like_one_never_stopped(seeded, run, summary_of, ctrl_c, tmp_path, capsys):
    (tmp_path / "space.yaml").write_text(SPACE)
    options = ("--seeds-per-trial", "3", "--scheduler", "none", "--space", tmp_path / "space.yaml")
    with ctrl_c("0001", 2):
        status, _, _, folder = run(*SMALL, *FEW, *options, task=TASK)
    assert status == 130
    assert main(["--resume", str(folder), "--seeds-per-trial", "2"]) == 2
    error = "error: --seeds-per-trial cannot change in a sweep that is resumed; begin a new one\n"
    assert capsys.readouterr().err == error
    assert main(["--resume", str(folder)]) == 0
    for key in ("best", "retrained", "test"):
        assert summary_of(folder)[key] == summary_of(seeded)[key]
    curves = [pd.read_csv(one / "curves.csv", dtype={"trial": str}) for one in (folder, seeded)]
    same = [one[["phase", "trial", "epoch", "train_loss", "val_loss"]] for one in curves]
    pd.testing.assert_frame_equal(*same, check_exact=True)


@pytest.mark.usefixtures("one_ray")
def test_early_stopping_judges_the_means_and_a_diverged_seed_is_named(run, log_of, tmp_path):
    (tmp_path / "space.yaml").write_text("lr: [0.01, 1.0e+30]\nclip: none\nhidden_size: [4, 8]\nbatch_size: 32\n")
    options = ("--seeds-per-trial", "2", "--space", tmp_path / "space.yaml", "--seed", "7")
    folder = run(*SMALL, *FEW, *options, task=TASK)[3]
    trials = log_of(folder).search.trials
    assert {record.status for record in trials} == {"finished", "stopped early", "diverged"}
    lost = next(record for record in trials if record.status == "diverged")
    assert lost.reason.startswith("the loss of seed 7 became NaN or infinite in epoch ")
    stopped = next(record for record in trials if record.status == "stopped early")
    finished = next(record for record in trials if record.status == "finished")
    assert finished.reports[0].metrics["loss"] < stopped.reports[0].metrics["loss"]
    events = map(json.loads, (folder / "events.jsonl").read_text().splitlines())
    lists = [event["per_seed"] for event in events if event["event"] == "reported" and event["phase"] == "search"]
    assert all(map(len, lists))
