"""What a reconstruction is measured against."""

import numpy as np
import pytest

from ae.configuration import Configuration
from ae.measures import beside_pca, pca
from ae.splits import Split, Splits


@pytest.fixture
def plane():
    """Sequences of 6 steps and 1 feature in two directions, of variances 4 and 1; the test split lies off its mean."""
    random = np.random.default_rng(0)
    directions_2D = np.linalg.qr(random.normal(size=(6, 2)))[0].T

    def split(count):
        values_ND = 0.5 + random.normal(size=(count, 2)) * (2.0, 1.0) @ directions_2D
        return Split.dense(values_ND[:, :, None].astype(np.float32))

    return Splits(train=split(4000), validation=split(10), test=split(4000), source="a plane")


def test_a_pca_loses_what_its_components_do_not_reach(plane):
    one, two = (pca(plane, Configuration(hidden_size=width))["pca_mse"] for width in (1, 2))
    assert one == pytest.approx(1 / 6, rel=0.1), "the variance of the second direction, a mean over six values"
    assert two == pytest.approx(0, abs=1e-12)


def test_a_pca_has_no_more_components_than_there_can_be(plane):
    few = Splits(train=plane.train.head(3), validation=plane.validation, test=plane.test, source="three of it")
    assert pca(few, Configuration(hidden_size=120))["pca_components"] == 2
    whole = pca(plane, Configuration(hidden_size=120))
    variance = pytest.approx(float(plane.test.inputs_NTF.var(axis=0).mean()), rel=0.01)
    assert whole == {"pca_mse": pytest.approx(0, abs=1e-12), "pca_components": 6, "mean_mse": variance}


def test_a_pca_of_one_sequence_is_that_sequence(plane):
    one = Splits(train=plane.train.head(1), validation=plane.validation, test=plane.test, source="one of it")
    found = pca(one, Configuration())
    wanted = pytest.approx(float(np.mean((plane.test.inputs_NTF - plane.train.inputs_NTF[:1]) ** 2)), rel=1e-5)
    assert found == {"pca_mse": wanted, "pca_components": 0, "mean_mse": wanted}


@pytest.mark.parametrize(("loss", "verb"), [(0.1, "beats"), (0.3, "loses to")])
def test_the_report_says_plainly_which_code_is_better(loss, verb):
    said = beside_pca({"loss": loss, "pca_mse": 0.2, "pca_components": 60, "mean_mse": 0.25})
    assert f"{verb} a PCA of the training split with 60 components" in said
    assert said.endswith("the mean training sequence has 0.25.")


def test_a_pca_that_loses_nothing_is_not_compared_by_its_rounding():
    assert "loses nothing" in beside_pca({"loss": 0.1, "pca_mse": 2e-31, "pca_components": 50, "mean_mse": 0.3})
