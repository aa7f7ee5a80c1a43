"""LSTM autoencoders for sequences: model, tasks, training. It depends on neither Ray nor `sweeps`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ae.configuration import Configuration

if TYPE_CHECKING:
    from ae.model import LSTM_AE
    from ae.saved import load

__all__ = ["LSTM_AE", "Configuration", "load"]


def __getattr__(name: str) -> Any:
    """The names that need PyTorch, which takes seconds to import; the command line does without it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ae.model import LSTM_AE
    from ae.saved import load

    return {"LSTM_AE": LSTM_AE, "load": load}[name]
