"""Measures of single columns."""

import numpy as np
import pytest
from scipy.stats import ks_2samp, wasserstein_distance

from gansampler.metrics import benjamini_hochberg, kolmogorov_smirnov, wasserstein_iqr

over_seeds = pytest.mark.parametrize("seed", range(5))


def draws(seed, n=60, m=45, d=4):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(size=(m, d)) * 1.5 + 0.5


def test_kolmogorov_smirnov_equals_hand_computed_numbers():
    # Disjoint samples of two: 2 of the 6 orders are as far apart.
    real, synthetic = np.array([[0.0], [1.0]]), np.array([[2.0], [3.0]])
    test = kolmogorov_smirnov(real, synthetic)
    assert test.statistic == pytest.approx([1])
    assert test.p_value == pytest.approx([1 / 3])
    assert kolmogorov_smirnov(real, real).p_value == pytest.approx([1])


@over_seeds
@pytest.mark.parametrize("m", [60, 45, 7])
def test_kolmogorov_smirnov_is_that_of_scipy(seed, m):
    real, synthetic = draws(seed, m=m)
    synthetic[:, 0] = synthetic[:, 0].round()  # ties
    test = kolmogorov_smirnov(real, synthetic)
    for column in range(4):
        expected = ks_2samp(real[:, column], synthetic[:, column])
        assert test.statistic[column] == pytest.approx(expected.statistic, abs=1e-12)
        assert test.p_value[column] == pytest.approx(expected.pvalue, abs=1e-12)


def test_kolmogorov_smirnov_p_values_are_uniform_on_fresh_columns():
    real, synthetic = np.random.default_rng(0).normal(size=(2, 50, 2000))
    p = kolmogorov_smirnov(real, synthetic).p_value
    for level in (0.01, 0.05, 0.2, 0.5):
        se = np.sqrt(level * (1 - level) / len(p))
        # Below the level by the steps of the statistic.
        assert 0.4 * level < (p <= level).mean() < level + 3 * se


@over_seeds
def test_kolmogorov_smirnov_finds_a_shift_whatever_the_units(seed):
    real, _ = draws(seed, n=100)
    fresh, _ = draws(seed + 100, n=100)
    shifted = fresh + np.array([0, 0, 1.5, 1.5])
    test = kolmogorov_smirnov(real, shifted)
    assert (test.p_value[2:] < 1e-4).all()
    assert (test.statistic[2:] > test.statistic[:2].max()).all()
    assert kolmogorov_smirnov(np.exp(real), np.exp(shifted)).p_value == pytest.approx(
        test.p_value
    )


def test_benjamini_hochberg_equals_hand_computed_numbers():
    # sorted .01 .02 .03 .5 times 4/1 4/2 4/3 4/4, then the minimum from above
    adjusted = benjamini_hochberg(np.array([0.5, 0.01, 0.03, 0.02]))
    assert adjusted == pytest.approx([0.5, 0.04, 0.04, 0.04])


@over_seeds
def test_benjamini_hochberg_keeps_the_order_and_the_false_discovery_rate(seed):
    rng = np.random.default_rng(seed)
    p = rng.uniform(size=200)
    adjusted = benjamini_hochberg(p)
    assert (adjusted >= p).all() and (adjusted <= 1).all()
    assert (np.diff(adjusted[np.argsort(p)]) >= 0).all()
    false = []
    for _ in range(100):
        p = np.r_[rng.uniform(size=80), rng.uniform(size=20) * 1e-5]
        found = benjamini_hochberg(p) <= 0.1
        assert found[80:].all()
        false.append(found[:80].sum() / found.sum())
    assert np.mean(false) < 0.1  # .08 expected


@pytest.mark.parametrize("p", [[0.5, 1.1], [-0.1, 0.5], [0.2, np.nan]])
def test_benjamini_hochberg_wants_probabilities(p):
    with pytest.raises(ValueError, match=r"p_values must lie in \[0, 1\]"):
        benjamini_hochberg(np.array(p))
    with pytest.raises(ValueError, match=r"p_values must have shape .* got shape \(1, 2\)"):
        benjamini_hochberg(np.array([[0.1, 0.2]]))


def test_wasserstein_equals_hand_computed_numbers():
    # Real quartiles 1 and 3: all moved by 4, or to 2 by 2 1 0 1 2.
    real = np.arange(5.0)[:, None]
    assert wasserstein_iqr(real, real + 4) == pytest.approx([2])
    assert wasserstein_iqr(real, np.array([[2.0]])) == pytest.approx([0.6])


@over_seeds
@pytest.mark.parametrize(("n", "m"), [(60, 60), (60, 45), (45, 60), (7, 1), (13, 64)])
def test_wasserstein_is_that_of_scipy(seed, n, m):
    real, synthetic = draws(seed, n=n, m=m)
    synthetic[:, 0] = synthetic[:, 0].round()
    quartiles = np.quantile(real, [0.25, 0.75], axis=0)
    expected = [
        wasserstein_distance(real[:, column], synthetic[:, column]) for column in range(4)
    ] / (quartiles[1] - quartiles[0])
    assert wasserstein_iqr(real, synthetic) == pytest.approx(expected, abs=1e-10)


@over_seeds
def test_wasserstein_does_not_depend_on_units_or_order(seed):
    real, synthetic = draws(seed)
    distance = wasserstein_iqr(real, synthetic)
    units, shift = np.array([1e-3, 1, 7, 1e6]), np.array([0, 5, -100, 1])
    moved = wasserstein_iqr(real * units + shift, synthetic * units + shift)
    assert moved == pytest.approx(distance)
    assert wasserstein_iqr(real[::-1], synthetic[::-1]) == pytest.approx(distance)
    assert wasserstein_iqr(real, real[::-1]) == pytest.approx(np.zeros(4), abs=0)
    assert wasserstein_iqr(real, np.repeat(real, 3, axis=0)) == pytest.approx(
        np.zeros(4), abs=1e-12
    )


def test_wasserstein_where_the_real_column_hardly_varies():
    # Nine equal values of ten have no interquartile range: standard deviation .3
    column = np.r_[np.zeros(9), 1.0]
    real = np.c_[column, np.full(10, 0.1), np.full(10, 0.1)]
    synthetic = np.c_[column + 0.6, np.full(10, 0.1), np.full(10, 0.2)]
    assert wasserstein_iqr(real, synthetic) == pytest.approx([2, 0, np.inf])
