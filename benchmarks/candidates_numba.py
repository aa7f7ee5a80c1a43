"""A draft of the core in Numba: matrix products by BLAS, gates in compiled loops.

Time comes first in every array. Shape suffixes: T time steps, B batch, F features, H hidden units, G = 4H gates in
PyTorch's order i, f, g, o.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = np.ndarray[Any, Any]
Weights = tuple[Array, Array, Array]
"""The weights of one LSTM: the input's (I, G), the recurrent (H, G) and the bias (G,)."""


def gradients(inputs_TBF: Array, gradient_TBH: Array, encoder: Weights, decoder: Weights) -> list[Array]:
    """Forward and backward through both LSTMs; returns the gradients of the encoder's and the decoder's weights."""
    steps, batch, features = inputs_TBF.shape
    inputs_NF = inputs_TBF.reshape(-1, features)
    products_TBG = (inputs_NF @ encoder[0] + encoder[2]).reshape(steps, batch, -1)
    hidden_TBH, cells_TBH, gates_TBG = forward(products_TBG, steps, encoder[1])
    context_BH = hidden_TBH[-1]
    context_1BG = (context_BH @ decoder[0] + decoder[2])[None]
    decoded_TBH, decoder_cells_TBH, decoder_gates_TBG = forward(context_1BG, steps, decoder[1])

    sums_TBG = backward(gradient_TBH, decoder_cells_TBH, decoder_gates_TBG, np.ascontiguousarray(decoder[1].T))
    summed_BG = sums_TBG.sum(axis=0)
    of_decoder = [context_BH.T @ summed_BG, _recurrent(decoded_TBH, sums_TBG), summed_BG.sum(axis=0)]
    last_TBH = np.zeros_like(gradient_TBH)
    last_TBH[-1] = summed_BG @ decoder[0].T
    sums_TBG = backward(last_TBH, cells_TBH, gates_TBG, np.ascontiguousarray(encoder[1].T))
    sums_NG = sums_TBG.reshape(len(inputs_NF), -1)
    return [inputs_NF.T @ sums_NG, _recurrent(hidden_TBH, sums_TBG), sums_NG.sum(axis=0), *of_decoder]


def _recurrent(hidden_TBH: Array, sums_TBG: Array) -> Array:
    """The gradient of the recurrent weights, as one product over all the time steps."""
    return hidden_TBH[:-1].reshape(-1, hidden_TBH.shape[2]).T @ sums_TBG.reshape(-1, sums_TBG.shape[2])


@njit(fastmath=True)
def forward(products_TBG: Array, steps: int, recurrent_HG: Array) -> tuple[Array, Array, Array]:
    """Hidden states and cells (T + 1, B, H), zeros first, and gates (T, B, G); one product serves every time step."""
    batch, hidden = products_TBG.shape[1], len(recurrent_HG)
    hidden_TBH = np.zeros((steps + 1, batch, hidden), np.float32)
    cells_TBH = np.zeros((steps + 1, batch, hidden), np.float32)
    gates_TBG = np.empty((steps, batch, 4 * hidden), np.float32)
    one = np.float32(1)
    for t in range(steps):
        sums_BG = products_TBG[t % len(products_TBG)] + np.dot(hidden_TBH[t], recurrent_HG)
        for b in range(batch):
            for h in range(hidden):
                i = one / (one + np.exp(-sums_BG[b, h]))
                f = one / (one + np.exp(-sums_BG[b, hidden + h]))
                g = np.tanh(sums_BG[b, 2 * hidden + h])
                o = one / (one + np.exp(-sums_BG[b, 3 * hidden + h]))
                cell = f * cells_TBH[t, b, h] + i * g
                gates_TBG[t, b, h], gates_TBG[t, b, hidden + h] = i, f
                gates_TBG[t, b, 2 * hidden + h], gates_TBG[t, b, 3 * hidden + h] = g, o
                cells_TBH[t + 1, b, h], hidden_TBH[t + 1, b, h] = cell, o * np.tanh(cell)
    return hidden_TBH, cells_TBH, gates_TBG


@njit(fastmath=True)
def backward(gradient_TBH: Array, cells_TBH: Array, gates_TBG: Array, recurrent_GH: Array) -> Array:
    """The gradient of the gates' sums (T, B, G) from that of the hidden states (T, B, H)."""
    steps, batch, hidden = gradient_TBH.shape
    sums_TBG = np.empty_like(gates_TBG)
    cell_BH = np.zeros((batch, hidden), np.float32)
    carried_BH = np.zeros((batch, hidden), np.float32)
    one = np.float32(1)
    for t in range(steps - 1, -1, -1):
        for b in range(batch):
            for h in range(hidden):
                i, f = gates_TBG[t, b, h], gates_TBG[t, b, hidden + h]
                g, o = gates_TBG[t, b, 2 * hidden + h], gates_TBG[t, b, 3 * hidden + h]
                tanh = np.tanh(cells_TBH[t + 1, b, h])
                output = gradient_TBH[t, b, h] + carried_BH[b, h]
                cell = cell_BH[b, h] + output * o * (one - tanh * tanh)
                sums_TBG[t, b, h] = cell * g * i * (one - i)
                sums_TBG[t, b, hidden + h] = cell * cells_TBH[t, b, h] * f * (one - f)
                sums_TBG[t, b, 2 * hidden + h] = cell * i * (one - g * g)
                sums_TBG[t, b, 3 * hidden + h] = output * tanh * o * (one - o)
                cell_BH[b, h] = cell * f
        carried_BH = np.dot(sums_TBG[t], recurrent_GH)
    return sums_TBG
