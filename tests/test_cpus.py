"""Capacity is what this process may use, not what the machine has."""

import math
import os
import subprocess
import sys

import pytest

from sweeps.config.cpus import cpu_limit

needs_affinity = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
RAY = """
import ray
from sweeps.engine.session import ray_session
from sweeps.config.plan_file import load
import pathlib, sys
with ray_session(load(pathlib.Path(sys.argv[1]))):
    print(ray.cluster_resources()["CPU"])
"""


def bound(*command):
    """The output of a Python command that is bound to one CPU."""
    one = min(os.sched_getaffinity(0))
    command = [sys.executable, "-c", *map(str, command)]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, preexec_fn=lambda: os.sched_setaffinity(0, {one})
    )
    return done.stdout


@needs_affinity
def test_a_process_that_is_bound_to_a_cpu_uses_one():
    assert bound("from sweeps.config.cpus import usable_cpus; print(usable_cpus())") == "1\n"


@needs_affinity
@pytest.mark.slow
def test_a_sweep_s_own_ray_has_the_cpus_of_its_process(begun):
    assert bound(RAY, begun()) == "1.0\n"


@pytest.mark.parametrize(
    ("own", "files", "limit"),
    [
        ("0::/", {}, math.inf),
        ("0::/", {"cpu.max": "max 100000"}, math.inf),
        ("0::/", {"cpu.max": "150000 100000"}, 1.5),
        ("0::/a/b", {"a/b/cpu.max": "400000 100000", "a/cpu.max": "200000 100000"}, 2),
        ("0::/of/the/host", {"cpu.max": "300000 100000"}, 3),
        ("0::/", {"cpu.max": "nonsense"}, math.inf),
        ("4:memory:/\n3:cpu,cpuacct:/a", {"cpu,cpuacct/a/cpu.cfs": "200000 100000"}, 2),
        ("3:cpu,cpuacct:/docker/1f", {"cpu,cpuacct/cpu.cfs": "50000 100000"}, 0.5),
        ("1:cpu:/\n0::/", {"cpu/cpu.cfs": "-1 100000"}, math.inf),
        ("2:cpuset:/", {"cpuset/cpu.cfs": "100000 100000"}, math.inf),
    ],
)
def test_the_smallest_limit_of_the_cgroups_counts(tmp_path, own, files, limit):
    (tmp_path / "own").write_text(own + "\n")
    for name, content in files.items():
        folder = (tmp_path / "root" / name).parent
        folder.mkdir(parents=True, exist_ok=True)
        if name.endswith("cpu.max"):
            (tmp_path / "root" / name).write_text(content + "\n")
        else:
            for part, number in zip(("quota", "period"), content.split(), strict=True):
                (folder / f"cpu.cfs_{part}_us").write_text(number + "\n")
    assert cpu_limit(tmp_path / "own", tmp_path / "root") == limit


def test_there_is_no_limit_where_there_are_no_cgroups(tmp_path):
    assert cpu_limit(tmp_path / "none", tmp_path) == math.inf
