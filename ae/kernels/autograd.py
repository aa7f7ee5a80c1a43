"""The fast core as a differentiable function of torch.

Shape suffixes: B batch, T time steps, F input features, K features of the position, H hidden units.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ae.kernels.build import library

WEIGHTS = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")

_spare: list[Tensor] = []
"""The largest workspace that no pass uses now. Fresh memory would cost more time than the computation in it."""
_lock = threading.Lock()
"""Guards `_spare`: no two passes may get the same workspace."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Extras:
    """What the kernels do besides running two plain LSTMs."""

    backward: bool = False
    """The decoder emits the last step of each sequence first."""
    features_TK: Tensor | None = None
    """Features of each step's position, which both LSTMs read after their other inputs."""
    through: tuple[Tensor, Tensor] | None = None
    """Weights (H, H) and bias (H,) of a linear map between the encoder's last hidden state and the decoder's input."""


NOTHING = Extras()


def decode(
    encoder: nn.LSTM,
    decoder: nn.LSTM,
    inputs_BTF: Tensor,
    lengths_B: Tensor | None = None,
    threads: int | None = None,
    extras: Extras = NOTHING,
) -> Tensor:
    """Run the encoder, repeat its last hidden state T times, and run the decoder on that.

    Agrees with nn.LSTM to float32 rounding; gradients agree to about 1e-6 of the largest one. The inputs get no
    gradient.

    Args:
        encoder: one layer, batch_first, F or F + K to H.
        decoder: one layer, batch_first, H or H + K to H.
        inputs_BTF: float32, on the CPU; finite after the end of a sequence, where it changes nothing.
        lengths_B: int64, steps of each sequence, from 1 to T; None if all have T.
        threads: threads that share the work; None uses torch's number. The result has the same bits for any number.
        extras: what else they do.

    Returns:
        The decoded sequences (B, T, H), 0 after the end of each. Gradients there count for nothing.

    Raises:
        TypeError: if the inputs are not float32 on the CPU, or the lengths not int64.
        ValueError: if a length is not from 1 to T.
    """
    if lengths_B is not None:
        lengths_B = _checked(lengths_B, inputs_BTF)
    threads = threads or torch.get_num_threads()
    weights = [getattr(lstm, name) for lstm in (encoder, decoder) for name in WEIGHTS]
    weights += _fold(weights, extras)
    run = _Pass(lengths_B=lengths_B, backward=extras.backward, threads=threads)
    if torch.is_grad_enabled():
        decoded_BTH: Tensor = _Decode.apply(inputs_BTF, run, *weights)
        return decoded_BTH
    return _forward(inputs_BTF, run, weights, keep=False)[0]


def _fold(weights: list[Tensor], extras: Extras) -> list[Tensor]:
    """Fold a map before the decoder into its weights, in place, and return a table (T, 4H) of both LSTMs' features.

    Torch differentiates what is done here: the kernels know neither features nor a map.
    """
    tables = []
    if (features_TK := extras.features_TK) is not None:
        for at in (0, 4):  # the place of weight_ih
            own = weights[at].shape[1] - features_TK.shape[1]
            tables.append(features_TK @ weights[at][:, own:].T)
            weights[at] = weights[at][:, :own].contiguous()
    if extras.through is not None:
        through_HH, bias_H = extras.through
        weights[4], weights[6] = weights[4] @ through_HH, weights[6] + weights[4] @ bias_H
    return tables


@dataclass(frozen=True, kw_only=True, slots=True)
class _Pass:
    """One pass through both LSTMs."""

    lengths_B: Tensor | None
    backward: bool
    threads: int


class _Decode(torch.autograd.Function):
    """Both LSTMs forward, then the gradients of their weights; the workspace passes from one to the other."""

    @staticmethod
    def forward(ctx: Any, inputs_BTF: Tensor, run: _Pass, *weights: Tensor) -> Tensor:
        """The decoded sequences (B, T, H); the weights come in the order of `decode`, then the tables."""
        decoded_BTH, ctx.workspace = _forward(inputs_BTF, run, weights, keep=True)
        ctx.save_for_backward(*weights)
        ctx.shape, ctx.run = (*inputs_BTF.shape, decoded_BTH.shape[2]), run
        return decoded_BTH

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient_BTH: Tensor) -> tuple[Tensor | None, ...]:
        """None for inputs and pass, then the gradient of each weight; a second call raises RuntimeError."""
        if ctx.workspace is None:
            raise RuntimeError("the fast core runs backward once per graph; use the stock core for a second pass")
        weights, workspace, ctx.workspace = ctx.saved_tensors, ctx.workspace, None
        gradient_BTH, run = gradient_BTH.contiguous(), ctx.run
        gradients = [torch.empty_like(weight) for weight in weights]
        e_ih, e_hh, e_bias, _, d_ih, d_hh, d_bias, _, *tables = gradients
        library().backward(
            *ctx.shape,
            _pointer(run.lengths_B),
            run.backward,
            run.threads,
            *_pointers(weights[1], weights[4], weights[5], gradient_BTH, workspace),
            *_pointers(e_ih, e_hh, e_bias, d_ih, d_hh, d_bias),
            *(_pointers(*tables) or (None, None)),
        )
        _put_back(workspace)
        return None, None, e_ih, e_hh, e_bias, e_bias, d_ih, d_hh, d_bias, d_bias, *tables


def _checked(lengths_B: Tensor, inputs_BTF: Tensor) -> Tensor:
    """The lengths in contiguous memory; the kernels write where they point."""
    if lengths_B.dtype != torch.int64 or lengths_B.shape != inputs_BTF.shape[:1]:
        raise TypeError(f"lengths must be int64, one per sequence, got {lengths_B.dtype}, {tuple(lengths_B.shape)}")
    steps = inputs_BTF.shape[1]
    if len(lengths_B) and not 1 <= int(lengths_B.min()) <= int(lengths_B.max()) <= steps:
        raise ValueError(f"lengths must be from 1 to {steps}, got {int(lengths_B.min())} to {int(lengths_B.max())}")
    return lengths_B.contiguous()


def _forward(inputs_BTF: Tensor, run: _Pass, weights: Sequence[Tensor], keep: bool) -> tuple[Tensor, Tensor]:
    """The decoded sequences and the workspace; with `keep`, the workspace holds what the backward pass needs."""
    inputs_BTF = inputs_BTF.contiguous()
    shape, lengths = (*inputs_BTF.shape, weights[1].shape[1]), _pointer(run.lengths_B)
    if inputs_BTF.dtype != torch.float32 or inputs_BTF.device.type != "cpu":
        raise TypeError(f"the fast core takes float32 on the CPU, got {inputs_BTF.dtype} on {inputs_BTF.device}")
    own, tables = weights[: 2 * len(WEIGHTS)], weights[2 * len(WEIGHTS) :]
    workspace = _borrow(library().workspace_floats(*shape, lengths, bool(tables), keep))
    decoded_BTH = torch.empty(shape[0], shape[1], shape[3])
    library().forward(
        *shape,
        lengths,
        run.backward,
        keep,
        run.threads,
        *_pointers(inputs_BTF, *own),
        *(_pointers(*tables) or (None, None)),
        *_pointers(workspace, decoded_BTH),
    )
    if not keep:
        _put_back(workspace)
    return decoded_BTH, workspace


def _borrow(floats: int) -> Tensor:
    with _lock:
        workspace = _spare.pop() if _spare else None
    return torch.empty(floats) if workspace is None or len(workspace) < floats else workspace


def _put_back(workspace: Tensor) -> None:
    with _lock:
        _spare[:] = [max([*_spare, workspace], key=len)]


def _pointers(*tensors: Tensor) -> list[int]:
    return [tensor.data_ptr() for tensor in tensors]


def _pointer(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()
