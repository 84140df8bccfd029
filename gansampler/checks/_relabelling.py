"""Statistics of two samples, as they are and with their rows exchanged at random.

If the synthetic rows are as good as fresh ones, real and synthetic rows of a class can be
exchanged, and a statistic computed for many random exchanges is its null distribution.
Each function here takes `is_real`, a mask of shape (1 + n_permutations, n_rows) over the
pooled rows whose first row is the truth, and returns one value for each of its rows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import cdist
from scipy.stats import rankdata
from sklearn.cluster import KMeans

N_NEIGHBOURS = 5
"""Neighbours that span the manifold of precision, recall, density and coverage."""

DUPLICATE_SHARE = 0.5
"""Near-duplicates are nearer than this share of what is a close pair of real rows..."""

CLOSE_QUANTILE = 0.05
"""...which is this quantile of the distances from real rows to the nearest other."""

N_BINS = (2, 3, 5, 8)
"""Numbers of bins that a class is parted into."""

MISSING_SHARE = 0.25
"""A bin is missing where synthetic rows have less than this share of their due."""


def relabel(
    n_real: int, n_synthetic: int, n_permutations: int, rng: np.random.RandomState
) -> np.ndarray:
    """Masks of real rows: the truth, then random exchanges with as many of each."""
    is_real = np.arange(n_real + n_synthetic) < n_real
    shuffled = [rng.permutation(is_real) for _ in range(n_permutations)]
    return np.array([is_real, *shuffled])


class Null(NamedTuple):
    """A statistic beside its null distribution."""

    value: float
    low: float
    high: float
    mean: float
    p_above: float
    p_below: float

    @classmethod
    def of(cls, values: np.ndarray) -> Null:
        """From the value at the truth, first, and at the exchanges; nan where undefined."""
        observed, null = values[0], values[1:][np.isfinite(values[1:])]
        if not np.isfinite(observed) or not len(null):
            return cls(*[np.nan] * 6)
        low, high = np.quantile(null, [0.025, 0.975])
        return cls(
            value=float(observed),
            low=float(low),
            high=float(high),
            mean=float(null.mean()),
            p_above=float((1 + (null >= observed).sum()) / (1 + len(null))),
            p_below=float((1 + (null <= observed).sum()) / (1 + len(null))),
        )


def energy_distances(distances: np.ndarray, is_real: np.ndarray) -> np.ndarray:
    """Energy distance, from the pooled distance matrix."""
    real = is_real.astype(float)
    n, m = is_real[0].sum(), (~is_real[0]).sum()
    to_real = real @ distances
    real_real = (to_real * real).sum(axis=1)
    real_synthetic = to_real.sum(axis=1) - real_real
    synthetic_synthetic = distances.sum() - real_real - 2 * real_synthetic
    between = 2 * real_synthetic / (n * m)
    return between - real_real / n**2 - synthetic_synthetic / m**2


def variance_ratios(rows: np.ndarray, is_real: np.ndarray) -> np.ndarray:
    """Total variance of the synthetic rows over that of the real rows."""
    squares = np.einsum("nd,nd->n", rows, rows)

    def variance(mask: np.ndarray) -> np.ndarray:
        weight = mask / mask[0].sum()
        means = weight @ rows
        return weight @ squares - np.einsum("bd,bd->b", means, means)

    of_real, of_synthetic = variance(is_real), variance(~is_real)
    return np.divide(
        of_synthetic, of_real, out=np.full_like(of_real, np.nan), where=of_real > 1e-12
    )


def correlation_differences(rows: np.ndarray, is_real: np.ndarray) -> np.ndarray:
    """Frobenius norm of the difference of correlation matrices of pooled ranks.

    Without a matrix of columns by columns where there are more columns than rows.
    """
    ranks = rankdata(rows, axis=0)
    norms = np.empty(len(is_real))
    for b, mask in enumerate(is_real):
        real, synthetic = _standardized(ranks[mask]), _standardized(ranks[~mask])
        if rows.shape[1] <= len(rows):
            squared = np.square(real.T @ real - synthetic.T @ synthetic).sum()
        else:
            squared = np.square(real @ real.T).sum()
            squared += np.square(synthetic @ synthetic.T).sum()
            squared -= 2 * np.square(real @ synthetic.T).sum()
        norms[b] = np.sqrt(max(squared, 0.0))
    return norms


def _standardized(X: np.ndarray) -> np.ndarray:
    """Columns with mean 0 and sum of squares 1; 0 where a column is constant."""
    centred = X - X.mean(axis=0)
    length = np.sqrt(np.square(centred).sum(axis=0))
    return np.divide(centred, length, out=np.zeros_like(centred), where=length > 1e-9)


def missing_masses(
    rows: np.ndarray, is_real: np.ndarray, rng: np.random.RandomState
) -> np.ndarray:
    """Share of the real rows in regions that synthetic rows leave out.

    The regions are clusters of the pooled rows, which know nothing of who is real; the
    share is the mean over partitions into few and more of them, as the size of what is
    left out is not known.
    """
    masses = []
    most_bins = min(len(rows) // 4, len(np.unique(rows, axis=0)))
    for n_bins in (n for n in N_BINS if n <= most_bins):
        k_means = KMeans(n_bins, n_init=2, random_state=rng.randint(2**31 - 1))
        bins = np.eye(n_bins)[k_means.fit_predict(rows)]
        real = is_real @ bins / is_real[0].sum()
        synthetic = ~is_real @ bins / (~is_real[0]).sum()
        missing = synthetic < MISSING_SHARE * real
        masses.append(((real - synthetic) * missing).sum(axis=1))
    return np.mean(masses, axis=0) if masses else np.zeros(len(is_real))


class Neighbourhoods(NamedTuple):
    """What the nearest rows say, for equally many real and synthetic rows.

    precision, recall, density and coverage: Naeem et al. 2020. near_duplicates: share of
    synthetic rows with another one unnaturally close. too_far: share of synthetic rows
    farther from all real rows than most real rows are. Then mean distances to the nearest
    other row: real to real, synthetic to synthetic, synthetic to real.
    """

    precision: np.ndarray
    recall: np.ndarray
    density: np.ndarray
    coverage: np.ndarray
    near_duplicates: np.ndarray
    too_far: np.ndarray
    real_real: np.ndarray
    synthetic_synthetic: np.ndarray
    synthetic_real: np.ndarray


def neighbourhoods(
    distances: np.ndarray, is_real: np.ndarray, level: float
) -> Neighbourhoods:
    """Statistics of nearest rows, from the pooled distance matrix.

    `level` is the share of real rows that count as too far.
    """
    values = [_neighbourhood(distances, mask, level) for mask in is_real]
    return Neighbourhoods(*np.array(values).T)


def _neighbourhood(
    distances: np.ndarray, mask: np.ndarray, level: float
) -> tuple[float, ...]:
    real, synthetic = np.flatnonzero(mask), np.flatnonzero(~mask)
    k = min(N_NEIGHBOURS, len(real) - 1)
    # Entry 0 of a row is its distance to itself.
    within_real = np.sort(distances[np.ix_(real, real)], axis=1)[:, : k + 1]
    within_synthetic = np.sort(distances[np.ix_(synthetic, synthetic)], axis=1)[:, : k + 1]
    between = distances[np.ix_(real, synthetic)]
    inside_real = between < within_real[:, [k]]
    inside_synthetic = between < within_synthetic[:, k]
    close = DUPLICATE_SHARE * np.quantile(within_real[:, 1], CLOSE_QUANTILE)
    far = np.quantile(within_real[:, 1], 1 - level)
    return (
        inside_real.any(axis=0).mean(),
        inside_synthetic.any(axis=1).mean(),
        inside_real.sum() / (k * len(synthetic)),
        (between.min(axis=1) < within_real[:, k]).mean(),
        (within_synthetic[:, 1] <= close).mean(),
        (between.min(axis=0) > far).mean(),
        within_real[:, 1].mean(),
        within_synthetic[:, 1].mean(),
        between.min(axis=0).mean(),
    )


def is_inside(real: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Tell which rows lie within the reach of a real row: its k-th nearest other one."""
    if len(real) < 2:
        return np.zeros(len(rows), dtype=bool)
    k = min(N_NEIGHBOURS, len(real) - 1)
    reach = np.partition(cdist(real, real), k, axis=1)[:, k]
    return (cdist(rows, real) < reach).any(axis=1)
