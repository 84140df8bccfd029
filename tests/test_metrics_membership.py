"""Do synthetic rows know the training rows from held-out ones?"""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.metrics import roc_auc_score

from gansampler.metrics import dcr_share, membership_auc

over_seeds = pytest.mark.parametrize("seed", range(5))


def draws(seed, n=40, k=40, m=50, d=4):
    rng = np.random.default_rng(seed)
    return tuple(rng.normal(size=(size, d)) for size in (n, k, m))


def test_share_equals_hand_computed_numbers():
    # Nearer to 0, nearer to 10, between both, and the first again.
    train, holdout = np.array([[0.0]]), np.array([[10.0]])
    synthetic = np.array([[1.0], [9.0], [5.0], [-3.0]])
    result = dcr_share(train, holdout, synthetic, n_permutations=3000, random_state=0)
    assert result.share == pytest.approx((1 + 0 + 0.5 + 1) / 4)
    # The labels can only be swapped, for 1.5 / 4.
    assert result.p_value == pytest.approx(0.5, abs=0.03)


def test_a_tie_among_several_counts_by_the_training_rows_in_it():
    train, holdout = np.array([[0.0], [0.0]]), np.array([[0.0], [9.0]])
    assert dcr_share(train, holdout, np.zeros((3, 1))).share == pytest.approx(2 / 3)
    assert dcr_share(train, train, np.ones((3, 1))) == pytest.approx((0.5, 1))


@over_seeds
def test_share_counts_the_nearer_to_training(seed):
    train, holdout, synthetic = draws(seed)
    nearer = cdist(synthetic, train).min(axis=1) < cdist(synthetic, holdout).min(axis=1)
    share = dcr_share(train, holdout, synthetic, random_state=seed).share
    assert share == pytest.approx(nearer.mean(), abs=1e-12)
    swapped = dcr_share(holdout, train, synthetic, random_state=seed).share
    assert swapped == pytest.approx(1 - share)


def test_share_is_half_at_unequal_numbers_and_uniform_on_fresh_rows():
    results = [
        dcr_share(*draws(seed, 60, 25), n_permutations=99, random_state=seed)
        for seed in range(300)
    ]
    share, p = np.array(results).T
    assert share.mean() == pytest.approx(0.5, abs=4 * share.std() / np.sqrt(300))
    for level in (0.05, 0.1, 0.5):
        assert (p <= level).mean() <= level + 3 * np.sqrt(level * (1 - level) / 300)
    assert p.mean() == pytest.approx(0.5, abs=0.08)


@over_seeds
def test_rows_made_from_the_training_rows_are_found(seed):
    train, holdout, fresh = draws(seed)
    jittered = train + 0.2 * fresh[:40]
    share = dcr_share(train, holdout, jittered, random_state=seed)
    auc = membership_auc(train, holdout, jittered)
    assert share.share > 0.8 and share.p_value == pytest.approx(0.001)
    assert auc.auc > 0.8 and auc.p_value < 1e-4


@over_seeds
def test_chunks_make_no_difference(seed, monkeypatch):
    whole = dcr_share(*draws(seed), random_state=seed)
    monkeypatch.setattr("gansampler.metrics._neighbours.CHUNK", 300)
    monkeypatch.setattr("gansampler.metrics._inference.CHUNK", 300)
    assert dcr_share(*draws(seed), random_state=seed) == pytest.approx(whole)


def test_membership_equals_hand_computed_number():
    # Distances 1 and 4 of training rows, 2 and 4 of held-out ones: 2 + 1/2 of 4 pairs.
    result = membership_auc(
        np.array([[1.0], [4.0]]), np.array([[-2.0], [-4.0]]), np.zeros((1, 1))
    )
    assert result.auc == pytest.approx(2.5 / 4)


@over_seeds
def test_membership_is_the_area_under_the_curve(seed):
    train, holdout, synthetic = draws(seed, k=25)
    near = -cdist(np.r_[train, holdout], synthetic).min(axis=1)
    expected = roc_auc_score(np.repeat([1, 0], [40, 25]), near)
    assert membership_auc(train, holdout, synthetic).auc == pytest.approx(expected)


def test_membership_p_values_are_uniform_on_fresh_rows():
    auc, p = np.array([membership_auc(*draws(seed, k=25)) for seed in range(400)]).T
    assert auc.mean() == pytest.approx(0.5, abs=4 * auc.std() / 20)
    for level in (0.05, 0.1, 0.5):
        assert (p <= level).mean() == pytest.approx(
            level, abs=3 * np.sqrt(level * (1 - level) / 400)
        )


def test_membership_of_rows_that_coincide_is_chance():
    ones = np.ones((4, 2))
    assert membership_auc(ones, ones, ones) == pytest.approx((0.5, 1))
