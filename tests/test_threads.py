"""The choice of threads by what steps take, with a clock that the test sets."""

from types import SimpleNamespace

import pytest
import torch

from ae import threads
from ae.threads import RETRY, Threads

BATCHES = torch.arange(6400).split(32)


@pytest.fixture
def train(monkeypatch):
    """Threads that each of 200 steps had; a sequence takes `cost` seconds by them."""
    chooser, model, clock = Threads(), SimpleNamespace(threads=None), [0.0]
    monkeypatch.setattr(threads, "perf_counter", lambda: clock[0])

    def train(choices, cost):
        chooser.choices, used = choices, []
        for batch in chooser.timed_batches(BATCHES, model):
            clock[0] += cost[model.threads] * len(batch)
            used.append(model.threads)
        return used, model.threads

    return train


def test_the_faster_number_trains_and_tries_of_the_other_take_a_small_part_of_the_time(train):
    cost = {1: 1.0, 4: 5.0}
    used, left = train((1, 4), cost)
    assert left == 1, "the validation too has the best"
    assert 2 <= used.count(4) <= 1 + len(used) / (RETRY * cost[4]) + 1


def test_a_core_that_becomes_free_is_taken(train):
    train((1, 2), {1: 1.0, 2: 5.0})
    for _ in range(4):
        used, _ = train((1, 2), {1: 1.0, 2: 0.6})
    assert used[-RETRY:].count(2) >= RETRY - 1


def test_a_core_that_becomes_busy_is_left_within_a_few_steps(train):
    train((1, 2), {1: 2.0, 2: 1.0})
    used, _ = train((1, 2), {1: 2.0, 2: 10.0})
    assert used[:RETRY].count(2) <= 3


def test_one_number_is_kept_and_with_none_the_model_keeps_its_own(train):
    assert train((3,), {3: 1.0}) == ([3] * len(BATCHES), 3)
    assert train((), {3: 1.0})[0] == [3] * len(BATCHES)
