"""What columns tell about the class."""

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score
from sklearn.metrics.cluster import contingency_matrix, expected_mutual_information

from gansampler.metrics import (
    excess_mutual_information,
    mutual_information,
    mutual_information_difference,
)

over_seeds = pytest.mark.parametrize("seed", range(5))


def table(seed, n=100, d=6, effect=2.0, share=0.4):
    """Rows whose first column tells the class."""
    rng = np.random.default_rng(seed)
    y = (np.arange(n) < share * n).astype(int)
    X = rng.normal(size=(n, d))
    X[:, 0] += effect * y
    return X, y


def quintiles(X):
    """Bins of 100 untied rows, by rank."""
    return np.argsort(np.argsort(X, axis=0), axis=0) // 20


def test_mutual_information_equals_hand_computed_numbers():
    X = np.array([[0.0, 0.0], [1.0, 2.0], [2.0, 3.0], [3.0, 1.0]])
    y = np.array([0, 0, 1, 1])
    information = mutual_information(X, y, n_bins=2)
    assert information == pytest.approx([np.log(2), 0])
    # Cells 1/4, 1/4, 0, 1/2 with margins 1/2, 1/2 and 1/4, 3/4.
    assert mutual_information(X, np.array([0, 1, 1, 1]), n_bins=2)[0] == pytest.approx(
        0.25 * np.log(2) + 0.25 * np.log(2 / 3) + 0.5 * np.log(4 / 3)
    )


@over_seeds
@pytest.mark.parametrize("n_classes", [2, 3])
def test_mutual_information_is_that_of_scikit_learn(seed, n_classes):
    X, _ = table(seed)
    y = np.random.default_rng(seed).integers(n_classes, size=100)
    expected = [mutual_info_score(bins, y) for bins in quintiles(X).T]
    assert mutual_information(X, y) == pytest.approx(expected, abs=1e-12)


@over_seeds
def test_mutual_information_does_not_depend_on_units_names_or_order(seed):
    X, y = table(seed)
    information = mutual_information(X, y)
    assert mutual_information(np.exp(X), y) == pytest.approx(information)
    assert mutual_information(X[::-1], y[::-1]) == pytest.approx(information)
    assert mutual_information(X, np.array(["b", "a"])[y]) == pytest.approx(information)


def test_mutual_information_has_its_bounds():
    X, y = table(0)
    assert mutual_information(y[:, None], y) == pytest.approx(
        -(0.4 * np.log(0.4) + 0.6 * np.log(0.6))
    )
    assert mutual_information(X, np.zeros(100)) == pytest.approx(np.zeros(6), abs=1e-12)
    assert mutual_information(np.ones((100, 1)), y) == pytest.approx([0], abs=1e-12)


@pytest.mark.parametrize("rare", [0, 1])
def test_ties_share_a_bin_whichever_value_is_rare(rare):
    column = np.full(100, 1 - rare)
    column[:8] = rare
    expected = -(0.08 * np.log(0.08) + 0.92 * np.log(0.92))
    assert mutual_information(column[:, None], column) == pytest.approx([expected])


@over_seeds
def test_excess_leaves_out_the_exact_expectation(seed):
    X, y = table(seed)
    excess = excess_mutual_information(X, y, n_permutations=2000, random_state=seed)
    by_chance = [
        expected_mutual_information(contingency_matrix(bins, y), 100)
        for bins in quintiles(X).T
    ]
    assert mutual_information(X, y) - excess == pytest.approx(by_chance, abs=1e-3)


def test_excess_is_zero_on_average_where_nothing_is_told():
    X = np.random.default_rng(0).normal(size=(60, 2000))
    y = np.arange(60) % 2
    excess = excess_mutual_information(X, y, random_state=0)
    assert abs(excess.mean()) < 4 * excess.std() / np.sqrt(2000)
    assert mutual_information(X, y).mean() > 0.025  # 4 / 120 by chance


@over_seeds
def test_excess_grows_with_what_the_column_tells(seed):
    told = [
        excess_mutual_information(*table(seed, effect=effect), random_state=seed)[0]
        for effect in (0, 1, 2, 4)
    ]
    assert (np.diff(told) > 0).all()


def test_batches_make_no_difference(monkeypatch):
    X, y = table(0)
    whole = excess_mutual_information(X, y, random_state=0)
    monkeypatch.setattr("gansampler.metrics._predictive.CHUNK", 7 * 2 * 130)
    assert excess_mutual_information(X, y, random_state=0) == pytest.approx(whole)


@over_seeds
def test_difference_of_fresh_rows_is_noise_and_lost_classes_show(seed):
    real, fresh = table(seed, n=300), table(seed + 100, n=500)
    same = mutual_information_difference(*real, *fresh, random_state=seed)
    assert same.excess_real[0] == pytest.approx(same.excess_synthetic[0], abs=0.12)
    assert same.excess_synthetic[1:] == pytest.approx(same.excess_real[1:], abs=0.06)
    X, y = fresh
    lost = mutual_information_difference(
        *real, X, np.random.default_rng(seed).permutation(y), random_state=seed
    )
    assert lost.excess_real[0] > 0.15 and lost.excess_synthetic[0] < 0.05


@over_seeds
def test_difference_is_at_equal_numbers_and_prevalence(seed):
    # Twice the rows and another prevalence: the same conditional rows are not better told.
    (X, y), (Z, z) = table(seed, n=300, share=0.5), table(seed + 100, n=900, share=0.1)
    both = mutual_information_difference(X, y, Z, z, random_state=seed)
    assert both.excess_synthetic[0] == pytest.approx(both.excess_real[0], abs=0.15)
    # Nothing to leave out: as excess_mutual_information of either, up to permutations.
    equal = mutual_information_difference(X, y, X, y, random_state=seed, n_permutations=500)
    expected = excess_mutual_information(X, y, random_state=seed, n_permutations=500)
    for excess in equal:
        assert excess == pytest.approx(expected, abs=2e-3)


@over_seeds
def test_difference_takes_the_bins_of_the_real_rows(seed):
    # Beyond all real rows there is one bin left: nothing is told there.
    X, y = table(seed)
    both = mutual_information_difference(X, y, X + 100, y, random_state=seed)
    assert both.excess_synthetic == pytest.approx(np.zeros(6), abs=1e-12)


def test_difference_wants_two_classes_in_both():
    X, y = table(0)
    with pytest.raises(
        ValueError, match=r"share at least two classes; got \[0, 1\] and \[0"
    ):
        mutual_information_difference(X, y, X, np.zeros(100, int))
    # A class of one of them is left out.
    three = np.where(np.arange(100) > 90, 2, y)
    both = mutual_information_difference(X, three, X, y, random_state=0)
    assert min(both.excess_real[0], both.excess_synthetic[0]) > 0.1
