"""What the Optuna study says of trials, however they end."""

import math

import pytest
from optuna.trial import TrialState
from ray.tune.search import Searcher

from ae import tasks
from ae.configuration import Configuration
from sweeps import study
from sweeps.ledger import Ledger
from sweeps.options import make_plan, parser
from sweeps.turns import Turns
from sweeps.warm_start import warm_start

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


def report(epoch, accuracy, **more):
    return {"epoch": epoch, "val_accuracy": accuracy, "best": accuracy, "diverged": False, **more}


def test_every_end_has_its_state(new_searcher):
    searcher = new_searcher(*optuna_options())
    ends = {"whole": report(10, 0.9), "stopped": report(5, 0.6), "nan": report(3, math.nan, diverged=True)}
    for name, last in ends.items():
        searcher.suggest(name)
        searcher.on_trial_result(name, last)
        searcher.on_trial_complete(name, last)
    searcher.suggest("failed")
    searcher.on_trial_complete("failed", error=True)
    states = [trial.state for trial in searcher.study.trials]
    assert states == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.PRUNED, TrialState.FAIL]
    assert searcher.study.best_value == 0.9
    assert searcher.study.trials[1].intermediate_values == {5: 0.6}
    assert searcher.study.trials[2].user_attrs["diverged"]


@pytest.mark.parametrize("sampler", study.SAMPLERS)
def test_no_sampler_is_poisoned_by_diverged_trials(new_searcher, sampler):
    searcher = new_searcher(*optuna_options(sampler))
    for index in range(16):
        run = searcher.suggest(str(index))["run"]
        configuration = Configuration(**run["configuration"])
        diverged = configuration.lr > 5e-3
        last = report(10, math.nan if diverged else 0.9 - configuration.lr, diverged=diverged)
        searcher.on_trial_result(str(index), last)
        searcher.on_trial_complete(str(index), last)
    states = {trial.state for trial in searcher.study.trials}
    assert TrialState.RUNNING not in states
    assert TrialState.COMPLETE in states


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


@pytest.mark.parametrize("sampler", study.SAMPLERS)
def test_a_study_that_is_gone_on_with_draws_what_it_would_have_drawn(new_searcher, sampler, tmp_path):
    def tell(searcher, index):
        run = searcher.suggest(str(index))["run"]
        last = report(10, 0.9 - run["configuration"]["lr"])
        searcher.on_trial_result(str(index), last)
        searcher.on_trial_complete(str(index), last)
        return run

    whole = new_searcher(*optuna_options(sampler))
    wanted = [tell(whole, index) for index in range(16)]
    (tmp_path / "mnist-cls" / "x" / "study.log").unlink()
    found = []
    for sessions in range(4):
        searcher = new_searcher(*optuna_options(sampler))
        found += [tell(searcher, f"{sessions}-{index}") for index in range(4)]
    assert found == wanted


def test_a_trial_that_was_cut_off_comes_again_before_any_new_one(new_searcher):
    first = new_searcher(*optuna_options(trials=2))
    run = first.suggest("a")
    first.on_trial_result("a", report(5, 0.5))
    second = new_searcher(*optuna_options(trials=2))
    assert second.suggest("b") == run
    second.on_trial_result("b", report(5, 0.5))
    second.on_trial_complete("b", report(10, 0.7))
    assert second.suggest("c")["run"]["trial"] == "0001"
    assert second.suggest("d") == Searcher.FINISHED
    assert second.study.best_value == 0.7


def stop():
    raise KeyboardInterrupt


def test_a_warm_start_tells_what_fits_the_new_space_also_one_that_was_cut_off(new_searcher, tmp_path, monkeypatch):
    older = new_searcher(*optuna_options(trials=3))
    for index, value in enumerate((0.5, 0.9)):
        run = older.suggest(str(index))["run"]
        older.on_trial_complete(str(index), report(10, value))
    older.suggest("failed")
    older.on_trial_complete("failed", error=True)
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
