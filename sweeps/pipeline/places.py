"""Where a saved model is, and whether a file can be written, for the commands that use one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ae.errors import UserError
from ae.saved import DESCRIPTION
from ae.words import did_you_mean
from sweeps.config import plan_file
from sweeps.storage.folder import BEST


def model_folder(folder: Path) -> Path:
    """The folder of the model: in a results folder, or the folder itself.

    Raises:
        UserError: if it is neither.
    """
    if os.path.isdir(folder / BEST):
        return folder / BEST
    if os.path.isfile(folder / DESCRIPTION):
        return folder
    hint = did_you_mean(plan_file.nearest_folder(folder))
    rule = f"it has neither {BEST}/ nor {DESCRIPTION}" if os.path.isdir(folder) else "there is no such folder"
    raise UserError(f"{folder}: not a results folder or a saved model: {rule}{hint}")


def check_file(path: Path, endings: Sequence[str]) -> None:
    """Refuse a file of --output that cannot be written, before the work begins.

    Raises:
        UserError: if its ending is none of these, or its folder is missing.
    """
    if path.suffix.lower() not in endings:
        raise UserError(f"--output {path}: must end in {', '.join(endings)}")
    if not os.path.isdir(path.parent):
        raise UserError(f"--output {path}: there is no folder {path.parent}; make it first")
    if os.path.isdir(path):
        raise UserError(f"--output {path}: is a folder; give the name of a file")
