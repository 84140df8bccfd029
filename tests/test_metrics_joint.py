"""Tests of all columns at once; energy distance and score themselves: test_metrics."""

import numpy as np
import pytest
from scipy.stats import ortho_group
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score

from gansampler.metrics import classifier_two_sample_test, energy_distance, energy_test

over_seeds = pytest.mark.parametrize("seed", range(5))


def draws(seed, n=40, m=30, d=3):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(size=(m, d))


@over_seeds
@pytest.mark.parametrize(("n", "m"), [(40, 30), (30, 40), (25, 25), (1, 5)])
def test_energy_test_holds_the_energy_distance(seed, n, m):
    real, synthetic = draws(seed, n, m)
    test = energy_test(real, synthetic + 0.5, n_permutations=9, random_state=seed)
    expected = energy_distance(real, synthetic + 0.5)
    assert test.statistic == pytest.approx(expected, abs=1e-10)


def test_energy_test_equals_hand_computed_p_value():
    # Two rows against two at a distance: 1/3 of the 6 splits are as far apart, the others
    # have statistic 2 * 5 - 5 - 5 = 0 with the energy 20 of the observed split.
    real = np.zeros((2, 1))
    test = energy_test(real, real + 10, n_permutations=3000, random_state=0)
    assert test.statistic == pytest.approx(20)
    assert test.p_value == pytest.approx(1 / 3, abs=0.03)
    assert test.ratio == pytest.approx(1)


def test_energy_test_of_equal_rows():
    test = energy_test(np.ones((3, 2)), np.ones((4, 2)), n_permutations=19)
    assert test[:2] == (0, 1) and np.isnan(test.ratio)


def test_energy_test_is_uniform_on_fresh_rows():
    tests = [
        energy_test(*draws(seed, 25, 20), n_permutations=99, random_state=seed)
        for seed in range(400)
    ]
    p, ratio = (
        np.array([getattr(t, name) for t in tests]) for name in ("p_value", "ratio")
    )
    for level in (0.05, 0.1, 0.5):
        assert (p <= level).mean() == pytest.approx(
            level, abs=3 * np.sqrt(level * (1 - level) / 400)
        )
    assert (ratio > 1).mean() == pytest.approx(0.05, abs=0.033)


@over_seeds
@pytest.mark.parametrize("change", [lambda Y: Y + 1, lambda Y: Y * 2.5, lambda Y: Y / 3])
def test_energy_test_finds_change(seed, change):
    real, fresh = draws(seed, 60, 60)
    test = energy_test(real, change(fresh), n_permutations=199, random_state=seed)
    assert test.p_value == pytest.approx(1 / 200)
    assert test.ratio > 1.3


@over_seeds
def test_energy_test_does_not_depend_on_rigid_motion_or_scale(seed):
    real, synthetic = draws(seed)
    rotation = 3 * ortho_group.rvs(3, random_state=seed)
    test = energy_test(real, synthetic, random_state=seed, n_permutations=99)
    moved = energy_test(
        real @ rotation + 5, synthetic @ rotation + 5, random_state=seed, n_permutations=99
    )
    assert moved.statistic == pytest.approx(3 * test.statistic)
    assert moved[1:] == pytest.approx(test[1:])


def test_blocks_of_permutations_make_no_difference(monkeypatch):
    real, synthetic = draws(0)
    whole = energy_test(real, synthetic, n_permutations=50, random_state=0)
    monkeypatch.setattr("gansampler.metrics._inference.CHUNK", 7 * 70)
    blocks = energy_test(real, synthetic, n_permutations=50, random_state=0)
    assert blocks == pytest.approx(whole)


def test_classifier_test_is_near_chance_on_fresh_rows():
    tests = [
        classifier_two_sample_test(*draws(seed, 40, 40), random_state=seed)
        for seed in range(40)
    ]
    auc, p = np.array(tests).T
    assert auc.mean() == pytest.approx(0.5, abs=0.05)
    assert (p <= 0.05).mean() < 0.13 + 3 * np.sqrt(0.13 * 0.87 / 40)
    assert 0.35 < p.mean() < 0.65


@over_seeds
def test_classifier_test_finds_a_shift_in_any_units(seed):
    real, fresh = draws(seed, 60, 40)
    test = classifier_two_sample_test(real, fresh + 1, random_state=seed)
    assert test.auc > 0.8 and test.p_value < 1e-6
    units = np.array([1e-4, 1.0, 1e5])
    other = classifier_two_sample_test(real * units, (fresh + 1) * units, random_state=seed)
    assert other.auc == pytest.approx(test.auc, abs=1e-3)


@over_seeds
def test_classifier_test_is_the_area_under_the_curve_of_held_out_scores(seed):
    # A classifier that only remembers scores held-out rows alike: chance, not 1.
    real, fresh = draws(seed)

    class Constant(RandomForestClassifier):
        def predict_proba(self, X):
            return np.c_[1 - X[:, 0], X[:, 0]]

    test = classifier_two_sample_test(
        real, fresh + 0.5, classifier=Constant(n_estimators=1), random_state=seed
    )
    pooled = np.r_[real, fresh + 0.5][:, 0]
    expected = roc_auc_score(np.repeat([0, 1], [40, 30]), pooled)
    assert test.auc == pytest.approx(expected, abs=1e-12)


@over_seeds
def test_classifier_test_takes_a_classifier_that_sees_more(seed):
    # Equal means: nothing for a line, much for a forest.
    real, fresh = draws(seed, 80, 80, d=2)
    forest = RandomForestClassifier(50, random_state=seed)
    line = classifier_two_sample_test(real, fresh * 4, random_state=seed)
    trees = classifier_two_sample_test(
        real, fresh * 4, classifier=forest, random_state=seed
    )
    assert line.auc < 0.7 < 0.8 < trees.auc


@over_seeds
def test_rows_fitted_to_the_real_ones_are_no_worse_than_chance(seed):
    # A Gaussian fitted to the real rows has their mean: below .5 is no good news.
    rng = np.random.default_rng(seed)
    real = rng.normal(size=(60, 10))
    fitted = rng.normal(size=(60, 10))
    fitted = fitted - fitted.mean(axis=0) + real.mean(axis=0)
    test = classifier_two_sample_test(real, fitted, random_state=seed)
    assert test.auc < 0.5 and test.p_value > 0.5
