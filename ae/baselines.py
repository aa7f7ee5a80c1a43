"""Simple methods for a user's sequences, on the splits of the model.

Shape suffixes: N sequences, B batch, T time steps, F features, D = T * F values of one sequence, H hidden units.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ae.batches import Batch, DeviceSplit
from ae.model import LSTM_AE
from ae.next_steps import last_step
from ae.scoring import detection_area, mean_squares
from ae.splits import Split, Splits

MOST_VALUES = 20_000_000
"""Values of the training sequences that a PCA or an isolation forest learns from; of more, the first ones."""
MOST_NEIGHBOURS = 5_000
"""Training sequences among which the nearest one is looked for."""
WIDE = 3_000
"""From this number of values per sequence on, and of sequences, a PCA is computed by random projections."""

Score = Callable[[Split], NDArray[np.float64]]
"""Gives each sequence of a split an error or a score, (N,)."""


def beside(splits: Splits, width: int, *, classify: bool, predict: bool) -> dict[str, float]:
    """Test metrics of simple methods, as far as the data allows them.

    Args:
        splits: of the model.
        width: of its context vector z.
        classify: whether it learns classes.
        predict: whether it predicts the next step; then errors of reconstructions leave out the last step, as its own.

    Returns:
        mean_mse: error of the mean training step in place of every step.
        pca_mse, pca_components: of a PCA as wide as z; only if all sequences have one length.
        pca_roc_auc, forest_roc_auc: areas under ROC of the PCA's errors and of an isolation forest; only if all have
            one length and some test sequences are abnormal.
        value_neighbour_accuracy: with `classify`, of the training sequence with the nearest values; one length only.
        persistence_mse: with `predict`, of repeating the last step but one.
    """
    found = {"mean_mse": float(mean_step(splits.train, predict)(splits.test).mean())}
    if have_one_length(splits):
        linear, found["pca_components"] = pca(splits.train, width, predict)
        found["pca_mse"] = float(linear(splits.test).mean())
        if splits.abnormal_test is not None:
            linear = pca(splits.train, width)[0] if predict else linear
            for name, score in (("pca_roc_auc", linear), ("forest_roc_auc", isolation_forest(splits.train))):
                found[name] = detection_area(score(splits.test), score(splits.abnormal_test))
        if classify:
            found["value_neighbour_accuracy"] = neighbours_of_values(splits)
    if predict:
        found["persistence_mse"] = last_step(None, splits.test)
    return found


def have_one_length(splits: Splits) -> bool:
    """Whether all sequences of the data are equally long, as the methods for plain vectors need."""
    parts = (splits.train, splits.validation, splits.test, splits.abnormal_validation, splits.abnormal_test)
    return len({int(length) for part in parts if part is not None for length in np.unique(part.lengths_N)}) == 1


def pca(train: Split, width: int, without_last: bool = False) -> tuple[Score, int]:
    """The reconstruction error of a PCA, measured as that of a model: missing values are filled, and do not count.

    Args:
        train: sequences of one length.
        width: components, as many as the context vector z has units; fewer if the training data allows only fewer.
        without_last: leaves out each sequence's last step.

    Returns:
        The mean squared error of each sequence of another split; and the number of components.
    """
    from sklearn.decomposition import PCA

    train_ND = _vectors(train, without_last)
    count, values = train_ND.shape
    components = min(width, count - 1, values)
    mean_D, directions_HD = train_ND.mean(axis=0), np.zeros((0, values))
    if components:
        solver = "randomized" if min(count, values) > WIDE else "covariance_eigh" if count > values else "full"
        directions_HD = PCA(components, svd_solver=solver, random_state=0).fit(train_ND).components_

    def reconstructed(batch: Batch) -> Tensor:
        inputs_BD = batch.inputs_BTF.flatten(1).double().numpy() - mean_D
        again_BD = inputs_BD @ directions_HD.T @ directions_HD + mean_D
        return torch.from_numpy(again_BD).view(batch.inputs_BTF.shape)

    return lambda split: errors_of(reconstructed, split, without_last), components


def mean_step(train: Split, without_last: bool = False) -> Score:
    """The error of the mean training step in place of every step."""
    mean_F = torch.from_numpy(train.steps_SF.mean(axis=0, dtype=np.float64))
    if train.centre_NF is not None:
        mean_F = torch.zeros_like(mean_F)
    return lambda split: errors_of(lambda batch: mean_F.expand_as(batch.inputs_BTF), split, without_last)


def errors_of(reconstructed: Callable[[Batch], Tensor], split: Split, without_last: bool) -> NDArray[np.float64]:
    """The mean squared error of each sequence, (N,), over its real values."""
    errors_N = np.empty(len(split))
    for where, whole in DeviceSplit(split, "cpu").in_order():
        batch = whole.without_last() if without_last else whole
        errors_N[where] = mean_squares(reconstructed(batch), batch.inputs_BTF.double(), batch.real_BTF).numpy()
    return errors_N


def isolation_forest(train: Split, seed: int = 0) -> Score:
    """How easily random cuts isolate a sequence from the training sequences; they have one length.

    Source: Liu et al. 2008, https://doi.org/10.1109/ICDM.2008.17
    """
    from sklearn.ensemble import IsolationForest

    forest = IsolationForest(random_state=seed).fit(_vectors(train))
    return lambda split: -forest.score_samples(_vectors(split, most=None))


def neighbours_of_codes(model: LSTM_AE, splits: Splits) -> float:
    """Share of the test sequences whose class is that of the training sequence with the nearest context vector z."""
    train = splits.train.head(MOST_NEIGHBOURS)
    return _neighbours(codes(model, train), train, codes(model, splits.test), splits.test)


def neighbours_of_values(splits: Splits) -> float:
    """Share of the test sequences whose class is that of the training sequence with the nearest values."""
    train = splits.train.head(MOST_NEIGHBOURS)
    return _neighbours(_vectors(train), train, _vectors(splits.test, most=None), splits.test)


def codes(model: LSTM_AE, split: Split) -> NDArray[np.float32]:
    """The context vector z of each sequence, (N, H)."""
    codes_NH = np.empty((len(split), model.context_size), dtype=np.float32)
    with torch.inference_mode():
        for where, batch in DeviceSplit(split, "cpu").in_order():
            codes_NH[where] = model.encode(batch.inputs_BTF, batch.lengths_B).numpy()
    return codes_NH


def _neighbours(known_ND: NDArray[Any], train: Split, asked_ND: NDArray[Any], test: Split) -> float:
    from sklearn.neighbors import KNeighborsClassifier

    nearest = KNeighborsClassifier(n_neighbors=1).fit(known_ND, _names(train))
    return float((nearest.predict(asked_ND) == _names(test)).mean())


def _names(split: Split) -> NDArray[np.str_]:
    """The class of each sequence by name: another file's numbers may differ."""
    assert split.class_names is not None
    assert split.labels_N is not None
    return np.array(split.class_names)[split.labels_N]


def _vectors(split: Split, without_last: bool = False, most: int | None = MOST_VALUES) -> NDArray[np.float64]:
    """Sequences of one length as vectors (N, D), at most as many as have `most` values."""
    if most is not None:
        split = split.head(max(2, most // (int(split.lengths_N[0]) * split.features)))
    inputs_NTF = split.inputs_NTF[:, :-1] if without_last else split.inputs_NTF
    return inputs_NTF.reshape(len(split), -1).astype(np.float64)
