"""Where the generator starts: one shrunk Gaussian a class, in the latent space."""

from __future__ import annotations

import numpy as np

MIN_CLASS_ROWS = 6
"""Classes with fewer rows take the covariance of all classes together."""

PRIOR_ROWS = 20
"""How many rows of a class the pooled covariance counts for, beside its own.

The covariance of few rows spans only those rows: draws from it lie between them and look
like copies.
"""

RIDGE = 0.1
"""Weight of the overall covariance in that of every class, where components are as many
as rows; it falls with their ratio.

In a table that is wider than long, all rows of a class share a value along some
directions; without this the drawn rows would too.
"""


def fit_class_gaussians(
    latent: np.ndarray, codes: np.ndarray, n_classes: int, shrinkage: float
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and shrunk covariance factor of every class.

    The covariance of a class of n rows has weight (1 - shrinkage) n / (n + 20) beside
    the pooled within-class covariance (regularized discriminant analysis, Friedman 1989),
    and both are shrunk a little toward the overall covariance, which is diagonal.

    Parameters
    ----------
    latent : ndarray of shape (n, k)
        Principal components, so that their overall covariance is diagonal.
    codes : ndarray of int, shape (n,)
        Class of each row, in 0 .. n_classes - 1.
    n_classes : int
    shrinkage : float in [0, 1]
        Weight of the pooled covariance in that of a class of many rows.

    Returns
    -------
    location : ndarray of shape (n_classes, k)
    scale_tril : ndarray of shape (n_classes, k, k)
        Lower Cholesky factors.
    """
    counts = np.bincount(codes, minlength=n_classes)
    location = np.stack([latent[codes == c].mean(axis=0) for c in range(n_classes)])
    centred = latent - location[codes]
    scatter = [centred[codes == c].T @ centred[codes == c] for c in range(n_classes)]
    pooled = np.sum(scatter, axis=0) / max(len(latent) - n_classes, 1)
    overall = latent.var(axis=0)
    ridge = RIDGE * min(1.0, latent.shape[1] / len(latent))
    floor = 1e-10 * max(overall.max(), 1e-10)

    scale_tril = np.empty((n_classes, *pooled.shape))
    for c, count in enumerate(counts):
        trust = (1 - shrinkage) * count / (count + PRIOR_ROWS)
        if count < MIN_CLASS_ROWS:
            trust = 0.0
        own = scatter[c] / max(count - 1, 1)
        covariance = (1 - ridge) * (trust * own + (1 - trust) * pooled)
        covariance[np.diag_indices_from(covariance)] += ridge * overall + floor
        scale_tril[c] = np.linalg.cholesky(covariance)
    return location, scale_tril
