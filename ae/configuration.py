"""One training run as data."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ae.architecture import DECODES, Architecture
from ae.errors import UserError

INITIALISATIONS = ("uniform", "orthogonal", "chrono")
SCHEDULES = ("constant", "one-cycle", "cosine")
MOST_LAYERS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Configuration:
    """All that defines one training run; equal configurations give equal results on one machine."""

    hidden_size: int = 60
    """Width H of the context vector z, in units."""
    lr: float = 1e-3
    """Adam step size; under a schedule, the peak step size."""
    clip: float | None = 1.0
    """Largest L2 norm of the gradient; None never clips."""
    batch_size: int = 32
    """Sequences per gradient step."""
    init: str = "uniform"
    """Initialisation: "uniform" (PyTorch's), "orthogonal" (forget bias 1), "chrono" (memories of 1 to 1,000 steps)."""
    schedule: str = "constant"
    """Step size over the run: "constant", or "one-cycle" (rises for 30 % of the steps, then anneals to nearly 0), or
    "cosine" (rises for 5 %, then falls as a cosine to 0)."""
    time_features: int = 0
    """Sines and cosines of the step's position, half each, that both LSTMs read besides their input; 0 for none.

    Their periods fall geometrically from twice the longest training sequence to 4 steps. Source: Vaswani et al. 2017,
    https://arxiv.org/abs/1706.03762, section 3.5.
    """
    decode: str = "forward"
    """Which step the decoder emits first: "forward" the first, "backward" the last, which the encoder has just seen.

    Source: Srivastava et al. 2015, https://arxiv.org/abs/1502.04681, section 2.1.
    """
    patch: int = 1
    """Consecutive time steps that form one step of the LSTMs; the last patch of a sequence repeats its last step.

    Source: Nie et al. 2023, https://arxiv.org/abs/2211.14730, section 3.1.
    """
    latent_size: int | None = None
    """Width of the context vector z, by a linear layer before and after it; None for `hidden_size` and no such layers.

    Source: Hinton and Salakhutdinov 2006, https://doi.org/10.1126/science.1127647 (a code narrower than the layers).
    """
    layers: int = 1
    """LSTM layers of the encoder and of the decoder, from 1 to 3; the fast core has 1, nn.LSTM trains more.

    Source: Sutskever et al. 2014, https://arxiv.org/abs/1409.3215, section 2.
    """
    dropout: float = 0.0
    """Share of the values between two layers that training sets to 0, below 1; needs layers > 1 to have an effect.

    Source: Zaremba et al. 2014, https://arxiv.org/abs/1409.2329, section 3.1.
    """
    noise: float = 0.0
    """Standard deviation of the normal noise that training adds to the input, in its units; the target has none.

    Source: Vincent et al. 2008, https://doi.org/10.1145/1390156.1390294.
    """
    mix: float = 0.0
    """Trains on random convex combinations of three sequences of a batch; 0 for none. Not for models that classify.

    It is the parameter of the Dirichlet distribution of their shares: the smaller, the nearer to one of the three.

    Source: Zhang et al. 2018, https://arxiv.org/abs/1710.09412.
    """
    weight_decay: float = 0.0
    """Share by which a step of size 1 shrinks the weights, decoupled from the gradient; biases are left as they are.

    Source: Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101.
    """
    average: float = 0.0
    """Decay of the exponential moving average of the weights, which is what is evaluated and saved; 0 for none.

    Source: Polyak and Juditsky 1992, https://doi.org/10.1137/0330046.
    """
    epochs: int = 300
    """Passes over the training split; a schedule spans all of them."""
    seed: int = 0
    """Seeds the starting weights, the order of the batches, and whatever is drawn in training."""

    def __post_init__(self) -> None:
        for name, (rule, holds) in RULES.items():
            value = getattr(self, name)
            if not holds(value):
                raise UserError(f"{name} must be {rule}, got {value!r}")

    @property
    def stated(self) -> dict[str, Any]:
        """Its fields by name, without the options that are off."""
        return {name: value for name, value in asdict(self).items() if name in ALWAYS or value != DEFAULTS[name]}

    @property
    def architecture(self) -> Architecture:
        """The shape of its model."""
        return Architecture(**{one.name: getattr(self, one.name) for one in fields(Architecture)})

    @property
    def draws(self) -> bool:
        """Whether training draws random numbers besides the order of the batches."""
        return bool(self.noise or self.mix or (self.dropout and self.layers > 1))

    @property
    def context_size(self) -> int:
        """Width of the context vector z."""
        return self.latent_size or self.hidden_size


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _is_count(value: object, most: float = math.inf) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most


def _is_even(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0 and value % 2 == 0


def _is_positive(value: Any) -> bool:
    return _is_number(value) and value > 0


def _is_at_least_0(value: Any) -> bool:
    return _is_number(value) and value >= 0


def _is_share(value: Any) -> bool:
    return _is_number(value) and 0 <= value < 1


def _one_of(names: tuple[str, ...]) -> tuple[str, Callable[[Any], bool]]:
    return f"one of {', '.join(names)}", lambda value: value in names


DEFAULTS: Mapping[str, Any] = {one.name: one.default for one in fields(Configuration)}
ALWAYS = ("hidden_size", "lr", "clip", "batch_size", "init", "schedule", "epochs", "seed")
"""What every run has; the other fields are options, off by default."""
COUNT = ("a whole number >= 1", _is_count)
SHARE = ("a number from 0 to below 1", _is_share)
RULES: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    **dict.fromkeys(("hidden_size", "batch_size", "epochs", "patch"), COUNT),
    "lr": ("a number > 0", _is_positive),
    "clip": ("a number > 0, or none for no clipping", lambda value: value is None or _is_positive(value)),
    "time_features": ("an even whole number >= 0", _is_even),
    "latent_size": ("a whole number >= 1, or none", lambda value: value is None or _is_count(value)),
    "layers": (f"a whole number from 1 to {MOST_LAYERS}", lambda value: _is_count(value, MOST_LAYERS)),
    "dropout": SHARE,
    "average": SHARE,
    **dict.fromkeys(("mix", "weight_decay", "noise"), ("a number >= 0", _is_at_least_0)),
    "init": _one_of(INITIALISATIONS),
    "schedule": _one_of(SCHEDULES),
    "decode": _one_of(DECODES),
    "seed": ("a whole number from 0 to 2**32 - 1", lambda value: isinstance(value, int) and 0 <= value < 2**32),
}
"""What each field must be, in words and as a test."""
