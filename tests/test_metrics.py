"""What Prometheus is told about a sweep; tests/test_dashboard.py has a real endpoint."""

from types import SimpleNamespace

import pytest

from ae import tasks
from ae.configuration import Configuration
from ae.task import Budget
from sweeps.records.eta import TimeLeft
from sweeps.records.trials import FAILED, FINISHED, RUNNING, STOPPED, Report, TrialLog, TrialRecord
from sweeps.tracking import prometheus

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
    monkeypatch.setattr(prometheus, "Gauge", Gauge)
    return values


def gauges(log, **budget):
    def left():
        return TimeLeft(low_s=60, high_s=90)

    return prometheus.PrometheusGauges(SimpleNamespace(name="x", task=TASK, budget=Budget(**budget)), log, left)


def add(log, name, status, epoch, accuracy):
    record = log.records[name] = TrialRecord(name=name, config=Configuration(hidden_size=4), status=status)
    metrics = {"loss": 0.1, "accuracy": accuracy}
    record.add(Report(epoch, 0.1, metrics, train_s=epoch, wall_s=epoch, time=0.0, best=None), log.objective)
    return record


def test_every_metric_has_the_value_of_the_log(told):
    log = TrialLog("search", TASK.objective, 5, 4, expected=[4, 3, 1, 1, 1])
    records = [add(log, "0000", FINISHED, 4, 0.9), add(log, "0001", RUNNING, 2, 0.7)]
    records += [add(log, "0002", STOPPED, 1, 0.5), add(log, "0003", FAILED, 3, 0.95)]
    gauges(log, max_epochs=4, eval_every=1, grace_period=1).tick()  # rungs at 1 and 3
    clocks = {name: told.pop((f"sweep_{name}",)) for name in ("seconds_gone", "epochs_per_second")}
    assert (told.pop(("sweep_seconds_left", "low")), told.pop(("sweep_seconds_left", "high"))) == (60, 90)
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
        **{("sweep_trial_best", record.name, "accuracy"): record.best for record in records},
    }


def test_a_sweep_without_rungs_has_no_metric_of_them(told):
    gauges(TrialLog("search", TASK.objective, 1, 4), max_epochs=4, eval_every=1, grace_period=4).open()
    assert told["sweep_epochs_most",] == 4
    assert not [name for name, *_ in told if "rung" in name]


def test_steps_in_quick_succession_publish_once(told):
    log = TrialLog("search", TASK.objective, 2, 4)
    published = gauges(log, max_epochs=4, eval_every=1, grace_period=1)
    published.tick()
    add(log, "0000", RUNNING, 1, 0.5)
    published.tick()
    assert told["sweep_epochs",] == 0


def test_the_last_trial_is_published_at_once_though_it_failed(told):
    log = TrialLog("search", TASK.objective, 2, 4)
    published = gauges(log, max_epochs=4, eval_every=1, grace_period=1)
    for name in ("0000", "0001"):
        assert not told
        published.end(add(log, name, FAILED, 1, 0.5))
    assert told["sweep_trials", FAILED] == 2


def test_the_end_of_a_phase_is_published(told):
    log = TrialLog("search", TASK.objective, 2, 4)
    published = gauges(log, max_epochs=4, eval_every=1, grace_period=1)
    published.open()
    add(log, "0000", FINISHED, 4, 0.5)
    published.close()
    assert told["sweep_epochs",] == 4
