"""The starting weights of a model.

Shape suffixes: F input features, H hidden units.
"""

from __future__ import annotations

import torch
from torch import nn

from ae.configuration import INITIALISATIONS
from ae.model import LSTM_AE

CHRONO_STEPS = 1000
"""Longest memory that the "chrono" initialisation draws for a unit, in time steps."""


@torch.no_grad()
def initialise_(model: LSTM_AE, how: str) -> LSTM_AE:
    """Initialise the weights of the LSTMs, in place, with torch's global random generator.

    Args:
        model: a newly built model.
        how: "uniform" keeps PyTorch's own U(-1/sqrt(H), 1/sqrt(H)). "orthogonal" makes the recurrent matrix of each
            gate orthogonal, the input matrices Xavier-uniform, and the biases 0, except 1 for the forget gate.
            "chrono" does the same, but gives each unit a memory of 1 to 1,000 steps: its forget bias is log U(1, 999),
            its input bias is minus that. These two also make the linear layers around a narrower or wider z orthogonal.

    Returns:
        The same module.

    Raises:
        ValueError: if `how` is not one of these names.

    Source: Saxe et al. 2014, https://arxiv.org/abs/1312.6120 (orthogonal); Jozefowicz et al. 2015,
        https://proceedings.mlr.press/v37/jozefowicz15.html (forget bias); Tallec and Ollivier 2018,
        https://arxiv.org/abs/1804.11188 (chrono).
    """
    if how not in INITIALISATIONS:
        raise ValueError(f"init must be one of {', '.join(INITIALISATIONS)}, got {how!r}")
    if how == "uniform":
        return model
    for lstm in model.lstms:
        weights = dict(lstm.named_parameters())
        for gate_HH in weights["weight_hh_l0"].chunk(4):  # gates in PyTorch's order i, f, g, o
            nn.init.orthogonal_(gate_HH)
        for gate_HF in weights["weight_ih_l0"].chunk(4):
            nn.init.xavier_uniform_(gate_HF)
        nn.init.zeros_(weights["bias_hh_l0"])
        nn.init.zeros_(weights["bias_ih_l0"])
        input_gate_H, forget_gate_H, _, _ = weights["bias_ih_l0"].chunk(4)
        if how == "orthogonal":
            nn.init.ones_(forget_gate_H)
        else:
            nn.init.uniform_(forget_gate_H, 1.0, CHRONO_STEPS - 1.0).log_()
            input_gate_H.copy_(-forget_gate_H)
    for linear in (model.to_latent, model.from_latent):
        if linear is not None:
            nn.init.orthogonal_(linear.weight)
            nn.init.zeros_(linear.bias)
    return model
