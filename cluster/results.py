"""Fetches the results of a sweep: python cluster/results.py s3://BUCKET/TASK/NAME results/TASK/NAME

All but the checkpoints and Ray's own files, which are large and only of use to a sweep that goes on. May be run while
the sweep does, and again. A resume from the folder fetches anew: no session wrote it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pyarrow import fs

STAYS, RECORD = ("checkpoints", "ray", "mirror.json"), "sweep.json"


def fetch(place: str, folder: Path) -> int:
    """Copy the files of a sweep; returns how many.

    Args:
        place: s3://..., gs://... or a folder.
        folder: where to; files of the same names are written over.

    Raises:
        OSError: if the place cannot be read, or the folder cannot be written.
        ValueError: if it is no place, or no sweep is there that can be read.
    """
    filesystem, root = fs.FileSystem.from_uri(place if "://" in place else str(Path(place).absolute()))
    found = filesystem.get_file_info(fs.FileSelector(root, recursive=True, allow_not_found=True))
    names = [file.path[len(root) :].strip("/") for file in found if file.type == fs.FileType.File]
    wanted = [name for name in names if name.split("/")[0] not in STAYS]
    if RECORD not in wanted:
        raise ValueError("no sweep is there")
    with filesystem.open_input_stream(f"{root}/{RECORD}") as file:
        record = {**json.loads(file.read()), "session": ""}
    for name in wanted:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if name == RECORD:
            (folder / name).write_text(json.dumps(record, indent=1) + "\n")
        else:
            fs.copy_files(f"{root}/{name}", str(folder / name), filesystem, fs.LocalFileSystem())
    return len(wanted)


def main(arguments: list[str]) -> int:
    """Fetch, and say what to open; returns the exit status."""
    if len(arguments) != 2:
        print("error: name two places: python cluster/results.py s3://BUCKET/TASK/NAME FOLDER", file=sys.stderr)
        return 2
    place, folder = arguments[0], Path(arguments[1])
    try:
        count = fetch(place, folder)
    except (OSError, ValueError, TypeError) as error:  # the last two: a record that is damaged
        print(f"error: {place}: {str(error).splitlines()[0]}", file=sys.stderr)
        return 2
    report = folder / "report.html"
    print(f"{count} files in {folder}" + (f"; open {report}" if report.exists() else "; the sweep has not ended yet"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
