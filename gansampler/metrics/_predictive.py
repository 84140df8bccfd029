"""What columns tell about the class."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.special import xlogy
from sklearn.utils import check_random_state

from ._inference import subsample
from ._neighbours import CHUNK
from ._validation import check_at_least, check_labels, check_rows


class MutualInformationDifference(NamedTuple):
    """Excess mutual information with the class; made by `mutual_information_difference`.

    Parameters
    ----------
    excess_real, excess_synthetic : ndarray of shape (d,)
        Of each real and each synthetic column, in nats; about 0 if it tells nothing.
    """

    excess_real: np.ndarray
    excess_synthetic: np.ndarray


def mutual_information(X: np.ndarray, y: np.ndarray, *, n_bins: int = 5) -> np.ndarray:
    """Mutual information of each binned column and the class, in nats.

    sum_{b, c} p_bc log(p_bc / (p_b p_c)) over quantile bins b and classes c, with observed
    shares for p. Equal values share a bin.

    - Range: [0, log(min(n_bins, n_classes))]; higher tells more. Biased upwards by about
      (n_bins - 1) (n_classes - 1) / (2 n): see `excess_mutual_information`.
    - Question: how much does this column tell about the class?
    - Source: Cover and Thomas (2006), Elements of Information Theory.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    y : ndarray of shape (n,)
        Classes.
    n_bins : int, default=5

    Returns
    -------
    ndarray of shape (d,)

    Raises
    ------
    ValueError
        If X is not 2-D, is empty or not finite, y has another length, or n_bins is below 2.

    Examples
    --------
    >>> import numpy as np
    >>> from gansampler.metrics import mutual_information
    >>> X = np.array([[0.0, 0.0], [1.0, 3.0], [2.0, 1.0], [3.0, 2.0]])
    >>> mutual_information(X, np.array([0, 0, 1, 1]), n_bins=2).round(4)
    array([0.6931, 0.    ])
    """
    (X,) = check_rows(X=X)
    check_at_least(2, n_bins=n_bins)
    codes = _codes(check_labels(y, X, "y"))
    return _information(_bins(X, X, n_bins), codes[None], n_bins)[0]


def excess_mutual_information(
    X: np.ndarray,
    y: np.ndarray,
    *,
    n_bins: int = 5,
    n_permutations: int = 99,
    random_state: Any = None,
) -> np.ndarray:
    """Mutual information of each column and the class, less what chance gives.

    `mutual_information` minus its mean over permutations of y.

    - Range: up to log(min(n_bins, n_classes)); about 0, and as often below, for a column
      that tells nothing; higher tells more.
    - Question: how much does this column tell about the class, beyond chance?
    - Source: Vinh, Epps and Bailey (2010), Information theoretic measures for clusterings
      comparison: variants, properties, normalization and correction for chance, JMLR 11.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    y : ndarray of shape (n,)
        Classes.
    n_bins : int, default=5
    n_permutations : int, default=99
    random_state : int, RandomState instance or None, default=None

    Returns
    -------
    ndarray of shape (d,)

    Raises
    ------
    ValueError
        If X is not 2-D, is empty or not finite, y has another length, n_bins is below 2, or
        there is no permutation.

    Examples
    --------
    >>> import numpy as np
    >>> from gansampler.metrics import excess_mutual_information
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> excess_mutual_information(X, X[:, 0] > 0, random_state=0).round(1)
    array([0.6, 0. ])
    """
    (X,) = check_rows(X=X)
    check_at_least(2, n_bins=n_bins)
    check_at_least(1, n_permutations=n_permutations)
    codes, rng = _codes(check_labels(y, X, "y")), check_random_state(random_state)
    return _excess(_bins(X, X, n_bins), codes, n_bins, n_permutations, rng)


def mutual_information_difference(
    X_real: np.ndarray,
    y_real: np.ndarray,
    X_synthetic: np.ndarray,
    y_synthetic: np.ndarray,
    *,
    n_bins: int = 5,
    n_permutations: int = 99,
    random_state: Any = None,
) -> MutualInformationDifference:
    """Excess mutual information of columns and class, in real and in synthetic rows.

    `excess_mutual_information` of both at equal numbers: each class is subsampled to the
    smaller of its two counts, and the bins are those of the real rows for both.

    - Range: each up to log(min(n_bins, n_classes)); equal is best. Synthetic below real:
      the class is told less well than it could be; above: it is overdrawn.
    - Question: do synthetic columns tell as much about the class as the real ones?
    - Source: Vinh, Epps and Bailey (2010), Information theoretic measures for clusterings
      comparison: variants, properties, normalization and correction for chance, JMLR 11.

    Parameters
    ----------
    X_real : ndarray of shape (n, d)
    y_real : ndarray of shape (n,)
    X_synthetic : ndarray of shape (m, d)
    y_synthetic : ndarray of shape (m,)
    n_bins : int, default=5
    n_permutations : int, default=99
    random_state : int, RandomState instance or None, default=None

    Returns
    -------
    MutualInformationDifference
        ``excess_real`` and ``excess_synthetic``, each of shape (d,).

    Raises
    ------
    ValueError
        If a table is not 2-D, is empty or not finite, the columns differ in number, labels
        have another length than rows, fewer than two classes are in both, n_bins is below
        2, or there is no permutation.

    Examples
    --------
    >>> import numpy as np
    >>> from gansampler.metrics import mutual_information_difference
    >>> X = np.random.default_rng(0).normal(size=(200, 1))
    >>> told, untold = X[:, 0] > 0, np.arange(200) % 2 == 0
    >>> both = mutual_information_difference(X, told, X, untold, random_state=0)
    >>> bool(both.excess_real[0] > 0.5), bool(both.excess_synthetic[0] < 0.05)
    (True, True)
    """
    X_real, X_synthetic = check_rows(X_real=X_real, X_synthetic=X_synthetic)
    y_real = check_labels(y_real, X_real, "y_real")
    y_synthetic = check_labels(y_synthetic, X_synthetic, "y_synthetic")
    check_at_least(2, n_bins=n_bins)
    check_at_least(1, n_permutations=n_permutations)
    rng = check_random_state(random_state)
    real, synthetic = _matched(y_real, y_synthetic, rng)
    X_real, X_synthetic = X_real[real], X_synthetic[synthetic]
    excess_real, excess_synthetic = (
        _excess(_bins(X, X_real, n_bins), _codes(y), n_bins, n_permutations, rng)
        for X, y in ((X_real, y_real[real]), (X_synthetic, y_synthetic[synthetic]))
    )
    return MutualInformationDifference(excess_real, excess_synthetic)


def _matched(
    y_real: np.ndarray, y_synthetic: np.ndarray, rng: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of each, with as many of a class in one as in the other."""
    real, synthetic = [], []
    for label in np.intersect1d(y_real, y_synthetic):
        ours, theirs = np.flatnonzero(y_real == label), np.flatnonzero(y_synthetic == label)
        n = min(len(ours), len(theirs))
        real.append(subsample(ours, n, rng))
        synthetic.append(subsample(theirs, n, rng))
    if len(real) < 2:
        raise ValueError(
            "y_real and y_synthetic must share at least two classes; got "
            f"{np.unique(y_real).tolist()} and {np.unique(y_synthetic).tolist()}."
        )
    return np.concatenate(real), np.concatenate(synthetic)


def _codes(y: np.ndarray) -> np.ndarray:
    """Classes as numbers from 0."""
    return np.unique(y, return_inverse=True)[1].astype(np.int32)


def _bins(X: np.ndarray, reference: np.ndarray, n_bins: int) -> np.ndarray:
    """Quantile bin of each value among a column of the reference, by its mid-rank."""
    bins = np.empty(X.T.shape, dtype=np.intp)
    for column, (values, known) in enumerate(zip(X.T, reference.T, strict=True)):
        known, order = np.sort(known), np.argsort(values)
        values = values[order]  # sorted values are found faster
        below = np.searchsorted(known, values, side="left")
        up_to = np.searchsorted(known, values, side="right")
        bins[column, order] = (below + up_to) * n_bins // (2 * len(known))
    return np.minimum(bins, n_bins - 1).T


def _excess(
    bins: np.ndarray,
    codes: np.ndarray,
    n_bins: int,
    n_permutations: int,
    rng: np.random.RandomState,
) -> np.ndarray:
    """Information of the classes less the mean over their permutations, shape (d,)."""
    permuted = [rng.permutation(codes) for _ in range(n_permutations)]
    information = _information(bins, np.stack([codes, *permuted]), n_bins)
    return information[0] - information[1:].mean(axis=0)


def _information(bins: np.ndarray, labels: np.ndarray, n_bins: int) -> np.ndarray:
    """Mutual information of binned columns (n, d) and labellings (B, n), shape (B, d)."""
    n_classes = labels.max() + 1
    size = max(1, CHUNK // (n_classes * (len(bins) + n_bins * bins.shape[1])))
    return np.concatenate(
        [
            _information_of_tables(_tables(bins, labels[start : start + size], n_bins))
            for start in range(0, len(labels), size)
        ]
    )


def _tables(bins: np.ndarray, labels: np.ndarray, n_bins: int) -> np.ndarray:
    """Counts by labelling, column, bin and class, shape (B, d, n_bins, n_classes)."""
    one_hot = labels.T[:, :, None] == np.arange(labels.max() + 1)
    classes = one_hot.reshape(len(bins), -1).astype(np.float64)
    counts = np.stack([(bins == b).T @ classes for b in range(n_bins)])
    by_labelling = counts.reshape(n_bins, bins.shape[1], *one_hot.shape[1:])
    return by_labelling.transpose(2, 1, 0, 3)


def _information_of_tables(counts: np.ndarray) -> np.ndarray:
    """Of tables of bins and classes, the last two axes; rounding aside, at least 0."""
    p = counts / counts.sum(axis=(-2, -1), keepdims=True)
    bins, classes = p.sum(axis=-1), p.sum(axis=-2)
    apart = xlogy(bins, bins).sum(axis=-1) + xlogy(classes, classes).sum(axis=-1)
    return np.maximum(0.0, xlogy(p, p).sum(axis=(-2, -1)) - apart)
