"""Precision, recall, density, coverage; spread; missing parts."""

import numpy as np
import pytest
from scipy.stats import ortho_group

from gansampler.metrics import missing_bins, prdc, variance_ratio

over_seeds = pytest.mark.parametrize("seed", range(5))


def draws(seed, n=60, m=45, d=3):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(size=(m, d))


def test_prdc_equals_hand_computed_numbers():
    # Radii: real 1 1 1 7, synthetic 1 1 3.5 25.
    real = np.array([[0.0], [1.0], [2.0], [9.0]])
    synthetic = np.array([[0.5], [1.5], [5.0], [30.0]])
    result = prdc(real, synthetic, n_neighbors=1)
    assert result.precision == pytest.approx(3 / 4)  # all but 30
    assert result.recall == pytest.approx(1)  # 0 1 2 by .5 and 1.5, 9 by 30
    assert result.density == pytest.approx((2 + 2 + 1 + 0) / 4)
    assert result.coverage == pytest.approx(1)
    # Recall is precision the other way round.
    assert prdc(synthetic, real, n_neighbors=1).recall == pytest.approx(3 / 4)


@over_seeds
@pytest.mark.parametrize(
    ("n", "m", "d", "k"), [(60, 45, 3, 5), (45, 60, 1, 1), (50, 50, 40, 3), (9, 80, 2, 7)]
)
def test_prdc_is_that_of_its_authors(seed, n, m, d, k, capsys):
    reference = pytest.importorskip("prdc")
    real, synthetic = draws(seed, n, m, d)
    expected = reference.compute_prdc(real, 1.3 * synthetic + 0.2, k)
    ours = prdc(real, 1.3 * synthetic + 0.2, n_neighbors=k)._asdict()
    assert ours == pytest.approx(expected, abs=1e-10)


@over_seeds
def test_prdc_does_not_depend_on_rigid_motion_scale_or_order(seed):
    real, synthetic = draws(seed)
    move = 7 * ortho_group.rvs(3, random_state=seed)
    moved = prdc(real[::-1] @ move + 3, synthetic[::-1] @ move + 3)
    assert moved == pytest.approx(prdc(real, synthetic))


@over_seeds
def test_prdc_in_chunks(seed, monkeypatch):
    real, synthetic = draws(seed)
    whole = prdc(real, synthetic)
    monkeypatch.setattr("gansampler.metrics._neighbours.CHUNK", 200)
    assert prdc(real, synthetic) == pytest.approx(whole, abs=1e-12)


def test_density_and_coverage_of_fresh_rows_are_as_documented():
    n, k = 40, 5
    results = np.array([prdc(*draws(seed, n, n)) for seed in range(200)])
    density, coverage = results[:, 2], results[:, 3]
    i = np.arange(1, k + 1)
    expected = 1 - np.prod((n - i) / (2 * n - i))
    assert abs(density.mean() - 1) < 4 * density.std() / np.sqrt(200)
    assert abs(coverage.mean() - expected) < 4 * coverage.std() / np.sqrt(200)


@over_seeds
def test_prdc_tells_what_is_wrong(seed):
    real, fresh = draws(seed, 200, 200)
    fine = prdc(real, fresh)
    far, narrow, half = (
        prdc(real, change) for change in (fresh + 20, fresh * 0.1, np.abs(fresh))
    )
    assert far == (0, 0, 0, 0)
    assert narrow.precision == 1 and max(narrow.recall, narrow.coverage) < 0.2
    assert half.coverage < fine.coverage - 0.3
    assert prdc(real, real)[:2] == (1, 1) and prdc(real, real).coverage == 1


def test_variance_ratio_equals_hand_computed_number():
    # Variances 1/2 + 2 and 2 + 0.
    real, synthetic = np.array([[0.0, 0.0], [1.0, 2.0]]), np.array([[0.0, 5.0], [2.0, 5.0]])
    assert variance_ratio(real, synthetic) == pytest.approx(2 / 2.5)


@over_seeds
def test_variance_ratio_of_fresh_scaled_and_moved_rows(seed):
    real, fresh = draws(seed, 400, 300)
    ratio = variance_ratio(real, fresh)
    assert ratio == pytest.approx(1, abs=0.2)
    assert variance_ratio(real, 3 * fresh + 7) == pytest.approx(9 * ratio)
    assert variance_ratio(2 * real, 2 * fresh) == pytest.approx(ratio)
    assert variance_ratio(real, np.ones((5, 3))) == pytest.approx(0, abs=1e-12)


def test_variance_ratio_without_real_variance_is_nan():
    assert np.isnan(variance_ratio(np.full((7, 2), 0.1), np.eye(2)))


def modes(seed, n, share):
    """Two modes far apart, a share of rows in the second; wide enough for any bins."""
    rng = np.random.default_rng(seed)
    second = np.arange(n) < round(share * n)
    return rng.normal(size=(n, 3)) + 8 * second[:, None]


def test_missing_bins_equal_hand_computed_numbers():
    # Shares .5 .3 .2 against .95 .05 0: the second is below a quarter, the third empty.
    points = np.array([[0.0], [10.0], [20.0]])
    real = np.repeat(points, [10, 6, 4], axis=0)
    synthetic = np.repeat(points, [19, 1, 0], axis=0)
    result = missing_bins(real, synthetic, n_bins=3, random_state=0)
    assert result.mass == pytest.approx(0.25 + 0.2)
    assert result.p_value < 0.01
    # More bins than distinct rows do no harm.
    assert missing_bins(real, synthetic, random_state=0).mass == pytest.approx(0.45)


def test_missing_bins_are_conservative_on_fresh_rows():
    p = np.array(
        [
            missing_bins(
                *draws(seed, 40, 50), n_bins=6, n_permutations=99, random_state=seed
            ).p_value
            for seed in range(60)
        ]
    )
    for level in (0.05, 0.1, 0.3):
        assert (p <= level).mean() <= level + 3 * np.sqrt(level * (1 - level) / 60)
    assert p.mean() > 0.45


@over_seeds
def test_missing_bins_find_a_dropped_mode(seed):
    real, complete = modes(seed, 80, 0.4), modes(seed + 100, 60, 0.4)
    dropped = modes(seed + 100, 60, 0)
    missing = missing_bins(real, dropped, random_state=seed)
    assert missing.mass == pytest.approx(0.4, abs=0.15)
    assert missing.p_value == pytest.approx(0.001)
    assert missing_bins(real, complete, random_state=seed).p_value > 0.01


@over_seeds
def test_missing_bins_do_not_punish_what_the_data_lack(seed):
    # Rows where no real ones are lower the precision, they do not hide a mode.
    real = modes(seed, 80, 0)
    more = modes(seed + 100, 80, 0.5)
    assert missing_bins(real, more, n_bins=2, random_state=seed).mass == 0


def test_missing_bins_of_equal_rows():
    assert missing_bins(np.ones((5, 2)), np.ones((9, 2)), random_state=0) == (0, 1)
