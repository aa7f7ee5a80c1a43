"""What a cluster has room for; Ray says what machines there are, and here the test says it for Ray."""

import pytest
import ray
import torch

from ae import tasks
from ae.errors import UserError
from sweeps.config.arguments import parser
from sweeps.config.new_plan import new_plan
from sweeps.engine.room import Room, Watch
from sweeps.scheduling.base import Scheduler

HEAD, GPU_WORKER, EIGHT = {"CPU": 32.0}, {"CPU": 4.0, "GPU": 2.0}, {"CPU": 16.0, "GPU": 8.0}


@pytest.fixture
def plan(tmp_path, monkeypatch):
    def plan(nodes, *options, address=("--address", "auto")):
        monkeypatch.setattr(ray, "nodes", lambda: [{"Alive": True, "Resources": node} for node in nodes])
        command = ["--task", "mnist-cls", "--results", str(tmp_path), *address, *options]
        return new_plan(parser(tasks.find("mnist-cls")).parse(command), command)

    return plan


@pytest.mark.parametrize(
    ("nodes", "options", "share", "at_once"),
    [
        pytest.param([HEAD], (), 0, 32, id="no GPU"),
        pytest.param([{"CPU": 16.0, "GPU": 1.0}], (), 0.25, 4, id="twelve trials, one GPU"),
        pytest.param([EIGHT], (), 0.5, 16, id="twelve trials, eight GPUs"),
        pytest.param([{"CPU": 8.0, "GPU": 8.0}], (), 1, 8, id="as many GPUs as there is room for trials"),
        pytest.param([EIGHT], ("--max-concurrent", "3"), 1, 3, id="as many as the user wants"),
        pytest.param([HEAD, GPU_WORKER, GPU_WORKER], (), 0.5, 8, id="GPUs on the workers alone"),
        pytest.param([{"CPU": 32.0, "GPU": 4.0}], ("--gpus-per-trial", "0.4"), 0.4, 8, id="none across two GPUs"),
        pytest.param([HEAD, GPU_WORKER], ("--device", "cpu", "--cpus-per-trial", "3"), 0, 11, id="not across machines"),
    ],
)
def test_the_share_of_a_gpu_and_how_many_train_at_once(plan, nodes, options, share, at_once):
    room = Room.now(plan(nodes, *options))
    assert room.needs["GPU"] == share
    assert room.max_concurrent == at_once


def test_machines_that_come_and_go_change_how_many_train_and_not_what_each_gets(plan):
    room = Room.now(plan([HEAD, GPU_WORKER]))
    assert (room.max_concurrent, room.needs) == (4, {"CPU": 1.0, "GPU": 0.5})
    plan([HEAD, GPU_WORKER, EIGHT])
    assert room.max_concurrent == 4 + 16
    plan([HEAD])
    assert (room.max_concurrent, room.needs) == (1, {"CPU": 1.0, "GPU": 0.5})  # one waits for a machine with a GPU


@pytest.mark.parametrize(
    ("nodes", "options", "said"),
    [
        (
            [HEAD, GPU_WORKER],
            ("--cpus-per-trial", "8"),
            "--cpus-per-trial must be <= what a machine with a GPU has, got 8",
        ),
        (
            [HEAD],
            ("--cpus-per-trial", "33"),
            "--cpus-per-trial must be <= what a machine of the cluster has (32), got 33",
        ),
        (
            [HEAD],
            ("--gpus-per-trial", "0.5"),
            "--gpus-per-trial must be <= what a machine of the cluster has (0), got 0.5",
        ),
        ([HEAD], ("--device", "cuda"), "--device cuda needs a GPU in the cluster"),
    ],
)
def test_what_no_machine_has_is_refused_in_a_line(plan, nodes, options, said):
    with pytest.raises(UserError) as refusal:
        Room.now(plan(nodes, *options))
    assert said in str(refusal.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="torch can use the GPU")
def test_on_this_machine_a_gpu_that_torch_cannot_use_is_none(plan):
    assert Room.now(plan([EIGHT], address=())).needs["GPU"] == 0


def test_a_search_keeps_to_the_room_as_machines_come_and_go(plan, monkeypatch):
    scheduler = Scheduler(4)
    watch = Watch(Room.now(plan([HEAD, GPU_WORKER])), scheduler)
    plan([HEAD, GPU_WORKER, EIGHT])
    watch.on_step_begin(0, [])
    assert scheduler.max_concurrent == 4, "it looks every few seconds"
    monkeypatch.setattr("sweeps.engine.room.EVERY_S", -1.0)
    watch.on_step_begin(0, [])
    assert scheduler.max_concurrent == 20
