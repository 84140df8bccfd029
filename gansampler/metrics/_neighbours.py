"""Distances to the nearest other row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import cdist

from ._validation import check_labels, check_rows

CHUNK = 2**22
"""Numbers of a large temporary array held in memory at a time."""


class NearestNeighbours(NamedTuple):
    """Distance of each row to the nearest other row.

    Parameters
    ----------
    real_real : ndarray of shape (n,)
        From real rows to the nearest other real row.
    synthetic_synthetic : ndarray of shape (m,)
        From synthetic rows to the nearest other synthetic row.
    synthetic_real : ndarray of shape (m,)
        From synthetic rows to the nearest real row.
    """

    real_real: np.ndarray
    synthetic_synthetic: np.ndarray
    synthetic_real: np.ndarray


class NearestNeighbourRatios(NamedTuple):
    """Mean nearest-neighbour distances over that among real rows.

    Parameters
    ----------
    synthetic_real : float
        From synthetic to real rows; a little above 1 for fresh rows.
    synthetic_synthetic : float
        Among synthetic rows; about 1 for as many fresh rows as real ones.
    """

    synthetic_real: float
    synthetic_synthetic: float


def nearest_neighbour_distances(
    X_real: np.ndarray, X_synthetic: np.ndarray, *, groups: np.ndarray | None = None
) -> NearestNeighbours:
    """Distance of each row to its nearest other row, real and synthetic.

    ``min_j |x_i - x_j|`` over real j != i (outside the group of i), the same among
    synthetic rows, and from synthetic to real rows.

    - Range: [0, inf), Euclidean, in the units of the columns. synthetic_real far below
      real_real means copies, synthetic_synthetic far below it means collapse; either far
      above it, rows that miss the data.
    - Question: are synthetic rows as far from real rows, and from one another, as real
      rows are?
    - Source: Yale et al. (2020), Generation and evaluation of privacy preserving synthetic
      health data, Neurocomputing 416.

    Parameters
    ----------
    X_real : ndarray of shape (n, d), n >= 2
    X_synthetic : ndarray of shape (m, d), m >= 2
    groups : ndarray of shape (n,), default=None
        Patients, say: a real row's own group is left out of its neighbours.

    Returns
    -------
    NearestNeighbours
        ``real_real`` (n,), ``synthetic_synthetic`` (m,) and ``synthetic_real`` (m,).

    Raises
    ------
    ValueError
        If a table is not 2-D or not finite, has fewer than two rows, the columns differ in
        number, or groups has another length than X_real or holds a single group.

    Examples
    --------
    >>> import numpy as np
    >>> from gansampler.metrics import nearest_neighbour_distances
    >>> real = np.array([[0.0], [1.0], [5.0]])
    >>> nearest = nearest_neighbour_distances(real, np.array([[1.0], [3.0]]))
    >>> nearest.real_real
    array([1., 1., 4.])
    >>> nearest.synthetic_synthetic
    array([2., 2.])
    >>> nearest.synthetic_real
    array([0., 2.])
    """
    X_real, X_synthetic = check_rows(min_rows=2, X_real=X_real, X_synthetic=X_synthetic)
    return NearestNeighbours(
        real_real=_to_others(X_real, _codes(groups, X_real)),
        synthetic_synthetic=_to_others(X_synthetic, np.arange(len(X_synthetic))),
        synthetic_real=nearest_distances(X_synthetic, X_real),
    )


def nearest_neighbour_ratios(
    X_real: np.ndarray, X_synthetic: np.ndarray, *, groups: np.ndarray | None = None
) -> NearestNeighbourRatios:
    """Mean nearest-neighbour distances of synthetic rows, over that of real rows.

    mean synthetic_real / mean real_real and mean synthetic_synthetic / mean real_real of
    `nearest_neighbour_distances`.

    - Range: [0, inf); near 1 is best: for fresh rows a little above 1 in synthetic_real
      (a real row has one neighbour less), about 1 in synthetic_synthetic at m = n and less
      at m > n. NaN where all real rows coincide.
    - Question: are synthetic rows too close to real ones, or to one another?
    - Source: Yale et al. (2020), Generation and evaluation of privacy preserving synthetic
      health data, Neurocomputing 416.

    Parameters
    ----------
    X_real : ndarray of shape (n, d), n >= 2
    X_synthetic : ndarray of shape (m, d), m >= 2
    groups : ndarray of shape (n,), default=None
        Patients, say: a real row's own group is left out of its neighbours.

    Returns
    -------
    NearestNeighbourRatios
        ``synthetic_real`` and ``synthetic_synthetic``.

    Raises
    ------
    ValueError
        As `nearest_neighbour_distances`.

    Examples
    --------
    >>> import numpy as np
    >>> from gansampler.metrics import nearest_neighbour_ratios
    >>> real = np.array([[0.0], [1.0], [5.0]])
    >>> nearest_neighbour_ratios(real, np.array([[1.0], [3.0]]))
    NearestNeighbourRatios(synthetic_real=0.5, synthetic_synthetic=1.0)
    """
    nearest = nearest_neighbour_distances(X_real, X_synthetic, groups=groups)
    unit = float(nearest.real_real.mean()) or np.nan
    return NearestNeighbourRatios(
        synthetic_real=float(nearest.synthetic_real.mean()) / unit,
        synthetic_synthetic=float(nearest.synthetic_synthetic.mean()) / unit,
    )


def near_duplicates(X: np.ndarray, *, radius: float) -> float:
    """Share of rows with another row within a radius.

    ``#{i : min_{j != i} |x_i - x_j| <= radius} / n``.

    - Range: [0, 1]; lower is better, where few real rows are as close to one another.
    - Question: does a generator make few distinct rows?
    - Source: Arora, Risteski and Zhang (2018), Do GANs learn the distribution? ICLR.

    Parameters
    ----------
    X : ndarray of shape (n, d), n >= 2
    radius : float
        In the units of the columns; 0 finds rows that are equal.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If X is not 2-D or not finite, has fewer than two rows, or the radius is negative.

    Examples
    --------
    >>> import numpy as np
    >>> from gansampler.metrics import near_duplicates
    >>> near_duplicates(np.array([[0.0], [0.1], [5.0], [9.0]]), radius=0.2)
    0.5
    """
    (X,) = check_rows(min_rows=2, X=X)
    if not radius >= 0:
        raise ValueError(f"radius must be at least 0; got {radius}.")
    return float((_to_others(X, np.arange(len(X))) <= radius).mean())


def chunked_distances(A: np.ndarray, B: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Distances from some rows of A at a time to all of B."""
    size = max(1, CHUNK // len(B))
    for start in range(0, len(A), size):
        part = slice(start, min(start + size, len(A)))
        yield part, cdist(A[part], B)


def nearest_distances(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """Distance of each row of A to the nearest of B."""
    return np.concatenate([between.min(axis=1) for _, between in chunked_distances(A, B)])


def _to_others(X: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Distance of each row to the nearest of another group."""
    nearest = np.empty(len(X))
    for part, between in chunked_distances(X, X):
        between[groups[part, None] == groups[None, :]] = np.inf
        nearest[part] = between.min(axis=1)
    return nearest


def _codes(groups: np.ndarray | None, X: np.ndarray) -> np.ndarray:
    """Groups as numbers; without groups each row is its own."""
    if groups is None:
        return np.arange(len(X))
    known, codes = np.unique(check_labels(groups, X, "groups"), return_inverse=True)
    if len(known) < 2:
        raise ValueError("groups must hold at least two groups; got 1.")
    return codes
