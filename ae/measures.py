"""Loss and metrics that several tasks share, and the linear code that a reconstruction is measured against.

Shape suffixes: N sequences, B batch, T time steps, F features, D = T * F values of a sequence.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor
from torch.nn import functional

from ae.configuration import Configuration
from ae.model import LSTM_AE
from ae.task import Splits


def reconstruction(model: LSTM_AE, inputs_BTF: Tensor, labels_B: Tensor | None) -> dict[str, Tensor]:
    """loss = the mean squared error of the reconstruction, in squared units of the inputs; labels are not looked at."""
    return {"loss": functional.mse_loss(model(inputs_BTF).reconstruction_BTO, inputs_BTF)}


def pca(splits: Splits, configuration: Configuration) -> dict[str, float]:
    """pca_mse = the mean squared error on the test split of a PCA of the training split, in the loss's units.

    It has as many components as the context vector z has numbers, or as there can be: the best linear autoencoder of
    this width on the training split (Baldi and Hornik 1989, https://doi.org/10.1016/0893-6080(89)90014-2).
    """
    from sklearn.decomposition import PCA  # here, as every trial's process reads this file and none needs it

    train_ND, test_ND = (
        split.inputs_NTF.reshape(len(split), -1).astype(np.float64) for split in (splits.train, splits.test)
    )
    components = min(configuration.hidden_size, *train_ND.shape)
    linear = PCA(components, svd_solver="covariance_eigh").fit(train_ND)
    return {"pca_mse": float(np.mean((linear.inverse_transform(linear.transform(test_ND)) - test_ND) ** 2))}


def beside_pca(test: Mapping[str, float]) -> str:
    """Which of the two codes is the better one."""
    loss, linear = test["loss"], test["pca_mse"]
    verb = "beats" if loss < linear else "loses to"
    return (
        f"The autoencoder {verb} a PCA with as many components as z has numbers, the best linear code of this width: "
        f"test MSE {loss:.3g} against {linear:.3g}."
    )
