"""Distances to nearest rows, and what holds for rows of one distribution."""

import numpy as np
import pytest
from scipy.stats import ortho_group

from gansampler.metrics import (
    near_duplicates,
    nearest_neighbour_distances,
    nearest_neighbour_ratios,
)

over_seeds = pytest.mark.parametrize("seed", range(5))


def draws(seed, n=60, m=45, d=3):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(size=(m, d))


def test_distances_equal_hand_computed_numbers():
    real = np.array([[0.0, 0.0], [3.0, 4.0], [3.0, 5.0]])
    nearest = nearest_neighbour_distances(real, np.array([[0.0, 1.0], [6.0, 8.0]]))
    assert nearest.real_real == pytest.approx([5, 1, 1])
    assert nearest.synthetic_synthetic == pytest.approx([np.sqrt(85)] * 2)
    assert nearest.synthetic_real == pytest.approx([1, np.sqrt(18)])
    ratios = nearest_neighbour_ratios(real, np.array([[0.0, 1.0], [6.0, 8.0]]))
    assert ratios.synthetic_real == pytest.approx((1 + np.sqrt(18)) / 2 / (7 / 3))
    assert ratios.synthetic_synthetic == pytest.approx(np.sqrt(85) / (7 / 3))


@over_seeds
def test_groups_leave_out_the_own_group_only(seed):
    real, synthetic = draws(seed)
    patient = np.arange(60) // 2
    # The second scan of a patient is the first with a little noise.
    real[1::2] = real[::2] + 1e-3
    with_groups = nearest_neighbour_distances(real, synthetic, groups=patient)
    without = nearest_neighbour_distances(real, synthetic)
    assert (without.real_real < 2e-3).all()
    expected = [
        np.linalg.norm(real[patient != patient[row]] - real[row], axis=1).min()
        for row in range(60)
    ]
    assert with_groups.real_real == pytest.approx(expected)
    assert with_groups.synthetic_real == pytest.approx(without.synthetic_real)
    named = nearest_neighbour_distances(real, synthetic, groups=patient.astype(str))
    assert named.real_real == pytest.approx(expected)


def test_groups_must_be_two_at_least():
    real, synthetic = draws(0)
    with pytest.raises(ValueError, match="groups must hold at least two groups; got 1"):
        nearest_neighbour_distances(real, synthetic, groups=np.zeros(60))


@over_seeds
def test_chunks_make_no_difference(seed, monkeypatch):
    real, synthetic = draws(seed)
    whole = nearest_neighbour_distances(real, synthetic)
    monkeypatch.setattr("gansampler.metrics._neighbours.CHUNK", 200)
    for ours, expected in zip(
        nearest_neighbour_distances(real, synthetic), whole, strict=True
    ):
        np.testing.assert_array_equal(ours, expected)


@over_seeds
def test_ratios_do_not_depend_on_rigid_motion_scale_or_order(seed):
    real, synthetic = draws(seed)
    ratios = nearest_neighbour_ratios(real, synthetic)
    move = 7 * ortho_group.rvs(3, random_state=seed)
    moved = nearest_neighbour_ratios(real[::-1] @ move + 3, synthetic[::-1] @ move + 3)
    assert moved == pytest.approx(ratios)


def test_ratios_of_fresh_rows_are_near_one():
    # A fresh row has n real neighbours to choose from, a real row n - 1.
    ratios = np.array([nearest_neighbour_ratios(*draws(s, 50, 50)) for s in range(100)])
    to_real, among = ratios.mean(axis=0)
    assert among == pytest.approx(1, abs=0.03)
    assert to_real == pytest.approx(1, abs=0.04)


@over_seeds
def test_ratios_tell_copies_collapse_and_blur(seed):
    real, fresh = draws(seed, 60, 60)
    copies = nearest_neighbour_ratios(real, real)
    collapsed = nearest_neighbour_ratios(real, fresh * 0.01)
    blurred = nearest_neighbour_ratios(real, fresh * 5)
    assert copies.synthetic_real == 0
    assert copies.synthetic_synthetic == pytest.approx(1)
    assert collapsed.synthetic_synthetic < 0.05
    assert min(blurred) > 2


def test_ratios_without_a_unit_are_nan():
    assert np.isnan(nearest_neighbour_ratios(np.ones((3, 2)), np.eye(2))).all()


def test_near_duplicates_equal_hand_computed_numbers():
    X = np.array([[0.0], [1.0], [3.0], [3.0]])
    shares = [near_duplicates(X, radius=radius) for radius in (0, 0.9, 1, 2)]
    assert shares == [0.5, 0.5, 1, 1]


@over_seeds
def test_near_duplicates_count_repeated_rows(seed):
    X, _ = draws(seed)
    assert near_duplicates(X, radius=0) == 0
    assert near_duplicates(np.r_[X, X[:20]], radius=0) == pytest.approx(40 / 80)
    shares = [near_duplicates(X, radius=radius) for radius in np.linspace(0, 3, 10)]
    assert (np.diff(shares) >= 0).all()
