"""LSTM autoencoders for sequences: model, tasks, training. It depends on neither Ray nor `sweeps`."""

from ae.configuration import Configuration
from ae.model import LSTM_AE
from ae.saved import load

__all__ = ["LSTM_AE", "Configuration", "load"]
