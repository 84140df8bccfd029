"""The way from a table to the latent space and back."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import expon, kstest, norm, t

from gansampler._encoding import NormalScores, TableEncoder

SEEDS = range(5)


def rng_of(seed):
    return np.random.RandomState(seed)


def skewed(seed, n=80, d=6):
    return np.exp(rng_of(seed).normal(size=(n, d)) * np.linspace(0.1, 20, d))


def fitted(X, seed, smooth):
    scores = NormalScores()
    z = scores.fit_transform(X, rng_of(seed))
    if smooth:
        scores.smooth(X, z, np.zeros(len(X), int))
    return scores


@pytest.mark.parametrize("seed", SEEDS)
def test_scores_are_normal_whatever_the_column(seed):
    scores = NormalScores().fit_transform(skewed(seed), rng_of(seed))
    expected = norm.ppf((np.arange(80) + 0.5) / 80)
    for column in scores.T:
        assert_allclose(np.sort(column), expected)


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("n", [2, 3, 50, 3000])
def test_round_trip(seed, smooth, n):
    X = skewed(seed, n=n)
    scores = fitted(X, seed, smooth)
    back = scores.inverse_transform(scores.transform(X))
    # Every value up to 1,000 rows; beyond that the quantiles are a summary.
    if n <= 1000:
        assert_allclose(back, X, rtol=1e-6)
    else:
        assert_allclose(scores.transform(back), scores.transform(X), atol=1e-6)


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_values_stay_in_range_and_order(seed, smooth):
    X = skewed(seed)
    scores = fitted(X, seed, smooth)
    grid = np.repeat(np.linspace(-40, 40, 500)[:, None], X.shape[1], axis=1)
    values = scores.inverse_transform(grid)
    assert (values >= X.min(axis=0)).all()
    assert (values <= X.max(axis=0)).all()
    assert (np.diff(values, axis=0) >= 0).all()
    assert_array_equal(values[[0, -1]], [X.min(axis=0), X.max(axis=0)])


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_marginals_come_back(seed, smooth):
    X = skewed(seed, n=400)
    scores = fitted(X, seed, smooth)
    fresh = scores.inverse_transform(rng_of(seed + 100).normal(size=X.shape))
    for drawn, column in zip(fresh.T, X.T, strict=True):
        assert kstest(drawn, column).pvalue > 1e-4


def test_gaps_keep_some_of_their_width():
    """Two thirds of a column around 0, one around 10: what is between is seldom drawn."""
    column = np.sort(np.r_[rng_of(0).normal(0, 1, 200), rng_of(1).normal(10, 1, 100)])
    low, high = column[199:201]
    widths = {}
    for smooth in (False, True):
        scores = fitted(column[:, None], 0, smooth)
        z = scores.transform(column[:, None])[:, 0]
        widths[smooth] = z[200] - z[199]
        blurred = z + 0.05 * rng_of(2).normal(size=300)
        drawn = scores.inverse_transform(blurred[:, None])[:, 0]
        crossed = (drawn < (low + high) / 2) != (column < (low + high) / 2)
        assert crossed.any() != smooth
    assert widths[True] > 5 * widths[False]


@pytest.mark.parametrize(
    "column_of", [norm, expon, t(3)], ids=["normal", "exponential", "t"]
)
def test_smoothed_ranks_are_nearer_to_the_population(column_of):
    errors = {False: [], True: []}
    for seed in range(40):
        X = column_of.rvs(size=(60, 1), random_state=seed)
        at = np.linspace(X.min(), X.max(), 200)[:, None]
        for smooth, error in errors.items():
            share = norm.cdf(fitted(X, seed, smooth).transform(at))
            error.append(np.mean((share - column_of.cdf(at)) ** 2))
    assert np.mean(errors[True]) < 0.95 * np.mean(errors[False])


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_shares_of_repeated_values_come_back(seed, smooth):
    n = 500
    inside, at_the_end = rng_of(seed + 4).normal(size=(2, n))
    X = np.column_stack(
        [
            rng_of(seed).rand(n) < 0.1,
            rng_of(seed + 1).randint(4, size=n) * 1.5,
            np.where(rng_of(seed + 2).rand(n) < 0.4, 0, rng_of(seed + 3).rand(n)),
            np.where(rng_of(seed + 5).rand(n) < 0.08, 0.5, inside),
            at_the_end.clip(max=1.2),
        ]
    ).astype(float)
    scores = NormalScores()
    latent = scores.fit_transform(X, rng_of(seed))
    if smooth:
        scores.smooth(X, latent, np.zeros(n, int))
    # A normal distribution fitted to the scores gives back the shares, for the scores of
    # repeated values are spread over their ranks.
    drawn = scores.inverse_transform(
        rng_of(seed).normal(latent.mean(0), latent.std(0), X.shape)
    )
    assert set(drawn[:, 0]) == {0.0, 1.0}
    assert set(drawn[:, 1]) <= {0.0, 1.5, 3.0, 4.5}
    for column, new in zip(X.T, drawn.T, strict=True):
        values, counts = np.unique(column, return_counts=True)
        for value in values[counts >= 0.05 * n]:
            share = (column == value).mean()
            error = np.sqrt(2 * max(share, 0.01) * (1 - share) / n)
            assert abs((new == value).mean() - share) < 4 * error


def test_whole_numbers_stay_whole():
    X = np.column_stack([np.arange(300), np.arange(300) / 2])
    scores = NormalScores()
    scores.fit_transform(X, rng_of(0))
    drawn = scores.inverse_transform(rng_of(1).normal(size=(200, 2)))
    assert_array_equal(drawn[:, 0], np.rint(drawn[:, 0]))
    assert (drawn[:, 1] != np.rint(drawn[:, 1])).any()


@pytest.mark.parametrize("shape", [(30, 200), (200, 30), (30, 30), (5, 1), (2, 3)])
def test_latent_distances_are_distances_of_scores(shape):
    X = rng_of(0).normal(size=shape)
    encoder = TableEncoder()
    latent = encoder.fit_transform(X, np.zeros(len(X), int), rng_of(0))
    scores = encoder.scores_.transform(X)
    gram = (scores - scores.mean(0)) @ (scores - scores.mean(0)).T
    assert_allclose(latent @ latent.T, gram, atol=1e-8)
    assert_allclose(encoder.transform(X), latent, atol=1e-8)
    assert_allclose(
        encoder.inverse_transform(latent, np.zeros(len(X), int), rng_of(0)), X, atol=1e-6
    )


def test_remainder_beyond_the_components(monkeypatch):
    # With fewer components than the table has, the variance left over is drawn.
    monkeypatch.setattr("gansampler._encoding.MAX_COMPONENTS", 3)
    X = rng_of(0).normal(size=(400, 10))
    encoder = TableEncoder()
    latent = encoder.fit_transform(X, np.zeros(len(X), int), rng_of(0))
    assert latent.shape == (400, 3)
    shuffled = latent[rng_of(1).permutation(400)]
    drawn = encoder.inverse_transform(shuffled, np.zeros(400, int), rng_of(2))
    assert_allclose(drawn.std(axis=0), X.std(axis=0), rtol=0.15)
