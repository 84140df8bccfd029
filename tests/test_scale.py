"""Large tables: bounded work, exact counts, checks that still find copies."""

import tracemalloc
from collections import Counter

import numpy as np
import pytest
from scipy.stats import ks_2samp

from gansampler import (
    ConformalCopyCheck,
    GANOverSampler,
    TabularGAN,
    _drawing,
    _tabular,
    diagnose,
)
from gansampler.checks import _diagnose, _evidence, _neighbours


def table(n, d, n_rare, seed=0):
    """Correlated columns, a third of them skewed; the rare class is shifted."""
    rng = np.random.default_rng(seed)
    y = (np.arange(n) < n_rare).astype(int)
    X = rng.normal(size=(n, 3)) @ rng.normal(size=(3, d)) + rng.normal(size=(n, d))
    X += y[:, None]
    X[:, ::3] = np.exp(X[:, ::3] / 2)
    return X, y


def quick(**params):
    return GANOverSampler(max_iter=2, early_stopping=False, random_state=0, **params)


def peak_bytes(work):
    quick().fit_resample(*table(60, 3, 25))  # what is imported on the way does not count
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_no_matrix_of_columns_by_columns():
    X, y = table(40, 3000, 15)
    # A table is 1 MB, a matrix of columns by columns 72 MB.
    assert peak_bytes(lambda: quick().fit_resample(X, y)) < 36e6


def test_memory_of_large_draws_is_that_of_result_and_new_rows():
    X, y = table(20_000, 20, 200)
    sampler = quick()
    result = []
    peak = peak_bytes(lambda: result.append(sampler.fit_resample(X, y)[0]))
    new = sampler.is_synthetic_.sum() * X[0].nbytes
    assert peak < result[0].nbytes + new + 60e6


def test_counts_are_exact_and_real_rows_untouched(monkeypatch):
    monkeypatch.setattr(_drawing, "BLOCK", 3000)
    X, y = table(20_000, 10, 200)
    sampler = quick()
    X_all, y_all = sampler.fit_resample(X, y)
    assert Counter(y_all.tolist()) == {0: 19_800, 1: 19_800}
    assert np.array_equal(X_all[:20_000], X)
    assert len(np.unique(X_all[20_000:], axis=0)) == 19_600
    assert 0.9 < sampler.acceptance_rate_[1] <= 1


@pytest.mark.parametrize("max_rows", [100_000, 2000])
def test_marginals_hold_beyond_the_quantiles_kept(monkeypatch, max_rows):
    monkeypatch.setattr(_tabular, "MAX_ROWS", max_rows)
    X, y = table(20_000, 6, 400)
    gan = TabularGAN(max_iter=1, early_stopping=False, random_state=0).fit(X, y)
    assert len(gan.encoder_.scores_.quantiles_) == 1000
    assert gan.class_prior_[1] == 400 / 20_000
    # Both classes alike, as a shrunk start does not give a class its own quantiles.
    X_new, _ = gan.sample(y=y)
    for j in range(6):
        assert ks_2samp(X[:, j], X_new[:, j]).statistic < (0.03 if max_rows > 2000 else 0.1)
        assert X[:, j].min() <= X_new[:, j].min() <= X_new[:, j].max() <= X[:, j].max()


def test_a_fit_sees_all_rows_of_small_classes():
    codes = np.repeat([0, 1, 2], [300_000, 120_000, 1000])
    rows = _tabular._rows_to_learn(codes, np.random.RandomState(0))
    assert np.bincount(codes[rows]).tolist() == [49_500, 49_500, 1000]
    assert (np.diff(rows) > 0).all()


@pytest.mark.parametrize("n_duplicates", [0, 500])
def test_subset_calibrates_a_check_against_all_rows(monkeypatch, n_duplicates):
    rng = np.random.default_rng(0)
    real, fresh = rng.normal(size=(2, 5000, 8)) + 100
    real[:n_duplicates] = real[n_duplicates : 2 * n_duplicates]
    check = ConformalCopyCheck(random_state=0).fit(real)
    assert len(check._rows[0].calibrating) == 2000
    p = check.p_values(fresh)
    assert (p <= 0.1).mean() < 0.1
    if not n_duplicates:
        planted = real + rng.normal(scale=1e-4, size=real.shape)
        assert not check.accept(real).any()
        assert not check.accept(planted).any()
    # Distances by a matrix product are as good as one by one.
    monkeypatch.setattr(_neighbours, "MANY", 10**9)
    exact = ConformalCopyCheck(random_state=0).fit(real)
    assert np.allclose(exact.p_values(fresh), p, atol=2 / 2001)
    assert np.allclose(exact.p_values(real[:600]), check.p_values(real[:600]), atol=2e-3)


def test_diagnosis_looks_at_some_rows_and_names_those_given(monkeypatch):
    monkeypatch.setattr(_diagnose, "CLASS_ROWS", 300)
    X, y = table(2000, 10, 1000)
    copied = np.random.default_rng(1).permutation(1000)
    result = diagnose(X, y, X[copied], y[copied], classes=[1], random_state=0)
    assert result.verdicts_ == {1: "memorizing"}
    assert len(result.rows_) == 300
    assert (copied[result.rows_["synthetic"]] == result.rows_["nearest_real"]).all()
    again = diagnose(X, y, X[copied], y[copied], classes=[1], random_state=0)
    assert again.rows_.equals(result.rows_)


def test_some_columns_tell_that_correlations_are_lost(monkeypatch):
    monkeypatch.setattr(_evidence, "CORRELATED_COLUMNS", 20)
    X, y = table(400, 200, 0)
    shuffled = np.random.default_rng(1).permuted(X[200:], axis=0)
    for new, is_lost in ((X[200:], False), (shuffled, True)):
        result = diagnose(X[:200], y[:200], new, y[200:], random_state=0)
        ratio = result.evidence_[0]["correlation_ratio"]
        assert (ratio > 1.4) == is_lost
