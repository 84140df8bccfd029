"""Choose among candidates where, and only where, the class is visibly missed."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist, pdist
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ._relabelling import Null, energy_distances, relabel

MIN_ROWS = 20
"""Rows, real and drawn, below which nothing is tested."""

MAX_ROWS, MAX_SCORED = 500, 2000
LEVEL = 0.01
N_EXCHANGES = 199
N_FOLDS = 4
MAX_BUMPS = 100
"""Radial basis functions that a density ratio is made of."""

MAX_RATIO = 10.0
"""Density ratios are held between this and its inverse: no row is drawn for certain."""


def is_faithful(real: np.ndarray, drawn: np.ndarray, rng: np.random.RandomState) -> bool:
    """Whether the energy test does not tell drawn rows from real ones.

    Parameters
    ----------
    real, drawn : ndarray of shape (n, d), (m, d)
        Rows of one class, in the units that distances are taken in.
    rng : RandomState
    """
    if min(len(real), len(drawn)) < MIN_ROWS:
        return True
    real = real[rng.permutation(len(real))[:MAX_ROWS]]
    drawn = drawn[rng.permutation(len(drawn))[:MAX_ROWS]]
    pooled = np.concatenate([real, drawn])
    is_real = relabel(len(real), len(drawn), N_EXCHANGES, rng)
    null = Null.of(energy_distances(cdist(pooled, pooled), is_real))
    return null.p_above > LEVEL


def choose(
    real: np.ndarray,
    candidates: np.ndarray,
    n_wanted: int,
    groups: np.ndarray,
    rng: np.random.RandomState,
) -> np.ndarray:
    """Choose candidates by their density ratio to real rows, if that helps on other rows.

    A classifier of real rows against candidates gives the ratio, by which candidates are
    drawn without replacement. It is trained on folds of the real rows, and the ratio
    judged by the energy score of the rows left out: unless candidates weighted by it
    foretell those better, by two standard errors, than candidates as they came, these
    are kept.

    Parameters
    ----------
    real : ndarray of shape (n, d)
    candidates : ndarray of shape (m, d), m > n_wanted
    n_wanted : int
    groups : ndarray of shape (n,)
        Rows of a group are left out together.
    rng : RandomState

    Returns
    -------
    ndarray of int, shape (n_wanted,)
        Which candidates to take.

    References
    ----------
    Sugiyama, Suzuki and Kanamori (2012), Density ratio estimation in machine learning.
    """
    n_folds = min(N_FOLDS, len(np.unique(groups)))
    ratios, gains = np.zeros(len(candidates)), []
    scored = rng.permutation(len(candidates))[:MAX_SCORED]
    if n_folds >= 2:
        for trained, left_out in GroupKFold(n_folds).split(real, groups=groups):
            ratio = _density_ratios(real[trained], candidates, rng)
            gains.append(_gains(real[left_out], candidates[scored], ratio[scored]))
            ratios += ratio / n_folds
    gain = np.concatenate(gains) if gains else np.zeros(2)
    if gain.mean() <= 2 * gain.std() / np.sqrt(len(gain)):
        return np.arange(n_wanted)
    return rng.choice(
        len(candidates), size=n_wanted, replace=False, p=ratios / ratios.sum()
    )


def _gains(rows: np.ndarray, candidates: np.ndarray, ratios: np.ndarray) -> np.ndarray:
    """How much better weighted candidates foretell each row: energy scores, (n_rows,)."""
    to_rows, within = cdist(rows, candidates), cdist(candidates, candidates)
    m = len(candidates)
    scores = []
    for weights in (np.full(m, 1 / m), ratios / ratios.sum()):
        pairs = weights @ within @ weights / (1 - np.square(weights).sum())
        scores.append(to_rows @ weights - pairs / 2)
    return scores[0] - scores[1]


def _density_ratios(
    real: np.ndarray, candidates: np.ndarray, rng: np.random.RandomState
) -> np.ndarray:
    """Density of real rows over that of candidates, at each candidate."""
    pooled = np.concatenate([real, candidates])
    is_real = np.arange(len(pooled)) < len(real)
    # Bumps as wide as rows are apart: a linear score could not tell two modes from one.
    squared = pdist(pooled[rng.permutation(len(pooled))[:200]], "sqeuclidean")
    if not squared.any():
        return np.ones(len(candidates))
    gamma = 1 / np.median(squared[squared > 0])
    classifier = make_pipeline(
        Nystroem(
            gamma=gamma,
            n_components=min(MAX_BUMPS, len(pooled)),
            random_state=rng.randint(2**31 - 1),
        ),
        StandardScaler(),
        LogisticRegression(C=0.01, class_weight="balanced", max_iter=500),
    ).fit(pooled, is_real)
    log_ratio = classifier.decision_function(candidates)
    return np.exp(np.clip(log_ratio, -np.log(MAX_RATIO), np.log(MAX_RATIO)))
