"""All columns at once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state

from ._inference import RankTest, label_permutations, permutation_p_value, rank_test
from ._validation import check_at_least, check_rows


class EnergyTest(NamedTuple):
    """Permutation test of equal distributions; made by `energy_test`.

    Parameters
    ----------
    statistic : float
        Energy distance, at least 0.
    p_value : float
        Of the permutation test, one-sided.
    ratio : float
        Statistic over the 95% quantile of its null; above 1, the test rejects at .05.
    """

    statistic: float
    p_value: float
    ratio: float


def energy_distance(X: np.ndarray, Y: np.ndarray) -> float:
    """Energy distance between two samples.

    ``2 E|x - y| - E|x - x'| - E|y - y'|``, with all pairs in the means (V-statistic).

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

    Raises
    ------
    ValueError
        If a table is not 2-D, is empty or not finite, or the columns differ in number.

    Examples
    --------
    >>> import numpy as np
    >>> from gansampler.metrics import energy_distance
    >>> energy_distance(np.array([[0.0]]), np.array([[3.0]]))
    6.0
    """
    X, Y = check_rows(X=X, Y=Y)
    distance = 2 * cdist(X, Y).mean() - cdist(X, X).mean() - cdist(Y, Y).mean()
    return max(0.0, float(distance))


def energy_score(observations: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """Energy score of a generator's samples, for each observed row.

    ``E|s - x| - E|s - s'| / 2`` for an observation x and independent samples s, s'.

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

    Raises
    ------
    ValueError
        If a table is not 2-D or not finite, the columns differ in number, or there are no
        observations or fewer than two samples.

    Examples
    --------
    >>> import numpy as np
    >>> from gansampler.metrics import energy_score
    >>> energy_score(np.array([[0.0]]), np.array([[-1.0], [1.0]]))
    array([0.])
    """
    observations, samples = check_rows(observations=observations, samples=samples)
    check_rows(samples=samples, min_rows=2)
    m = len(samples)
    within = cdist(samples, samples).sum() / (m * (m - 1))
    return cdist(observations, samples).mean(axis=1) - within / 2


def energy_test(
    X_real: np.ndarray,
    X_synthetic: np.ndarray,
    *,
    n_permutations: int = 999,
    random_state: Any = None,
) -> EnergyTest:
    """Permutation test of equal joint distributions by their energy distance.

    `energy_distance`, and how often it is as large when the labels real and synthetic are
    permuted: p = (1 + #{null >= observed}) / (B + 1). Holds (n + m)^2 distances.

    - Range: statistic [0, inf), p-value (0, 1], ratio [0, inf). A small p-value, or a ratio
      above 1, is worse: the ratio is the statistic over the 95% quantile of its null, and
      grows where the p-value can fall no more. NaN where all rows are equal.
    - Question: could the synthetic rows be fresh draws from the joint distribution of the
      real ones, and if not, by how much do they differ?
    - Source: Szekely and Rizzo (2004), Testing for equal distributions in high dimension,
      InterStat 5.

    Parameters
    ----------
    X_real : ndarray of shape (n, d)
    X_synthetic : ndarray of shape (m, d)
    n_permutations : int, default=999
    random_state : int, RandomState instance or None, default=None

    Returns
    -------
    EnergyTest
        ``statistic``, ``p_value`` and ``ratio``.

    Raises
    ------
    ValueError
        If a table is not 2-D, is empty or not finite, the columns differ in number, or
        there is no permutation.

    Examples
    --------
    >>> import numpy as np
    >>> from gansampler.metrics import energy_test
    >>> real, fresh = np.random.default_rng(1).normal(size=(2, 50, 3))
    >>> bool(energy_test(real, fresh, random_state=0).p_value > 0.05)
    True
    >>> energy_test(real, fresh + 1, random_state=0).p_value
    0.001
    """
    X_real, X_synthetic = check_rows(X_real=X_real, X_synthetic=X_synthetic)
    check_at_least(1, n_permutations=n_permutations)
    rng = check_random_state(random_state)
    n, m = len(X_real), len(X_synthetic)
    pooled = np.vstack([X_real, X_synthetic])
    distances = cdist(pooled, pooled)
    observed = float(_energy(distances, np.arange(n + m)[None] < n)[0])
    null = np.concatenate(
        [
            _energy(distances, labels)
            for labels in label_permutations(n, m, n_permutations, rng)
        ]
    )
    limit = float(np.quantile(null, 0.95))
    return EnergyTest(
        statistic=observed,
        p_value=permutation_p_value(observed, null),
        ratio=observed / limit if limit > 0 else np.nan,
    )


def classifier_two_sample_test(
    X_real: np.ndarray,
    X_synthetic: np.ndarray,
    *,
    classifier: Any = None,
    cv: int = 5,
    random_state: Any = None,
) -> RankTest:
    """How well a classifier tells synthetic rows from real ones.

    Area under the ROC curve of cross-validated scores: P(a synthetic row scores higher than
    a real one). The p-value is Mann-Whitney's.

    - Range: AUC [0, 1], near .5 is best, above it the rows are told apart; p-value [0, 1],
      one-sided. An AUC below .5 is no good news: generators fitted to the real rows give
      .33 to .38. The p-value takes the scores for independent, which those of
      overlapping folds are not: at the level .05 it rejects .05 to .13 of fresh tables
      (the more, the more columns).
    - Question: can a classifier tell synthetic rows from real ones?
    - Source: Lopez-Paz and Oquab (2017), Revisiting classifier two-sample tests, ICLR.

    Parameters
    ----------
    X_real : ndarray of shape (n, d), n >= cv
    X_synthetic : ndarray of shape (m, d), m >= cv
    classifier : estimator, default=None
        With decision_function or predict_proba; None is logistic regression on
        standardised columns.
    cv : int, default=5
        Stratified folds.
    random_state : int, RandomState instance or None, default=None
        Shuffles the folds.

    Returns
    -------
    RankTest
        ``auc`` and ``p_value``.

    Raises
    ------
    ValueError
        If a table is not 2-D or not finite, has fewer than cv rows, the columns differ in
        number, or cv is below 2.

    Examples
    --------
    >>> import numpy as np
    >>> from gansampler.metrics import classifier_two_sample_test
    >>> real, fresh = np.random.default_rng(1).normal(size=(2, 50, 3))
    >>> bool(classifier_two_sample_test(real, fresh, random_state=0).p_value > 0.05)
    True
    >>> bool(classifier_two_sample_test(real, fresh + 1, random_state=0).auc > 0.8)
    True
    """
    check_at_least(2, cv=cv)
    X_real, X_synthetic = check_rows(min_rows=cv, X_real=X_real, X_synthetic=X_synthetic)
    if classifier is None:
        classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    by_margin = hasattr(classifier, "decision_function")
    synthetic = np.repeat([0, 1], [len(X_real), len(X_synthetic)])
    scores = cross_val_predict(
        classifier,
        np.vstack([X_real, X_synthetic]),
        synthetic,
        cv=StratifiedKFold(cv, shuffle=True, random_state=check_random_state(random_state)),
        method="decision_function" if by_margin else "predict_proba",
    )
    scores = scores if by_margin else scores[:, 1]
    return rank_test(scores[synthetic == 1], scores[synthetic == 0])


def _energy(distances: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Energy distance of each split of the rows, labels (B, N), shape (B,)."""
    first = labels.sum(axis=1, keepdims=True)
    weights = np.where(labels, 1 / first, -1 / (labels.shape[1] - first))
    return np.maximum(0.0, -((weights @ distances) * weights).sum(axis=1))
