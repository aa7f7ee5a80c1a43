"""Token authentication from both sides: a head that wants a token, and clients with it, without it, with another."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

import pytest
from aws_stand_in import ROOT

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
RAY = [sys.executable, "-m", "ray.scripts.scripts"]


def free_ports(count):
    """Ports below those that Ray gives to its workers."""
    found = []
    for port in range(9000 + os.getpid() % 500, 10000):
        with contextlib.suppress(OSError), socket.socket() as one:
            one.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise AssertionError("no free ports")


@pytest.fixture(scope="module")
def homes(tmp_path_factory):
    """Homes with the token, without any, and with another one."""
    place = tmp_path_factory.mktemp("t")
    for name, token in {"with": "a" * 32, "without": None, "another": "b" * 32}.items():
        (place / name / ".ray").mkdir(parents=True)
        if token:
            (place / name / ".ray/auth_token").write_text(token)
    return place


@pytest.fixture(scope="module")
def head(homes):
    """A head as cluster/gpu.yaml starts it, on ports of its own; gives its address and that of its job server."""
    gcs, dashboard, client, agent = free_ports(4)
    ports = [f"--port={gcs}", f"--dashboard-port={dashboard}", f"--ray-client-server-port={client}"]
    command = [*RAY, "start", "--head", "--block", *ports, f"--dashboard-agent-listen-port={agent}", "--num-cpus=1"]
    environment = environment_of(homes / "with", "token") | {"RAY_TMPDIR": str(homes)}
    address = "--node-ip-address=127.0.0.1"
    with (homes / "head.log").open("w") as log:
        process = subprocess.Popen([*command, address], env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            wait_for(dashboard)
            yield f"127.0.0.1:{gcs}", f"http://127.0.0.1:{dashboard}"
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def wait_for(port):
    end = time.monotonic() + 120
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.2)
    raise AssertionError(f"nothing listens on port {port}")


def environment_of(home, mode):
    kept = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    path = f"{os.path.dirname(sys.executable)}:{kept['PATH']}"
    return kept | {"HOME": str(home), "PATH": path, "RAY_AUTH_MODE": mode, "RAY_USAGE_STATS_ENABLED": "0"}


@pytest.fixture
def submit(homes, head):
    """Submits a job as `make cluster-submit` does; gives what came of it."""

    def submit(who, mode, *command):
        line = [*RAY, "job", "submit", "--address", head[1], "--working-dir", ROOT, "--", *command]
        environment = environment_of(homes / who, mode)
        environment.pop("PYTHONPATH", None)
        return subprocess.run(line, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=200)

    return submit


def test_with_the_token_a_job_runs_and_brings_the_project_along(submit):
    """In an environment that may know another copy of the project: the one that was sent must be the one that runs."""
    where = "import runpy, sys, sweeps; print('from', sweeps.__file__); sys.argv[1:] = ['--list']; "
    done = submit("with", "token", "python", "-c", where + "runpy.run_path('sweeps/run.py', run_name='__main__')")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "mnist-cls        classify" in done.stdout
    origin = next(line for line in done.stdout.splitlines() if line.startswith("from "))
    assert "/runtime_resources/working_dir_files/" in origin


@pytest.mark.parametrize(
    ("who", "mode", "words"),
    [
        ("without", "disabled", "Missing authentication token"),
        ("with", "disabled", "Missing authentication token"),
        ("without", "token", "couldn't find an authentication token"),
        ("another", "token", "Invalid authentication token"),
    ],
)
def test_without_the_token_no_job_runs(submit, who, mode, words):
    done = submit(who, mode, "python", "-c", "print('it ran')")
    assert done.returncode != 0
    assert words in done.stdout + done.stderr
    assert "it ran" not in done.stdout


def test_a_sweep_without_the_token_is_refused_and_told_so(homes, head):
    """Ray tries again for half a minute, telling nothing but that it cannot."""
    command = [sys.executable, "sweeps/run.py", "--task", "synthetic", "--address", head[0], "--results", homes]
    environment = environment_of(homes / "without", "disabled") | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(
        "; a cluster with token authentication needs RAY_AUTH_MODE=token and its token"
    )
    assert not (homes / "synthetic").exists()
