"""A model as one graph, which needs none of this code: ONNX, or a program of torch.export.

Shape suffixes: B batch, T time steps, F features, Z values of the context vector, C classes.
"""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch._decomp import global_decomposition_table
from torch.export import Dim, ExportedProgram
from torch.fx.experimental import _config as shapes_config

from ae.model import LSTM_AE, at_end
from ae.scoring import mean_squares
from ae.units import Units

OPSET = 18
"""Of ONNX: the oldest that PyTorch writes, so that the most runtimes know it."""
TOLERANCE = 1e-5
"""Largest difference from PyTorch, on the model's scale, on which values and codes are about 1."""
CASES = ((1, 1), (2, 3), (5, 40), (3, 130))
"""Sequences and time steps of the batches that are compared."""
AXES = {"values": {0: "batch", 1: "steps"}, "lengths": {0: "batch"}}
"""Axes of the inputs that may have any size, by their names."""
METADATA = "metadata.json"
"""The extra file of a torch program."""
IN_UNITS = ("reconstruction", "forecast")
"""Outputs in the data's own units."""

Arrays = Mapping[str, NDArray[Any]]


class Graph(nn.Module):
    """From values in the data's own units to all that a model says about them.

    Args:
        network: on the CPU, in evaluation mode.
        units: of its task.
    """

    def __init__(self, network: LSTM_AE, units: Units) -> None:
        super().__init__()
        self.network, self.units = network, units

    def forward(self, values: Tensor, lengths: Tensor | None = None) -> dict[str, Tensor]:
        """All outputs by their names.

        Args:
            values: (B, T, F), float64.
            lengths: (B,), int64, from 1 to T; only if the units have lengths.

        Returns:
            reconstruction: (B, T, F), float64, in the data's own units; after the end of a sequence it means nothing.
            z: (B, Z), the context vectors.
            error: (B,), the mean squared error on the model's scale; NaN for a sequence without any value.
            probabilities: (B, C), with a head for classes.
            forecast: (B, F), float64, the step after each sequence's last one, with a head that predicts.
        """
        given = self.units(values, lengths)
        batch, steps, _ = values.shape
        ends_B = torch.full((batch,), steps, device=values.device) if lengths is None else lengths
        context_BZ = self.network.encode(given.inputs_BTF, ends_B)
        output = self.network.decoded(context_BZ, steps, ends_B)
        error_B = mean_squares(output.reconstruction_BTO, given.inputs_BTF, given.real_BTF)
        if given.real_BTF is not None:
            error_B = torch.where(given.real_BTF.sum(dim=(1, 2)) > 0, error_B, torch.nan)
        found = {
            "reconstruction": output.reconstruction_BTO.double() * given.spread + given.centre,
            "z": context_BZ,
            "error": error_B,
        }
        if output.logits_BC is not None:
            found["probabilities"] = output.logits_BC.softmax(dim=1)
        if output.prediction_BTO is not None:
            forecast_B1F = at_end(output.prediction_BTO, ends_B).unsqueeze(1)
            found["forecast"] = (forecast_B1F.double() * given.spread + given.centre).squeeze(1)
        return found

    def example(self, batch: int, steps: int, seed: int = 0) -> dict[str, Tensor]:
        """Random inputs by their names."""
        generator = torch.Generator().manual_seed(seed)
        values = self.units.example(batch, steps, self.network.input_size, generator)
        if not self.units.has_lengths:
            return {"values": values}
        lengths = torch.randint(1, steps + 1, (batch,), generator=generator)
        lengths[-1] = steps
        return {"values": values, "lengths": lengths}


def torch_program(graph: Graph, metadata: Mapping[str, str]) -> bytes:
    """A file that `torch.export.load` reads; the metadata is the extra file `metadata.json`."""
    program, content = _program(graph), io.BytesIO()
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # paths of this machine
    with _quiet():
        torch.export.save(program, content, extra_files={METADATA: json.dumps(dict(metadata), indent=2)})
    return content.getvalue()


def run_torch(content: bytes) -> Callable[[Arrays], Arrays]:
    """What runs a `torch_program`."""
    module = torch.export.load(io.BytesIO(content)).module()

    def run(inputs: Arrays) -> Arrays:
        with torch.inference_mode():
            found = module(**{name: torch.from_numpy(values) for name, values in inputs.items()})
        return {name: values.numpy() for name, values in found.items()}

    return run


def onnx_graph(graph: Graph, metadata: Mapping[str, str]) -> bytes:
    """An ONNX file of the opset `OPSET`; both LSTMs are nodes LSTM.

    Raises:
        ImportError: if onnx or onnxscript is not installed.
    """
    example = graph.example(batch=3, steps=7)
    with _quiet(), _sizes_left_open():
        written = torch.onnx.export(
            _program(graph),
            dynamic_shapes={name: AXES[name] for name in example},
            input_names=list(example),
            output_names=list(graph(**example)),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert written is not None
    for node in written.model.graph:
        node.metadata_props.clear()  # paths of this machine
    written.model.metadata_props.update(metadata)
    content: bytes = written.model_proto.SerializeToString()
    return content


def run_onnx(content: bytes) -> Callable[[Arrays], Arrays]:
    """What runs an `onnx_graph`.

    Raises:
        ImportError: if onnxruntime is not installed.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(names, dict(inputs)), strict=True))


def weights_alone(graph: Graph, metadata: Mapping[str, str]) -> bytes:
    """A file of safetensors: the weights by the names of the state dict of LSTM_AE.

    Raises:
        ImportError: if safetensors is not installed.
    """
    from safetensors.torch import save

    return save(graph.network.state_dict(), dict(metadata))


def largest_difference(graph: Graph, run: Callable[[Arrays], Arrays]) -> float:
    """How far what was written is from PyTorch, over batches of several sizes and lengths.

    A difference is measured on the model's scale: that of a reconstruction in spreads of the training data, which the
    model sees as 1. Where an output is larger than 1, the difference is a share of it.

    Args:
        graph: of the model.
        run: gives the outputs for some inputs.
    """
    differences = [0.0]
    for seed, (batch, steps) in enumerate(CASES):
        inputs = graph.example(batch, steps, seed)
        with torch.inference_mode():
            wanted = {name: values.numpy() for name, values in graph(**inputs).items()}
            given = graph.units(*inputs.values())
        centre, spread = given.centre.numpy(), given.spread.numpy()
        found = run({name: values.numpy() for name, values in inputs.items()})
        lengths_B = inputs["lengths"].numpy() if "lengths" in inputs else np.full(batch, steps)
        is_inside_BT = np.arange(inputs["values"].shape[1]) < lengths_B[:, None]
        for name, right in wanted.items():
            each = [right, found[name]]
            if name in IN_UNITS:
                each = [(values.reshape(batch, -1, values.shape[-1]) - centre) / spread for values in each]
            if name == "reconstruction":
                each = [values[is_inside_BT] for values in each]
            differences.append(_difference(*each))
    return max(differences)


def _difference(wanted: NDArray[Any], found: NDArray[Any]) -> float:
    if wanted.shape != found.shape or not np.array_equal(np.isnan(wanted), np.isnan(found)):
        return float("inf")
    scale = max(1.0, float(np.nanmax(np.abs(wanted), initial=0.0)))
    return float(np.nanmax(np.abs(wanted - found), initial=0.0)) / scale


def _program(graph: Graph) -> ExportedProgram:
    """The graph for batches of any size and length."""
    example = graph.example(batch=3, steps=7)
    shapes = {name: dict.fromkeys(AXES[name], Dim.DYNAMIC) for name in example}
    with torch.no_grad(), _quiet(), _sizes_left_open():
        return torch.export.export(graph, (), example, dynamic_shapes=shapes)


@contextmanager
def _sizes_left_open() -> Iterator[None]:
    """Keep torch from fixing sizes.

    torch.export and torch.onnx take the shapes that an LSTM gives from code that unrolls it for one length; here they
    come from `_lstm_shapes`. And they would allow no size of 1.
    """
    lstm, key = torch.ops.aten.lstm.input, torch._C.DispatchKey.CompositeImplicitAutograd
    post_autograd = global_decomposition_table["post_autograd"]
    tables: tuple[tuple[dict[Any, Any], Any], ...] = ((lstm.py_kernels, key), (post_autograd, lstm))
    before = [table[name] for table, name in tables]
    for table, name in tables:
        table[name] = _lstm_shapes
    try:
        with shapes_config.patch(backed_size_oblivious=True):  # type: ignore[attr-defined]  # torch adds it when it runs
            yield
    finally:
        for (table, name), kernel in zip(tables, before, strict=True):
            table[name] = kernel


def _lstm_shapes(inputs_BTF: Tensor, states: Sequence[Tensor], *arguments: object) -> tuple[Tensor, Tensor, Tensor]:
    """Empty outputs, last hidden and last cell states of an LSTM, by which torch.export traces it."""
    hidden_1BH, cells_1BH = states
    outputs_BTH = inputs_BTF.new_empty(*inputs_BTF.shape[:2], hidden_1BH.shape[2])
    return outputs_BTH, torch.empty_like(hidden_1BH), torch.empty_like(cells_1BH)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what torch says about its own parts: weights of nn.LSTM, and packages that are not there."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
