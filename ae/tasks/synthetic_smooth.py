"""Reconstruct smooth random signals, sums of three sines."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from ae.configuration import Configuration
from ae.data import signals
from ae.tasks import synthetic

TASK = replace(
    synthetic.TASK,
    description="reconstruct 10,000 smooth signals of 50 steps in [0, 1], sums of three random sines; loss MSE",
    load=partial(signals.load, signals.smooth),
    base=Configuration(batch_size=32),
)
