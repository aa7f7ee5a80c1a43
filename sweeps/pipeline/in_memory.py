"""What Python programs give to a sweep: options and data in memory, as the command line takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import yaml

from ae.errors import UserError
from sweeps.config.words import option

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ae.applied import Applied
    from ae.data.sequences.raw import Raw

Data = Any
"""A path; an array (N, T, F), (N, T) or (T,); a DataFrame; or a sequence of arrays (T, F) or (T,) of any lengths."""


def arguments_of(options: Mapping[str, Any], folder: Path) -> list[str]:
    """Options as a command line has them."""
    arguments: list[str] = []
    for key, value in options.items():
        name = option(key.rstrip("_"))
        if value is None:
            continue
        if isinstance(value, bool):
            arguments.append(name if value else name.replace("--", "--no-", 1))
        elif key == "space" and isinstance(value, Mapping):
            path = beside(folder, "space.yaml")
            path.write_text(yaml.safe_dump(dict(value), sort_keys=False), encoding="utf-8")
            arguments += [name, str(path)]
        else:
            for one in value if isinstance(value, list | tuple) else [value]:
                arguments.append(f"{name}={one}")
    return arguments


def as_file(data: Data, labels: Sequence[Any] | None, folder: Path) -> Path:
    """Where data is that `--data` can read: its path, or a new file beside the results folder.

    Raises:
        UserError: if it is of another kind, or has labels that it cannot have.
    """
    if isinstance(data, str | Path):
        if labels is not None:
            raise UserError("labels go with arrays; a file has them in a column, named by label_column")
        return Path(data).expanduser().absolute()
    if isinstance(data, pd.DataFrame):
        if labels is not None:
            raise UserError("labels go with arrays; put them into a column of the DataFrame, named by label_column")
        path = beside(folder, "data.parquet")
        frame = data.reset_index() if data.index.names != [None] else data
        frame.rename(columns=str).to_parquet(path, index=False)
        return path
    arrays = arrays_of(data)
    if labels is not None:
        arrays["y"] = np.asarray([str(label) for label in labels])
    path = beside(folder, "data.npz")
    np.savez(path, **arrays)  # type: ignore[arg-type]  # the stub takes ** for allow_pickle
    return path


def arrays_of(data: Data) -> dict[str, NDArray[Any]]:
    """Arrays by the name that a sequence gets; one array of all sequences is called x."""
    try:
        if isinstance(data, list | tuple):
            return {f"sequence{number:06}": np.asarray(one, dtype=np.float64) for number, one in enumerate(data)}
        return {"x": np.asarray(data, dtype=np.float64)}
    except (TypeError, ValueError) as error:
        rule = "data must be a path, an array of numbers, a DataFrame, or a list of arrays"
        raise UserError(f"{rule}: {error}") from None


def beside(folder: Path, ending: str) -> Path:
    """A new file beside a results folder.

    Raises:
        UserError: if it is there already.
    """
    path = folder.with_name(f"{folder.name}-{ending}")
    if path.exists():
        raise UserError(f"{path} exists and is never overwritten; give another name")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def raw_of_values(data: Data, applied: Applied) -> Raw:
    """New data as sequences, read as the training data was.

    Raises:
        UserError: if it cannot be read.
    """
    from ae.data.sequences.arrays import from_array, unnamed
    from ae.data.sequences.raw import raw_of, sizes
    from ae.data.sequences.read import read
    from ae.data.sequences.tables import read_frame

    options = applied.options
    if isinstance(data, str | Path):
        return read(Path(data).expanduser(), options)
    if isinstance(data, pd.DataFrame):
        return read_frame(data, options, "the DataFrame")
    if not isinstance(data, list | tuple):
        return from_array(arrays_of(data)["x"], options, "the array")
    sequences = [one[:, None] if one.ndim == 1 else one for one in arrays_of(data).values()]
    if not sequences:
        raise UserError("the list of arrays is empty; a sequence needs a value")
    names, columns = [str(number) for number in range(len(sequences))], unnamed(sequences[0].shape[1])
    return raw_of(sequences, names=names, columns=columns, understood=sizes([len(one) for one in sequences]))
