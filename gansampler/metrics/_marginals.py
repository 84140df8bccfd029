"""Columns one at a time."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from scipy.stats import false_discovery_control, ks_2samp

from ._validation import check_rows


class KolmogorovSmirnov(NamedTuple):
    """Two-sample test of each column; made by `kolmogorov_smirnov`.

    Parameters
    ----------
    statistic : ndarray of shape (d,)
        Largest difference of the two distribution functions, from 0 to 1.
    p_value : ndarray of shape (d,)
        Not adjusted for the number of columns.
    """

    statistic: np.ndarray
    p_value: np.ndarray


def kolmogorov_smirnov(X_real: np.ndarray, X_synthetic: np.ndarray) -> KolmogorovSmirnov:
    """Two-sample Kolmogorov-Smirnov test of each column.

    ``sup_x |F(x) - G(x)|`` of the two empirical distribution functions. The p-value is
    exact up to 10,000 rows a sample, and conservative where values are tied.

    - Range: statistic [0, 1], lower is closer; p-value [0, 1], small where they differ.
    - Question: does this column have the distribution of the real one?
    - Source: Hodges (1958), The significance probability of the Smirnov two-sample test,
      Ark. Mat. 3.

    Parameters
    ----------
    X_real : ndarray of shape (n, d)
    X_synthetic : ndarray of shape (m, d)

    Returns
    -------
    KolmogorovSmirnov
        ``statistic`` and ``p_value``, each of shape (d,); see `benjamini_hochberg` for
        many columns.

    Raises
    ------
    ValueError
        If a table is not 2-D, is empty or not finite, or the columns differ in number.

    Examples
    --------
    >>> import numpy as np
    >>> from gansampler.metrics import kolmogorov_smirnov
    >>> real = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> test = kolmogorov_smirnov(real, real + 2)
    >>> test.statistic
    array([0.5])
    >>> test.p_value.round(3)
    array([0.771])
    """
    X_real, X_synthetic = check_rows(X_real=X_real, X_synthetic=X_synthetic)
    statistic = _largest_gaps(X_real, X_synthetic)
    # At given numbers of rows the p-value hangs on the statistic alone, of which small
    # samples have few: one column of each stands for all.
    _, first, group = np.unique(statistic.round(9), return_index=True, return_inverse=True)
    with warnings.catch_warnings():
        # "Exact calculation unsuccessful": then the asymptotic one does.
        warnings.simplefilter("ignore", RuntimeWarning)
        p_value = [ks_2samp(X_real[:, j], X_synthetic[:, j]).pvalue for j in first]
    return KolmogorovSmirnov(statistic, np.array(p_value)[group])


def _largest_gaps(X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Largest gap between the empirical distribution functions of each column."""
    n, m = len(X), len(Y)
    pooled = np.concatenate([X, Y])
    order = pooled.argsort(axis=0, kind="stable")
    values = np.take_along_axis(pooled, order, axis=0)
    # Whole numbers, so that equal gaps are equal to the last bit.
    gaps = np.where(order < n, m, -n).cumsum(axis=0)
    gaps[:-1][values[1:] == values[:-1]] = 0
    return np.abs(gaps).max(axis=0) / (n * m)


def benjamini_hochberg(p_values: np.ndarray) -> np.ndarray:
    """P-values adjusted for the false discovery rate.

    min over j >= i of p_(j) d / j, for the i-th smallest of d p-values.

    - Range: [0, 1], never below the p-value; small where a column differs.
    - Question: which columns differ, if at most this share of them may be false alarms?
    - Source: Benjamini and Hochberg (1995), Controlling the false discovery rate, J. R.
      Stat. Soc. B 57.

    Parameters
    ----------
    p_values : ndarray of shape (d,)

    Returns
    -------
    ndarray of shape (d,)

    Raises
    ------
    ValueError
        If the p-values are not 1-D, or not numbers in [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> from gansampler.metrics import benjamini_hochberg
    >>> benjamini_hochberg(np.array([0.01, 0.04, 0.9]))
    array([0.03, 0.06, 0.9 ])
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or not len(p):
        raise ValueError(f"p_values must have shape (n_columns,); got shape {p.shape}.")
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"p_values must lie in [0, 1]; got {p.min()} to {p.max()}.")
    return false_discovery_control(p)


def wasserstein_iqr(X_real: np.ndarray, X_synthetic: np.ndarray) -> np.ndarray:
    """1-Wasserstein distance of each column, in interquartile ranges of the real one.

    Integral of ``|F^-1(u) - G^-1(u)|`` over u in (0, 1), over the real interquartile range,
    or the real standard deviation where that range is 0.

    - Range: [0, inf]; lower is closer; inf where only the real column is constant, or the
      two are different constants.
    - Question: by how much does this column differ, be it significant or not?
    - Source: Ramdas, Garcia Trillos and Cuturi (2017), On Wasserstein two-sample testing,
      Entropy 19.

    Parameters
    ----------
    X_real : ndarray of shape (n, d)
    X_synthetic : ndarray of shape (m, d)

    Returns
    -------
    ndarray of shape (d,)

    Raises
    ------
    ValueError
        If a table is not 2-D, is empty or not finite, or the columns differ in number.

    Examples
    --------
    >>> import numpy as np
    >>> from gansampler.metrics import wasserstein_iqr
    >>> real = np.array([[0.0], [1.0], [2.0], [3.0], [4.0]])
    >>> wasserstein_iqr(real, real + 1)
    array([0.5])
    """
    X_real, X_synthetic = check_rows(X_real=X_real, X_synthetic=X_synthetic)
    distance, spread = _wasserstein(X_real, X_synthetic), _spread(X_real)
    constant = np.where(distance > 0, np.inf, 0.0)
    return np.divide(distance, spread, out=constant, where=spread > 0)


def _wasserstein(X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Between the columns of two tables; the quantile functions are step functions."""
    n, m = len(X), len(Y)
    # The levels where one of them steps, in units of 1 / (n m).
    levels = np.union1d(m * np.arange(1, n + 1), n * np.arange(1, m + 1))
    widths = np.diff(levels, prepend=0) / (n * m)
    of_X = np.sort(X, axis=0)[(levels - 1) // m]
    of_Y = np.sort(Y, axis=0)[(levels - 1) // n]
    return widths @ np.abs(of_X - of_Y)


def _spread(X: np.ndarray) -> np.ndarray:
    """Interquartile range of each column, or standard deviation, or 0 if constant."""
    quartiles = np.quantile(X, [0.25, 0.75], axis=0)
    iqr = quartiles[1] - quartiles[0]
    return np.where(iqr > 0, iqr, np.where(np.ptp(X, axis=0) > 0, X.std(axis=0), 0.0))
