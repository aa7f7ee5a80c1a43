"""Reconstruction errors of sequences, and thresholds above which one is an anomaly.

Shape suffixes: N sequences, B batch, T time steps, F features.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

    from ae.model import LSTM_AE
    from ae.splits import Split, Splits

QUANTILE = 0.99
"""Share of the validation errors below the threshold, unless the user says otherwise."""
KEPT = 1000
"""Validation errors that are saved with a model, at even distances, and as many of the largest."""


def mean_squares(output_BTF: Tensor, wanted_BTF: Tensor, real_BTF: Tensor | None) -> Tensor:
    """The mean squared error of each sequence over its real values, (B,); 0 for one without any."""
    squares_BTF = (output_BTF - wanted_BTF) ** 2
    if real_BTF is None:
        return squares_BTF.mean(dim=(1, 2))
    counts_B = real_BTF.sum(dim=(1, 2)).clamp(min=1)
    return (squares_BTF * real_BTF).sum(dim=(1, 2)) / counts_B


def sequence_errors(model: LSTM_AE, split: Split) -> NDArray[np.float64]:
    """The mean squared reconstruction error of each sequence, (N,), on the scale of the training data.

    Args:
        model: on the CPU.
        split: sequences.
    """
    import torch

    from ae.batches import DeviceSplit

    errors_N = np.empty(len(split))
    with torch.inference_mode():
        for where, batch in DeviceSplit(split, "cpu").in_order():
            output = model(batch.inputs_BTF, batch.lengths_B)
            errors_N[where] = mean_squares(output.reconstruction_BTO, batch.inputs_BTF, batch.real_BTF).numpy()
    return errors_N


def thresholds(model: LSTM_AE, splits: Splits) -> dict[str, float]:
    """Thresholds of the reconstruction error, from the validation split alone.

    Returns:
        quantile: exceeded by 1 % of the validation sequences.
        best_f1: with the largest F1 on validation; only if it has abnormal sequences.
    """
    normal_N = sequence_errors(model, splits.validation)
    if splits.abnormal_validation is None:
        return thresholds_of(normal_N)
    return thresholds_of(normal_N, sequence_errors(model, splits.abnormal_validation))


def thresholds_of(normal_N: NDArray[Any], abnormal_N: NDArray[Any] | None = None) -> dict[str, float]:
    """As `thresholds`, from the errors of the validation sequences."""
    found = {"quantile": float(np.quantile(normal_N, QUANTILE))}
    if abnormal_N is not None:
        found["best_f1"] = best_f1_threshold(normal_N, abnormal_N)
    return found


def thinned(errors_N: NDArray[Any]) -> dict[str, Any]:
    """Errors as JSON values that still give their quantiles: up to 2 * `KEPT` all of them, of more a sample.

    Returns:
        count: of all errors.
        sorted: `KEPT` errors at even distances, and the `KEPT` largest.
    """
    kept = np.sort(errors_N)[_ranks(len(errors_N))]
    return {"count": len(errors_N), "sorted": kept.tolist()}


def quantile_of(kept: Mapping[str, Any], share: float) -> float:
    """The error that a share of all errors, from 0 to 1, lies below; `kept` is what `thinned` gave.

    Between two ranks it is interpolated, as by `np.quantile`.

    Raises:
        ValueError: if these are not such values.
    """
    try:
        count, errors = int(kept["count"]), np.array(kept["sorted"], dtype=np.float64)
        if count < 1 or errors.shape != _ranks(count).shape or not (np.diff(errors) >= 0).all():
            raise ValueError("they must be sorted, and as many as their count says")
    except (KeyError, TypeError, OverflowError, MemoryError) as error:
        raise ValueError(f"not errors of a validation: {error}") from None
    return float(np.interp(share * (count - 1), _ranks(count), errors))


def _ranks(count: int) -> NDArray[np.int64]:
    """Which of `count` sorted errors are kept."""
    if count <= 2 * KEPT:
        return np.arange(count)
    even = np.linspace(0, count - 1, KEPT).round().astype(np.int64)
    return np.union1d(even, np.arange(count - KEPT, count))


def best_f1_threshold(normal_N: NDArray[Any], abnormal_N: NDArray[Any]) -> float:
    """The threshold with the largest F1: half way between two errors, or infinite if flagging nothing is best."""
    from sklearn.metrics import precision_recall_curve

    precision, recall, at = precision_recall_curve(
        np.repeat([0, 1], [len(normal_N), len(abnormal_N)]), np.concatenate([normal_N, abnormal_N])
    )
    f1 = 2 * precision[:-1] * recall[:-1] / np.maximum(precision[:-1] + recall[:-1], 1e-12)
    best = float(at[int(f1.argmax())])  # an error is flagged from this value on
    errors = np.concatenate([normal_N, abnormal_N])
    below = errors[errors < best]
    return (best + float(below.max())) / 2 if len(below) else best / 2


def detection(normal_N: NDArray[Any], abnormal_N: NDArray[Any], found: Mapping[str, float]) -> dict[str, float]:
    """How well reconstruction errors tell abnormal sequences from normal ones.

    Args:
        normal_N: errors of normal sequences.
        abnormal_N: errors of abnormal ones, at least one.
        found: `thresholds`.

    Returns:
        roc_auc and average_precision, from 0 to 1; and precision, recall and f1 at the threshold of best F1, or at the
        quantile if validation has no abnormal sequences.
    """
    from sklearn.metrics import average_precision_score

    truth, errors = np.repeat([0, 1], [len(normal_N), len(abnormal_N)]), np.concatenate([normal_N, abnormal_N])
    threshold = found.get("best_f1", found["quantile"])
    hits, alarms = int((abnormal_N > threshold).sum()), int((errors > threshold).sum())
    precision, recall = hits / max(alarms, 1), hits / len(abnormal_N)
    return {
        "roc_auc": detection_area(normal_N, abnormal_N),
        "average_precision": float(average_precision_score(truth, errors)),
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / max(precision + recall, 1e-12),
    }


def detection_area(normal_N: NDArray[Any], abnormal_N: NDArray[Any]) -> float:
    """The area under ROC: how often an abnormal sequence has the larger error than a normal one."""
    from sklearn.metrics import roc_auc_score

    truth = np.repeat([0, 1], [len(normal_N), len(abnormal_N)])
    return float(roc_auc_score(truth, np.concatenate([normal_N, abnormal_N])))
