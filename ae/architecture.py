"""The shape of an LSTM autoencoder besides its sizes."""

from __future__ import annotations

from dataclasses import dataclass

DECODES = ("forward", "backward")


@dataclass(frozen=True, kw_only=True, slots=True)
class Architecture:
    """What an LSTM_AE has besides two plain LSTMs; `ae.Configuration` has fields of the same names and says more."""

    time_features: int = 0
    """Sines and cosines of the step's position, half each; 0 for none."""
    decode: str = "forward"
    """Which step the decoder emits first: the first ("forward") or the last ("backward")."""
    patch: int = 1
    """Consecutive time steps that form one step of the LSTMs."""
    latent_size: int | None = None
    """Width of z; None means that of the LSTMs, without a linear layer before and after it."""
    layers: int = 1
    """LSTM layers of the encoder, and of the decoder."""
    dropout: float = 0.0
    """Share of the values between two layers that training sets to 0."""
    noise: float = 0.0
    """Standard deviation of what training adds to the inputs."""


PLAIN = Architecture()
"""Two LSTMs and nothing else."""
