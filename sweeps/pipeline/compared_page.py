"""The page of several sweeps, as one file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ae.files import write_whole
from sweeps.pipeline.live import LiveSweep, labelled
from sweeps.records.status import read_status
from sweeps.report.comparison import facts
from sweeps.report.html import compared_parts, html
from sweeps.report.page_data import page_data


def write_compared(folders: Sequence[Path], path: Path) -> None:
    """Write the page of the sweeps in some results folders.

    Pictures that a task has as PNG alone are left out: each sweep's own report has them.

    Args:
        folders: of sweeps of one task and one objective.
        path: of the file.

    Raises:
        UserError: if a folder is not that of a sweep.
        OSError: if the file cannot be written.
    """
    sweeps = labelled([LiveSweep(folder) for folder in folders])
    for one in sweeps:
        one["figures"] = [figure for figure in one["figures"] if "png" not in figure]
    rows = [facts(read_status(folder)) for folder in folders]
    write_whole(path, html(page_data(sweeps), compared_parts([one["label"] for one in sweeps], rows)))
