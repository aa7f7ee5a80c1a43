"""LSTM autoencoders for sequences: model, tasks, training. Knows nothing of Ray."""

from ae.configuration import Configuration
from ae.model import LSTM_AE
from ae.saved import load

__all__ = ["LSTM_AE", "Configuration", "load"]
