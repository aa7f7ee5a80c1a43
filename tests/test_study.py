"""What the Optuna study says of trials, however they end."""

import math

import pytest
from optuna.trial import TrialState
from ray.tune.search import Searcher

from ae import tasks
from ae.configuration import Configuration
from sweeps.config.arguments import parser
from sweeps.config.planning import make_plan
from sweeps.engine.turns import Turns
from sweeps.records.ledger import DIVERGED, FAILED, FINISHED, STOPPED, Entry, Ledger
from sweeps.search import study
from sweeps.search.samplers import SAMPLERS
from sweeps.search.warm_start import warm_start

TASK = tasks.find("mnist-cls")


@pytest.fixture
def new_searcher(tmp_path):
    """A searcher on the study of one results folder; the second call goes on with the first one's study."""
    folder = tmp_path / "mnist-cls" / "x"

    def new(*options):
        arguments = ["--task", "mnist-cls", "--max-epochs", "10", "--results", str(tmp_path), "--name", "x", *options]
        plan = make_plan(parser(TASK).parse_args(arguments), arguments, folder if folder.exists() else None)
        folder.mkdir(parents=True, exist_ok=True)
        ledger = Ledger("search", folder, TASK.objective, plan.trials, 10)
        return study.StudySearcher(study.open_(plan), plan, Turns(ledger, slots=100))

    return new


def optuna_options(sampler="random", trials=20):
    return ("--search", "optuna", "--sampler", sampler, "--trials", str(trials))


def report(epoch, accuracy):
    return {"epoch": epoch, "val_accuracy": accuracy}


def end(searcher, name, status=FINISHED, best=None, epoch=10):
    entry = Entry(name=searcher.names[name], configuration={}, status=status, reason="why", epoch=epoch, best=best)
    searcher.ended(entry)


def test_every_end_has_its_state(new_searcher):
    searcher = new_searcher(*optuna_options())
    ends = {"whole": (FINISHED, 10, 0.9), "stopped": (STOPPED, 5, 0.6), "nan": (DIVERGED, 3, math.nan)}
    for name, (status, epoch, accuracy) in ends.items():
        searcher.suggest(name)
        searcher.on_trial_complete(name, report(epoch, accuracy))
        end(searcher, name, status, accuracy, epoch)
    searcher.suggest("failed")
    end(searcher, "failed", FAILED, epoch=0)
    states = [trial.state for trial in searcher.study.trials]
    assert states == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.PRUNED, TrialState.FAIL]
    assert searcher.study.best_value == 0.9
    assert [trial.intermediate_values for trial in searcher.study.trials] == [{10: 0.9}, {5: 0.6}, {}, {}]
    attributes = [trial.user_attrs for trial in searcher.study.trials]
    assert [one["status"] for one in attributes] == [FINISHED, STOPPED, DIVERGED, FAILED]
    assert attributes[1] == {"status": STOPPED, "reason": "why", "epochs": 5, "train_s": 0.0}


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_no_sampler_is_poisoned_by_diverged_trials(new_searcher, sampler):
    searcher = new_searcher(*optuna_options(sampler))
    for index in range(16):
        run = searcher.suggest(str(index))["run"]
        configuration = Configuration(**run["configuration"])
        diverged = configuration.lr > 5e-3
        value = math.nan if diverged else 0.9 - configuration.lr
        searcher.on_trial_complete(str(index), report(10, value))
        end(searcher, str(index), DIVERGED if diverged else FINISHED, value)
    states = {trial.state for trial in searcher.study.trials}
    assert TrialState.RUNNING not in states
    assert TrialState.COMPLETE in states


def test_a_sampler_that_reads_complete_trials_does_not_stay_where_they_diverge(new_searcher):
    searcher = new_searcher(*optuna_options("gp", trials=16))
    diverged = []
    for index in range(16):
        lr = searcher.suggest(str(index))["run"]["configuration"]["lr"]
        diverged.append(lr > 5e-3)
        value = math.nan if diverged[-1] else 0.9 + lr  # the larger the better, until it diverges
        searcher.on_trial_complete(str(index), report(10, value))
        end(searcher, str(index), DIVERGED if diverged[-1] else FINISHED, value)
    assert any(diverged[:10])
    assert sum(diverged[10:]) <= 2


def test_the_study_knows_each_report_once_also_of_trials_that_pause(new_searcher):
    searcher = new_searcher(*optuna_options())
    for name in ("whole", "waiting"):
        searcher.suggest(name)
        searcher.on_trial_result(name, report(3, 0.5))  # it pauses
    searcher.on_trial_complete("waiting")
    end(searcher, "waiting", STOPPED, 0.5, epoch=3)
    searcher.on_trial_result("whole", report(3, 0.4))  # trained again after a fault
    searcher.on_trial_result("whole", report(5, 0.6))
    searcher.on_trial_complete("whole", report(5, 0.7))
    assert [trial.intermediate_values for trial in searcher.study.trials] == [{3: 0.5, 5: 0.6}, {3: 0.5}]


@pytest.mark.parametrize("sampler", ["tpe", "gp", "cmaes"])
def test_a_sampler_learns_from_trials_that_wait_at_a_rung(new_searcher, sampler, tmp_path):
    found = []
    for sign in (1, -1):
        searcher = new_searcher(*optuna_options(sampler))
        for index in range(15):
            run = searcher.suggest(str(index))["run"]
            searcher.on_trial_result(str(index), report(3, 0.5 + sign * run["configuration"]["lr"]))  # and it waits
        found.append(run["configuration"]["lr"])
        assert {trial.state for trial in searcher.study.trials} == {TrialState.RUNNING}
        (tmp_path / "mnist-cls" / "x" / "study.log").unlink()
    assert found[0] != found[1]


def test_a_grid_is_suggested_whole_the_longest_first_and_ends(new_searcher):
    searcher = new_searcher()
    found = [searcher.suggest(str(index))["run"]["configuration"] for index in range(12)]
    assert len({(c["lr"], c["clip"], c["hidden_size"]) for c in found}) == 12
    assert [c["hidden_size"] for c in found] == [120] * 4 + [60] * 4 + [30] * 4
    assert searcher.suggest("end") == Searcher.FINISHED


def test_a_trial_waits_for_room(new_searcher):
    searcher = new_searcher()
    searcher.turns.slots = 0
    assert searcher.suggest("a") is None


def train(searcher, name):
    """Asks for a trial and ends it; gives what it ran."""
    run = searcher.suggest(name)["run"]
    value = 0.9 - run["configuration"]["lr"]
    searcher.on_trial_complete(name, report(10, value))
    end(searcher, name, best=value)
    return run


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_study_that_is_gone_on_with_draws_what_it_would_have_drawn(new_searcher, sampler, tmp_path):
    whole = new_searcher(*optuna_options(sampler))
    wanted = [train(whole, str(index)) for index in range(16)]
    (tmp_path / "mnist-cls" / "x" / "study.log").unlink()
    found = []
    for sessions in range(4):
        searcher = new_searcher(*optuna_options(sampler))
        found += [train(searcher, f"{sessions}-{index}") for index in range(4)]
    assert found == wanted


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("drawn", [0, 2])
def test_a_trial_that_was_cut_off_while_it_was_drawn_is_drawn_the_same(new_searcher, sampler, drawn, tmp_path):
    whole = new_searcher(*optuna_options(sampler))
    for index in range(12):
        train(whole, str(index))
    log = tmp_path / "mnist-cls" / "x" / "study.log"
    before = len(log.read_text().splitlines())
    wanted = whole.suggest("last")
    lines = log.read_text().splitlines(keepends=True)
    parameters = [index for index, line in enumerate(lines) if index >= before and '"param_name"' in line]
    assert len(parameters) == len(whole.plan.space)
    log.write_text("".join(lines[: parameters[drawn]]))
    assert new_searcher(*optuna_options(sampler)).suggest("again") == wanted


def test_a_trial_that_was_cut_off_comes_again_before_any_new_one(new_searcher):
    first = new_searcher(*optuna_options(trials=2))
    run = first.suggest("a")
    first.on_trial_result("a", report(5, 0.5))
    second = new_searcher(*optuna_options(trials=2))
    assert second.suggest("b") == run
    second.on_trial_result("b", report(5, 0.5))
    end(second, "b", best=0.7)
    assert second.suggest("c")["run"]["trial"] == "0001"
    assert second.suggest("d") == Searcher.FINISHED
    assert second.study.best_value == 0.7


def stop():
    raise KeyboardInterrupt


def test_a_warm_start_tells_what_fits_the_new_space_also_one_that_was_cut_off(new_searcher, tmp_path, monkeypatch):
    older = new_searcher(*optuna_options(trials=3))
    for index, value in enumerate((0.5, 0.9)):
        run = older.suggest(str(index))["run"]
        end(older, str(index), best=value)
    older.suggest("failed")
    end(older, "failed", FAILED)
    (tmp_path / "mnist-cls" / "x").rename(tmp_path / "mnist-cls" / "older")
    space = tmp_path / "space.yaml"
    space.write_text("lr: {low: 0.0001, high: 0.1, log: true}\nclip: [none, 7.0]\nhidden_size: [31, 33]\n")
    newer = new_searcher(
        *optuna_options(), "--space", str(space), "--warm-start", str(tmp_path / "mnist-cls" / "older")
    )
    with monkeypatch.context() as cut_off:
        cut_off.setattr(newer.study, "add_trial", lambda trial, add=newer.study.add_trial: add(trial) or stop())
        with pytest.raises(KeyboardInterrupt):
            warm_start(newer.study, newer.plan)
    assert len(newer.study.trials) == 1
    words = warm_start(newer.study, newer.plan)
    assert words == warm_start(newer.study, newer.plan)
    assert words.startswith("warm start: 2 of 3 trials of ")
    assert words.endswith("hidden_size")
    told = newer.study.trials
    assert [trial.value for trial in told] == [0.5, 0.9]
    assert told[1].params["lr"] == run["configuration"]["lr"]
    assert not any("hidden_size" in trial.params for trial in told)
    assert newer.suggest("new")["run"]["trial"] == "0002"
    assert newer.asked == 1


@pytest.mark.parametrize(("sampler", "taken"), [("tpe", 2), ("gp", 1), ("cmaes", 1)])
def test_a_joint_sampler_takes_only_older_trials_that_have_every_hyperparameter(new_searcher, tmp_path, sampler, taken):
    older = new_searcher(*optuna_options("cmaes", trials=3))
    runs = [older.suggest(str(index))["run"]["configuration"] for index in range(2)]
    for index in range(2):
        end(older, str(index), best=0.9)
    lrs = sorted(run["lr"] for run in runs)
    (tmp_path / "mnist-cls" / "x").rename(tmp_path / "mnist-cls" / "older")
    space = tmp_path / "space.yaml"
    space.write_text(f"lr: {{low: {sum(lrs) / 2}, high: 0.1}}\nhidden_size: {{low: 16, high: 256}}\n")
    folder = tmp_path / "mnist-cls" / "older"
    newer = new_searcher(*optuna_options(sampler), "--space", str(space), "--warm-start", str(folder))
    words = warm_start(newer.study, newer.plan)
    assert words.startswith(f"warm start: {taken} of 2 trials of ")
    assert (f"; {sampler} takes those that have every hyperparameter" in words) == (sampler != "tpe")
    assert len(newer.study.trials) == taken
    assert not any(trial.system_attrs for trial in newer.study.trials), "a sampler's own state is not taken over"


def test_a_table_that_lacks_reports_of_a_trial_that_ended_is_damaged(new_searcher):
    searcher = new_searcher(*optuna_options())
    searcher.suggest("whole")
    end(searcher, "whole", best=0.9)
    ledger = searcher.turns.ledger
    ledger.entries["0000"] = Entry(name="0000", configuration={}, epoch=5, best=0.8)
    with pytest.raises(
        ValueError, match=r"curves.csv: it ends at epoch 5 of trial 0000, which study.log has to epoch 10"
    ):
        study.agree(searcher.study, searcher.plan.base, ledger)
