"""What a model says about sequences: errors, codes, class probabilities and reconstructions.

Shape suffixes: N sequences, B batch, T time steps, F features, H hidden units, C classes, S time steps of all sequences
together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ae.batches import Batch, cpu_batches
from ae.data.sequences.scaling import Scaler
from ae.model import LSTM_AE
from ae.scoring import mean_squares
from ae.splits import Split


@dataclass(frozen=True, kw_only=True, slots=True)
class Scores:
    """What a model says about some sequences. Errors are squared, on the scale of the training data."""

    errors_N: NDArray[np.float64]
    """Mean over a sequence's values; NaN for one without any, as everything else is."""
    worst_N: NDArray[np.float64]
    """The largest error of one step."""
    worst_at_N: NDArray[np.int64]
    """Which step that is, from 0; -1 for a sequence without any value."""
    codes_NH: NDArray[np.float32]
    """The context vectors z."""
    probabilities_NC: NDArray[np.float32] | None
    """None for a model without a head for classes."""
    step_errors_S: NDArray[np.float64] | None = None
    """Mean over the values of each step, one sequence after another; NaN for a step without any."""
    reconstruction_SF: NDArray[np.float64] | None = None
    """In the data's own units."""


@torch.inference_mode()
def scores_of(model: LSTM_AE, split: Split, scaler: Scaler, *, per_step: bool = False) -> Scores:
    """What a model says about sequences.

    Args:
        model: on the CPU.
        split: at least one sequence, on the scale of the training data.
        scaler: restores the data's units.
        per_step: also the errors and the reconstruction of every step.
    """
    count = len(split)
    errors_N, worst_N, worst_at_N = np.empty(count), np.empty(count), np.empty(count, dtype=np.int64)
    codes_NH = np.empty((count, model.context_size), dtype=np.float32)
    classes = model.classify.out_features if model.classify else 0
    probabilities_NC = np.empty((count, classes), dtype=np.float32) if classes else None
    firsts_N = split.lengths_N.cumsum() - split.lengths_N
    steps_S = np.empty(int(split.lengths_N.sum()) if per_step else 0)
    output_SF = np.empty((len(steps_S), split.features))
    for where, batch in cpu_batches(split):
        codes_BH = model.encode(batch.inputs_BTF, batch.lengths_B)
        output = model.decoded(codes_BH, batch.inputs_BTF.shape[1], batch.lengths_B)
        reconstruction_BTF = output.reconstruction_BTO
        steps_BT = _step_errors(reconstruction_BTF, batch)
        known_BT = np.where(np.isnan(steps_BT), -1.0, steps_BT)
        worst_N[where], worst_at_N[where] = known_BT.max(axis=1), known_BT.argmax(axis=1)
        errors_N[where] = mean_squares(reconstruction_BTF, batch.inputs_BTF, batch.real_BTF).numpy()
        codes_NH[where] = codes_BH.numpy()
        if probabilities_NC is not None and output.logits_BC is not None:
            probabilities_NC[where] = output.logits_BC.softmax(dim=1).numpy()
        if per_step:
            lengths_B, at_BT = split.lengths_N[where], np.arange(steps_BT.shape[1])
            inside_BT = at_BT < lengths_B[:, None]
            at_S = (firsts_N[where][:, None] + at_BT)[inside_BT]
            steps_S[at_S] = steps_BT[inside_BT]
            output_SF[at_S] = scaler.restored(split.unscaled(reconstruction_BTF.numpy(), where))[inside_BT]
    is_empty_N = worst_N < 0
    for values in (errors_N, worst_N, codes_NH, probabilities_NC):
        if values is not None:
            values[is_empty_N] = np.nan
    worst_at_N[is_empty_N] = -1
    return Scores(
        errors_N=errors_N,
        worst_N=worst_N,
        worst_at_N=worst_at_N,
        codes_NH=codes_NH,
        probabilities_NC=probabilities_NC,
        step_errors_S=steps_S if per_step else None,
        reconstruction_SF=output_SF if per_step else None,
    )


def _step_errors(output_BTF: Tensor, batch: Batch) -> NDArray[np.float64]:
    """The mean squared error of each step over its values, (B, T); NaN without any."""
    squares_BTF = (output_BTF - batch.inputs_BTF) ** 2
    if batch.real_BTF is None:
        return squares_BTF.mean(dim=2).double().numpy()
    counts_BT = batch.real_BTF.sum(dim=2)
    return (torch.where(batch.real_BTF, squares_BTF, 0.0).sum(dim=2) / counts_BT).double().numpy()
