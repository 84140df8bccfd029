"""The error rate of the copy check, and what it finds."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist
from scipy.stats import norm, rankdata

from gansampler import ConformalCopyCheck
from gansampler.checks import _neighbours


def draw(n, d, rng):
    """Skewed, correlated columns."""
    factors = rng.normal(size=(n, 5)) @ np.random.default_rng(7).normal(size=(5, d))
    return np.exp((factors + rng.normal(size=(n, d))) / 3)


def rejected(real, new, alpha=0.1, **params):
    check = ConformalCopyCheck(alpha=alpha, **params).fit(real)
    return (~check.accept(new)).mean()


@pytest.mark.parametrize("scale", ["normal-scores", "standard", None])
@pytest.mark.parametrize("n", [20, 50, 100])
def test_fresh_rows_pass(n, scale):
    """Over repeats, at most alpha of fresh rows is rejected: alpha + 3 s.e."""
    alpha, repeats = 0.1, 60
    shares = []
    for seed in range(repeats):
        rng = np.random.default_rng(seed)
        shares.append(rejected(draw(n, 20, rng), draw(40, 20, rng), alpha, scale=scale))
    assert np.mean(shares) <= alpha + 3 * np.std(shares) / np.sqrt(repeats)


@pytest.mark.parametrize("n", [4, 10])
def test_fresh_rows_pass_where_the_level_is_the_smallest_there_is(n):
    """Exact with numbers as given; a scale learned from four rows is not theirs alone."""
    shares = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        real, new = draw(n, 20, rng), draw(20, 20, rng)
        shares.append(rejected(real, new, alpha=0.05, scale=None))
    assert np.mean(shares) <= 2 / (n + 1) + 3 * np.std(shares) / np.sqrt(200)


@pytest.mark.parametrize("n", [20, 50, 100, 300])
@pytest.mark.parametrize("jitter", [0.0, 0.3])
def test_copies_are_found(n, jitter):
    """Copies moved, on normal scores, by 0.3 of the distance to the nearest neighbour."""
    found = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        real = norm.ppf((rankdata(draw(n, 20, rng), axis=0) - 0.5) / n)
        distance = cdist(real, real)
        np.fill_diagonal(distance, np.inf)
        step = rng.normal(size=real.shape)
        step *= jitter * (distance.min(axis=1) / np.linalg.norm(step, axis=1))[:, None]
        found.append(rejected(real, real + step, scale=None))
    assert np.mean(found) >= 0.99


def test_p_values_are_full_conformal():
    """The same numbers as adding each row and ranking everyone anew, by brute force."""
    rng = np.random.default_rng(0)
    real, new = rng.normal(size=(15, 3)), rng.normal(size=(8, 3))
    got = ConformalCopyCheck(scale=None).fit(real).p_values(new)
    for row, p in zip(new, got, strict=True):
        bag = np.vstack([real, row])
        distance = cdist(bag, bag)
        np.fill_diagonal(distance, np.inf)
        first, second = np.sort(distance, axis=1)[:, :2].T
        ranks = [
            (first <= first[-1]).mean(),
            (first / second <= (first / second)[-1]).mean(),
        ]
        assert_allclose(p, max(ranks))


def test_a_calibrating_subset_ranks_against_all_rows(monkeypatch):
    monkeypatch.setattr(_neighbours, "CALIBRATION_ROWS", 50)
    rng = np.random.default_rng(0)
    real = draw(300, 10, rng)
    # A copy of any row is found, of those too that do not calibrate.
    assert rejected(real, real, random_state=0) == 1
    shares = [
        rejected(draw(300, 10, rng), draw(50, 10, rng), random_state=seed)
        for seed in range(40)
    ]
    assert np.mean(shares) <= 0.1 + 3 * np.std(shares) / np.sqrt(40)


@pytest.mark.parametrize("many", [0, 50 * 200, 10**9])
def test_a_row_has_the_same_p_value_whatever_it_is_judged_with(monkeypatch, many):
    """Whole numbers have many equal distances, which rounding must not tell apart."""
    rng = np.random.default_rng(0)
    real, new = (rng.integers(9, size=(n, 8)) / 7 for n in (200, 51))
    expected = ConformalCopyCheck(scale=None).fit(real).p_values(new)
    monkeypatch.setattr(_neighbours, "CHUNK", 100)
    monkeypatch.setattr(_neighbours, "MANY", many)
    check = ConformalCopyCheck(scale=None).fit(real)
    assert_array_equal(check.p_values(new), expected)
    assert_array_equal([check.p_values(row[None])[0] for row in new], expected)


def test_classes_are_checked_apart():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 5))
    y = np.repeat(["a", "b"], 40)
    check = ConformalCopyCheck().fit(X, y)
    assert not check.accept(X + 1e-6, y).any()
    # A copy of a row of the other class copies nobody of its own.
    assert check.accept(X + 1e-6, y[::-1]).mean() > 0.9


def patients(n_patients, n_rows, within, rng, d=20):
    """Rows of patients, `n_rows` each, that differ by `within` about the patient's own."""
    own = np.repeat(draw(n_patients, d, rng), n_rows, axis=0)
    return own + within * rng.normal(size=own.shape)


@pytest.mark.parametrize("within", [0.01, 0.3])
@pytest.mark.parametrize(
    ("n_patients", "n_rows"), [(1, 10), (2, 10), (3, 10), (5, 20), (10, 5), (30, 4)]
)
def test_rows_of_new_patients_pass_and_copies_do_not(n_patients, n_rows, within):
    """However many rows a patient has, as the number of patients allows."""
    groups = np.repeat(np.arange(n_patients), n_rows)
    shares, repeats = [], 60
    for seed in range(repeats):
        rng = np.random.default_rng(seed)
        real, new = (
            patients(n, m, within, rng) for n, m in ((n_patients, n_rows), (40, 1))
        )
        check = ConformalCopyCheck(scale=None).fit(real, groups=groups)
        assert not check.accept(real).any()
        shares.append((~check.accept(new)).mean())
    # Of one or two patients each row is its own.
    n = n_patients if n_patients > 2 else n_patients * n_rows
    assert check.levels_[0] == pytest.approx(max(0.1, 2 / (n + 1)))
    assert np.mean(shares) <= check.levels_[0] + 3 * np.std(shares) / np.sqrt(repeats)


def test_patients_count_alike_whatever_their_numbers_of_rows():
    """One patient has most of the rows: a new one is as often near to him as to others."""
    sizes = np.r_[200, np.ones(24, int)]
    shares, repeats = [], 60
    for seed in range(repeats):
        rng = np.random.default_rng(seed)
        own = draw(len(sizes), 20, rng)
        real = np.repeat(own, sizes, axis=0)
        real += 0.01 * rng.normal(size=real.shape)
        groups = np.repeat(np.arange(len(sizes)), sizes)
        check = ConformalCopyCheck(alpha=0.2, scale=None).fit(real, groups=groups)
        shares.append((check.p_values(draw(40, 20, rng)) <= 0.2).mean())
        assert not check.accept(real).any()
    assert 0.03 < np.mean(shares) <= 0.2


@pytest.mark.parametrize("scale", [1e-300, 1e-40, 1.0, 1e40, 1e300])
def test_units_do_not_matter(scale):
    rng = np.random.default_rng(0)
    real, new = rng.normal(size=(60, 5)), rng.normal(size=(40, 5))
    expected = ConformalCopyCheck(scale=None).fit(real).p_values(new)
    check = ConformalCopyCheck(scale=None).fit(scale * real)
    assert_allclose(check.p_values(scale * new), expected)
    assert not check.accept(scale * real).any()


def test_a_patient_is_not_its_own_neighbour():
    """Two near-equal lesions a patient: without groups they hide what a copy looks like."""
    rng = np.random.default_rng(0)
    lesions, groups = patients(40, 2, 1e-3, rng), np.repeat(np.arange(40), 2)
    near_copies = lesions + 1e-3 * rng.normal(size=lesions.shape)
    plain = ConformalCopyCheck(scale=None).fit(lesions)
    grouped = ConformalCopyCheck(scale=None).fit(lesions, groups=groups)
    assert plain.accept(near_copies).mean() > 0.5
    assert not grouped.accept(near_copies).any()


@pytest.mark.parametrize("n", [1, 2])
def test_too_few_rows_to_compare(n):
    """Only an exact copy can be told."""
    real = np.random.default_rng(0).normal(size=(n, 3))
    others = np.random.default_rng(1).normal(size=(20, 3))
    y = np.repeat([0, 1], [n, 20])
    check = ConformalCopyCheck(scale=None).fit(np.vstack([real, others]), y)
    assert not check.accept(real, np.zeros(n)).any()
    assert check.accept(real + 1e-9, np.zeros(n)).all()


def test_repeated_real_rows_are_no_copies_when_drawn_again():
    """In a table of few distinct rows a fresh row repeats one as a matter of course."""
    rng = np.random.default_rng(0)
    real = rng.integers(2, size=(200, 3)).astype(float)
    assert rejected(real, rng.integers(2, size=(100, 3)).astype(float)) == 0


def test_bad_input():
    X = np.random.default_rng(0).normal(size=(20, 3))
    y = np.repeat([0, 1], 10)
    check = ConformalCopyCheck()
    with pytest.raises(ValueError, match=r"without a real row: \[2\]"):
        check.fit(X, y).accept(X[:1], [2])
    with pytest.raises(ValueError, match="give the class"):
        check.accept(X)
    with pytest.raises(ValueError, match="features"):
        check.accept(X[:, :2], y)
    with pytest.raises(ValueError, match="NaN"):
        check.accept(np.full((1, 3), np.nan), [0])
    with pytest.raises(ValueError, match="alpha"):
        ConformalCopyCheck(alpha=0.0).fit(X)
