"""Fetches the results of a sweep: python cluster/results.py s3://BUCKET/TASK/NAME results/TASK/NAME

Fetches all but the checkpoints and Ray's own files, which are large and of use only to a sweep that is resumed. It may
be run while the sweep runs, and again.
"""

from __future__ import annotations

import sys

from ae.errors import UserError
from sweeps.config.values import path
from sweeps.storage import fetch
from sweeps.storage.filesystem import absolute


def main(arguments: list[str]) -> int:
    """Fetch, and say what to open; returns the exit status."""
    if arguments in (["-h"], ["--help"]):
        print(__doc__)
        return 0
    if len(arguments) != 2:
        print("error: name two places: python cluster/results.py s3://BUCKET/TASK/NAME FOLDER", file=sys.stderr)
        return 2
    folder = path(arguments[1])
    try:
        place = absolute(arguments[0])
        if not fetch.exists(place):
            raise UserError(f"{place}: no sweep is there")
        fetch.bring_down(place, folder)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    report = folder / "report.html"
    print(f"results in {folder}; " + (f"open {report}" if report.exists() else "the sweep has not ended yet"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
