"""Forecasts of a sequence's next steps by a model that has only seen the steps before them.

All values are on the scale of the training data, that of `Split.steps_SF`. Where each sequence has a scale of its own,
it is the scale of the steps that were seen.

Shape suffixes: N sequences, B batch, T time steps, F features, S forecast steps.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ae.splits import Split

if TYPE_CHECKING:
    from torch import Tensor

    from ae.model import LSTM_AE


def without_last(split: Split, steps_N: NDArray[np.int64] | int) -> Split:
    """The sequences without their last steps, as many as `steps_N` says; each must keep a step."""
    from ae.data.sequences.scaling import own_scale

    lengths_N = split.lengths_N - steps_N
    assert (lengths_N > 0).all()
    shorter = replace(split, lengths_N=lengths_N)
    if split.centre_NF is None:
        return shorter
    centre_NF, spread_NF = own_scale(split.steps_SF, split.starts_N, lengths_N)
    return replace(shorter, centre_NF=centre_NF, spread_NF=spread_NF)


def last_step(model: LSTM_AE | None, split: Split) -> float:
    """The mean squared error of forecasts of every sequence's last step from the steps before it.

    Args:
        model: has a prediction head; on the CPU. None means persistence: the last step is as the one before it.
        split: sequences; those of one step, and values that are missing, are left out.
    """
    split = split.take(np.flatnonzero(split.lengths_N > 1))
    ends_N = split.starts_N + split.lengths_N
    guess_NF = split.steps_SF[ends_N - 2] if model is None else next_step(model, without_last(split, 1))
    squares_NF = (guess_NF.astype(np.float64) - split.steps_SF[ends_N - 1]) ** 2
    return float(squares_NF.mean() if split.observed_SF is None else squares_NF[split.observed_SF[ends_N - 1]].mean())


def next_step(model: LSTM_AE, split: Split) -> NDArray[np.float32]:
    """The forecast (N, F) of the step after the end of each sequence."""
    import torch

    from ae.batches import DeviceSplit

    forecast_NF = np.empty((len(split), split.features), dtype=np.float32)
    with torch.inference_mode():
        for where, batch in DeviceSplit(split, "cpu").in_order():
            forecast_NF[where] = _at_end(model, batch.inputs_BTF, batch.lengths_B).numpy()
    return _unscaled(forecast_NF, split)


def next_steps(model: LSTM_AE, split: Split, steps: int) -> NDArray[np.float32]:
    """The forecast (N, S, F) of some steps after the end of each sequence; each forecast is the input of the next.

    Args:
        model: has a prediction head; on the CPU.
        split: few sequences, which share a batch.
        steps: S, how many.
    """
    import torch
    from torch.nn.functional import pad

    from ae.batches import DeviceSplit

    batch = DeviceSplit(split, "cpu").batch(slice(None))
    inputs_BTF, ends_B = pad(batch.inputs_BTF, (0, 0, 0, steps)), torch.from_numpy(split.lengths_N).clone()
    each = torch.arange(len(split))
    found = []
    with torch.inference_mode():
        for _ in range(steps):
            step_BF = _at_end(model, inputs_BTF[:, : int(ends_B.max())], ends_B)
            inputs_BTF[each, ends_B] = step_BF
            ends_B += 1
            found.append(_unscaled(step_BF.numpy(), split))
    return np.stack(found, axis=1)


def _at_end(model: LSTM_AE, inputs_BTF: Tensor, lengths_B: Tensor | None) -> Any:
    import torch

    prediction_BTF = model(inputs_BTF, lengths_B).prediction_BTO
    assert prediction_BTF is not None
    return prediction_BTF[:, -1] if lengths_B is None else prediction_BTF[torch.arange(len(inputs_BTF)), lengths_B - 1]


def _unscaled(values_NF: NDArray[np.float32], split: Split) -> NDArray[np.float32]:
    if split.centre_NF is None or split.spread_NF is None:
        return values_NF
    return values_NF * split.spread_NF + split.centre_NF
