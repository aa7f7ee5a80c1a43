"""What the core could have been: other ways to train the same two LSTMs, and what each costs to build.

Shape suffixes: T time steps, B batch, F features, H hidden units, G = 4H gates.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import threadpoolctl
import torch
from torch import Tensor

import tables
from ae.kernels.autograd import decode
from ae.model import LSTM_AE
from settings import Settings
from timing import alternate, medians

STEPS = FEATURES = 28
"""T and F: an MNIST image, a row a time step."""
BUILD = "import time; from ae import kernels as k; t = time.perf_counter(); k.library(); print(time.perf_counter() - t)"
"""Prints the seconds that the core takes to be built and loaded."""
REMARKS = (
    "ms: forward and backward through encoder and decoder of (T, F) = (28, 28), without output layer, loss and Adam; "
    "float32, one thread; medians of blocks that take turns.",
    "nn.LSTM: torch trains it through oneDNN on this kind of machine; without oneDNN: the same module with "
    "torch.backends.mkldnn off.",
    "torch.compile: the cell by hand, the loop over time unrolled; numba: candidates_numba.py; core: ae/kernels/.",
    "build (s): to the first result with no cache, a fresh compilation for each shape where a candidate needs one.",
)

Call = Callable[[], object]


def run(settings: Settings) -> None:
    """Time every candidate that is installed here; a row a shape and candidate."""
    torch.set_num_threads(1)
    torch.compiler.config.force_disable_caches = True
    shared_s = {"core": _core_build_s()}
    rows, raw = [], []
    for hidden, batch in product(settings.hidden_sizes, settings.batch_sizes):
        calls, build_s = {}, {}
        for name, make in candidates().items():
            print(f"candidates: H {hidden}, batch {batch}: {name}", flush=True)
            started = time.perf_counter()
            calls[name] = make(hidden, batch)
            calls[name]()
            build_s[name] = time.perf_counter() - started
        times = alternate(calls, settings.repeats, settings.block_s)
        ms = medians(times)
        rows += [_row(hidden, batch, name, ms, build_s | shared_s) for name in calls]
        raw.append({"H": hidden, "batch": batch, "ms": times, "build_s": build_s | shared_s})
    tables.save(settings.folder, "candidates", rows, raw=raw, remarks=REMARKS)


def candidates() -> dict[str, Callable[[int, int], Call]]:
    """Makers of a forward and backward pass for H and B, by name; what is not installed is named and left out."""
    makers: dict[str, Callable[[int, int], Call]] = {
        "nn.LSTM": _stock,
        "nn.LSTM without oneDNN": _without_onednn,
        "torch.compile": _compiled,
        "core": _core,
    }
    if importlib.util.find_spec("numba"):
        makers["numba"] = _numba
    else:
        print("candidates: numba is not installed and left out (pip install numba)", flush=True)
    return makers


def _row(hidden: int, batch: int, name: str, ms: dict[str, float], build_s: dict[str, float]) -> dict[str, Any]:
    return {
        "H": hidden,
        "batch": batch,
        "candidate": name,
        "ms": ms[name],
        "nn.LSTM / candidate": ms["nn.LSTM"] / ms[name],
        "build (s)": build_s[name],
    }


def _arrays(hidden: int, batch: int) -> tuple[LSTM_AE, Tensor, Tensor]:
    """A model, a batch (B, T, F), and the gradient (B, T, H) that comes back into the decoder."""
    torch.manual_seed(0)
    model = LSTM_AE(FEATURES, hidden, FEATURES)
    return model, torch.rand(batch, STEPS, FEATURES), torch.rand(batch, STEPS, hidden)


def _parameters(model: LSTM_AE) -> list[Tensor]:
    return [*model.encoder.parameters(), *model.decoder.parameters()]


def _stock(hidden: int, batch: int) -> Call:
    model, inputs_BTF, gradient_BTH = _arrays(hidden, batch)
    parameters = _parameters(model)

    def call() -> object:
        _, (context_1BH, _) = model.encoder(inputs_BTF)
        context_BTH = context_1BH[0].unsqueeze(1).expand(-1, STEPS, -1)
        return torch.autograd.grad(model.decoder(context_BTH)[0], parameters, gradient_BTH)

    return call


def _without_onednn(hidden: int, batch: int) -> Call:
    stock = _stock(hidden, batch)

    def call() -> object:
        with torch.backends.mkldnn.flags(enabled=False):
            return stock()

    return call


def _core(hidden: int, batch: int) -> Call:
    model, inputs_BTF, gradient_BTH = _arrays(hidden, batch)
    parameters = _parameters(model)
    return lambda: torch.autograd.grad(decode(model.encoder, model.decoder, inputs_BTF), parameters, gradient_BTH)


def _core_build_s() -> float:
    """Seconds to build the core in an empty cache folder."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", BUILD]
        environment = os.environ | {"XDG_CACHE_HOME": folder}
        return float(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def _lstm(products_TBG: Tensor, recurrent_GH: Tensor) -> Tensor:
    """The hidden states (T, B, H) of an LSTM whose inputs were multiplied by their weights."""
    hidden_BH = cell_BH = products_TBG.new_zeros(products_TBG.shape[1], recurrent_GH.shape[1])
    hidden_TBH = []
    for product_BG in products_TBG.unbind(0):
        i, f, g, o = (product_BG + hidden_BH @ recurrent_GH.t()).chunk(4, dim=1)
        cell_BH = f.sigmoid() * cell_BH + i.sigmoid() * g.tanh()
        hidden_BH = o.sigmoid() * cell_BH.tanh()
        hidden_TBH.append(hidden_BH)
    return torch.stack(hidden_TBH)


def _decode(inputs_TBF: Tensor, *weights: Tensor) -> Tensor:
    """Both LSTMs by hand, from the parameters of the encoder and the decoder; returns (T, B, H)."""
    e_ih, e_hh, e_bias, e_bias_2, d_ih, d_hh, d_bias, d_bias_2 = weights
    context_BH = _lstm(inputs_TBF @ e_ih.t() + e_bias + e_bias_2, e_hh)[-1]
    return _lstm((context_BH @ d_ih.t() + d_bias + d_bias_2).expand(STEPS, -1, -1), d_hh)


def _compiled(hidden: int, batch: int) -> Call:
    model, inputs_BTF, gradient_BTH = _arrays(hidden, batch)
    parameters = _parameters(model)
    inputs_TBF, gradient_TBH = (one.transpose(0, 1).contiguous() for one in (inputs_BTF, gradient_BTH))
    torch.compiler.reset()
    compiled = torch.compile(_decode)
    return lambda: torch.autograd.grad(compiled(inputs_TBF, *parameters), parameters, gradient_TBH)


def _numba(hidden: int, batch: int) -> Call:
    import candidates_numba  # is compiled here, and only where numba is installed

    threadpoolctl.threadpool_limits(1, user_api="blas")  # of NumPy and of SciPy, whose BLAS Numba calls
    model, inputs_BTF, gradient_BTH = _arrays(hidden, batch)
    inputs_TBF, gradient_TBH = (np.ascontiguousarray(one.transpose(0, 1).numpy()) for one in (inputs_BTF, gradient_BTH))
    encoder, decoder = (_transposed(lstm) for lstm in (model.encoder, model.decoder))
    return lambda: candidates_numba.gradients(inputs_TBF, gradient_TBH, encoder, decoder)


def _transposed(lstm: torch.nn.LSTM) -> tuple[Any, Any, Any]:
    """Its weights as `candidates_numba.Weights`."""
    weights = {name: weight.detach() for name, weight in lstm.named_parameters()}
    bias_G = weights["bias_ih_l0"] + weights["bias_hh_l0"]
    input_IG, recurrent_HG = (weights[name].t().contiguous() for name in ("weight_ih_l0", "weight_hh_l0"))
    return input_IG.numpy(), recurrent_HG.numpy(), bias_G.numpy()
