"""The LSTM autoencoder.

Shape suffixes: B batch, T time steps, F input features, O output features, H hidden units, Z values of the context
vector, K features of a step's position, C classes. The LSTMs run over P patches of time steps, often of one step each.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ae.architecture import PLAIN, Architecture
from ae.kernels.autograd import Extras, decode

SHORTEST_PERIOD = 4
"""Periods of the time features, in steps of the LSTMs."""


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
        architecture: what it has besides two plain LSTMs.
        longest: time steps of the longest training sequence, for the periods of the time features. The model keeps them
            among its weights; it takes sequences of any length.

    Attributes:
        context_size: width Z of the context vector z, H unless the architecture has another one.
        fast: runs both LSTMs in `ae.kernels` instead of nn.LSTM, with the same weights; False at first.
            `ae.kernels.use_fast` says whether that is possible.
        threads: threads that share this work; None (at first) uses torch's number.

    Source: Srivastava et al. 2015, https://arxiv.org/abs/1502.04681 (an encoder and an unconditioned decoder LSTM); Cho
    et al. 2014, https://arxiv.org/abs/1406.1078, section 2.2 (a decoder that reads the context at every step).
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        labels: int = 0,
        predict: bool = False,
        architecture: Architecture = PLAIN,
        longest: int = 1000,
    ) -> None:
        super().__init__()
        self.input_size, self.architecture = input_size, architecture
        self.context_size = architecture.latent_size or hidden_size
        patch, features = architecture.patch, architecture.time_features
        self.encoder = nn.LSTM(patch * input_size + features, hidden_size, batch_first=True)
        self.decoder = nn.LSTM(hidden_size + features, hidden_size, batch_first=True)
        self.encoder_above, self.decoder_above = (
            nn.ModuleList(nn.LSTM(hidden_size, hidden_size, batch_first=True) for _ in range(architecture.layers - 1))
            for _ in range(2)
        )
        has_latent = architecture.latent_size is not None
        self.to_latent = nn.Linear(hidden_size, self.context_size) if has_latent else None
        self.from_latent = nn.Linear(self.context_size, hidden_size) if has_latent else None
        self.reconstruct = nn.Linear(hidden_size, patch * output_size)
        self.classify = nn.Linear(hidden_size, labels) if labels else None
        self.predict = nn.Linear(hidden_size, patch * output_size) if predict else None
        self.periods: Tensor | None
        self.register_buffer("periods", _periods(features, -(-longest // patch)) if features else None)
        self.fast = False
        self.threads: int | None = None

    @property
    def lstms(self) -> list[nn.LSTM]:
        """Those of the encoder from the input up, then those of the decoder."""
        above = ([one for one in some if isinstance(one, nn.LSTM)] for some in (self.encoder_above, self.decoder_above))
        of_encoder, of_decoder = above
        return [self.encoder, *of_encoder, self.decoder, *of_decoder]

    def encode(self, inputs_BTF: Tensor, lengths_B: Tensor | None = None) -> Tensor:
        """The context vector z of each sequence, (B, Z): the encoder's hidden state at the sequence's own last step."""
        patches_BPF, ends_B = self._patches(inputs_BTF, lengths_B)
        if (features_PK := self._time_features(patches_BPF.shape[1])) is not None:
            patches_BPF = torch.cat([patches_BPF, features_PK.expand(patches_BPF.shape[0], -1, -1)], dim=2)
        hidden_BPH, (last_hidden_1BH, _) = self.encoder(patches_BPF)
        if self.encoder_above:
            hidden_BPH, last_hidden_1BH = self._above(hidden_BPH, self.encoder_above)
        context_BH: Tensor = last_hidden_1BH[0] if ends_B is None else at_end(hidden_BPH, ends_B)
        return self.to_latent(context_BH) if self.to_latent is not None else context_BH

    def forward(self, inputs_BTF: Tensor, lengths_B: Tensor | None = None) -> Output:
        """Encode, decode and apply every head.

        The classification head reads the decoder's state after its last step: this output depends on all steps of
        the decoder, and the model stays independent of the length T.

        Args:
            inputs_BTF: sequences; finite after their end.
            lengths_B: int64, steps of each sequence, from 1 to T; None if all have T. Outputs after the end of a
                sequence mean nothing: no loss may read them.
        """
        steps = inputs_BTF.shape[1]
        if not self.fast:
            return self.decoded(self.encode(inputs_BTF, lengths_B), steps, lengths_B)
        patches_BPF, ends_B = self._patches(inputs_BTF, lengths_B)
        extras = Extras(
            backward=self._is_backward,
            features_TK=self._time_features(patches_BPF.shape[1]),
            through=self._through_latent(),
        )
        decoded_BPH = decode(self.encoder, self.decoder, patches_BPF, ends_B, self.threads, extras)
        return self._heads(decoded_BPH, steps, ends_B)

    def decoded(self, context_BZ: Tensor, steps: int, lengths_B: Tensor | None = None) -> Output:
        """What `forward` makes of context vectors that `encode` gave.

        Args:
            context_BZ: z of each sequence.
            steps: T, of the longest.
            lengths_B: as for `forward`.
        """
        ends_B = self._ends(lengths_B)
        patches = (steps + self.architecture.patch - 1) // self.architecture.patch
        order = _backward(patches, ends_B, context_BZ.device) if self._is_backward else None
        state_BH = self.from_latent(context_BZ) if self.from_latent is not None else context_BZ
        inputs_BPF = state_BH.unsqueeze(1).expand(-1, patches, -1)
        if (features_PK := self._time_features(patches)) is not None:
            features_PK = features_PK if order is None else features_PK[order]
            inputs_BPF = torch.cat([inputs_BPF, features_PK.expand(context_BZ.shape[0], patches, -1)], dim=2)
        decoded_BPH: Tensor = self.decoder(inputs_BPF)[0]
        if self.decoder_above:
            decoded_BPH, _ = self._above(decoded_BPH, self.decoder_above)
        if order is not None:
            rows_B1 = torch.arange(decoded_BPH.shape[0], device=order.device)[:, None]
            decoded_BPH = decoded_BPH[rows_B1, order]
        return self._heads(decoded_BPH, steps, ends_B)

    @property
    def _is_backward(self) -> bool:
        return self.architecture.decode == "backward"

    def _patches(self, inputs_BTF: Tensor, lengths_B: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """What the encoder reads, without time features, (B, P, patch * F), and the patches of each sequence.

        The last step of a sequence fills its last patch: what follows the sequence may be anything.
        """
        if self.training and self.architecture.noise:
            inputs_BTF = inputs_BTF + self.architecture.noise * torch.randn_like(inputs_BTF)
        patch = self.architecture.patch
        if patch == 1:
            return inputs_BTF, lengths_B
        count, steps, _ = inputs_BTF.shape
        patches = (steps + patch - 1) // patch
        if lengths_B is not None:
            at_T = torch.arange(patches * patch, device=inputs_BTF.device)
            rows_B1 = torch.arange(count, device=inputs_BTF.device)[:, None]
            inputs_BTF = inputs_BTF[rows_B1, torch.minimum(at_T, lengths_B[:, None] - 1)]
        elif missing := patches * patch - steps:
            inputs_BTF = torch.cat([inputs_BTF, inputs_BTF[:, -1:].expand(-1, missing, -1)], dim=1)
        return inputs_BTF.reshape(count, patches, patch * inputs_BTF.shape[2]), self._ends(lengths_B)

    def _ends(self, lengths_B: Tensor | None) -> Tensor | None:
        """The patches of sequences of these lengths."""
        patch = self.architecture.patch
        return lengths_B if lengths_B is None or patch == 1 else (lengths_B + patch - 1) // patch

    def _time_features(self, patches: int) -> Tensor | None:
        """Sines, then cosines, of each patch's position, (P, K)."""
        if self.periods is None:
            return None
        places_P = torch.arange(patches, device=self.periods.device)
        angles_PK = places_P[:, None] * (2 * math.pi / self.periods)
        return torch.cat([angles_PK.sin(), angles_PK.cos()], dim=1)

    def _through_latent(self) -> tuple[Tensor, Tensor] | None:
        """Both linear layers around z as one map: its weights (H, H), and its bias (H,)."""
        if self.to_latent is None or self.from_latent is None:
            return None
        weights_HZ = self.from_latent.weight
        return weights_HZ @ self.to_latent.weight, weights_HZ @ self.to_latent.bias + self.from_latent.bias

    def _above(self, hidden_BPH: Tensor, lstms: Iterable[nn.Module]) -> tuple[Tensor, Tensor]:
        """Run further layers; returns all hidden states of the last one, and its last hidden states (1, B, H)."""
        last_hidden_1BH = hidden_BPH[None, :, -1]
        for lstm in lstms:
            dropped_BPH = functional.dropout(hidden_BPH, self.architecture.dropout, self.training)
            hidden_BPH, (last_hidden_1BH, _) = lstm(dropped_BPH)
        return hidden_BPH, last_hidden_1BH

    def _heads(self, decoded_BPH: Tensor, steps: int, ends_B: Tensor | None) -> Output:
        """Apply every head to what was decoded, in natural order."""
        logits_BC, prediction_BTO = None, None
        if self.classify:
            logits_BC = self.classify(decoded_BPH[:, 0] if self._is_backward else at_end(decoded_BPH, ends_B))
        if self.predict:
            prediction_BTO = self._steps(self.predict(decoded_BPH), steps)
        return Output(self._steps(self.reconstruct(decoded_BPH), steps), logits_BC, prediction_BTO)

    def _steps(self, patches_BPO: Tensor, steps: int) -> Tensor:
        """The time steps of patches, (B, T, O)."""
        if self.architecture.patch == 1:
            return patches_BPO
        count, patches, width = patches_BPO.shape
        patch = self.architecture.patch
        return patches_BPO.reshape(count, patches * patch, width // patch)[:, :steps]


def at_end(states_BTH: Tensor, lengths_B: Tensor | None) -> Tensor:
    """The state at each sequence's last step, (B, H)."""
    if lengths_B is None:
        return states_BTH[:, -1]
    return states_BTH[torch.arange(states_BTH.shape[0], device=states_BTH.device), lengths_B - 1]


def _backward(steps: int, lengths_B: Tensor | None, device: torch.device) -> Tensor:
    """Which step a decoder emits at each of its own, the last of the sequence first: (1 or B, T), its own inverse."""
    ends_B1 = torch.tensor([[steps]], device=device) if lengths_B is None else lengths_B[:, None]
    return (ends_B1 - 1 - torch.arange(steps, device=device)).clamp(min=0)


def _periods(features: int, longest: int) -> Tensor:
    """Periods of the sines and cosines, in steps of the LSTMs."""
    return torch.logspace(math.log2(2 * longest), math.log2(SHORTEST_PERIOD), features // 2, base=2)
