"""Do synthetic rows carry the class that real rows like them have?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline

N_FOLDS = 5
MAX_COMPONENTS = 50
MAX_ROWS = 2000
"""Rows of a class, on either side, that are looked at."""


class LabelNoise(NamedTuple):
    """Estimated share of the synthetic rows of a class that belong to another.

    share : that estimate; z : its distance from 0 in standard errors; accuracy : how well
    the class can be told among real rows, .5 being chance.
    """

    share: float
    z: float
    accuracy: float


UNKNOWN = LabelNoise(np.nan, np.nan, np.nan)


def label_noise(
    X: np.ndarray,
    codes: np.ndarray,
    groups: np.ndarray,
    X_new: np.ndarray,
    codes_new: np.ndarray,
    rng: np.random.RandomState,
) -> dict[int, LabelNoise]:
    """Estimate the share of wrong labels among new rows, for each of their classes.

    A shrinkage discriminant analysis, all classes alike, is trained on folds of the real
    rows. Of a class it recognises a share r of the real rows left out, and mistakes a
    share l of those of the other classes for it. If a share e of the new rows of that
    class belonged elsewhere, it would recognise a share s = (1 - e) r + e l of them.

    Classes of fewer than `N_FOLDS` groups of real rows are left aside.

    Parameters
    ----------
    X, codes, groups : ndarrays of shape (n, d), (n,), (n,)
        Real rows, their class codes, and their patients.
    X_new, codes_new : ndarrays of shape (m, d), (m,)
    rng : RandomState
    """
    classes = [c for c in np.unique(codes) if len(np.unique(groups[codes == c])) >= N_FOLDS]
    told = dict.fromkeys(np.unique(codes_new).tolist(), UNKNOWN)
    if len(classes) < 2 or not np.ptp(X, axis=0).any():
        return told
    usable = np.isin(codes, classes)
    X, codes, groups = X[usable], codes[usable], groups[usable]

    grouped = len(np.unique(groups)) < len(groups)
    k_fold = StratifiedGroupKFold if grouped else StratifiedKFold
    folds = k_fold(N_FOLDS, shuffle=True, random_state=rng.randint(2**31 - 1))
    predicted = np.empty_like(codes)
    predicted_new = []
    for train, test in folds.split(X, codes, groups if grouped else None):
        if len(np.unique(codes[train])) < len(classes):
            return told
        n_components = min(MAX_COMPONENTS, X.shape[1], len(train) - 1)
        classifier = make_pipeline(
            PCA(
                n_components,
                svd_solver="randomized",
                random_state=rng.randint(2**31 - 1),
            ),
            LinearDiscriminantAnalysis(
                solver="lsqr",
                shrinkage="auto",
                priors=np.full(len(classes), 1 / len(classes)),
            ),
        ).fit(X[train], codes[train])
        predicted[test] = classifier.predict(X[test])
        predicted_new.append(classifier.predict(X_new))

    for c in told:
        if c in classes:
            hits = predicted[codes == c] == c
            mistaken = np.mean(
                [(predicted[codes == b] == c).mean() for b in classes if b != c]
            )
            hits_new = np.array(predicted_new)[:, codes_new == c] == c
            told[c] = _estimate(hits, float(mistaken), hits_new.mean(axis=0))
    return told


def _estimate(hits: np.ndarray, mistaken: float, hits_new: np.ndarray) -> LabelNoise:
    """Share, z and accuracy; variances as if one more of each had come (Wilson)."""
    right, right_new = hits.mean(), hits_new.mean()
    variance = 0.0
    for share, n in ((right, len(hits)), (right_new, len(hits_new))):
        p = (share * n + 1) / (n + 2)
        variance += p * (1 - p) / (n + 2)
    accuracy = (right + 1 - mistaken) / 2
    contrast = max(right - mistaken, 1e-9)
    return LabelNoise(
        share=float(np.clip((right - right_new) / contrast, -1, 1)),
        z=float((right - right_new) / np.sqrt(variance)),
        accuracy=float(accuracy),
    )
