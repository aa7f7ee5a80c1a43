"""Faults inside the processes of a sweep: put on PYTHONPATH by the tests of faults, told by FAULTS (JSON) what to do.

Every process of the sweep imports this when it starts; modules are changed as they are imported, in the trials.
"""

import importlib.util
import json
import os
import random
import signal
import sys
import time

FAULTS = json.loads(os.environ.get("FAULTS", "{}"))


class Finder:
    """Changes a module once it is imported."""

    def __init__(self, name, change):
        self.name, self.change = name, change

    def find_spec(self, name, path=None, target=None):
        if name != self.name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            self.change(module)

        spec.loader.exec_module = exec_module
        return spec


def change_training(module):
    """Bring the faults into every epoch, and write the epoch down once it is trained."""
    training = module.Training
    whole = training.train_epoch

    def train_epoch(self):
        provoke(self)
        loss = whole(self)
        c = self.configuration
        with open(FAULTS["log"], "a") as file:
            file.write(f"{c.hidden_size} {c.lr} {c.seed} {c.epochs} {self.epoch}\n")
        return loss

    training.train_epoch = train_epoch
    if FAULTS.get("kind") == "save":
        training.state_dict = dying(training.state_dict)


def dying(state_dict):
    """The state of a trial whose process is killed while it is being written, so often."""

    def first_die(self):
        if self.configuration.hidden_size == FAULTS["hidden_size"] and counted("deaths") < FAULTS["times"]:
            count("deaths")
            os.kill(os.getpid(), signal.SIGKILL)
        return state_dict(self)

    return first_die


def counted(what):
    """How often it has happened, in any process."""
    path = f"{FAULTS['log']}.{what}"
    return os.path.getsize(path) if os.path.exists(path) else 0


def count(what):
    """It happens."""
    with open(f"{FAULTS['log']}.{what}", "a") as file:
        file.write("x")


def change_trial(module):
    """Bring in the fault of a trial that is taken over."""
    if FAULTS.get("kind") == "takeover":
        module.SweepTrial.reset_config = dying_at_takeover(module.SweepTrial.reset_config)


def dying_at_takeover(reset_config):
    """A process that is killed as it takes a trial of that size over from another, so often."""

    def first_die(self, config):
        wanted = config["run"]["configuration"]["hidden_size"] == FAULTS["hidden_size"]
        if hasattr(self, "run") and wanted and counted("deaths") < FAULTS["times"]:
            count("deaths")
            os.kill(os.getpid(), signal.SIGKILL)
        return reset_config(self, config)

    return first_die


def provoke(training):
    """The faults that this epoch of this configuration is to have."""
    configuration, epoch = training.configuration, training.epoch + 1
    if "nan" in FAULTS:  # of the share's trials, at an epoch drawn for each
        rng = random.Random(repr(configuration))
        if rng.random() < FAULTS["nan"] and epoch == rng.randint(1, configuration.epochs):
            training.weights[0].data.fill_(float("nan"))
    if configuration.hidden_size != FAULTS.get("hidden_size") or epoch != FAULTS.get("epoch", epoch):
        return
    if configuration.seed != FAULTS.get("seed", configuration.seed):
        return
    if FAULTS["kind"] == "wait":
        time.sleep(FAULTS["seconds"])
    if FAULTS["kind"] == "errors" and counted("errors") < len(FAULTS["messages"]):
        count("errors")
        raise RuntimeError(FAULTS["messages"][counted("errors") - 1])
    if FAULTS["kind"] == "memory":
        fill_memory()
    if FAULTS["kind"] == "gpu memory":
        run_out_of_gpu_memory()


def run_out_of_gpu_memory():
    """As torch says it, unless this trial has half a GPU."""
    import ray
    import torch

    if ray.get_runtime_context().get_assigned_resources().get("GPU", 0) < FAULTS["share"]:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def fill_memory():
    """Take memory until there is no more, under a limit of this process's own: the machine is not to suffer."""
    import resource

    import torch

    with open("/proc/self/statm") as file:
        limit = int(file.read().split()[0]) * resource.getpagesize() + 2**30
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    taken = []
    while True:
        taken.append(torch.ones(2**26))


def shift_clock():
    """Let time.time() jump: `hours` ahead `after_s` seconds from now, and back behind where it was as long after.

    There is a file `jumped` then.
    """
    real, started = time.time, time.monotonic()
    after_s, hours, jumped = FAULTS["clock"]

    def jumping():
        turn = int((time.monotonic() - started) / after_s) % 3
        if turn == 2 and not os.path.exists(jumped):
            open(jumped, "w").close()
        return real() + 3600 * hours * (0, 1, -1)[turn]

    time.time = jumping


if "log" in FAULTS:
    sys.meta_path[:0] = [Finder("ae.training", change_training), Finder("sweeps.engine.trial", change_trial)]
if "clock" in FAULTS:
    shift_clock()
