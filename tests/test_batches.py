"""Sequences of different lengths, windows of one series, and missing values, as batches."""

import numpy as np
import pytest
import torch

from ae.batches import POOL, DeviceSplit
from ae.splits import Split

LENGTHS = np.array([3, 9, 1, 5, 5, 2, 8, 4, 7, 6] * 30)


@pytest.fixture
def ragged():
    rng = np.random.default_rng(0)
    steps_SF = rng.random((LENGTHS.sum(), 2), dtype=np.float32)
    starts_N = np.concatenate([[0], LENGTHS.cumsum()[:-1]])
    return Split(steps_SF=steps_SF, starts_N=starts_N, lengths_N=LENGTHS, labels_N=np.arange(len(LENGTHS)))


def sequences_of(batch):
    """The sequences of a batch without their padding, and whether all else is 0."""
    ends = [batch.inputs_BTF.shape[1]] * len(batch) if batch.lengths_B is None else batch.lengths_B.tolist()
    padding = torch.cat([one[end:] for one, end in zip(batch.inputs_BTF, ends, strict=True)])
    return [one[:end].numpy() for one, end in zip(batch.inputs_BTF, ends, strict=True)], bool((padding == 0).all())


def test_every_sequence_is_in_one_batch_of_an_epoch_as_it_is(ragged):
    split = DeviceSplit(ragged, "cpu")
    seen = []
    for where in split.shuffled(16, torch.Generator().manual_seed(0)):
        batch = split.batch(where)
        sequences, is_padded_with_zeros = sequences_of(batch)
        assert is_padded_with_zeros
        assert batch.real_BTF.sum() == sum(len(one) for one in sequences) * 2
        for index, label, sequence in zip(where.tolist(), batch.labels_B.tolist(), sequences, strict=True):
            assert index == label
            np.testing.assert_array_equal(sequence, ragged.sequence(index))
        seen += where.tolist()
    assert sorted(seen) == list(range(len(ragged)))


def test_batches_group_similar_lengths_in_an_order_that_a_seed_fixes(ragged):
    split = DeviceSplit(ragged, "cpu")

    def batches(seed):
        return [where.tolist() for where in split.shuffled(8, torch.Generator().manual_seed(seed))]

    assert batches(1) == batches(1) != batches(2)
    longest = [LENGTHS[where].max() for where in batches(1)]
    padded = sum(most * len(where) for most, where in zip(longest, batches(1), strict=True))
    assert padded < 1.15 * LENGTHS.sum(), "in a random order it would be about 1.7 times"
    assert longest != sorted(longest), "long batches must not all come last"
    assert len(longest) > POOL, "there must be more than one pool"


def test_an_evaluation_has_every_sequence_once(ragged):
    split = DeviceSplit(ragged, "cpu")
    seen = torch.cat([where for where, _ in split.in_order()])
    assert sorted(seen.tolist()) == list(range(len(ragged)))


def test_windows_of_one_series_are_views_of_it():
    series = np.arange(20, dtype=np.float32)[:, None]
    starts = np.arange(0, 16, 2)
    windows = Split(steps_SF=series, starts_N=starts, lengths_N=np.full(len(starts), 5))
    assert np.shares_memory(windows.take([3, 4]).steps_SF, series)
    batch = DeviceSplit(windows, "cpu").batch(torch.tensor([0, 7]))
    assert batch.inputs_BTF[:, :, 0].tolist() == [[0, 1, 2, 3, 4], [14, 15, 16, 17, 18]]
    assert batch.lengths_B is None
    assert batch.real_BTF is None
    assert windows.inputs_NTF.shape == (8, 5, 1)


def test_what_is_missing_is_not_real(ragged):
    observed_SF = np.random.default_rng(1).random(ragged.steps_SF.shape) < 0.7
    split = Split(
        steps_SF=ragged.steps_SF, starts_N=ragged.starts_N, lengths_N=ragged.lengths_N, observed_SF=observed_SF
    )
    total = sum(int(batch.real_BTF.sum()) for _, batch in DeviceSplit(split, "cpu").in_order())
    assert total == observed_SF.sum()


def test_some_of_a_split_keep_their_own_steps(ragged):
    some = ragged.take([7, 2, 2, 250])
    assert some.labels_N.tolist() == [7, 2, 2, 250]
    for index, original in enumerate([7, 2, 2, 250]):
        np.testing.assert_array_equal(some.sequence(index), ragged.sequence(original))
    assert len(ragged.head(3).steps_SF) == 3 + 9 + 1
    assert len(ragged.head(10**6)) == len(ragged)


def test_sequences_of_different_lengths_are_not_one_array(ragged):
    with pytest.raises(ValueError, match="must have one length, got 1 to 9"):
        _ = ragged.inputs_NTF
