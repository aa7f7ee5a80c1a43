"""Loss and metrics that several tasks share.

Shape suffixes: B batch, T time steps, F features.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from ae.model import LSTM_AE


def reconstruction(model: LSTM_AE, inputs_BTF: Tensor, labels_B: Tensor | None) -> dict[str, Tensor]:
    """loss = the mean squared error of the reconstruction, in squared units of the inputs; labels are not looked at."""
    return {"loss": functional.mse_loss(model(inputs_BTF).reconstruction_BTO, inputs_BTF)}
