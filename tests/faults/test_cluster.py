"""A machine of the cluster lost, and one that joins: several nodes of Ray on this machine."""

import gc
import json
import time
import warnings

import pandas as pd
import pytest
from victim import LONG, PATH, SMALL, SPACE, TASK, trials

pytestmark = [pytest.mark.faults, pytest.mark.slow]
SLOW = {"kind": "wait", "seconds": 0.5, "hidden_size": 16}
"""Trials that last longer than a lost machine goes unnoticed."""


@pytest.fixture
def cluster(request, tmp_path, monkeypatch):
    """A cluster whose head has one CPU, or the given number; its trials have the given faults."""
    from ray.cluster_utils import Cluster

    cpus, faults = getattr(request, "param", (1, SLOW))
    monkeypatch.setenv("PYTHONPATH", PATH)
    monkeypatch.setenv("FAULTS", json.dumps({"log": str(tmp_path / "epochs.log"), **faults}))
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": cpus, "include_dashboard": False})
    yield cluster
    cluster.shutdown()
    with warnings.catch_warnings():  # of processes that Ray has killed and not waited for
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def sweep(cluster, start, tmp_path, space):
    """A sweep that joins the cluster, at as many trials at once as there is room for."""

    def sweep(*more):
        options = [*SMALL[:-2], "--scheduler", "none", *space(SPACE), *more]
        session = start(*options, "--results", tmp_path, "--name", "sweep", "--address", cluster.address)
        return session, tmp_path / TASK / "sweep"

    return sweep


def assert_nothing_lost(folder):
    table = trials(folder)
    assert len(table) == 6
    assert table["status"].eq("finished").all(), table[["status", "reason"]]
    assert table["epochs"].eq(27).all()
    assert trials(folder, "retrain")["status"].eq("finished").all()


def test_a_lost_machine_loses_no_trial(cluster, sweep, twice):
    worker = cluster.add_node(num_cpus=1)
    session, folder = sweep()
    session.reach(folder, "0000", 3)
    session.reach(folder, "0001", 3)
    cluster.remove_node(worker, allow_graceful=False)
    assert session.end(280) == 0, session.output
    assert_nothing_lost(folder)
    assert twice() <= 2
    print(f"lost: {twice()} epochs trained twice")


@pytest.mark.parametrize("cluster", [(1, LONG | {"hidden_size": 16, "seconds": 30})], indirect=True)
def test_a_machine_that_joins_gets_trials(cluster, sweep):
    session, folder = sweep()
    session.reach(folder, "0000", 3)
    assert ",0001," not in (folder / "curves.csv").read_text()
    cluster.add_node(num_cpus=1)
    assert session.end(280) == 0, session.output
    assert_nothing_lost(folder)
    order = pd.read_csv(folder / "curves.csv", dtype={"trial": str})["trial"].tolist()
    assert order.index("0001") < len(order) - order[::-1].index("0000"), "0001 trained after 0000, not beside it"


@pytest.mark.parametrize("cluster", [(0, SLOW)], indirect=True)
def test_gpus_come_and_go_under_a_head_that_trains_nothing(cluster, sweep, twice):
    """Half a GPU a trial; where torch finds none, trials run on the CPU, and say so."""
    cluster.add_node(num_cpus=2, num_gpus=1)
    worker = cluster.add_node(num_cpus=2, num_gpus=1)
    began = time.monotonic()
    session, folder = sweep("--gpus-per-trial", "0.5")
    for trial in ("0000", "0001", "0002"):
        session.reach(folder, trial, 3, 240)
    cluster.remove_node(worker, allow_graceful=False)
    cluster.add_node(num_cpus=2, num_gpus=1)
    assert session.end(290) == 0, session.output
    assert_nothing_lost(folder)
    assert trials(folder)["reason"].str.contains("no GPU that torch can use: it trained on the CPU").all()
    assert twice() <= 2
    print(f"lost: {twice()} of 216 epochs trained twice; 6 trials, {time.monotonic() - began:.0f} s")


@pytest.mark.parametrize("cluster", [(0, {"kind": "gpu memory", "hidden_size": 16, "share": 0.5})], indirect=True)
def test_a_trial_out_of_gpu_memory_is_tried_again_with_twice_the_share(cluster, sweep):
    cluster.add_node(num_cpus=4, num_gpus=1)
    session, folder = sweep("--max-concurrent", "2", "--gpus-per-trial", "0.25")
    assert session.end(290) == 0, session.output
    assert_nothing_lost(folder)
    table = trials(folder)
    again = table[table["reason"].str.contains("ran out of GPU memory once, and was tried again with 0.5 of a GPU")]
    assert again["hidden_size"].tolist() == [16, 16, 16]
