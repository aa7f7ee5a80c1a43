"""The fast core as a differentiable function of torch.

Shape suffixes: B batch, T time steps, F input features, H hidden units.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
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


def decode(
    encoder: nn.LSTM,
    decoder: nn.LSTM,
    inputs_BTF: Tensor,
    lengths_B: Tensor | None = None,
    threads: int | None = None,
) -> Tensor:
    """Run the encoder, repeat its last hidden state T times, and run the decoder on that.

    Agrees with nn.LSTM to float32 rounding; gradients agree to about 1e-6 of the largest one. The inputs get no
    gradient.

    Args:
        encoder: one layer, batch_first, F to H.
        decoder: one layer, batch_first, H to H.
        inputs_BTF: float32, on the CPU; finite after the end of a sequence, where it changes nothing.
        lengths_B: int64, steps of each sequence, from 1 to T; None if all have T.
        threads: threads that share the work; None uses torch's number. The result has the same bits for any number.

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
    if torch.is_grad_enabled():
        decoded_BTH: Tensor = _Decode.apply(inputs_BTF, lengths_B, threads, *weights)
        return decoded_BTH
    return _forward(inputs_BTF, lengths_B, weights, threads, keep=False)[0]


class _Decode(torch.autograd.Function):
    """Both LSTMs forward, then the gradients of their weights; the workspace passes from one to the other."""

    @staticmethod
    def forward(ctx: Any, inputs_BTF: Tensor, lengths_B: Tensor | None, threads: int, *weights: Tensor) -> Tensor:
        """The decoded sequences (B, T, H); the weights come in the order of `decode`."""
        decoded_BTH, ctx.workspace = _forward(inputs_BTF, lengths_B, weights, threads, keep=True)
        ctx.save_for_backward(*weights)
        ctx.shape, ctx.lengths_B, ctx.threads = (*inputs_BTF.shape, decoded_BTH.shape[2]), lengths_B, threads
        return decoded_BTH

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient_BTH: Tensor) -> tuple[Tensor | None, ...]:
        """None for inputs, lengths and threads, then the gradient of each weight; a second call raises RuntimeError."""
        if ctx.workspace is None:
            raise RuntimeError("the fast core runs backward once per graph; use the stock core for a second pass")
        weights, workspace, ctx.workspace = ctx.saved_tensors, ctx.workspace, None
        gradient_BTH = gradient_BTH.contiguous()
        gradients = [torch.empty_like(weight) for weight in weights]
        e_ih, e_hh, e_bias, _, d_ih, d_hh, d_bias, _ = gradients
        library().backward(
            *ctx.shape,
            _pointer(ctx.lengths_B),
            ctx.threads,
            *_pointers(weights[1], weights[4], weights[5], gradient_BTH, workspace),
            *_pointers(e_ih, e_hh, e_bias, d_ih, d_hh, d_bias),
        )
        _put_back(workspace)
        return None, None, None, e_ih, e_hh, e_bias, e_bias, d_ih, d_hh, d_bias, d_bias


def _checked(lengths_B: Tensor, inputs_BTF: Tensor) -> Tensor:
    """The lengths in contiguous memory; the kernels write where they point."""
    if lengths_B.dtype != torch.int64 or lengths_B.shape != inputs_BTF.shape[:1]:
        raise TypeError(f"lengths must be int64, one per sequence, got {lengths_B.dtype}, {tuple(lengths_B.shape)}")
    steps = inputs_BTF.shape[1]
    if len(lengths_B) and not 1 <= int(lengths_B.min()) <= int(lengths_B.max()) <= steps:
        raise ValueError(f"lengths must be from 1 to {steps}, got {int(lengths_B.min())} to {int(lengths_B.max())}")
    return lengths_B.contiguous()


def _forward(
    inputs_BTF: Tensor, lengths_B: Tensor | None, weights: Sequence[Tensor], threads: int, keep: bool
) -> tuple[Tensor, Tensor]:
    """The decoded sequences and the workspace; with `keep`, the workspace holds what the backward pass needs."""
    inputs_BTF = inputs_BTF.contiguous()
    shape = (*inputs_BTF.shape, weights[1].shape[1])
    if inputs_BTF.dtype != torch.float32 or inputs_BTF.device.type != "cpu":
        raise TypeError(f"the fast core takes float32 on the CPU, got {inputs_BTF.dtype} on {inputs_BTF.device}")
    workspace = _borrow(library().workspace_floats(*shape, _pointer(lengths_B), keep))
    decoded_BTH = torch.empty(shape[0], shape[1], shape[3])
    pointers = _pointers(inputs_BTF, *weights, workspace, decoded_BTH)
    library().forward(*shape, _pointer(lengths_B), keep, threads, *pointers)
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
