"""Which parts of the data are made, and which rows lie outside of it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.cluster import KMeans
from sklearn.utils import check_random_state

from ._inference import permutation_p_value, subsample
from ._neighbours import chunked_distances
from ._validation import check_at_least, check_rows


class PRDC(NamedTuple):
    """Precision, recall, density and coverage; made by `prdc`.

    Parameters
    ----------
    precision, recall, coverage : float
        Shares, from 0 to 1; higher is better.
    density : float
        At least 0; 1 for fresh rows in expectation.
    """

    precision: float
    recall: float
    density: float
    coverage: float


class MissingBins(NamedTuple):
    """Share of the real rows in bins that lack synthetic ones; made by `missing_bins`.

    Parameters
    ----------
    mass : float
        The share, from 0 to 1; lower is better.
    p_value : float
        One-sided; small where a mode is missing.
    """

    mass: float
    p_value: float


def prdc(X_real: np.ndarray, X_synthetic: np.ndarray, *, n_neighbors: int = 5) -> PRDC:
    """Precision, recall, density and coverage.

    With a ball around each row, as wide as the distance to its k-th nearest neighbour among
    rows of its own kind:

    - precision: share of synthetic rows within the ball of a real row;
    - recall: share of real rows within the ball of a synthetic row;
    - density: mean number of real balls around a synthetic row, over k;
    - coverage: share of real rows whose ball holds a synthetic row.

    - Range: [0, 1], density [0, inf); higher is better. Fresh rows have density 1 and
      coverage 1 - prod_{i=1..k} (n - i) / (2 n - i) in expectation at n rows each (.97 for
      k = 5 and large n); precision and recall have no such null.
    - Question: are synthetic rows where real rows are, and everywhere they are?
    - Source: Naeem et al. (2020), Reliable fidelity and diversity metrics for generative
      models, ICML; precision and recall are those of Kynkaanniemi et al. (2019).

    Parameters
    ----------
    X_real : ndarray of shape (n, d), n > n_neighbors
    X_synthetic : ndarray of shape (m, d), m > n_neighbors
    n_neighbors : int, default=5
        The k above. A row that coincides with as many others has an empty ball.

    Returns
    -------
    PRDC

    Raises
    ------
    ValueError
        If a table is not 2-D or not finite, has at most n_neighbors rows, the columns
        differ in number, or n_neighbors is below 1.

    Examples
    --------
    >>> import numpy as np
    >>> from gansampler.metrics import prdc
    >>> real = np.array([[0.0], [1.0], [2.0], [9.0]])
    >>> prdc(real, np.array([[0.5], [1.6], [5.0], [30.0]]), n_neighbors=1)
    PRDC(precision=0.75, recall=1.0, density=1.25, coverage=1.0)
    """
    check_at_least(1, n_neighbors=n_neighbors)
    X_real, X_synthetic = check_rows(
        min_rows=n_neighbors + 1, X_real=X_real, X_synthetic=X_synthetic
    )
    real_radius = _radius(X_real, n_neighbors)
    synthetic_radius = _radius(X_synthetic, n_neighbors)
    balls = np.empty(len(X_synthetic))
    recalled = np.zeros(len(X_real), dtype=bool)
    nearest = np.full(len(X_real), np.inf)
    for part, between in chunked_distances(X_synthetic, X_real):
        balls[part] = (between < real_radius).sum(axis=1)
        recalled |= (between < synthetic_radius[part, None]).any(axis=0)
        np.minimum(nearest, between.min(axis=0), out=nearest)
    return PRDC(
        precision=float((balls > 0).mean()),
        recall=float(recalled.mean()),
        density=float(balls.mean() / n_neighbors),
        coverage=float((nearest < real_radius).mean()),
    )


def variance_ratio(X_real: np.ndarray, X_synthetic: np.ndarray) -> float:
    """Total variance of synthetic rows over that of real rows.

    trace of the covariance matrix of one over that of the other.

    - Range: [0, inf); near 1 is best, low where rows shrink to a centre. NaN where all
      real rows are equal.
    - Question: do synthetic rows spread as the real ones do?
    - Source: Johnson and Wichern (2007), Applied Multivariate Statistical Analysis, for
      the total variance.

    Parameters
    ----------
    X_real : ndarray of shape (n, d), n >= 2
    X_synthetic : ndarray of shape (m, d), m >= 2
        On one scale with X_real, and with columns on one scale: wide ones weigh more.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If a table is not 2-D or not finite, has fewer than two rows, or the columns differ
        in number.

    Examples
    --------
    >>> import numpy as np
    >>> from gansampler.metrics import variance_ratio
    >>> real = np.array([[0.0, 0.0], [2.0, 4.0]])
    >>> variance_ratio(real, real / 2)
    0.25
    """
    X_real, X_synthetic = check_rows(min_rows=2, X_real=X_real, X_synthetic=X_synthetic)
    if not np.ptp(X_real, axis=0).any():
        return np.nan
    return float(X_synthetic.var(axis=0, ddof=1).sum() / X_real.var(axis=0, ddof=1).sum())


def missing_bins(
    X_real: np.ndarray,
    X_synthetic: np.ndarray,
    *,
    n_bins: int = 10,
    n_permutations: int = 999,
    random_state: Any = None,
) -> MissingBins:
    """Share of the real rows in parts of the data that lack synthetic rows.

    The larger table is subsampled to the rows of the smaller and k-means splits both
    together into bins; mass = sum of (r_b - s_b) over the bins b with s_b < r_b / 4, for
    the shares r_b of real and s_b of synthetic rows. The bins know no labels, so permuting
    labels with the bins fixed gives the exact null: counts of a bin are then multivariate
    hypergeometric.

    - Range: mass [0, 1], lower is better; p-value (0, 1], small where a mode is missing.
    - Question: is a mode of the data missing?
    - Source: Richardson and Weiss (2018), On GANs and GMMs, NeurIPS, whose bins are those
      of the real rows alone; here they are those of both.

    Parameters
    ----------
    X_real : ndarray of shape (n, d), n >= 2
    X_synthetic : ndarray of shape (m, d), m >= 2
    n_bins : int, default=10
        Or as many as there are distinct rows.
    n_permutations : int, default=999
    random_state : int, RandomState instance or None, default=None

    Returns
    -------
    MissingBins
        ``mass`` and ``p_value``.

    Raises
    ------
    ValueError
        If a table is not 2-D or not finite, has fewer than two rows, the columns differ in
        number, n_bins is below 2, or there is no permutation.

    Examples
    --------
    >>> import numpy as np
    >>> from gansampler.metrics import missing_bins
    >>> real = np.repeat([[0.0], [10.0]], 20, axis=0)
    >>> missing_bins(real, np.zeros((40, 1)), n_bins=2, random_state=0)
    MissingBins(mass=0.5, p_value=0.001)
    """
    X_real, X_synthetic = check_rows(min_rows=2, X_real=X_real, X_synthetic=X_synthetic)
    check_at_least(2, n_bins=n_bins)
    check_at_least(1, n_permutations=n_permutations)
    rng = check_random_state(random_state)
    n = min(len(X_real), len(X_synthetic))
    pooled = np.vstack([subsample(X_real, n, rng), subsample(X_synthetic, n, rng)])
    n_bins = min(n_bins, len(np.unique(pooled, axis=0)))
    bins = KMeans(n_bins, n_init=3, random_state=rng).fit_predict(pooled)
    total, real = (np.bincount(part, minlength=n_bins) for part in (bins, bins[:n]))
    # RandomState has no such distribution.
    draws = np.random.default_rng(rng.randint(2**31 - 1)).multivariate_hypergeometric(
        total, n, size=n_permutations
    )
    mass = float(_missing_mass(real, total))
    return MissingBins(mass, permutation_p_value(mass, _missing_mass(draws, total)))


def _radius(X: np.ndarray, k: int) -> np.ndarray:
    """Distance of each row to its k-th nearest other row; itself is the 0-th."""
    return np.concatenate(
        [np.partition(between, k, axis=1)[:, k] for _, between in chunked_distances(X, X)]
    )


def _missing_mass(real: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Of real counts, shape (..., n_bins), in bins of both, half of the rows each."""
    synthetic = total - real
    lacking = np.where(4 * synthetic < real, real - synthetic, 0)
    return 2 * lacking.sum(axis=-1) / total.sum()
