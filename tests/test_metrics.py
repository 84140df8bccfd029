"""Measures of samples against data: hand values, and what makes them measures."""

import numpy as np
import pytest
from scipy.stats import energy_distance as scipy_energy_distance
from scipy.stats import ortho_group

from gansampler.metrics import energy_distance, energy_score

over_seeds = pytest.mark.parametrize("seed", range(5))


def draws(seed, n=60, m=45, d=3):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(size=(m, d)) * 1.5 + 0.5


def test_energy_distance_equals_hand_computed_number():
    # cross mean (5 + 0) / 2, within X 0, within Y (0 + 5 + 5 + 0) / 4
    X, Y = np.array([[0.0, 0.0]]), np.array([[3.0, 4.0], [0.0, 0.0]])
    assert energy_distance(X, Y) == pytest.approx(2 * 2.5 - 0 - 2.5)


@over_seeds
def test_energy_distance_is_zero_on_equal_samples_only(seed):
    X, Y = draws(seed)
    shuffled = np.random.default_rng(seed).permutation(X)
    assert energy_distance(X, X) == 0
    assert energy_distance(X, shuffled) == pytest.approx(0, abs=1e-12)
    assert energy_distance(X, np.repeat(X, 2, axis=0)) == pytest.approx(0, abs=1e-12)
    assert energy_distance(X, Y) > 0.01
    moved = X.copy()
    moved[0] += 1
    assert energy_distance(X, moved) > 1e-6


@over_seeds
def test_energy_distance_is_symmetric_and_invariant_to_rigid_motion(seed):
    X, Y = draws(seed)
    distance = energy_distance(X, Y)
    rotation, shift = ortho_group.rvs(3, random_state=seed), np.array([5.0, -2.0, 1.0])
    assert energy_distance(Y, X) == pytest.approx(distance)
    assert energy_distance(X + shift, Y + shift) == pytest.approx(distance)
    assert energy_distance(X @ rotation, Y @ rotation) == pytest.approx(distance)
    # of both samples together: moving only one of them is seen
    assert energy_distance(X + shift, Y) > 2 * distance


@over_seeds
def test_energy_distance_scales_with_the_data(seed):
    X, Y = draws(seed)
    assert energy_distance(3 * X, 3 * Y) == pytest.approx(3 * energy_distance(X, Y))


@over_seeds
def test_energy_distance_grows_with_the_shift(seed):
    X, _ = draws(seed)
    _, Y = draws(seed + 100)
    Y = Y - Y.mean(axis=0) + X.mean(axis=0)
    distances = [energy_distance(X, Y + shift) for shift in (0, 0.5, 1, 2, 4, 8)]
    assert (np.diff(distances) > 0).all()


@over_seeds
@pytest.mark.parametrize("change", [lambda Y: Y + 1, lambda Y: Y * 2, lambda Y: Y / 3])
def test_energy_distance_tells_change_from_sampling_noise(seed, change):
    X, Y = np.random.default_rng(seed).normal(size=(2, 200, 3))
    # E of the V-statistic under the null: E|x - x'| (1/n + 1/m) = 2.26 / 100
    null = energy_distance(X, Y)
    assert 0 < null < 4 * 2.26 / 100
    assert energy_distance(X, change(Y)) > 3 * null


@over_seeds
def test_energy_distance_in_one_dimension_is_that_of_scipy_squared(seed):
    # scipy takes the root: sqrt(2 E|x - y| - E|x - x'| - E|y - y'|)
    X, Y = draws(seed, d=1)
    expected = scipy_energy_distance(X[:, 0], Y[:, 0]) ** 2
    assert energy_distance(X, Y) == pytest.approx(expected, rel=1e-9)


def test_energy_score_equals_hand_computed_numbers():
    # within (1 + 3 + 2) / 3 = 2; to 0: (0 + 1 + 3) / 3, to 5: (5 + 4 + 2) / 3
    samples = np.array([[0.0], [1.0], [3.0]])
    scores = energy_score(np.array([[0.0], [5.0]]), samples)
    assert scores == pytest.approx([4 / 3 - 1, 11 / 3 - 1])


@over_seeds
def test_energy_score_is_one_number_per_row_and_of_that_row(seed):
    X, Y = draws(seed)
    scores = energy_score(X, Y)
    assert scores.shape == (60,)
    assert scores == pytest.approx([energy_score(x[None], Y)[0] for x in X])
    assert energy_score(X[::-1], Y) == pytest.approx(scores[::-1])


@over_seeds
def test_energy_score_does_not_depend_on_the_number_of_samples(seed):
    # pairs of distinct samples only: otherwise two samples would score 0.4 worse
    # than many (E|s - s'| / 4 with E|s - s'| = 1.7 in the plane)
    rng = np.random.default_rng(seed)
    X, samples = rng.normal(size=(50, 2)), rng.normal(size=(4000, 2))
    pairs = np.mean([energy_score(X, pair) for pair in samples.reshape(-1, 2, 2)])
    assert pairs == pytest.approx(energy_score(X, samples).mean(), abs=0.08)


CHANGES = {
    "shifted": lambda samples, rng: samples + 0.5,
    "blurred": lambda samples, rng: samples + rng.normal(size=samples.shape),
    "shrunk": lambda samples, rng: samples * 0.5,
    "collapsed": lambda samples, rng: samples * 1e-3,
    "one mode": lambda samples, rng: np.abs(samples),
}


@over_seeds
@pytest.mark.parametrize("change", CHANGES)
def test_energy_score_is_proper(seed, change):
    rng = np.random.default_rng(seed)
    X, samples, others = rng.normal(size=(3, 600, 2))
    changed = CHANGES[change](samples, rng)
    # paired over rows, as training compares them
    worse = energy_score(X, changed) - energy_score(X, samples)
    standard_error = worse.std(ddof=1) / np.sqrt(len(worse))
    assert worse.mean() > 2 * standard_error
    # the null: other samples of the truth are not told apart by that much
    same = energy_score(X, others) - energy_score(X, samples)
    assert abs(same.mean()) < worse.mean()
