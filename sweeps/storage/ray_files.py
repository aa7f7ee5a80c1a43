"""Ray's own files in the place of a sweep: a folder per phase and session, and in it one per trial."""

from __future__ import annotations

from pyarrow.fs import FileSelector, FileSystem

from sweeps.storage.filesystem import is_file, join

ERROR = "error.txt"
"""In the folder of a trial: the tracebacks of its failures, also of those that it recovered from."""


def ray_folder(place: str) -> str:
    """Where Ray's files are."""
    return join(place, "ray")


def trial_folder(trial: str) -> str:
    """The name of a trial's folder."""
    return f"trial-{trial}"


def phase_folders(place: str) -> list[str]:
    """The names of the folders of phases, one per session, in alphabetical order.

    Raises:
        OSError: if the place cannot be read.
    """
    filesystem, root = FileSystem.from_uri(ray_folder(place))
    return sorted(file.base_name for file in filesystem.get_file_info(FileSelector(root, allow_not_found=True)))


def error_files(place: str, trial: str) -> list[str]:
    """The files with the tracebacks of a trial.

    Raises:
        OSError: if the place cannot be read.
    """
    filesystem, root = FileSystem.from_uri(ray_folder(place))
    names = (f"{phase}/{trial_folder(trial)}/{ERROR}" for phase in phase_folders(place))
    return [join(ray_folder(place), name) for name in names if is_file(filesystem, f"{root}/{name}")]
