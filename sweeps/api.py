"""Sweeps from Python, for notebooks: the same plan, records and results folder as the command line.

```python
import sweeps
result = sweeps.sweep(data=beats, trials=20)  # an array, a DataFrame, a list of arrays, or a path
result.best, result.trials, result.score(new_beats), result.report
```
"""

from __future__ import annotations

import html
import json
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ae.errors import UserError
from sweeps.pipeline.in_memory import Data, arguments_of, as_file, raw_of_values
from sweeps.storage.folder import BEST, CURVES, PLAN, REPORT, SUMMARY, TRIALS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ae.applied import Applied
    from ae.model import LSTM_AE
    from ae.scores import Scores


def sweep(
    task: str = "sequences",
    data: Data = None,
    *,
    labels: Sequence[Any] | None = None,
    name: str | None = None,
    results: str | Path = "results",
    **options: Any,
) -> Result:
    """Find, retrain and test the best model, as `python sweeps/run.py` does.

    Args:
        task: a task's name; "sequences" learns from your own data.
        data: what `--data` takes, or values in memory, which are saved beside the results folder. None takes the data
            that comes with the task.
        labels: the class of each sequence, for arrays in memory.
        name: of the results folder; None means the time.
        results: where results folders are made.
        options: those of the command line, such as `trials=20`, `max_epochs=50` or `normal="1"`; True gives a flag, a
            mapping as `space` is a search space, and None leaves an option out.

    Returns:
        What was found; of a sweep that was interrupted, what was finished. `resume` continues it.

    Raises:
        UserError: if an option or the data is wrong; nothing was started then.
        RuntimeError: if no model could be trained, or results could not be written; the message names the folder.
    """
    name = name or time.strftime("%Y-%m-%d-%H%M%S")
    folder = Path(results).expanduser().absolute() / task / name
    arguments = ["--task", task, "--name", name, "--results", str(folder.parent.parent)]
    if data is not None:
        arguments += ["--data", str(as_file(data, labels, folder))]
    return _run([*arguments, *arguments_of(options, folder)], folder)


def resume(folder: str | Path, **options: Any) -> Result:
    """Continue a sweep, as `--resume` does; options such as `trials="+20"` or `seeds="+2"` add to it.

    Raises:
        UserError, RuntimeError: as `sweep`.
    """
    place = Path(folder).expanduser().absolute()
    return _run(["--resume", str(place), *arguments_of(options, place)], place)


@dataclass(frozen=True)
class Result:
    """A results folder, opened."""

    folder: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder).expanduser())
        if not (self.folder / PLAN).exists():
            raise UserError(f"{self.folder}: not the results folder of a sweep: it has no {PLAN}")

    @property
    def trials(self) -> pd.DataFrame:
        """One row per trial: configuration, status, best value and why it ended."""
        return pd.read_csv(self.folder / TRIALS, dtype={"trial": str})

    @property
    def curves(self) -> pd.DataFrame:
        """One row per validation of each trial."""
        return pd.read_csv(self.folder / CURVES, dtype={"trial": str})

    @property
    def summary(self) -> dict[str, Any]:
        """What was found, with every seed's values: the content of summary.json; empty before a first report."""
        path = self.folder / SUMMARY
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}

    @property
    def best(self) -> dict[str, Any]:
        """The configuration of the model in `best/`.

        Raises:
            UserError: if no model was retrained yet.
        """
        from ae.saved import describe

        return asdict(describe(self.folder / BEST)["configuration"])

    @property
    def test(self) -> dict[str, float]:
        """The metrics of the model in `best/` on the test split; empty before it was tested."""
        from ae.saved import describe

        return dict(describe(self.folder / BEST).get("test", {}))

    @property
    def report(self) -> Path:
        """The page that shows the sweep."""
        return self.folder / REPORT

    @cached_property
    def model(self) -> LSTM_AE:
        """The network in `best/`, on the CPU, in evaluation mode."""
        from ae.saved import load

        return load(self.folder / BEST)

    @cached_property
    def applied(self) -> Applied:
        """The model with what prepares new data for it.

        Raises:
            UserError: if it is not a model of the task sequences, or there is none.
        """
        from ae.applied import Applied

        return Applied.load(self.folder / BEST)

    def score(self, data: Data) -> NDArray[np.float64]:
        """The reconstruction error of each sequence, or of each window of a series, on the scale of the training data.

        Args:
            data: as for `sweep`; its features are checked against those of the training data.

        Raises:
            UserError: if it does not fit the model.
        """
        return np.concatenate([scores.errors_N for scores in self._scores(data)])

    def encode(self, data: Data) -> NDArray[np.float32]:
        """The context vector z of each sequence, or of each window of a series, (N, H)."""
        return np.concatenate([scores.codes_NH for scores in self._scores(data)])

    def is_anomaly(self, data: Data) -> NDArray[np.bool_]:
        """Whether the error of each sequence, or window, is above the model's threshold."""
        flagged: NDArray[np.bool_] = self.score(data) > self.applied.threshold()
        return flagged

    def classify(self, data: Data) -> NDArray[np.object_]:
        """The class of each sequence; for a model trained with `classify=True`."""
        if self.model.classify is None:
            raise UserError("the model has no head for classes; train it with classify=True")
        chances = [scores.probabilities_NC for scores in self._scores(data) if scores.probabilities_NC is not None]
        return np.array(self.applied.prepared.classes, dtype=object)[np.concatenate(chances).argmax(axis=1)]

    def export(self, to: str = "onnx", output: str | Path | None = None) -> Path:
        """Write the model in `best/` as one file that needs none of this program, as `sweeps/export.py` does.

        Args:
            to: the form, "onnx", "torch" or "safetensors".
            output: the file; None takes the folder's name, in the current folder.

        Returns:
            The file.

        Raises:
            UserError: if it cannot be written, or is there already and `output` does not name it.
        """
        from rich.console import Console

        from sweeps.pipeline.export import export

        return export(self.folder, to, None if output is None else Path(output), Console(quiet=True))

    def _scores(self, data: Data) -> Iterator[Scores]:
        from ae.data.sequences.stream import Chunk

        for block in self.applied.blocks([Chunk(raw=raw_of_values(data, self.applied))], "the data"):
            yield self.applied.scores(self.applied.split(block.windows))

    def _repr_html_(self) -> str:
        """A table of what was found, for a notebook."""
        summary = self.summary
        rows = [("task", f"{self.folder.parent.name}/{self.folder.name}")]
        if summary:
            search = summary["search"]
            kinds = [kind for kind in ("finished", "stopped_early", "diverged", "failed") if search[kind]]
            ended = ", ".join(f"{search[kind]} {kind.replace('_', ' ')}" for kind in kinds)
            rows.append(("trials", f"{search['requested']}: {ended}"))
        if (self.folder / BEST).is_dir():
            rows.append(("best", ", ".join(f"{key} {value}" for key, value in self.best.items())))
            rows += [(f"test {key}", f"{value:.4g}") for key, value in self.test.items()]
        body = "".join(f"<tr><th>{html.escape(key)}</th><td>{html.escape(value)}</td></tr>" for key, value in rows)
        link = f'<a href="{html.escape(self.report.as_uri())}">{html.escape(str(self.report))}</a>'
        return f"<table>{body}<tr><th>report</th><td>{link}</td></tr></table>"


def _run(arguments: list[str], folder: Path) -> Result:
    from sweeps.pipeline.start import start

    with _signals_kept():
        status = start(arguments)
    if status == 1:
        raise RuntimeError(f"{folder}: the sweep found no model, or its results could not be written; see above")
    return Result(folder)


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Give the handlers of signals, and torch's number of threads, back to a notebook."""
    import torch

    threads, is_main = torch.get_num_threads(), threading.current_thread() is threading.main_thread()
    heard = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    before = {number: signal.getsignal(number) for number in heard}
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        for number, handler in before.items():
            if is_main and handler is not None:
                signal.signal(number, handler)
