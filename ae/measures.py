"""A loss that several tasks share, and PCA as a baseline for reconstructions.

Shape suffixes: N sequences, B batch, T time steps, F features, D = T * F values per sequence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ae.configuration import Configuration
from ae.splits import Splits
from ae.words import counted

if TYPE_CHECKING:
    from torch import Tensor

    from ae.batches import Batch
    from ae.model import LSTM_AE

LOSSLESS = 1e-12
"""A PCA with a smaller mean squared error loses nothing but rounding: the data are float32 numbers around 1."""


def reconstruction(model: LSTM_AE, batch: Batch) -> dict[str, Tensor]:
    """The metric `loss`: mean squared error of the reconstruction, in squared units of the inputs; ignores labels."""
    from torch.nn import functional

    return {"loss": functional.mse_loss(model(batch.inputs_BTF).reconstruction_BTO, batch.inputs_BTF)}


def pca(splits: Splits, configuration: Configuration) -> dict[str, float]:
    """How well a PCA of the training split reconstructs the test split.

    On the training split a PCA is the best linear autoencoder of its width.

    Returns:
        pca_mse: mean squared error, in the units of the loss.
        pca_components: the width of the context vector z, or fewer if the training split allows only fewer.
        mean_mse: mean squared error of the mean training sequence, which is a PCA with 0 components.

    Source: Baldi and Hornik 1989, https://doi.org/10.1016/0893-6080(89)90014-2
    """
    from sklearn.decomposition import PCA  # imported here: every trial's process loads this file and none needs PCA

    train_ND, test_ND = (
        split.inputs_NTF.reshape(len(split), -1).astype(np.float64) for split in (splits.train, splits.test)
    )
    count, values = train_ND.shape
    components = min(configuration.context_size, count - 1, values)
    errors_ND = without_ND = train_ND.mean(axis=0) - test_ND
    if components:  # more than one sequence
        linear = PCA(components, svd_solver="covariance_eigh" if count > values else "full").fit(train_ND)
        errors_ND = linear.inverse_transform(linear.transform(test_ND)) - test_ND
    mse, mean_mse = (float(np.mean(each_ND**2)) for each_ND in (errors_ND, without_ND))
    return {"pca_mse": mse, "pca_components": components, "mean_mse": mean_mse}


def beside_pca(test: Mapping[str, float]) -> str:
    """One sentence for the report: whether the autoencoder or the PCA has the smaller test MSE."""
    loss, linear = test["loss"], test["pca_mse"]
    code = f"a PCA of the training split with {counted(int(test['pca_components']), 'component')}"
    mean = f"the mean training sequence has {test['mean_mse']:.3g}"
    if linear < LOSSLESS:
        return f"Here {code} loses nothing; the autoencoder's test MSE is {loss:.3g}, {mean}."
    verb = "beats" if loss < linear else "loses to"
    return f"The autoencoder {verb} {code}: test MSE {loss:.3g} against {linear:.3g}; {mean}."
