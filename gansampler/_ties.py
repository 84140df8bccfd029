"""Scores of tied values, drawn given what the other columns say.

A pile of zeros, a whole number or a category stands for an interval of normal scores. Ties
broken at random would leave the scores too little correlated with those of other columns,
and with the class. Here each score is drawn from its interval given the other columns, as
a Gibbs sampler for the Gaussian copula does (Hoff 2007, Extending the rank likelihood for
semiparametric copula estimation, Ann. Appl. Stat. 1): columns that go together one after
the other, so that each is drawn given what the other has become.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata

N_SWEEPS = 6

PILE = 0.05
"""Share of the rows from which on equal values are a pile, and not a chance."""

TOGETHER = 0.3
"""Least correlation of columns that are drawn one after the other."""

MAX_TURNS = 8
"""Parts that the columns are drawn in, at most."""

MAX_COMPARED = 1000
"""Columns in a row that are compared with one another."""

PENALTIES = 10.0 ** np.arange(-1, 5)
"""Of the ridge regression on the other columns; the best for left-out rows is taken."""

CLASS_WEIGHT = 10.0
"""Scale of the class indicators in that regression: they are hardly shrunk."""


def piled_columns(ordered: np.ndarray) -> np.ndarray:
    """Columns, sorted, of which a value fills at least `PILE` of the rows, but not all."""
    step = max(1, int(np.ceil(PILE * len(ordered))) - 1)
    piled = (ordered[step:] == ordered[:-step]).any(axis=0)
    return np.flatnonzero(piled & (ordered[0] < ordered[-1]))


def draw_tied_scores(
    X: np.ndarray, scores: np.ndarray, codes: np.ndarray, rng: np.random.RandomState
) -> np.ndarray:
    """Scores, shape (n, d), with those of piled columns of X drawn anew.

    Each column keeps the scores it has; only which of the tied rows has which changes.
    """
    piled = piled_columns(np.sort(X, axis=0))
    if not len(piled) or len(X) < 3:
        return scores
    n = len(X)
    low, high = (
        ndtri((rankdata(X[:, piled], method, axis=0) - shift) / n)
        for method, shift in (("min", 1), ("max", 0))
    )
    dummies = CLASS_WEIGHT * (codes[:, None] == np.unique(codes))
    design = np.hstack([scores, dummies - dummies.mean(axis=0)])
    turn = _turns(ndtr(low) + ndtr(high))
    for _ in range(N_SWEEPS):
        for t in range(turn.max() + 1):
            mine = np.flatnonzero(turn == t)
            mean, spread = _given_other_columns(design, piled[mine])
            lowest, highest = ((end[:, mine] - mean) / spread for end in (low, high))
            drawn = mean + spread * _truncated_normal(lowest, highest, rng)
            for j, column in zip(piled[mine], drawn.T, strict=True):
                order = np.lexsort([column, X[:, j]])
                design[order, j] = np.sort(design[:, j])
    return design[:, : scores.shape[1]]


def _turns(ranks: np.ndarray) -> np.ndarray:
    """When each column is drawn, from 0: not with one before it that it goes with."""
    turn = np.empty(ranks.shape[1], dtype=int)
    for first in range(0, len(turn), MAX_COMPARED):
        part = ranks[:, first : first + MAX_COMPARED]
        alike = np.abs(np.corrcoef(part, rowvar=False)).reshape(part.shape[1], -1)
        mine = turn[first : first + MAX_COMPARED]
        for k in range(len(mine)):
            most = np.zeros(MAX_TURNS)
            np.maximum.at(most, mine[:k], alike[k, :k])
            free = np.flatnonzero(most < TOGETHER)
            mine[k] = free[0] if len(free) else most.argmin()
    return turn


def _given_other_columns(
    design: np.ndarray, wanted: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Predictions of some columns from all others for left-out rows, and their errors.

    Ridge regressions in closed form: leaving a column out of A = S S' + penalty is an
    update of rank one, and leaving a row out takes the diagonal of the inverse.
    """
    values, vectors = _eigen(design)
    targets = design[:, wanted]
    projected = vectors.T @ targets
    best_error = np.full(len(wanted), np.inf)
    best_mean = np.zeros_like(targets)
    for penalty in PENALTIES:
        solved = vectors @ (projected / (values + penalty)[:, None])
        left = np.maximum(1 - (targets * solved).sum(axis=0), 1e-9)
        diagonal = (1 - vectors**2 @ (values / (values + penalty))) / penalty
        residual = (solved / left) / (diagonal[:, None] + solved**2 / left)
        error = (residual**2).mean(axis=0)
        better = error < best_error
        best_error[better] = error[better]
        best_mean[:, better] = (targets - residual)[:, better]
    return best_mean, np.sqrt(np.maximum(best_error, 1 / len(design)))


def _eigen(design: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues above zero of design @ design.T and their vectors."""
    is_long = len(design) > design.shape[1]
    gram = design.T @ design if is_long else design @ design.T
    values, vectors = np.linalg.eigh(gram)
    kept = values > 1e-10 * values[-1]
    values, vectors = values[kept], vectors[:, kept]
    return values, design @ vectors / np.sqrt(values) if is_long else vectors


def _truncated_normal(
    low: np.ndarray, high: np.ndarray, rng: np.random.RandomState
) -> np.ndarray:
    """Standard normal numbers between bounds; in the lower tail, where digits are kept."""
    is_upper = low > 0
    low, high = np.where(is_upper, -high, low), np.where(is_upper, -low, high)
    share = rng.uniform(size=low.shape)
    drawn = ndtri(ndtr(low) * (1 - share) + ndtr(high) * share)
    drawn = np.clip(drawn, low, high)
    return np.where(is_upper, -drawn, drawn)
