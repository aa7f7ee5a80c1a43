"""The LSTM autoencoder.

Shape suffixes: B batch, T time steps, F input features, O output features, H hidden units, C classes.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ae.configuration import INITIALISATIONS
from ae.kernels.autograd import decode

CHRONO_STEPS = 1000
"""Longest memory that the "chrono" initialisation draws for a unit, in time steps."""


class Output(NamedTuple):
    """The output of one forward pass; None for a head that the model does not have."""

    reconstruction_BTO: Tensor
    logits_BC: Tensor | None
    prediction_BTO: Tensor | None
    """The next time step's features, at every time step."""


class LSTM_AE(nn.Module):
    """Sequence autoencoder: the encoder's last hidden state, repeated T times, is decoded by a second LSTM.

    Args:
        input_size: features F of one time step.
        hidden_size: units H of the encoder, of the context vector z and of the decoder.
        output_size: features O of one reconstructed time step.
        labels: classes C of the classification head; 0 means no such head.
        predict: adds a head that predicts, at each time step, the features of the next one.

    Attributes:
        fast: runs both LSTMs in `ae.kernels` instead of nn.LSTM, with the same weights; False at first.
            `ae.kernels.use_fast` says whether that is possible.
        threads: threads that share this work; None (at first) uses torch's number.

    Source: Srivastava et al. 2015, https://arxiv.org/abs/1502.04681 (an encoder and an unconditioned decoder LSTM); Cho
    et al. 2014, https://arxiv.org/abs/1406.1078, section 2.2 (a decoder that reads the context at every step).
    """

    def __init__(
        self, input_size: int, hidden_size: int, output_size: int, labels: int = 0, predict: bool = False
    ) -> None:
        super().__init__()
        self.encoder = nn.LSTM(input_size, hidden_size, batch_first=True)
        self.decoder = nn.LSTM(hidden_size, hidden_size, batch_first=True)
        self.reconstruct = nn.Linear(hidden_size, output_size)
        self.classify = nn.Linear(hidden_size, labels) if labels else None
        self.predict = nn.Linear(hidden_size, output_size) if predict else None
        self.fast = False
        self.threads: int | None = None

    def encode(self, inputs_BTF: Tensor, lengths_B: Tensor | None = None) -> Tensor:
        """The context vector z of each sequence, (B, H): the encoder's hidden state at the sequence's own last step."""
        hidden_BTH, (last_hidden_1BH, _) = self.encoder(inputs_BTF)
        context_BH: Tensor = last_hidden_1BH[0] if lengths_B is None else _at_end(hidden_BTH, lengths_B)
        return context_BH

    def forward(self, inputs_BTF: Tensor, lengths_B: Tensor | None = None) -> Output:
        """Encode, decode and apply every head.

        The classification head reads the decoded sequence at its last time step: this output depends on all steps of
        the decoder, and the model stays independent of the length T.

        Args:
            inputs_BTF: sequences; finite after their end.
            lengths_B: int64, steps of each sequence, from 1 to T; None if all have T. Outputs after the end of a
                sequence mean nothing: no loss may read them.
        """
        if self.fast:
            return self._heads(decode(self.encoder, self.decoder, inputs_BTF, lengths_B, self.threads), lengths_B)
        return self.decoded(self.encode(inputs_BTF, lengths_B), inputs_BTF.shape[1], lengths_B)

    def decoded(self, context_BH: Tensor, steps: int, lengths_B: Tensor | None = None) -> Output:
        """What `forward` makes of context vectors that `encode` gave.

        Args:
            context_BH: z of each sequence.
            steps: T, of the longest.
            lengths_B: as for `forward`.
        """
        decoded_BTH: Tensor = self.decoder(context_BH.unsqueeze(1).expand(-1, steps, -1))[0]
        return self._heads(decoded_BTH, lengths_B)

    def _heads(self, decoded_BTH: Tensor, lengths_B: Tensor | None) -> Output:
        logits_BC = self.classify(_at_end(decoded_BTH, lengths_B)) if self.classify else None
        prediction_BTO = self.predict(decoded_BTH) if self.predict else None
        return Output(self.reconstruct(decoded_BTH), logits_BC, prediction_BTO)


def _at_end(states_BTH: Tensor, lengths_B: Tensor | None) -> Tensor:
    """The state at each sequence's last step, (B, H)."""
    if lengths_B is None:
        return states_BTH[:, -1]
    return states_BTH[torch.arange(len(states_BTH), device=states_BTH.device), lengths_B - 1]


@torch.no_grad()
def initialise_(model: LSTM_AE, how: str) -> LSTM_AE:
    """Initialise the weights of both LSTMs, in place, with torch's global random generator.

    Args:
        model: a newly built model.
        how: "uniform" keeps PyTorch's own U(-1/sqrt(H), 1/sqrt(H)). "orthogonal" makes the recurrent matrix of each
            gate orthogonal, the input matrices Xavier-uniform, and the biases 0, except 1 for the forget gate.
            "chrono" does the same, but gives each unit a memory of 1 to 1,000 steps: its forget bias is log U(1, 999),
            its input bias is minus that.

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
    for lstm in (model.encoder, model.decoder):
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
    return model
