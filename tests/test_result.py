"""What a sweep found: which retrained configuration wins, and what `summary.json` says."""

import math

import pytest
from sweep_logs import ask, end, plan_of, report

from ae.configuration import Configuration
from ae.task import Objective
from sweeps.records.result import Model, Retrained, SweepResult
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import DIVERGED, FAILED, STOPPED

HIGH, LOW = Objective(metric="accuracy", mode="max"), Objective(metric="loss", mode="min")


def retrained(trial, *values, finished=None, tested=()):
    """A configuration with a model per value; all its seeds finished, or so many of them."""
    models = [
        Model(
            name=f"{trial}-seed{seed}",
            seed=seed,
            epoch=4,
            weights={},
            validation={"accuracy": value, "loss": value},
            test={"accuracy": tested[seed - 1]} if tested else {},
        )
        for seed, value in enumerate(values, 1)
    ]
    finished = len(values) if finished is None else finished
    return Retrained(config=Configuration(epochs=4), trial=trial, models=models, finished=finished)


def order(objective, *found):
    return [one.trial for one in sorted(found, key=lambda one: one.order(objective))]


def test_three_seeds_that_finished_beat_a_better_one_that_alone_survived():
    three, one = retrained("three", 0.90, 0.91, 0.92), retrained("one", 0.99)
    assert order(HIGH, one, three) == ["three", "one"]
    three, one = retrained("three", 0.5, 0.6, 0.7), retrained("one", 0.1)
    assert order(LOW, one, three) == ["three", "one"]


def test_a_seed_that_left_a_model_and_diverged_did_not_finish():
    diverged = retrained("diverged", 0.99, 0.99, 0.99, finished=2)
    assert order(HIGH, diverged, retrained("finished", 0.9, 0.9, 0.9)) == ["finished", "diverged"]


def test_of_as_many_seeds_the_best_mean_wins_as_the_objective_means_it():
    some = retrained("a", 0.2, 0.4), retrained("b", 0.35, 0.35), retrained("c", 0.1, 0.1)
    assert order(HIGH, *some) == ["b", "a", "c"]
    assert order(LOW, *some) == ["c", "a", "b"]


def test_the_model_that_is_saved_is_the_best_by_validation():
    one = retrained("a", 0.2, 0.4, 0.3)
    assert one.best_model(HIGH).seed == 2
    assert one.best_model(LOW).seed == 1


@pytest.fixture
def result(tmp_path):
    """Two trials of which one can be selected, of a sweep of three."""
    kind = ("--search", "optuna", "--trials", 3, "--max-epochs", 4, "--grace-period", 1)
    log = SweepLog(plan_of(tmp_path, *kind))
    ask(log, "0000", hidden_size=8)
    report(log, "0000", 4, 0.75)
    end(log, "0000")
    ask(log, "0001", hidden_size=16)
    report(log, "0001", 1, math.nan)
    end(log, "0001", DIVERGED)
    return SweepResult(plan=log.plan, log=log, source="somewhere")


def test_a_summary_counts_every_end(result):
    ask(result.log, "0002")
    end(result.log, "0002", FAILED)
    search = result.summary()["search"]
    assert {name: search[name] for name in ("requested", "finished", "stopped_early", "diverged", "failed")} == {
        "requested": 3,
        "finished": 1,
        "stopped_early": 0,
        "diverged": 1,
        "failed": 1,
    }
    assert (search["epochs_trained"], search["epochs_possible"]) == (5, 12)


def test_a_summary_has_no_value_for_what_is_not_known(result):
    summary = result.summary()
    assert summary["best"]["config"]["hidden_size"] == 8
    assert "seed" not in summary["best"]["config"]
    assert summary["best"]["val"] == {"loss": 0.5, "accuracy": 0.75}
    assert summary["retrained"] == []
    assert summary["test"] is None
    assert summary["name"] == "sweep"
    assert not result.tested


def test_a_sweep_in_which_nothing_can_be_selected_has_no_best(tmp_path):
    log = SweepLog(plan_of(tmp_path))
    ask(log, "0000")
    end(log, "0000", FAILED)
    assert SweepResult(plan=log.plan, log=log, source="").summary()["best"] is None


def test_means_and_deviations_are_over_the_seeds_that_left_a_model():
    summary = retrained("a", 0.2, 0.4, tested=(0.1, 0.3)).summary()
    assert summary["val"]["accuracy"]["mean"] == pytest.approx(0.3)
    assert summary["test"]["accuracy"]["std"] == pytest.approx(math.sqrt(0.02))
    assert summary["test"]["accuracy"]["values"] == [0.1, 0.3]
    one = retrained("a", 0.2).summary()
    assert one["val"]["accuracy"] == {"mean": 0.2, "std": None, "values": [0.2]}
    assert one["test"] is None
    assert math.isnan(retrained("a", 0.2, math.inf).summary()["val"]["loss"]["std"])


def test_the_best_of_the_summary_is_the_configuration_that_won(result):
    ask(result.log, "0002", hidden_size=32)
    report(result.log, "0002", 4, 0.7)
    end(result.log, "0002", STOPPED)
    winner = retrained("0002", 0.9)
    winner.config = result.log.search.records["0002"].config
    result.retrained = [winner]
    assert result.summary()["best"]["config"]["hidden_size"] == 32
    assert result.log.search.ranked()[0].name == "0000"
