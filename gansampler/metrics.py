"""Measures of samples against data: pure functions of arrays."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist


def energy_distance(X: np.ndarray, Y: np.ndarray) -> float:
    """Energy distance between two samples.

    2 E|x - y| - E|x - x'| - E|y - y'|, with all pairs in the means (V-statistic).

    - Range: [0, inf); lower is closer, 0 only for equal samples.
    - Question: do X and Y come from the same joint distribution?
    - Source: Szekely and Rizzo (2013), Energy statistics, J. Stat. Plan. Inference 143.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    Y : ndarray of shape (m, d)

    Returns
    -------
    float

    Examples
    --------
    >>> import numpy as np
    >>> from gansampler.metrics import energy_distance
    >>> energy_distance(np.array([[0.0]]), np.array([[3.0]]))
    6.0
    """
    distance = 2 * cdist(X, Y).mean() - cdist(X, X).mean() - cdist(Y, Y).mean()
    return max(0.0, float(distance))


def energy_score(observations: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """Energy score of a generator's samples, for each observed row.

    E|s - x| - E|s - s'| / 2 for an observation x and independent samples s, s'.

    - Range: [0, inf) in expectation; lower is better; a strictly proper score, so its
      expectation is lowest where samples and observations have one distribution.
    - Question: how well do the samples foretell this row?
    - Source: Gneiting and Raftery (2007), Strictly proper scoring rules, JASA 102.

    Parameters
    ----------
    observations : ndarray of shape (n, d)
    samples : ndarray of shape (m, d), m >= 2

    Returns
    -------
    ndarray of shape (n,)

    Examples
    --------
    >>> import numpy as np
    >>> from gansampler.metrics import energy_score
    >>> energy_score(np.array([[0.0]]), np.array([[-1.0], [1.0]]))
    array([0.])
    """
    m = len(samples)
    within = cdist(samples, samples).sum() / (m * (m - 1))
    return cdist(observations, samples).mean(axis=1) - within / 2
