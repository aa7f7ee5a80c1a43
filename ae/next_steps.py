"""Forecasts of a sequence's next steps by a model that has only seen the steps before them.

All values are on the scale of the training data, that of `Split.steps_SF`. Where each sequence has a scale of its own,
it is the scale of the steps that were seen.

Shape suffixes: N sequences, B batch, T time steps, F features, K forecast steps.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ae.batches import Batch, cpu_batches
from ae.data.sequences.scaling import own_scale
from ae.model import LSTM_AE
from ae.splits import Split


def without_last(split: Split, steps_N: NDArray[np.int64] | int) -> Split:
    """The sequences without their last steps, as many as `steps_N` says; each must keep a step."""
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
    return next_steps(model, split, 1)[:, 0]


@torch.inference_mode()
def next_steps(model: LSTM_AE, split: Split, steps: int) -> NDArray[np.float32]:
    """The forecast (N, K, F) of some steps after the end of each sequence; each forecast is the input of the next.

    Args:
        model: has a prediction head; on the CPU.
        split: sequences.
        steps: K, how many, at least 1.
    """
    forecast_NKF = np.empty((len(split), steps, split.features), dtype=np.float32)
    for where, batch in cpu_batches(split):
        forecast_NKF[where] = split.unscaled(_continued(model, batch, steps).numpy(), where)
    return forecast_NKF


def _continued(model: LSTM_AE, batch: Batch, steps: int) -> Tensor:
    """The forecast (B, K, F) on the scale that the model reads."""
    inputs_BTF, lengths_B = batch.inputs_BTF, batch.lengths_B
    rows_B, given = torch.arange(len(batch)), inputs_BTF.shape[1]
    if lengths_B is None:
        lengths_B = torch.full((len(batch),), given)
    inputs_BTF = torch.cat([inputs_BTF, inputs_BTF.new_zeros(len(batch), steps, inputs_BTF.shape[2])], dim=1)
    for step in range(steps):
        ends_B = lengths_B + step
        seen = None if batch.lengths_B is None else ends_B
        prediction_BTF = model(inputs_BTF[:, : given + step], seen).prediction_BTO
        assert prediction_BTF is not None
        inputs_BTF[rows_B, ends_B] = prediction_BTF[rows_B, ends_B - 1]
    return inputs_BTF[rows_B[:, None], lengths_B[:, None] + torch.arange(steps)]
