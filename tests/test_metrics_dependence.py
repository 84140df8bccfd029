"""Measures of how columns go together."""

import numpy as np
import pytest
from scipy.stats import ortho_group, spearmanr

from gansampler.metrics import spearman_difference, spearman_permutation_ratio

over_seeds = pytest.mark.parametrize("seed", range(5))


def correlated(seed, n, d=4, rho=0.8):
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(n, 1))
    return np.sqrt(rho) * common + np.sqrt(1 - rho) * rng.normal(size=(n, d))


def shuffled(X, seed):
    return np.random.default_rng(seed).permuted(X, axis=0)


def test_difference_equals_hand_computed_numbers():
    # Correlations 1 and -1/2: one pair of off-diagonal entries differs by 1.5.
    real = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]])
    synthetic = np.array([[0.0, 1.0], [1.0, 2.0], [2.0, 0.0]])
    difference = spearman_difference(real, synthetic)
    assert difference.rms == pytest.approx(1.5)
    assert difference.frobenius == pytest.approx(1.5 * np.sqrt(2))


@over_seeds
@pytest.mark.parametrize("d", [4, 100])  # either side of the rows
def test_difference_is_that_of_scipy(seed, d):
    rng = np.random.default_rng(seed)
    real, synthetic = correlated(seed, 30, d), rng.normal(size=(25, d)).round(1)
    difference = spearmanr(real).statistic - spearmanr(synthetic).statistic
    ours = spearman_difference(real, synthetic)
    off_diagonal = difference[~np.eye(d, dtype=bool)]
    assert ours.rms == pytest.approx(np.sqrt((off_diagonal**2).mean()), abs=1e-10)
    assert ours.frobenius == pytest.approx(np.linalg.norm(difference), abs=1e-10)


@over_seeds
@pytest.mark.parametrize("d", [4, 100])
def test_difference_is_zero_for_equal_ranks_and_symmetric(seed, d):
    real, synthetic = correlated(seed, 30, d), correlated(seed + 100, 25, d, rho=0.3)
    assert spearman_difference(real, np.exp(real[::-1])).rms == pytest.approx(0, abs=1e-7)
    assert spearman_difference(real, synthetic) == pytest.approx(
        spearman_difference(synthetic, real)
    )


@pytest.mark.parametrize("n_rows", [3, 40])  # either side of the columns
def test_constant_columns_count_as_uncorrelated(n_rows):
    real = np.arange(n_rows)[:, None] + np.zeros(8)
    synthetic = real.copy()
    synthetic[:, 0] = 0.1
    # 14 of 56 entries fall from 1 to 0
    difference = spearman_difference(real, synthetic)
    assert difference.rms == pytest.approx(0.5)
    assert difference.frobenius == pytest.approx(np.sqrt(14))


def test_a_single_column_has_nothing_to_differ_in():
    real = np.arange(4.0)[:, None]
    assert spearman_difference(real, real[::-1] ** 2) == (0, 0)
    assert np.isnan(spearman_permutation_ratio(real, real).ratio)


@over_seeds
def test_the_floor_is_as_documented(seed):
    real, fresh = np.random.default_rng(seed).normal(size=(2, 50, 40))
    rms = spearman_difference(real, fresh).rms
    assert rms == pytest.approx(np.sqrt(2 / 49), rel=0.15)


@over_seeds
def test_ratio_is_of_the_observed_to_the_mean_of_the_null(seed):
    real, synthetic = correlated(seed, 40), correlated(seed + 100, 30, rho=0.2)
    ratio, null = spearman_permutation_ratio(
        real, synthetic, n_permutations=19, random_state=seed
    )
    assert null.shape == (19,) and (null > 0).all()
    assert ratio == pytest.approx(
        spearman_difference(real, synthetic).rms / null.mean(), rel=1e-9
    )


def test_ratio_is_one_on_fresh_rows():
    ratios, ranks = [], []
    for seed in range(60):
        real, fresh = correlated(seed, 40), correlated(1000 + seed, 30)
        ratio, null = spearman_permutation_ratio(
            real, fresh, n_permutations=39, random_state=seed
        )
        ratios.append(ratio)
        ranks.append((1 + (null / null.mean() >= ratio).sum()) / 40)
    assert np.mean(ratios) == pytest.approx(1, abs=0.15)
    # p-values in steps of 1/40: uniform
    assert np.mean(ranks) == pytest.approx(0.5, abs=0.12)
    assert np.mean(np.array(ranks) <= 0.1) < 0.1 + 3 * np.sqrt(0.09 / 60)


@over_seeds
def test_ratio_finds_lost_dependence(seed):
    real = correlated(seed, 60)
    lost = shuffled(correlated(seed + 100, 60), seed)
    assert spearman_permutation_ratio(real, lost, random_state=seed).ratio > 3


@over_seeds
def test_difference_sees_a_rotation_that_margins_do_not(seed):
    real, fresh = correlated(seed, 200, d=3), correlated(seed + 100, 200, d=3)
    rotated = fresh @ ortho_group.rvs(3, random_state=seed)
    same = spearman_difference(real, fresh).rms
    assert spearman_difference(real, rotated).rms > 2 * same
