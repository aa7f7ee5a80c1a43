"""The fast core: both LSTMs of LSTM_AE on the CPU, from `core.cpp`, built once a machine.

The library is compiled for the very processor on first use, in about 3 s, and kept in the user's cache folder. It is
loaded with ctypes: it needs no headers of torch or Python, and any version of them can use it.

Shape suffixes: B batch, T time steps, F input features, H hidden units.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ae import cache
from ae.errors import UserError

CORES = ("auto", "fast", "stock")
SOURCE = Path(__file__).with_suffix(".cpp")
OPTIONS = ("-O3", "-march=native", "-std=c++17", "-shared", "-fPIC")
FUSE_ALL = ("--param=avoid-fma-max-bits=0",)
"""Of GCC, which for some processors fuses multiply and add in some loops alone: how a batch is cut would show."""
BUILD_S = 300
"""Seconds that a compiler has."""
WEIGHTS = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")

_spare: list[Tensor] = []
"""The largest workspace so far, when no pass holds it: fresh memory would cost more than its use."""
_lock = threading.Lock()
"""Of the spare one: no two passes get the same."""


class Unavailable(Exception):
    """Why the fast core cannot be used here, in words."""


def use_fast(core: str, device: torch.device) -> bool:
    """Whether a model on `device` is to take the fast core; builds it if need be.

    Args:
        core: "fast" wants it, "stock" wants nn.LSTM, "auto" takes the fast one wherever it can be had, and says in the
            log where it cannot.
        device: of the model.

    Raises:
        UserError: if `core` is neither of the three, or "fast" and it cannot be had.
    """
    if core not in CORES:
        raise UserError(f"core must be one of {', '.join(CORES)}, got {core!r}")
    if core == "stock" or (core == "auto" and device.type != "cpu"):
        return False
    try:
        if device.type != "cpu":
            raise Unavailable(f"it runs on the CPU, not on {device.type}")
        library()
    except Unavailable as why:
        if core == "fast":
            raise UserError(f"core must be auto or stock here, got 'fast': {why}") from None
        logging.getLogger(__name__).warning("nn.LSTM trains, not the fast core: %s", why)
        return False
    return True


def decode(encoder: nn.LSTM, decoder: nn.LSTM, inputs_BTF: Tensor, threads: int | None = None) -> Tensor:
    """The decoded sequences (B, T, H): what `decoder` makes of the last hidden state of `encoder`, repeated T times.

    Agrees with nn.LSTM to float32 rounding, and its gradients to about 1e-6 of the largest. The inputs get none.

    Args:
        encoder: one layer, batch_first, F to H.
        decoder: one layer, batch_first, H to H.
        inputs_BTF: float32 on the CPU.
        threads: that share the work, None for as many as torch has; with any number the result is the same to the bit.
    """
    threads = threads or torch.get_num_threads()
    weights = [getattr(lstm, name) for lstm in (encoder, decoder) for name in WEIGHTS]
    if torch.is_grad_enabled():
        decoded_BTH: Tensor = _Decode.apply(inputs_BTF, threads, *weights)
        return decoded_BTH
    return _forward(inputs_BTF, weights, threads, keep=False)[0]


class _Decode(torch.autograd.Function):
    """Both LSTMs forward, and their weights' gradients back; the workspace goes from one to the other."""

    @staticmethod
    def forward(ctx: Any, inputs_BTF: Tensor, threads: int, *weights: Tensor) -> Tensor:
        """The decoded sequences (B, T, H), of weights in the order of `decode`."""
        decoded_BTH, ctx.workspace = _forward(inputs_BTF, weights, threads, keep=True)
        ctx.save_for_backward(*weights)
        ctx.shape, ctx.threads = (*inputs_BTF.shape, decoded_BTH.shape[2]), threads
        return decoded_BTH

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient_BTH: Tensor) -> tuple[Tensor | None, ...]:
        """None for inputs and threads, then each weight's gradient; RuntimeError the second time."""
        if ctx.workspace is None:
            raise RuntimeError("the fast core goes back through a graph once; use the stock core to do it again")
        weights, workspace, ctx.workspace = ctx.saved_tensors, ctx.workspace, None
        gradient_BTH = gradient_BTH.contiguous()
        gradients = [torch.empty_like(weight) for weight in weights]
        e_ih, e_hh, e_bias, _, d_ih, d_hh, d_bias, _ = gradients
        library().backward(
            *ctx.shape,
            ctx.threads,
            *_pointers(weights[1], weights[4], weights[5], gradient_BTH, workspace),
            *_pointers(e_ih, e_hh, e_bias, d_ih, d_hh, d_bias),
        )
        _put_back(workspace)
        return None, None, e_ih, e_hh, e_bias, e_bias, d_ih, d_hh, d_bias, d_bias


def _forward(inputs_BTF: Tensor, weights: Sequence[Tensor], threads: int, keep: bool) -> tuple[Tensor, Tensor]:
    """The decoded sequences, and the workspace, which `keep` leaves to the backward pass."""
    inputs_BTF = inputs_BTF.contiguous()
    shape = (*inputs_BTF.shape, weights[1].shape[1])
    if inputs_BTF.dtype != torch.float32 or inputs_BTF.device.type != "cpu":
        raise TypeError(f"the fast core takes float32 on the CPU, got {inputs_BTF.dtype} on {inputs_BTF.device}")
    workspace = _borrow(library().workspace_floats(*shape, keep))
    decoded_BTH = torch.empty(shape[0], shape[1], shape[3])
    library().forward(*shape, keep, threads, *_pointers(inputs_BTF, *weights, workspace, decoded_BTH))
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


def library() -> ctypes.CDLL:
    """The compiled core of this machine, built if it is not there yet.

    Raises:
        Unavailable: if there is no compiler, or it fails, or there is nowhere to keep what it makes.
    """
    found = _tried()
    if isinstance(found, Unavailable):
        raise found
    return found


@functools.cache
def _tried() -> ctypes.CDLL | Unavailable:
    """Once a process: a compiler that fails would cost every trial its seconds."""
    try:
        core = ctypes.CDLL(str(_built()))
    except OSError as error:
        return Unavailable(f"the library cannot be loaded: {error}")
    except Unavailable as why:
        return why
    sizes, pointer = [ctypes.c_long] * 4, ctypes.c_void_p
    core.workspace_floats.restype = ctypes.c_size_t
    core.workspace_floats.argtypes = [*sizes, ctypes.c_int]
    core.forward.argtypes = [*sizes, ctypes.c_int, ctypes.c_int, *[pointer] * 11]
    core.backward.argtypes = [*sizes, ctypes.c_int, *[pointer] * 11]
    return core


def _built() -> Path:
    """The library's file; compiled into a file of its own and renamed, so that many workers may start at once."""
    compiler = next(filter(None, map(shutil.which, (os.environ.get("CXX", "c++"), "g++", "clang++"))), None)
    if compiler is None:
        raise Unavailable("no C++ compiler was found (c++, g++, clang++, or $CXX)")
    folder = cache.folder()
    built = folder / f"core-{_key(compiler)}.so"
    if built.exists():
        return built
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as own:
            _compile(compiler, Path(own) / built.name)
            os.replace(Path(own) / built.name, built)
    except OSError as error:
        raise Unavailable(f"{folder} cannot keep the library: {error.strerror or error}") from None
    return built


def _key(compiler: str) -> str:
    """What the library depends on: the source, how it is compiled, and the processor, as a home may be shared."""
    processor = {platform.machine(), platform.processor()}
    if (cpuinfo := Path("/proc/cpuinfo")).exists():
        kinds = ("flags", "Features", "model name")
        processor |= {line for line in cpuinfo.read_text().splitlines() if line.startswith(kinds)}
    parts = [SOURCE.read_text(), compiler, *OPTIONS, *FUSE_ALL, *sorted(processor)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _compile(compiler: str, to: Path) -> None:
    openmp = ("-fopenmp",)  # without it the core keeps to one thread
    for further in ((*FUSE_ALL, *openmp), openmp, FUSE_ALL, ()):  # compilers that do not know an option fail
        try:
            subprocess.run(
                [compiler, *OPTIONS, *further, str(SOURCE), "-o", str(to)],
                check=True,
                capture_output=True,
                text=True,
                timeout=BUILD_S,
            )
            return
        except subprocess.SubprocessError as error:
            words = str(getattr(error, "stderr", "") or error).strip().splitlines()
    raise Unavailable(f"{compiler} failed: {words[-1]}")
