"""Hyperparameter sweeps of the tasks of `ae`, on Ray Tune."""

import os
import sys
from typing import Any

# `python sweeps/run.py` puts this folder first on the import path, and Ray hands the path to its workers. There the
# packages of this folder would hide modules of the same name (`config`, `search`, ...) and be imported a second time.
_HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [place for place in sys.path if os.path.abspath(place) != _HERE]

RAY_SETTINGS = {  # Ray reads them when it is imported
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_TRAIN_COUNT_PREEMPTION_AS_FAILURE": "1",  # like any other lost machine, which the engine does not count
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # `sweeps.records` writes the tables
    "TUNE_MAX_PENDING_TRIALS_PG": "1000",  # all workers start at once; no more trials are asked for than there is room
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
for _name, _value in RAY_SETTINGS.items():
    os.environ.setdefault(_name, _value)

API = ("sweep", "resume", "Result")


def __getattr__(name: str) -> Any:
    """What `sweeps.api` has for Python programs, imported when it is first used."""
    if name in API:
        from sweeps import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
