"""Permuted labels, and what is read off them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.stats import mannwhitneyu

from ._neighbours import CHUNK


class RankTest(NamedTuple):
    """Area under the ROC curve, and whether it is above .5.

    Parameters
    ----------
    auc : float
        Area under the ROC curve, from 0 to 1.
    p_value : float
        Of the Mann-Whitney test, one-sided: small where the area is above .5.
    """

    auc: float
    p_value: float


def rank_test(high: np.ndarray, low: np.ndarray) -> RankTest:
    """Does the first sample lie above the second? Ties count half."""
    test = mannwhitneyu(high, low, alternative="greater")
    return RankTest(float(test.statistic / (len(high) * len(low))), float(test.pvalue))


def label_permutations(
    n: int, m: int, n_permutations: int, rng: np.random.RandomState
) -> Iterator[np.ndarray]:
    """Random splits of n + m rows, as blocks of shape (b, n + m) with n true in a row."""
    size = max(1, CHUNK // (n + m))
    for start in range(0, n_permutations, size):
        labels = np.zeros((min(size, n_permutations - start), n + m), dtype=bool)
        for row in labels:
            row[rng.permutation(n + m)[:n]] = True
        yield labels


def permutation_p_value(observed: float, null: np.ndarray) -> float:
    """(1 + #{null >= observed}) / (B + 1), where a tie may be off by rounding."""
    tolerance = 1e-10 * np.abs(null).max()
    return float((1 + (null >= observed - tolerance).sum()) / (len(null) + 1))


def subsample(rows: np.ndarray, n: int, rng: np.random.RandomState) -> np.ndarray:
    """At most n of the rows, without repeats."""
    return rows if len(rows) <= n else rows[rng.permutation(len(rows))[:n]]
