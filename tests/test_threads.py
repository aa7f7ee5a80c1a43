"""The choice of threads by what steps take, with a clock that the test sets."""

from types import SimpleNamespace

import pytest
import torch

from ae import threads
from ae.threads import RETRY_STEPS, Threads

BATCHES = torch.arange(6400).split(32)


@pytest.fixture
def train(monkeypatch):
    """Threads that each of 200 steps had; a sequence takes `cost` seconds by them."""
    chooser, model, clock = Threads(), SimpleNamespace(threads=None), [0.0]
    monkeypatch.setattr(threads, "perf_counter", lambda: clock[0])

    def train(choices, cost):
        chooser.choices, used = choices, []
        for batch in chooser.of(BATCHES, model):
            clock[0] += cost[model.threads] * len(batch)
            used.append(model.threads)
        return used, model.threads

    return train


def test_the_faster_number_trains_but_for_a_try_now_and_then(train):
    for cost, best in (({1: 2.0, 4: 1.0}, 4), ({1: 1.0, 4: 9.0}, 1), ({1: 2.0, 4: 1.0}, 4)):
        used, left = train((1, 4), cost)
        assert left == best, "the validation too has the best"
        assert used[-RETRY_STEPS * 2 :].count(best) >= RETRY_STEPS * 2 - 2


def test_a_core_that_becomes_busy_is_left_within_a_few_steps(train):
    train((1, 2), {1: 2.0, 2: 1.0})
    used, _ = train((1, 2), {1: 2.0, 2: 10.0})
    assert used[:RETRY_STEPS].count(2) <= 3


def test_one_number_is_kept_and_with_none_the_model_keeps_its_own(train):
    assert train((3,), {3: 1.0}) == ([3] * len(BATCHES), 3)
    assert train((), {3: 1.0})[0] == [3] * len(BATCHES)
