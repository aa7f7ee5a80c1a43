"""The whole life of cluster/gpu.yaml against a stand-in for AWS; prints what each step took, and fails where one does.

Up, a submitted sweep, workers from zero, a spot worker taken away and replaced, the sweep complete, results fetched,
idle workers gone, down. Run by test_life.py, in namespaces of its own.
"""

import re
import subprocess
import sys
import time
from pathlib import Path

import boto3
from aws_stand_in import ROOT, moto
from hosts import BRIDGE, Hosts, make_bridge

TASK, NAME = "synthetic-smooth", "life"
SWEEP = "--search optuna --trials 8 --smoke --subset 2000 --max-epochs 16 --top-k 1 --seeds 1 --retrain-epochs 3"
"""Long enough to go on, on a fast machine too, when the lost worker's successor has come."""


class Life:
    """The steps, timed."""

    def __init__(self, place):
        self.place, self.began = place, time.monotonic()
        self.file = place / "gpu.yaml"
        content = (ROOT / "cluster/gpu.yaml").read_text()
        self.file.write_text(content.replace("idle_timeout_minutes: 3", "idle_timeout_minutes: 0.5"))

    def run(self, *command, **options):
        """A command of the user's; its output."""
        done = subprocess.run(
            command, env=self.environment, cwd=ROOT, capture_output=True, text=True, timeout=540, **options
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout

    def until(self, what, true, limit=300):
        """Wait for something; say how long it took."""
        start = time.monotonic()
        while not (found := true()):
            assert time.monotonic() - start < limit, f"not in {limit} s: {what}"
            time.sleep(0.5)
        self.say(what, start)
        return found

    def say(self, what, start):
        """One line of the story."""
        print(f"{time.monotonic() - self.began:6.0f} s  {what} ({time.monotonic() - start:.0f} s)", flush=True)

    def workers(self, **tags):
        """Instances of workers that run, by ID."""
        found = {}
        for name, one in self.hosts.instances().items():
            known = {tag["Key"]: tag["Value"] for tag in one["Tags"]}
            if known.get("ray-node-type") == "worker" and tags.items() <= known.items():
                found[name] = one
        return found

    def live(self):
        """All of it."""
        make_bridge()
        with moto(self.place, host=BRIDGE) as self.environment:
            self._live()

    def _live(self):
        ray, python = [sys.executable, "-m", "ray.scripts.scripts"], sys.executable
        self.environment["RAY_AUTH_MODE"] = "token"
        ec2 = boto3.client("ec2", **credentials(self.environment))
        key = Path(self.environment["HOME"]) / ".ssh/ray-autoscaler_us-west-2.pem"
        kept = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")
        session = {name: self.environment[name] for name in kept} | {"RAY_USAGE_STATS_ENABLED": "0"}
        self.hosts = Hosts(self.place / "hosts", ec2, key, session)

        start = time.monotonic()
        self.run(python, "cluster/check.py", str(self.file))
        uri = self.run(python, "cluster/aws.py", str(self.file)).strip()
        self.run(*ray, "up", "--yes", "--no-config-cache", str(self.file))
        assert not self.workers()
        self.say("up: a head, no worker", start)
        self.sweep(ray, uri, ec2)

        folder = self.place / "results"
        self.run(python, "cluster/results.py", f"{uri}/{TASK}/{NAME}", str(folder))
        trials = (folder / "trials.csv").read_text().splitlines()
        assert len([line for line in trials if line.startswith("search,") and ",finished," in line]) == 8, trials
        assert (folder / "report.html").exists()
        self.until("idle workers are gone", lambda: not self.workers())
        start = time.monotonic()
        self.run(*ray, "down", "--yes", str(self.file))
        self.until("down: no machine is left", lambda: not self.hosts.instances())

    def sweep(self, ray, uri, ec2):
        """Submitted on the head, where the tunnel of `make cluster-dashboard` ends; a worker is lost in the middle."""
        (head,) = self.hosts.running.values()
        submit = [*ray, "job", "submit", "--address", "http://127.0.0.1:8265", "--working-dir", ".", "--"]
        command = f"python sweeps/run.py --task {TASK} --name {NAME} --or-resume --storage {uri} --address auto"
        options = f"--autoscale 2 --gpus-per-trial 1 --scheduler none {SWEEP}"
        inside = ["nsenter", "-t", str(head.pid), "--net"]
        start = time.monotonic()
        with (self.place / "job.log").open("w") as log:
            job = subprocess.Popen(
                [*inside, *submit, *command.split(), *options.split()],
                env=self.environment, cwd=ROOT, stdout=log, stderr=log,
            )  # fmt: skip
        self.until("two spot workers are asked for, from zero", lambda: len(self.workers()) == 2)
        assert all(one["InstanceLifecycle"] == "spot" for one in self.workers().values())
        ready = {"ray-node-status": "up-to-date"}
        self.until("both have joined", lambda: len(self.workers(**ready)) == 2)
        self.until("trials train", lambda: re.search(r" [1-9]\d*/128 epochs", (self.place / "job.log").read_text()))
        before = set(self.workers())
        lost = sorted(before)[0]
        ec2.terminate_instances(InstanceIds=[lost])
        self.hosts.kill(lost)
        new = self.until("one is taken away; another one is asked for", lambda: set(self.workers()) - before)
        assert all(self.workers()[name]["InstanceLifecycle"] == "spot" for name in new)
        self.until("it has joined", lambda: new <= set(self.workers(**ready)))
        assert job.poll() is None, "the sweep ended before the new worker could help"
        assert job.wait(900) == 0, (self.place / "job.log").read_text()[-4000:]
        self.say("the sweep is complete, since it was submitted", start)
        again = self.run(*inside, *submit, *command.split(), *options.split())
        assert "is finished" in again, again


def credentials(environment):
    """What boto3 needs of an environment."""
    return {
        "endpoint_url": environment["AWS_ENDPOINT_URL"],
        "region_name": environment["AWS_DEFAULT_REGION"],
        "aws_access_key_id": "stand-in",
        "aws_secret_access_key": "stand-in",
    }


if __name__ == "__main__":
    Life(Path(sys.argv[1])).live()
