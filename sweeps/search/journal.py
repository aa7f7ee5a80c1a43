"""`study.log`: an Optuna study in a results folder, kept as a journal."""

from __future__ import annotations

from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

STUDY = "study.log"
DAMAGED = (ValueError, KeyError, TypeError, AttributeError, AssertionError)
"""What Optuna raises for a file that is not a whole journal."""


def storage(folder: Path) -> JournalStorage:
    """The journal of a results folder, quiet; one of `DAMAGED` if it is no journal."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return JournalStorage(JournalFileBackend(str(folder / STUDY)))


def study(folder: Path) -> optuna.Study:
    """The study of a results folder, whatever its name; one of `DAMAGED` if there is none. Reading takes no lock."""
    return optuna.load_study(study_name=None, storage=storage(folder))
