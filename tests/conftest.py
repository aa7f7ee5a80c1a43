"""What the tests share: small real data, one Ray for the session, the command line run in this process."""

from __future__ import annotations

import gzip
import importlib
import io
import json
import logging
import os
import shutil
import signal
import socket
import struct
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from sweep_logs import ask, report

from ae import kernels, tasks
from ae.data import sp500
from ae.data.idx import FILES
from sweeps.config.command_line import parse
from sweeps.config.new_plan import new_plan
from sweeps.config.plan_file import load, write
from sweeps.config.resume import resumed_plan
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import SEARCH
from sweeps.run import main


def pytest_itemcollected(item):
    """Mark as slow what may wait for a whole sweep, in the one Ray, or for `ray up`."""
    if {"one_ray", "aws"} & set(item.fixturenames):
        item.add_marker("slow")


@pytest.fixture(scope="session")
def mnist():
    """The task mnist-cls with 300 training images."""
    return tasks.find("mnist-cls").load(None).subset(300)


@pytest.fixture
def understood(caplog):
    """Loads a table of prices; gives the splits and how the log says that the table was understood."""
    caplog.set_level(logging.INFO, logger="ae.data")

    def understood(path, **options):
        caplog.clear()
        splits = sp500.load(path, sp500.Options(**options))
        (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
        assert line.startswith(str(path))
        return splits, line.split(": ", 1)[1]

    return understood


@pytest.fixture(scope="session")
def fast_core():
    """The fast core; skips where there is no compiler, as `ae.kernels` looks for one: with one, it must be built."""
    if not any(map(shutil.which, (os.environ.get("CXX", "c++"), "g++", "clang++"))):
        pytest.skip("no C++ compiler was found")
    return kernels.library()


@pytest.fixture(scope="session")
def one_ray():
    """One Ray with two CPUs for all the tests that need it."""
    import ray

    ray.init(
        address="local", num_cpus=2, num_gpus=0, include_dashboard=False, log_to_driver=False, logging_level="ERROR"
    )
    yield
    ray.shutdown()


@pytest.fixture(scope="session")
def smoke(one_ray, tmp_path_factory):
    """What a --smoke of a grid printed, and its results folder: two trials train and are retrained, two diverge."""
    place = tmp_path_factory.mktemp("smoke")
    (place / "space.yaml").write_text("lr: [0.01, 1.0e+30]\nclip: none\nhidden_size: [4, 8]\nbatch_size: 32\n")
    options = ("--task", "mnist-cls", "--space", str(place / "space.yaml"), "--results", str(place), "--name", "grid")
    with redirect_stdout(io.StringIO()) as output:
        assert main([*options, "--smoke", "--subset", "300", "--max-epochs", "4"]) == 0
    return output.getvalue(), place / "mnist-cls" / "grid"


@pytest.fixture(scope="session")
def swept(smoke):
    """Its results folder; not to be changed."""
    return smoke[1]


@pytest.fixture
def running(swept, tmp_path):
    """Its results folder as if a trial trained, one waited, and two were to come: two workers report in any order."""
    folder = shutil.copytree(swept, tmp_path / "mnist-cls" / "running")
    for name in ("summary.json", "trials.csv", "curves.csv", "events.jsonl"):
        (folder / name).unlink()
    log = SweepLog(load(folder))
    log.open()
    log.add("session_begun", session="a", host=socket.gethostname(), device="cpu", versions={})
    waits, trains, *_ = log.search.planned
    for name in (waits, trains):
        ask(log, name, **asdict(log.search.planned[name]))
    report(log, waits, epoch=1, value=0.5)
    log.add("paused", phase=SEARCH, trial=waits)
    log.flush()
    with (folder / "events.jsonl").open("a") as file:
        file.write('{"event":"reported",')  # a line that is being written
    return folder


@pytest.fixture(scope="session")
def ended(one_ray, tmp_path_factory):
    """The results folder of a sweep of four trials on one worker, retrained and tested; not to be changed."""
    place = tmp_path_factory.mktemp("ended")
    search = ("--search", "optuna", "--sampler", "random", "--trials", "4", "--scheduler", "asha")
    few = ("--subset", "60", "--max-epochs", "4", "--eval-every", "1", "--grace-period", "1", "--reduction-factor", "2")
    last = ("--top-k", "1", "--seeds", "1", "--retrain-epochs", "2", "--max-concurrent", "1")
    options = ("--task", "synthetic-smooth", "--results", str(place), "--name", "sweep")
    assert main([*options, *search, *few, *last]) == 0
    return place / "synthetic-smooth" / "sweep"


@pytest.fixture
def sweep(ended, tmp_path):
    """A copy of it, to go on with or to damage."""
    return shutil.copytree(ended, tmp_path / "synthetic-smooth" / "sweep")


@pytest.fixture
def run(tmp_path, capsys):
    """Runs the main job with its results in tmp_path; gives exit status, output, error output and results folder."""

    def run(*arguments, name="sweep", task="mnist-cls"):
        capsys.readouterr()
        try:
            status = main(["--task", task, "--results", str(tmp_path), "--name", name, *map(str, arguments)])
        except SystemExit as end:
            status = end.code
        captured = capsys.readouterr()
        return status, captured.out, captured.err, tmp_path / task / name

    return run


@pytest.fixture
def ctrl_c(monkeypatch):
    """A context in which the reports of a trial, or that of one of its epochs, send this process a Ctrl-C."""
    from sweeps.engine.phase import Phase

    @contextmanager
    def ctrl_c(trial, epoch=None):
        def report(phase, name, result, report=Phase.report):
            record = report(phase, name, result)
            if name == trial and epoch in (None, result["epoch"]):
                os.kill(os.getpid(), signal.SIGINT)
            return record

        with monkeypatch.context() as patched:
            patched.setattr(Phase, "report", report)
            yield

    return ctrl_c


@pytest.fixture
def ctrl_c_at_the_end(monkeypatch):
    """A context in which every phase of a sweep sends this process a Ctrl-C after its last trial."""
    from sweeps.engine.room import Watch

    @contextmanager
    def ctrl_c_at_the_end():
        with monkeypatch.context() as patched:
            patched.setattr(Watch, "on_experiment_end", lambda *_, **__: os.kill(os.getpid(), signal.SIGINT))
            yield

    return ctrl_c_at_the_end


@pytest.fixture
def shown(capsys, monkeypatch):
    """Runs a command line on a wide terminal; gives status, output and error output."""
    monkeypatch.setenv("COLUMNS", "200")

    def shown(command, *arguments):
        capsys.readouterr()
        try:
            status = command([str(argument) for argument in arguments])
        except SystemExit as end:
            status = end.code
        return status, *capsys.readouterr()

    return shown


@pytest.fixture
def cluster_module(monkeypatch):
    """Imports a script of cluster/, which is no package."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "cluster")
    return importlib.import_module


@pytest.fixture
def kept(request):
    """The results folder of a sweep that is kept in results/reference, by its task and name; not to be changed."""
    return lambda name: request.config.rootpath / "results" / "reference" / name


@pytest.fixture
def summary_of():
    """Reads a results folder's summary.json."""
    return lambda folder: json.loads((folder / "summary.json").read_text())


@pytest.fixture
def write_idx():
    """Writes an idx data set of random images, with one side or rows and pixels, into a folder."""

    def write(folder: Path, *, train=60, test=20, side=28, labels=10, prefix="", t10k="t10k", packed=False):
        folder.mkdir(parents=True, exist_ok=True)
        rows, pixels = side if isinstance(side, tuple) else (side, side)
        rng = np.random.default_rng(0)
        for name in FILES:
            count = train if name.startswith("train") else test
            if "images" in name:
                data = struct.pack(">IIII", 0x803, count, rows, pixels) + rng.bytes(count * rows * pixels)
            else:
                data = struct.pack(">II", 0x801, count) + (np.arange(count, dtype=np.uint8) % labels).tobytes()
            path = folder / (prefix + name.replace("t10k", t10k) + (".gz" if packed else ""))
            path.write_bytes(gzip.compress(data) if packed else data)
        return folder

    return write


@pytest.fixture
def resumed():
    """The plan of the sweep in a results folder, resumed with these further options."""

    def resumed(folder, *options):
        arguments = ["--resume", str(folder), *options]
        return resumed_plan(load(folder), parse(arguments), arguments)

    return resumed


@pytest.fixture
def planned(tmp_path):
    """The plan of a new sweep with these options, its results in tmp_path."""

    def planned(*options, task="mnist-cls", name="sweep"):
        arguments = ["--task", task, "--results", str(tmp_path), "--name", name, *map(str, options)]
        return new_plan(parse(arguments), arguments)

    return planned


@pytest.fixture
def begun(planned):
    """The folder of a sweep that has its plan, and whose trials are all to come."""

    def begun(*options, task="synthetic-smooth", name="begun"):
        plan = planned(*options, task=task, name=name)
        plan.folder.mkdir(parents=True)
        write(plan)
        return plan.folder

    return begun


@pytest.fixture
def edit_events():
    """Changes every event of a results folder; an event that becomes None is left out."""

    def edit_events(folder, change):
        path = folder / "events.jsonl"
        events = (change(json.loads(line)) for line in path.read_text().splitlines())
        path.write_text("".join(json.dumps(event) + "\n" for event in events if event))

    return edit_events


@pytest.fixture
def log_of():
    """The record of the sweep in a results folder."""
    return lambda folder: SweepLog.read(load(folder))
