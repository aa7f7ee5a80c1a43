"""Faults inside the processes of a sweep: put on PYTHONPATH by the tests of faults, told by FAULTS (JSON) what to do.

Every process of the sweep imports this when it starts; `ae.training` is changed as it is imported, in the trials.
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
    """Changes ae.training once it is imported."""

    def find_spec(self, name, path=None, target=None):
        if name != "ae.training":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            change(module.Training)

        spec.loader.exec_module = exec_module
        return spec


def change(training):
    """Bring the faults into every epoch, and write the epoch down once it is trained."""
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
    """The state of a trial whose process is killed while it is being written, once."""

    def first_dies(self):
        once = FAULTS["log"] + ".killed"
        if self.configuration.hidden_size == FAULTS["hidden_size"] and not os.path.exists(once):
            open(once, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return state_dict(self)

    return first_dies


def provoke(training):
    """The faults that this epoch of this configuration is to have."""
    configuration, epoch = training.configuration, training.epoch + 1
    if "nan" in FAULTS:  # of the share's trials, at an epoch drawn for each
        rng = random.Random(repr(configuration))
        if rng.random() < FAULTS["nan"] and epoch == rng.randint(1, configuration.epochs):
            training.weights[0].data.fill_(float("nan"))
    if configuration.hidden_size != FAULTS.get("hidden_size") or epoch != FAULTS.get("epoch", epoch):
        return
    if FAULTS["kind"] == "wait":
        time.sleep(FAULTS["seconds"])
    if FAULTS["kind"] == "memory":
        fill_memory()


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
    """Let time.time() jump: `hours` ahead `after_s` seconds from now, and back behind where it was as long after."""
    real, started = time.time, time.monotonic()
    after_s, hours = FAULTS["clock"]

    def jumping():
        turn = int((time.monotonic() - started) / after_s) % 3
        return real() + 3600 * hours * (0, 1, -1)[turn]

    time.time = jumping


if "log" in FAULTS:
    sys.meta_path.insert(0, Finder())
if "clock" in FAULTS:
    shift_clock()
