"""How columns go together."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import rankdata
from sklearn.utils import check_random_state

from ._inference import label_permutations
from ._validation import check_at_least, check_rows


class SpearmanDifference(NamedTuple):
    """Difference of two rank correlation matrices; made by `spearman_difference`.

    Parameters
    ----------
    rms : float
        Root mean square of the differences off the diagonal, from 0 to 2.
    frobenius : float
        Frobenius norm of the difference.
    """

    rms: float
    frobenius: float


class SpearmanPermutationRatio(NamedTuple):
    """Difference of correlations, over chance; made by `spearman_permutation_ratio`.

    Parameters
    ----------
    ratio : float
        Observed root mean square over the mean of its null; about 1 for fresh rows.
    null : ndarray of shape (n_permutations,)
        Root mean squares under permutation.
    """

    ratio: float
    null: np.ndarray


def spearman_difference(X_real: np.ndarray, X_synthetic: np.ndarray) -> SpearmanDifference:
    """Difference between the Spearman correlations of real and of synthetic columns.

    With R, S the two correlation matrices: sqrt(sum_{i != j} (R_ij - S_ij)^2 / (d (d - 1)))
    and ||R - S||_F. A constant column counts as uncorrelated with all others. For tables
    with more columns than rows the sum is taken over rows, at the cost of a rounding error
    of about 1e-8.

    - Range: rms [0, 2], Frobenius [0, 2 d); lower is closer. Not 0 for fresh rows: the rms
      has a floor of about sqrt(1 / (n - 1) + 1 / (m - 1)); `spearman_permutation_ratio`
      takes it away.
    - Question: do columns rise and fall together as the real ones do?
    - Source: Spearman (1904), The proof and measurement of association between two things,
      Am. J. Psychol. 15.

    Parameters
    ----------
    X_real : ndarray of shape (n, d), n >= 2
    X_synthetic : ndarray of shape (m, d), m >= 2

    Returns
    -------
    SpearmanDifference
        ``rms`` and ``frobenius``; both are 0 for a single column.

    Raises
    ------
    ValueError
        If a table is not 2-D or not finite, has fewer than two rows, or the columns differ
        in number.

    Examples
    --------
    >>> import numpy as np
    >>> from gansampler.metrics import spearman_difference
    >>> real = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]])
    >>> difference = spearman_difference(real, real * [1, -1])
    >>> round(difference.rms, 6), round(difference.frobenius, 6)
    (2.0, 2.828427)
    """
    X_real, X_synthetic = check_rows(min_rows=2, X_real=X_real, X_synthetic=X_synthetic)
    squares = _squared_difference(_rank_scores(X_real), _rank_scores(X_synthetic))
    d = X_real.shape[1]
    return SpearmanDifference(math.sqrt(squares / max(1, d * (d - 1))), math.sqrt(squares))


def spearman_permutation_ratio(
    X_real: np.ndarray,
    X_synthetic: np.ndarray,
    *,
    n_permutations: int = 99,
    random_state: Any = None,
) -> SpearmanPermutationRatio:
    """Difference between Spearman correlations, over what sampling noise alone gives.

    rms of `spearman_difference` over its mean when the labels real and synthetic are
    permuted; each permuted half is ranked anew.

    - Range: [0, inf); about 1 for fresh rows, higher is worse; well below 1 for rows that
      were fitted to the real ones. NaN where no permutation gives a difference.
    - Question: do columns rise and fall together as in fresh rows of the same number?
    - Source: Good (2005), Permutation, Parametric and Bootstrap Tests of Hypotheses.

    Parameters
    ----------
    X_real : ndarray of shape (n, d), n >= 2
    X_synthetic : ndarray of shape (m, d), m >= 2
    n_permutations : int, default=99
    random_state : int, RandomState instance or None, default=None

    Returns
    -------
    SpearmanPermutationRatio
        ``ratio``, and the ``null`` differences, shape (n_permutations,).

    Raises
    ------
    ValueError
        If a table is not 2-D or not finite, has fewer than two rows, the columns differ in
        number, or there is no permutation.

    Examples
    --------
    >>> import numpy as np
    >>> from gansampler.metrics import spearman_permutation_ratio
    >>> real = np.random.default_rng(0).normal(size=(100, 1)) + np.zeros(3)
    >>> shuffled = np.random.default_rng(1).permuted(real, axis=0)
    >>> bool(spearman_permutation_ratio(real, shuffled, random_state=0).ratio > 3)
    True
    """
    X_real, X_synthetic = check_rows(min_rows=2, X_real=X_real, X_synthetic=X_synthetic)
    check_at_least(1, n_permutations=n_permutations)
    rng = check_random_state(random_state)
    pooled = np.vstack([X_real, X_synthetic])
    null = np.array(
        [
            spearman_difference(pooled[real], pooled[~real]).rms
            for labels in label_permutations(
                len(X_real), len(X_synthetic), n_permutations, rng
            )
            for real in labels
        ]
    )
    expected = float(null.mean())
    observed = spearman_difference(X_real, X_synthetic).rms
    return SpearmanPermutationRatio(observed / expected if expected > 0 else np.nan, null)


def _rank_scores(X: np.ndarray) -> np.ndarray:
    """Ranks of each column, centred and of norm 1; 0 where constant."""
    centred = rankdata(X, axis=0) - (len(X) + 1) / 2
    norm = np.sqrt((centred**2).sum(axis=0))
    return np.divide(centred, norm, out=np.zeros_like(centred), where=norm > 0)


def _squared_difference(A: np.ndarray, B: np.ndarray) -> float:
    """Sum of squares of A'A - B'B off the diagonal, on the shorter side."""
    if A.shape[1] <= len(A) + len(B):
        difference = A.T @ A - B.T @ B
        np.fill_diagonal(difference, 0)
        return float((difference**2).sum())
    on_diagonal = (A**2).sum(axis=0) - (B**2).sum(axis=0)
    both = ((A @ A.T) ** 2).sum() + ((B @ B.T) ** 2).sum() - 2 * ((A @ B.T) ** 2).sum()
    return max(0.0, float(both - (on_diagonal**2).sum()))
