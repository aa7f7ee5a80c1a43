"""What Prometheus is told of a sweep; tests/test_dashboard.py has a real endpoint."""

from types import SimpleNamespace

import pytest

from ae import tasks
from ae.task import Budget
from sweeps.records.ledger import FAILED, FINISHED, RUNNING, STOPPED, Entry, Ledger
from sweeps.tracking import prometheus as metrics

TASK = tasks.find("mnist-cls")
TAGS = {"sweep": "x", "task": "mnist-cls", "phase": "search"}


@pytest.fixture
def told(monkeypatch):
    """Every value that a gauge was set to last, by its name and the tags beside the sweep's own."""

    class Gauge:
        def __init__(self, name, description, tag_keys):
            self.name, self.tag_keys = name, tag_keys

        def set_default_tags(self, tags):
            assert tags == TAGS
            return self

        def set(self, value, tags):
            assert {*TAGS, *tags} == set(self.tag_keys)
            values[(self.name, *tags.values())] = value

    values = {}
    monkeypatch.setattr(metrics, "Gauge", Gauge)
    return values


def entry(name, status, epoch, best):
    return Entry(name=name, configuration={"hidden_size": 4}, status=status, epoch=epoch, best=best, train_s=epoch)


def test_every_metric_has_the_value_of_the_ledger(told, tmp_path):
    budget = Budget(max_epochs=4, eval_every=1, grace_period=1)  # rungs at 1 and 3
    ledger = Ledger("search", tmp_path, TASK.objective, 5, 4, expected=[4, 3, 1, 1, 1])
    entries = [entry("0000", FINISHED, 4, 0.9), entry("0001", RUNNING, 2, 0.7)]
    entries += [entry("0002", STOPPED, 1, 0.5), entry("0003", FAILED, 3, 0.95)]
    ledger.entries = {one.name: one for one in entries}
    metrics.Metrics(SimpleNamespace(name="x", task=TASK, budget=budget), ledger).publish()
    clocks = {name: told.pop((f"sweep_{name}",)) for name in ("seconds_gone", "seconds_left", "epochs_per_second")}
    assert all(value >= 0 for value in clocks.values())
    states = {"finished": 1, "running": 1, "stopped early": 1, "failed": 1, "to come": 1}
    none = {"paused": 0, "diverged": 0, "interrupted": 0}
    assert told == {
        **{("sweep_trials", state): count for state, count in (states | none).items()},
        ("sweep_best", "accuracy"): 0.9,
        ("sweep_epochs",): 10,
        ("sweep_epochs_most",): 20,
        ("sweep_rung_reached", "1"): 4,
        ("sweep_rung_promoted", "1"): 3,
        ("sweep_rung_stopped", "1"): 1,
        ("sweep_rung_reached", "3"): 2,
        ("sweep_rung_promoted", "3"): 1,
        ("sweep_rung_stopped", "3"): 0,
        **{("sweep_trial_best", one.name, "accuracy"): one.best for one in entries},
    }


def test_a_sweep_without_rungs_has_no_metric_of_them(told, tmp_path):
    ledger = Ledger("search", tmp_path, TASK.objective, 1, 4)
    metrics.Metrics(
        SimpleNamespace(name="x", task=TASK, budget=Budget(max_epochs=4, grace_period=4, eval_every=1)), ledger
    ).publish()
    assert told["sweep_epochs_most",] == 4
    assert not [name for name, *_ in told if "rung" in name]


def test_the_last_trial_is_published_though_it_failed(told, tmp_path):
    ledger = Ledger("search", tmp_path, TASK.objective, 2, TASK.budget.max_epochs)
    published = metrics.Metrics(SimpleNamespace(name="x", task=TASK, budget=TASK.budget), ledger)
    for name in ("0000", "0001"):
        assert not told
        ledger.entries[name] = Entry(name=name, configuration={}, status=FAILED)
        published.on_trial_error(0, [], None)
    assert told["sweep_trials", FAILED] == 2
