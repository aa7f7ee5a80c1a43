import numpy as np
import pytest

from ae.data import mnist
from ae.errors import UserError


def test_the_embedded_data_is_mnist_split_the_same_way_every_time():
    first, second = mnist.load(None), mnist.load(None)
    assert [len(split) for split in (first.train, first.validation, first.test)] == [50_000, 10_000, 10_000]
    assert first.train.inputs_NTF.shape[1:] == (28, 28)
    assert (first.train.inputs_NTF.min(), first.train.inputs_NTF.max()) == (0.0, 1.0)
    assert np.array_equal(first.validation.inputs_NTF, second.validation.inputs_NTF)
    assert np.bincount(first.test.labels_N).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_a_damaged_cache_is_unpacked_again(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    mnist.load(None)
    labels = tmp_path / "lstm-ae-sweeps" / "MNIST" / "raw" / "t10k-labels-idx1-ubyte"
    labels.write_bytes(labels.read_bytes()[:100])
    assert len(mnist.load(None).test.labels_N) == 10_000


def test_an_unwritable_cache_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(UserError, match="set XDG_CACHE_HOME to a writable folder"):
        mnist.load(None)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("names", [{}, {"prefix": "emnist-digits-", "t10k": "test"}])
def test_any_idx_data_set_of_that_shape_loads(write_idx, tmp_path, packed, names):
    splits = mnist.load(write_idx(tmp_path / "idx", packed=packed, **names))
    assert [len(split) for split in (splits.train, splits.validation, splits.test)] == [50, 10, 20]


def test_hidden_files_are_not_taken_for_data(write_idx, tmp_path):
    folder = write_idx(tmp_path / "idx", packed=True)
    (folder / "._train-images-idx3-ubyte.gz").write_bytes(b"of macOS")
    assert len(mnist.load(folder).train) == 50


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"side": 32}, r"28 x 28, got \(32, 32\)"), ({"labels": 26}, "labels must be 0 to 9, got 25")],
)
def test_an_idx_data_set_of_another_shape_is_refused(write_idx, tmp_path, wrong, message):
    with pytest.raises(UserError, match=message):
        mnist.load(write_idx(tmp_path, **wrong))


def test_missing_torn_and_strange_files_are_named(write_idx, tmp_path):
    folder = write_idx(tmp_path / "idx", packed=True)
    images = folder / "train-images-idx3-ubyte.gz"
    whole = images.read_bytes()
    for content, message in ((whole[:50], "train-images"), (b"text", "train-images"), (None, "train-images")):
        images.unlink() if content is None else images.write_bytes(content)
        with pytest.raises(UserError, match=message) as error:
            mnist.load(folder)
        assert "\n" not in str(error.value)
    (folder / "train-images-idx3-ubyte").write_bytes(b"not an idx file at all")
    with pytest.raises(UserError, match="train images or labels: not an idx file"):
        mnist.load(folder)


def test_two_data_sets_in_one_folder_are_not_mixed(write_idx, tmp_path):
    write_idx(tmp_path, prefix="a-")
    write_idx(tmp_path, prefix="b-")
    with pytest.raises(UserError, match=r"more than one data set: a-train-images-idx3-ubyte, b-train-.*one data set$"):
        mnist.load(tmp_path)
    (tmp_path / "b-t10k-labels-idx1-ubyte").unlink()
    assert len(mnist.load(tmp_path).test) == 20
    (tmp_path / "a-train-images-idx3-ubyte").unlink()
    with pytest.raises(UserError, match="with the same prefix or none"):
        mnist.load(tmp_path)
