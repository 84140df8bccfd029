"""From one number a table to what may be concluded: intervals, ranks and tests."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

ROPE = 0.01


def interval(gains: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Mean and half the width of its t interval, tables being the sample."""
    gains = np.asarray(gains)
    if len(gains) < 2:
        return float(gains.mean()), np.nan
    error = gains.std(ddof=1) / np.sqrt(len(gains))
    return float(gains.mean()), float(stats.t.ppf((1 + level) / 2, len(gains) - 1) * error)


def bayesian_signed_rank(
    gains: np.ndarray, rope: float = ROPE, draws: int = 20_000, seed: int = 0
) -> tuple[float, float, float]:
    """P(worse), P(practically equal), P(better), of the next table.

    Benavoli et al. (2017), Time for a change, JMLR 18: weights of the tables are drawn
    from a Dirichlet distribution, with half a table of gain 0 as the prior; in each draw
    the Walsh sums of gains left of, within and right of the rope are weighed, and the
    heaviest wins.
    """
    z = np.r_[0.0, gains]
    sums = z[:, None] + z
    left, right = (sums < -2 * rope).astype(float), (sums > 2 * rope).astype(float)
    weights = np.random.default_rng(seed).dirichlet(np.r_[0.5, np.ones(len(gains))], draws)
    worse, better = (np.sum(weights @ side * weights, axis=1) for side in (left, right))
    winner = np.argmax([worse, 1 - worse - better, better], axis=0)
    return tuple((np.bincount(winner, minlength=3) / draws).tolist())


def corrected_t_test(gains: np.ndarray, n_folds: int) -> float:
    """P-value of no gain on one table, from gains of the folds of a repeated k-fold.

    Folds share training rows; the variance is corrected for that (Nadeau and Bengio 2003,
    Bouckaert and Frank 2004).
    """
    n = len(gains)
    if n < 2 or not np.ptp(gains):
        return 1.0
    t = gains.mean() / np.sqrt(gains.var(ddof=1) * (1 / n + 1 / (n_folds - 1)))
    return float(2 * stats.t.sf(abs(t), n - 1))


def mean_ranks(scores: pd.DataFrame) -> pd.Series:
    """Mean rank of each column, 1 being the highest score; ties share their rank."""
    return scores.rank(axis=1, ascending=False).mean().sort_values()


def critical_difference(n_arms: int, n_tables: int, alpha: float = 0.05) -> float:
    """Of two mean ranks, by the Nemenyi test (Demsar 2006)."""
    q = stats.studentized_range.ppf(1 - alpha, n_arms, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(n_arms * (n_arms + 1) / (6 * n_tables)))
