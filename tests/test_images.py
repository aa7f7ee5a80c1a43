"""Image data sets of other classes and sizes than MNIST's: their figures, and models evaluated on other data."""

import struct

import numpy as np
import pytest
import torch
from matplotlib.image import imread

from ae.data.idx import TEST_LABELS, TRAIN_LABELS
from ae.figures.images import confusion_matrix
from ae.saved import load, save
from ae.tasks import find
from ae.training import final_metrics
from sweeps import evaluate

TASK = find("mnist-cls")


@pytest.fixture
def letters(write_idx, tmp_path):
    """A data set with the labels 1 to 26, as EMNIST's letters have."""
    return label(write_idx(tmp_path / "letters", train=120, test=60, side=(6, 5)), np.arange(180) % 26 + 1)


def label(folder, labels):
    """Give the images of a data set these labels, those of the test images last."""
    for name, part in ((TRAIN_LABELS, labels[:120]), (TEST_LABELS, labels[120:])):
        (folder / name).write_bytes(struct.pack(">II", 0x801, len(part)) + bytes(part.tolist()))
    return folder


@pytest.fixture
def folder(letters, tmp_path):
    """The results folder of a model for them that classifies at random."""
    splits = TASK.load(letters, None)
    torch.manual_seed(0)
    model = TASK.build(TASK.base, splits.train).eval()
    facts = {"data": str(letters), "options": {}, "subset": None, "class_names": splits.train.class_names}
    test = final_metrics(TASK, model, splits)
    save(tmp_path / "best", TASK.name, TASK.base, TASK.model(splits.train), model.state_dict(), **facts, test=test)
    return tmp_path


@pytest.mark.parametrize("name", ["mnist-cls", "mnist-rec"])
def test_the_figures_of_26_classes_are_about_as_wide_as_those_of_ten(letters, tmp_path, name):
    task = find(name)
    splits = task.load(letters, None)
    for path in task.figures(task.build(task.base, splits.train).eval(), splits, tmp_path / name):
        assert 300 < imread(path).shape[1] < 1200, path.name


@pytest.mark.parametrize("name", ["mnist-rec", "mnist-pixel"])
def test_images_without_labels_are_drawn(write_idx, tmp_path, name):
    data, task = write_idx(tmp_path / "idx", train=6, test=1, side=7), find(name)
    (data / TRAIN_LABELS).unlink()
    splits = task.load(data, None)
    (path,) = task.figures(task.build(task.base, splits.train).eval(), splits, tmp_path)
    assert path.name == "reconstructions.png"


def test_a_confusion_matrix_stays_a_picture_whatever_the_number_of_classes(tmp_path):
    for classes in (2, 11, 64, 65, 256):
        labels_N = np.arange(classes)
        path = confusion_matrix(labels_N, np.roll(labels_N, 1), list(map(str, labels_N)), tmp_path / "x.png")
        assert max(imread(path).shape) < 2000


def test_a_saved_model_needs_no_data(folder, letters):
    model = load(folder / "best")
    assert model.classify.out_features == 26
    assert model(torch.rand(2, 6, 5)).reconstruction_BTO.shape == (2, 6, 5)


def test_a_model_is_evaluated_on_the_same_images_whatever_other_classes_the_data_has(folder, letters, shown):
    status, output, _ = shown(evaluate.main, folder)
    assert status == 0
    values = [line.split()[:2] for line in output.splitlines() if "   in the sweep " in line]
    assert [name for name, _ in values] == ["loss", "mse", "cross_entropy", "accuracy"]
    labels = np.arange(180) % 26 + 1
    labels[:120] = np.where(labels[:120] == 1, 77, labels[:120])  # a class of the training images alone, others move
    labels[120:] = np.where(labels[120:] == 1, 3, labels[120:])
    data = label(letters, labels)
    status, output, _ = shown(evaluate.main, folder, "--data", data)
    assert status == 0
    found = dict(line.split()[:2] for line in output.splitlines() if line.startswith("  "))
    assert found["mse"] == dict(values)["mse"]
    model, split = load(folder / "best"), TASK.load(letters, None).test
    names = [split.class_names[label] for label in split.labels_N]
    right = model(torch.from_numpy(split.inputs_NTF)).logits_BC.argmax(dim=1).numpy() + 1 == np.array(names, dtype=int)
    assert float(found["accuracy"]) == pytest.approx(right.mean())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": 30}, "class 0 is unknown to the model; its 26 are 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ..."),
        ({"side": (6, 4)}, "the model takes 5 features per time step, such as the pixels of an image's row, got 4"),
    ],
)
def test_other_classes_and_sizes_than_the_model_s_are_one_line(folder, write_idx, tmp_path, shown, changes, message):
    other = write_idx(tmp_path / "other", **{"side": (6, 5), **changes})
    status, _, error = shown(evaluate.main, folder, "--data", other)
    assert status == 2
    assert error.splitlines()[-1] == f"error: {other}: {message}"
