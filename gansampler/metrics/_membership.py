"""Do synthetic rows know the training rows from held-out ones?"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import check_random_state

from ._inference import (
    RankTest,
    label_permutations,
    permutation_p_value,
    rank_test,
    subsample,
)
from ._neighbours import chunked_distances, nearest_distances
from ._validation import check_at_least, check_rows


class DCRShare(NamedTuple):
    """Whether synthetic rows keep close to training rows; made by `dcr_share`.

    Parameters
    ----------
    share : float
        Share of synthetic rows that are nearer to a training row than to any held-out one;
        .5 is best.
    p_value : float
        Of the permutation test, one-sided.
    """

    share: float
    p_value: float


def dcr_share(
    X_train: np.ndarray,
    X_holdout: np.ndarray,
    X_synthetic: np.ndarray,
    *,
    n_permutations: int = 999,
    random_state: Any = None,
) -> DCRShare:
    """Share of synthetic rows that are nearer to a training row than to any held-out row.

    #{s : d(s, train) < d(s, holdout)} / m, at equal numbers of training and held-out rows
    (the larger table is subsampled). A tie between one of each counts half, and one among
    several rows by the share of training rows in it. The p-value permutes the labels train
    and holdout; the nearest of both to each synthetic row stays.

    - Range: share [0, 1], .5 is best and expected of rows made without the training rows,
      higher means copies; p-value (0, 1], one-sided.
    - Question: do synthetic rows keep closer to the training rows than to other rows of
      the same population?
    - Source: Platzer and Reutterer (2021), Holdout-based empirical assessment of
      mixed-type synthetic data, Front. Big Data 4.

    Parameters
    ----------
    X_train : ndarray of shape (n, d)
        Rows the generator was fitted on.
    X_holdout : ndarray of shape (k, d)
        Rows of the same population that it never saw.
    X_synthetic : ndarray of shape (m, d)
    n_permutations : int, default=999
    random_state : int, RandomState instance or None, default=None

    Returns
    -------
    DCRShare
        ``share`` and ``p_value``.

    Raises
    ------
    ValueError
        If a table is not 2-D, is empty or not finite, the columns differ in number, or
        there is no permutation.

    Examples
    --------
    >>> import numpy as np
    >>> from gansampler.metrics import dcr_share
    >>> train, holdout, fresh = np.random.default_rng(0).normal(size=(3, 50, 2))
    >>> dcr_share(train, holdout, train, random_state=0)
    DCRShare(share=1.0, p_value=0.001)
    >>> bool(dcr_share(train, holdout, fresh, random_state=0).p_value > 0.05)
    True
    """
    X_train, X_holdout, X_synthetic = check_rows(
        X_train=X_train, X_holdout=X_holdout, X_synthetic=X_synthetic
    )
    check_at_least(1, n_permutations=n_permutations)
    rng = check_random_state(random_state)
    n = min(len(X_train), len(X_holdout))
    known = np.vstack([subsample(X_train, n, rng), subsample(X_holdout, n, rng)])
    weights = _nearest_weights(known, X_synthetic)
    share = float(weights[:n].sum())
    null = [labels @ weights for labels in label_permutations(n, n, n_permutations, rng)]
    p_value = permutation_p_value(share, np.concatenate(null))
    return DCRShare(min(share, 1.0), p_value)


def membership_auc(
    X_train: np.ndarray, X_holdout: np.ndarray, X_synthetic: np.ndarray
) -> RankTest:
    """How well closeness to a synthetic row tells training rows from held-out ones.

    P(d(x, synthetic) < d(x', synthetic)) for a training row x and a held-out row x', the
    area under the ROC curve of an attacker who guesses that close rows were trained on.
    Ties count half.

    - Range: AUC [0, 1], .5 is best, higher means that membership leaks; p-value [0, 1],
      one-sided. An AUC of .5 is no privacy guarantee: other attacks know more.
    - Question: can one tell from synthetic rows who was in the training data?
    - Source: Chen, Yu, Zhang and Fritz (2020), GAN-Leaks, ACM CCS.

    Parameters
    ----------
    X_train : ndarray of shape (n, d)
        Rows the generator was fitted on.
    X_holdout : ndarray of shape (k, d)
        Rows of the same population that it never saw.
    X_synthetic : ndarray of shape (m, d)

    Returns
    -------
    RankTest
        ``auc`` and ``p_value``.

    Raises
    ------
    ValueError
        If a table is not 2-D, is empty or not finite, or the columns differ in number.

    Examples
    --------
    >>> import numpy as np
    >>> from gansampler.metrics import membership_auc
    >>> train, holdout, fresh = np.random.default_rng(0).normal(size=(3, 50, 2))
    >>> membership_auc(train, holdout, train).auc
    1.0
    >>> bool(membership_auc(train, holdout, fresh).p_value > 0.05)
    True
    """
    X_train, X_holdout, X_synthetic = check_rows(
        X_train=X_train, X_holdout=X_holdout, X_synthetic=X_synthetic
    )
    return rank_test(
        -nearest_distances(X_train, X_synthetic), -nearest_distances(X_holdout, X_synthetic)
    )


def _nearest_weights(X: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Share of the new rows that are nearest to each row of X, ties divided."""
    weights = np.zeros(len(X))
    for _, between in chunked_distances(new, X):
        nearest = between == between.min(axis=1, keepdims=True)
        weights += (nearest / nearest.sum(axis=1, keepdims=True)).sum(axis=0)
    return weights / len(new)
