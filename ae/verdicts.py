"""Says in a sentence whether a model of a user's sequences is better than a simple method."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ae.measures import LOSSLESS
from ae.words import counted

SAME = 0.005
"""Areas under ROC, and accuracies, that differ by no more are called equal."""


def verdicts(test: Mapping[str, float]) -> list[str]:
    """Sentences about detection, classes, forecasts and reconstructions, as far as the metrics go.

    Args:
        test: mean test metrics, and those of `ae.baselines.beside`; some may be missing.
    """
    parts = (("roc_auc", _detection), ("accuracy", _classes), ("forecast_mse", _forecast), ("loss", _reconstruction))
    return [words for name, part in parts if name in test and (words := part(test))]


def _detection(test: Mapping[str, float]) -> str:
    rivals = {"a PCA of the same width": "pca_roc_auc", "an isolation forest": "forest_roc_auc"}
    at = f"F1 {test['f1']:.3f} at the threshold: precision {test['precision']:.3f}, recall {test['recall']:.3f}"
    found = f"Anomalies are found with an area under ROC of {test['roc_auc']:.4f} ({at})"
    return "; ".join([found, *_beside("the autoencoder", test["roc_auc"], _scored(test, rivals), "{:.4f}")]) + "."


def _classes(test: Mapping[str, float]) -> str:
    rivals = {
        "the nearest training sequence by z": "neighbour_accuracy",
        "the nearest training sequence by its values": "value_neighbour_accuracy",
    }
    own = f"The class head is right for {test['accuracy']:.1%} of the test sequences".replace("%", " %")
    return (
        "; ".join([own, *_beside("it", test["accuracy"], _scored(test, rivals), "{:.1%}")]).replace("%)", " %)") + "."
    )


def _scored(test: Mapping[str, float], rivals: Mapping[str, str]) -> dict[str, float]:
    """The rivals that have a value."""
    return {name: test[key] for name, key in rivals.items() if key in test}


def _beside(own: str, value: float, rivals: Mapping[str, float], digits: str) -> list[str]:
    """Which rivals are better, as good, or worse; larger is better."""
    others = {name: f"{name} ({digits.format(rival)})" for name, rival in rivals.items()}
    better = [words for name, words in others.items() if rivals[name] > value + SAME]
    worse = [words for name, words in others.items() if rivals[name] < value - SAME]
    equal = [words for words in others.values() if words not in better and words not in worse]
    kinds = ((f"{own} loses to", better), (f"{own} equals", equal), (f"{own} beats", worse))
    return [f"{verb} {' and '.join(words)}" for verb, words in kinds if words]


def _forecast(test: Mapping[str, float]) -> str:
    own, naive = test["forecast_mse"], test.get("persistence_mse", math.nan)
    if math.isnan(naive):
        return ""
    verb = "beats" if own < naive else "loses to" if own > naive else "equals"
    return (
        f"The forecast of the last step, which the model has not seen, {verb} persistence (the step before it): "
        f"MSE {own:.3g} against {naive:.3g}."
    )


def _reconstruction(test: Mapping[str, float]) -> str:
    if "mean_mse" not in test:
        return ""
    own, mean = test.get("mse", test["loss"]), f"the mean training step has {test['mean_mse']:.3g}"
    if "pca_mse" not in test:
        return f"Reconstruction: test MSE {own:.3g}; {mean}; sequences of several lengths have no PCA to compare with."
    linear, code = test["pca_mse"], f"a PCA with {counted(int(test['pca_components']), 'component')}"
    if linear < LOSSLESS:
        return f"Reconstruction: {code} loses nothing; the autoencoder's test MSE is {own:.3g}; {mean}."
    verb = "beats" if own < linear else "loses to"
    return f"Reconstruction: the autoencoder {verb} {code}, test MSE {own:.3g} against {linear:.3g}; {mean}."
