"""Images in idx files, named and laid out as people bring them."""

import gzip
import shutil
import struct

import numpy as np
import pytest

from ae.data import mnist
from ae.data.idx import TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS
from ae.errors import UserError
from ae.tasks import find


def sizes(splits):
    return [len(split) for split in (splits.train, splits.validation, splits.test)]


def refusal(folder, load=mnist.load):
    with pytest.raises(UserError) as error:
        load(folder)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_embedded_data_is_mnist_split_the_same_way_every_time():
    first, second = mnist.load(None), mnist.load_labelled(None)
    assert sizes(first) == [50_000, 10_000, 10_000]
    assert first.train.inputs_NTF.shape[1:] == (28, 28)
    assert (first.train.inputs_NTF.min(), first.train.inputs_NTF.max()) == (0.0, 1.0)
    assert np.array_equal(first.validation.inputs_NTF, second.validation.inputs_NTF)
    assert np.bincount(first.test.labels_N).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert first.test.class_names == tuple("0123456789")
    assert "without labels" not in first.source


# Names and places


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("names", [{}, {"prefix": "emnist-digits-", "t10k": "test"}])
def test_any_idx_data_set_of_that_shape_loads(write_idx, tmp_path, packed, names):
    assert sizes(mnist.load(write_idx(tmp_path / "idx", packed=packed, **names))) == [50, 10, 20]


@pytest.mark.parametrize(
    "rename",
    [
        lambda name: name.replace("-idx", ".idx"),
        lambda name: name + ".idx",
        lambda name: name.replace("-idx", ".idx") + ".idx",
        lambda name: name.replace("-idx3-ubyte", ".idx").replace("-idx1-ubyte", ".idx"),
        lambda name: name.replace("-ubyte", ""),
        lambda name: name.replace("t10k-", "test_").replace("train-", "train_"),
        str.upper,
        lambda name: f"{name}/{name}",
        lambda name: f"raw/{name}",
        lambda name: f"FashionMNIST/raw/{name}",
        lambda name: f"archive/{name}",
        lambda name: f"archive/{name}/{name.replace('-idx', '.idx')}",
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_names_and_folders_as_unpackers_kaggle_and_torchvision_make_them_load(write_idx, tmp_path, rename, packed):
    expected = mnist.load(write_idx(tmp_path / "usual"))
    for path in sorted((tmp_path / "usual").iterdir()):
        place = tmp_path / "theirs" / (rename(path.name) + ".gz" * packed)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(gzip.compress(path.read_bytes()) if packed else path.read_bytes())
    splits = mnist.load(tmp_path / "theirs")
    assert np.array_equal(splits.test.inputs_NTF, expected.test.inputs_NTF)
    assert np.array_equal(splits.train.labels_N, expected.train.labels_N)


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("idx-binary", ["3", "8"]),
        ("idx-dot", list("0123456789")),
        ("idx-kaggle", list("0123456789")),
        ("idx-letters", [str(number) for number in range(1, 27)]),
    ],
)
def test_the_cases_as_people_bring_them_load(request, name, classes):
    folder = request.config.rootpath.parent / "shared" / "cases" / name
    if not folder.exists():
        pytest.skip("the cases are not there")
    rec, cls = (find(task).load(folder, None) for task in ("mnist-rec", "mnist-cls"))
    assert sizes(rec) == sizes(cls)
    assert list(rec.test.class_names) == list(cls.train.class_names) == classes
    assert find("mnist-cls").model(cls.train)["labels"] == len(classes)


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_is_what_it_holds_not_what_its_ending_says(write_idx, tmp_path, packed):
    """A browser may unpack what it downloads, and keep the name."""
    for path in write_idx(tmp_path, packed=packed).iterdir():
        path.rename(path.with_suffix("") if packed else path.with_name(f"{path.name}.gz"))
    assert sizes(mnist.load(tmp_path)) == [50, 10, 20]


def test_hidden_files_are_not_taken_for_data(write_idx, tmp_path):
    folder = write_idx(tmp_path / "idx", packed=True)
    (folder / "._train-images-idx3-ubyte.gz").write_bytes(b"of macOS")
    assert sizes(mnist.load(folder)) == [50, 10, 20]


def test_the_nearest_data_set_is_taken_and_one_with_labels_first(write_idx, tmp_path):
    write_idx(tmp_path / "a" / "raw", train=30)
    assert sizes(mnist.load(tmp_path)) == [25, 5, 20]
    write_idx(tmp_path / "b", train=36)
    assert sizes(mnist.load(tmp_path)) == [30, 6, 20]
    write_idx(tmp_path, train=42)
    assert sizes(mnist.load(tmp_path)) == [35, 7, 20]
    (tmp_path / TEST_LABELS).unlink()
    assert sizes(mnist.load(tmp_path)) == [30, 6, 20]
    (tmp_path / "b" / TRAIN_IMAGES).unlink()
    shutil.rmtree(tmp_path / "a")
    assert sizes(mnist.load(tmp_path)) == [35, 7, 20]


def test_two_data_sets_in_one_place_are_not_mixed(write_idx, tmp_path):
    for prefix in "abcdefg":
        write_idx(tmp_path, prefix=f"{prefix}-")
    message = refusal(tmp_path)
    assert ": a-train-images-idx3-ubyte, b-train-" in message
    assert "e-train-images-idx3-ubyte and 2 more; --data takes a folder with one data set" in message
    for prefix in "bcdefg":
        (tmp_path / f"{prefix}-t10k-labels-idx1-ubyte").unlink()
    assert mnist.load(tmp_path).source.endswith(", a-*")
    (tmp_path / "a-train-images-idx3-ubyte").unlink()
    assert "more than one data set: b-train-images-idx3-ubyte, c-" in refusal(tmp_path)
    for name in ("MNIST", "FashionMNIST"):
        write_idx(tmp_path / "root" / name / "raw")
    assert f"FashionMNIST/raw/{TRAIN_IMAGES}, MNIST/raw/{TRAIN_IMAGES}; " in refusal(tmp_path / "root")


# What is refused


def test_a_folder_without_a_data_set_is_told_what_it_has(write_idx, tmp_path):
    assert "nothing is there" in refusal(tmp_path)
    for name in ("a.npz", "b.csv", "c.txt", "d", "e", "f", "g"):
        (tmp_path / name).touch()
    (tmp_path / "b").mkdir()
    message = refusal(tmp_path)
    assert "it has a.npz, b/, b.csv, c.txt, d and 3 more; a data set has train-images-idx3-ubyte, " in message
    write_idx(tmp_path, prefix="x-")
    (tmp_path / "x-t10k-images-idx3-ubyte").unlink()
    message = refusal(tmp_path)
    assert "no file named x-t10k-images-idx3-ubyte or x-t10k-images-idx3-ubyte.gz; it has a.npz, " in message
    assert "not a folder" in refusal(tmp_path / "a.npz")
    assert "not a folder" in refusal(tmp_path / ("x" * 5000))


def test_torn_and_strange_files_are_named(write_idx, tmp_path):
    folder = write_idx(tmp_path / "idx", packed=True)
    images = folder / "train-images-idx3-ubyte.gz"
    whole = images.read_bytes()
    plain = gzip.decompress(whole)
    for content, message in (
        (whole[:50], "cannot be read"),
        (whole[:1000] + b"x" + whole[1001:], "cannot be read"),
        (b"", "00 00 08 03, which means bytes in 3 dimensions, got nothing"),
        (b"text", "got 74 65 78 74"),
        (plain[:-1], "damaged: its header says 60 x 28 x 28 bytes, but 47,039 follow"),
        (plain + b"x", "47,041 follow"),
        (struct.pack(">IIII", 0x803, 0, 28, 28), "damaged"),
        (struct.pack(">IIII", 0x803, 2**31, 2**31, 2**31), "damaged"),
        (struct.pack(">IIIII", 0x804, 60, 28, 28, 1) + plain[16:], "not an idx file of images"),
    ):
        images.write_bytes(content)
        found = refusal(folder)
        assert found.startswith(f"{images}: ")
        assert message in found


def test_images_may_have_any_size_but_one(write_idx, tmp_path):
    folder = write_idx(tmp_path / "wide", side=(4, 6))
    assert mnist.load(folder).train.inputs_NTF.shape == (50, 4, 6)
    assert find("mnist-cls").model(mnist.load(folder).train) == {"input_size": 6, "output_size": 6, "labels": 10}
    assert "must be square for mnist-pixel, got 4 x 6" in refusal(folder, find("mnist-pixel").load)
    other = write_idx(tmp_path / "square", side=5)
    assert find("mnist-pixel").load(other).train.inputs_NTF.shape == (50, 25, 1)
    shutil.copy(other / "t10k-images-idx3-ubyte", folder)
    assert "images must be 4 x 6, like those of train-images-idx3-ubyte, got 5 x 5" in refusal(folder)
    assert "at least 6 images are needed, got 5" in refusal(write_idx(tmp_path / "few", train=5))


# Labels


@pytest.fixture
def odd_labels(write_idx, tmp_path):
    """Makes a data set whose label files hold these numbers; None leaves a file out."""

    def make(train, test):
        folder = write_idx(tmp_path / "idx")
        for name, labels in ((TRAIN_LABELS, train), (TEST_LABELS, test)):
            (folder / name).unlink()
            if labels is not None:
                content = (
                    labels if isinstance(labels, bytes) else struct.pack(">II", 0x801, len(labels)) + bytes(labels)
                )
                (folder / name).write_bytes(content)
        return folder

    return make


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (None, [1, 2] * 10, f"no file named {TRAIN_LABELS}"),
        ([1, 2] * 30, None, f"no file named {TEST_LABELS}"),
        ([1, 2] * 31, [1, 2] * 10, f"{TRAIN_LABELS}: there must be one label per image, 60, got 62"),
        ([1, 2] * 30, [1] * 19, f"{TEST_LABELS}: there must be one label per image, 20, got 19"),
        ([1, 2] * 30, [1, 9] * 10, f"{TEST_LABELS}: labels must be among those of {TRAIN_LABELS}, got 9"),
        ([7] * 60, [7] * 20, "there must be two classes or more, all labels are 7"),
        (b"text", [1, 2] * 10, f"{TRAIN_LABELS}: not an idx file of labels"),
    ],
)
def test_labels_that_do_not_fit_matter_to_mnist_cls_alone(odd_labels, train, test, message):
    folder = odd_labels(train, test)
    assert message in refusal(folder, find("mnist-cls").load)
    for task in ("mnist-rec", "mnist-pixel"):
        splits = find(task).load(folder)
        assert splits.source.endswith(", without labels")
        assert sizes(splits) == [50, 10, 20]
        assert splits.test.labels_N is None


def test_classes_are_the_numbers_of_the_training_labels(odd_labels):
    splits = mnist.load_labelled(odd_labels([3, 200, 41] * 20, [41, 41, 3, 3] * 5))
    assert splits.train.class_names == splits.test.class_names == ("3", "41", "200")
    assert sorted(np.bincount(np.concatenate([splits.train.labels_N, splits.validation.labels_N]))) == [20, 20, 20]
    assert np.bincount(splits.test.labels_N).tolist() == [10, 10]
    assert find("mnist-cls").model(splits.subset(1).train)["labels"] == 3
