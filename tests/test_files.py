"""Tensors in files: whole, or refused as damaged."""

import io
import random

import pytest
import torch

from ae.files import Damaged, load_torch, torch_bytes

STATE = {
    "model": {"weight": torch.arange(12.0).view(3, 4), "bias": torch.ones(5)},
    "optimizer": {"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{"lr": 0.1, "betas": (0.9, 0.999)}]},
    "schedule": None,
    "epoch": 3,
}
WHOLE = torch_bytes(STATE)


def plain(state):
    """A state whose tensors are lists, so that == compares it."""
    if isinstance(state, torch.Tensor):
        return state.dtype, state.tolist()
    return {name: plain(value) for name, value in state.items()} if isinstance(state, dict) else state


def test_a_state_comes_back_as_it_was():
    assert plain(load_torch(WHOLE, "state.pt")) == plain(STATE)


def read_or_reason(content):
    try:
        return plain(load_torch(content, "state.pt"))
    except Damaged as reason:
        return str(reason)


def test_a_flipped_bit_is_damage_or_changes_nothing():
    """Every bit of the zip's directory, where `torch.load` may read a wrong tensor, and a sample of the other bits."""
    directory = 8 * WHOLE.index(b"PK\x01\x02")
    flipped = [*random.Random(0).sample(range(directory), 2000), *range(directory, 8 * len(WHOLE))]
    reasons = 0
    for bit in flipped:
        content = bytearray(WHOLE)
        content[bit // 8] ^= 1 << bit % 8
        found = read_or_reason(bytes(content))
        if found != plain(STATE):  # a flip in padding, dates or attributes changes nothing
            assert found.startswith("state.pt: ")
            assert "\n" not in found
            reasons += 1
    assert reasons > len(flipped) / 2


@pytest.mark.parametrize("content", [b"", b"PK", b"text", b"\x80\x02}q\x00.", bytes(1000)])
def test_bytes_of_another_kind_are_damage(content):
    with pytest.raises(Damaged, match=r"^state\.pt: "):
        load_torch(content, "state.pt")


def test_a_file_cut_anywhere_is_damage():
    for end in range(0, len(WHOLE), 17):
        with pytest.raises(Damaged):
            load_torch(WHOLE[:end], "state.pt")


def test_a_pickle_that_would_run_code_is_damage_and_does_not_run(tmp_path):
    class Hostile:
        def __reduce__(self):
            return open, (str(tmp_path / "ran"), "w")

    buffer = io.BytesIO()
    torch.save({"weight": Hostile()}, buffer)
    with pytest.raises(Damaged):
        load_torch(buffer.getvalue(), "state.pt")
    assert not (tmp_path / "ran").exists()
