"""Hyperparameter sweeps of the tasks of `ae`, on Ray Tune."""

import os

RAY_SETTINGS = {  # read when ray is imported, hence here
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_TRAIN_COUNT_PREEMPTION_AS_FAILURE": "1",  # as any other lost machine, which `Turns` takes off the count
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # the ledger writes the tables
    "TUNE_MAX_PENDING_TRIALS_PG": "1000",  # all workers start at once; the searcher asks for no more than there is room
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
for _name, _value in RAY_SETTINGS.items():
    os.environ.setdefault(_name, _value)
