"""From a table to the latent space the generator works in, and back.

Columns become normal scores of smoothed ranks (so marginals and ranges hold by
construction), normal scores become principal components (so the cost of training depends
on the rank of the table, not on its number of columns). Distances in the latent space are
distances between normal scores, of the rows of the table and of rows drawn in that space;
other rows are projected onto it.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr, ndtri
from sklearn.decomposition import PCA

from ._mixed import MixedColumns
from ._ties import PILE, draw_tied_scores

MAX_QUANTILES = 1000
MAX_COMPONENTS = 1000
BEYOND = 10.0
"""Scores that rows from outside the range of a column can go beyond its extremes."""

MAX_DECIMALS = 4
"""Decimals that numbers are written with, at most; more are those of a computation."""

BANDWIDTH = 1.59
"""Of a kernel for a distribution function, in spreads times n ** (-1 / 3): the best one for
normal columns (Azzalini 1981)."""

MIN_CLASS_ROWS = 6
"""Classes with fewer rows have no say in its width."""

SPREAD_ROWS = 5000
"""Rows of a class that its spreads are taken from, at most."""

FAR, NEAR = 1e4, 1e-6
"""In widths: values farther than this from the median are all as far, and windows no wider
than this are left out. Both keep rounding out of the sums."""


class NormalScores:
    """Normal scores of every column, and back by interpolating observed quantiles.

    The score of the i-th smallest of n values is the normal quantile of (i - 1/2) / n, or
    of a smoothed rank in place of i. It stays finite at the extremes, where a plain
    quantile transform needs a clip.

    Attributes
    ----------
    quantiles_ : ndarray of shape (n_quantiles, n_features)
        Observed values at evenly spaced ranks: all of them up to `MAX_QUANTILES` rows.
    ranks_ : ndarray of shape (n_quantiles, n_features)
        The rank that stands for each, from 0 to n - 1: its own, or a smoothed one.
    decimals_ : ndarray of int, shape (n_features,)
        Decimals that the values of a column have, to which they come back rounded; -1 if
        they are more than `MAX_DECIMALS`.
    is_discrete_ : ndarray of bool, shape (n_features,)
        Columns of few distinct values (at most two, or a tenth of the rows), which come
        back as observed values only.
    """

    def fit_transform(self, X: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
        """Learn the columns of X; ties are broken at random, alike in all columns.

        So a repeated value, zeros say, keeps its share when a Gaussian is fitted to the
        scores; `draw_tied_scores` then settles which of the rows gets which.
        """
        n, d = X.shape
        ranks = np.linspace(0, n - 1, min(n, MAX_QUANTILES)).round().astype(int)
        self.n_rows_ = n
        self.quantiles_ = np.empty((len(ranks), d))
        evenly = np.linspace(0, n - 1, len(ranks))
        self.ranks_ = np.broadcast_to(evenly[:, None], self.quantiles_.shape)
        self.decimals_, self.is_discrete_ = np.empty(d, dtype=int), np.empty(d, dtype=bool)
        shuffled = rng.permutation(n)
        score_of_rank = self._to_scores(np.arange(n))
        # One memory layout, for sums in another order differ in the last bit.
        scores = np.empty((n, d))
        # Column by column, so that little is held beside the two tables.
        for j in range(d):
            column = X[:, j].astype(np.float64)
            ordered = np.sort(column)
            n_distinct = 1 + np.count_nonzero(np.diff(ordered) > 0)
            self.quantiles_[:, j] = ordered[ranks]
            self.decimals_[j] = _decimals(column)
            self.is_discrete_[j] = n_distinct <= 2 or 10 * n_distinct <= n
            by_rank = shuffled[column[shuffled].argsort(kind="stable")]
            scores[by_rank, j] = score_of_rank if n_distinct > 1 else 0.0
        return scores

    def smooth(self, X: np.ndarray, scores: np.ndarray, codes: np.ndarray) -> None:
        """Smooth the ranks of columns of many values, and with them scores, in place.

        Ranks know no gaps: values on either side of one are neighbours, and a generator
        that is off by little jumps across. In a smoothed distribution function gaps keep
        some of their width; and it is nearer to that of the population than the steps of
        a sample are. Piles of equal values stay steps.

        Parameters
        ----------
        X : ndarray of shape (n, n_features)
        scores : ndarray of shape (n, n_features)
            Those that `fit_transform` gave; among ties in any order.
        codes : ndarray of int, shape (n,)
            Class of each row. The narrowest class sets the width of the kernel, so that
            classes far from each other keep their shapes.
        """
        spreads = _least_spreads(X, codes)
        evenly = self.ranks_[:, 0]
        step = evenly[-1] / max(len(evenly) - 1, 1)
        self.ranks_ = self.ranks_.copy()
        for j in np.flatnonzero(~self.is_discrete_):
            places = _smoothed_places(self.quantiles_[:, j], spreads[j], self.n_rows_)
            self.ranks_[:, j] = step * places
            raw = ndtr(scores[:, j]) * self.n_rows_ - 0.5
            scores[:, j] = self._to_scores(np.interp(raw, evenly, self.ranks_[:, j]))

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Scores of any rows; tied values get the middle of their ranks.

        Beyond the range the scores go on at the slope they have over the whole of it, by
        `BEYOND` at most, so that no row from outside passes for a copy of an extreme one.
        """
        X = X.astype(np.float64)
        ranks = np.empty(X.shape)
        has_ties = (self.quantiles_[1:] == self.quantiles_[:-1]).any(axis=0)
        for j, (quantiles, at) in enumerate(
            zip(self.quantiles_.T, self.ranks_.T, strict=True)
        ):
            ranks[:, j] = _interpolated(X[:, j], quantiles, at)
            if has_ties[j]:
                from_right = _interpolated(-X[:, j], -quantiles[::-1], -at[::-1])
                ranks[:, j] = (ranks[:, j] - from_right) / 2
        return self._to_scores(ranks) + self._beyond(X)

    def _beyond(self, X: np.ndarray) -> np.ndarray:
        """How far numbers lie outside the ranges of their columns, in normal scores."""
        lowest, highest = self.quantiles_[0], self.quantiles_[-1]
        excess = X - np.clip(X, lowest, highest)
        if not excess.any():
            return excess
        spread = 2 * self._to_scores(np.array(self.n_rows_ - 1.0))
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            beyond = excess / ((highest - lowest) / spread)
        return np.clip(np.nan_to_num(beyond, nan=0.0), -BEYOND, BEYOND)

    def inverse_transform(self, scores: np.ndarray) -> np.ndarray:
        """Values in the range of each column, between neighbouring quantiles."""
        n, q = self.n_rows_, len(self.quantiles_)
        X, places = np.empty(scores.shape), np.arange(q)
        for j, quantiles in enumerate(self.quantiles_.T):
            rank = np.clip(ndtr(scores[:, j]) * n - 0.5, 0, n - 1)
            position = np.interp(rank, self.ranks_[:, j], places)
            if self.is_discrete_[j]:
                position = np.rint(position)
            below = np.minimum(position.astype(int), max(q - 2, 0))
            low, high = quantiles[below], quantiles[np.minimum(below + 1, q - 1)]
            share = position - below
            between = np.clip(low + share * (high - low), low, high)
            # At a share of one the sum may miss the observed value by its last bit.
            X[:, j] = np.where(share < 1, between, high)
            if self.decimals_[j] >= 0:
                X[:, j] = _rounded(X[:, j], self.decimals_[j], quantiles)
        return X

    def _to_scores(self, ranks: np.ndarray) -> np.ndarray:
        return ndtri((ranks + 0.5) / self.n_rows_)

    def coarsened(self, n_quantiles: int) -> NormalScores:
        """These scores with at most so many quantiles of each column."""
        coarse = copy.copy(self)
        n = len(self.quantiles_)
        kept = np.unique(np.linspace(0, n - 1, min(n, n_quantiles)).round().astype(int))
        coarse.quantiles_, coarse.ranks_ = self.quantiles_[kept], self.ranks_[kept]
        return coarse


def _decimals(column: np.ndarray) -> int:
    """Decimals that all values of a column can be written with, or -1."""
    column = _single(column)
    with np.errstate(over="ignore", invalid="ignore"):
        for n in range(MAX_DECIMALS + 1):
            # A few values tell nearly always.
            if all((np.round(some, n) == some).all() for some in (column[:50], column)):
                return n
    return -1


def _rounded(values: np.ndarray, decimals: int, observed: np.ndarray) -> np.ndarray:
    """Values as the observed ones are written, in single precision where those are."""
    rounded = np.round(values, decimals) + 0.0  # no -0
    if _single(observed).dtype == np.float32:
        rounded = rounded.astype(np.float32).astype(float)
    return rounded.clip(observed[0], observed[-1])


def _single(column: np.ndarray) -> np.ndarray:
    """The column in single precision, if it has no more."""
    with np.errstate(over="ignore"):
        single = column.astype(np.float32)
    return single if (single == column).all() else column


def _interpolated(x: np.ndarray, places: np.ndarray, values: np.ndarray) -> np.ndarray:
    """`np.interp`; between places so near that a slope overflows, the value before."""
    with np.errstate(over="ignore", invalid="ignore"):
        found = np.interp(x, places, values)
    lost = ~np.isfinite(found)
    if lost.any():
        before = np.searchsorted(places, x[lost], side="right") - 1
        found[lost] = values[before.clip(0)]
    return found


def _least_spreads(X: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Spread of each column in the class where it is least; inf where it overflows."""
    classes = np.flatnonzero(np.bincount(codes) >= MIN_CLASS_ROWS)
    least = np.full(X.shape[1], np.inf)
    for mine in [np.flatnonzero(codes == c) for c in classes] or [np.arange(len(X))]:
        rows = X[mine[:: -(-len(mine) // SPREAD_ROWS)]]
        with np.errstate(over="ignore", invalid="ignore"):
            low, high = np.quantile(rows, [0.25, 0.75], axis=0)
            spread = np.fmin(rows.std(axis=0, dtype=float), (high - low) / 1.349)
        least = np.fmin(least, spread)
    return least


def _smoothed_places(quantiles: np.ndarray, spread: float, n_rows: int) -> np.ndarray:
    """Places of sorted values in the order, from 0, as a smoothed count has them.

    Piles, which are values that a share `PILE` of the rows has, stay steps: others are
    counted without them.
    """
    places = np.arange(len(quantiles), dtype=float)
    if not 0 < spread < np.inf:
        return places
    width = BANDWIDTH * spread * n_rows ** (-1 / 3)
    if (quantiles[1:] > quantiles[:-1]).all():
        return _smoothed_counts(quantiles, width) - 0.5
    _, counts = np.unique(quantiles, return_counts=True)
    in_pile = np.repeat(counts >= max(2, PILE * len(quantiles)), counts)
    others, piled = quantiles[~in_pile], quantiles[in_pile]
    if not len(others):
        return places
    below = _smoothed_counts(others, width)
    n_piled = in_pile.cumsum()
    places[~in_pile] = below - 0.5 + n_piled[~in_pile]
    below = np.interp(piled, others, below, left=0, right=len(others))
    places[in_pile] = below + n_piled[in_pile] - 1
    return places


def _smoothed_counts(v: np.ndarray, width: float) -> np.ndarray:
    """How many of sorted values lie below each, the value itself by half.

    They are counted in a window with the standard deviation `width`, which narrows to
    nothing at both ends, where half of it would be empty.
    """
    n = len(v)
    places = np.arange(n, dtype=float)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        if (v[1:] == v[:-1]).any():
            # Equal values are spread out between their neighbours.
            values, first, counts = np.unique(v, return_index=True, return_counts=True)
            v = np.interp(places, first + (counts - 1) / 2, values)
        v = np.minimum(np.maximum((v - v[n // 2]) / width, -FAR), FAR)
        half = np.minimum(np.minimum(v - v[0], v[-1] - v), np.sqrt(3))
        # The integral of the number of values below is linear between them.
        area = places * v - (v.cumsum() - v)
        upper, lower = np.interp(v + half, v, area), np.interp(v - half, v, area)
        smoothed = np.where(half > NEAR, (upper - lower) / (2 * half), places + 0.5)
    return np.maximum.accumulate(np.clip(smoothed, 0.5, n - 0.5))


class TableEncoder:
    """Table -> finite columns -> normal scores -> all principal components, and back.

    Parameters
    ----------
    categorical : sequence of int
        Columns that hold codes of categories.

    Attributes
    ----------
    columns_ : MixedColumns
    scores_ : NormalScores
    mean_ : ndarray of shape (n_features,)
    components_ : ndarray of shape (k, n_features)
        Orthonormal rows, by falling variance; at most min(n_rows - 1, n_features,
        `MAX_COMPONENTS`), and none without variance, so that columns that depend
        linearly on others in their scores still do when drawn.
    remainder_ : ndarray of shape (n_features,)
        Standard deviation of each column's scores that no component explains; zero but
        for tables of more than `MAX_COMPONENTS` rows and columns.
    """

    def __init__(self, categorical: Sequence[int] = ()) -> None:
        self.columns_ = MixedColumns(categorical)

    def fit_transform(
        self, X: np.ndarray, codes: np.ndarray, rng: np.random.RandomState
    ) -> np.ndarray:
        """Learn from X, shape (n, d), with class codes; return latent rows, (n, k)."""
        X = self.columns_.fit_transform(X, codes, rng)
        self.scores_ = NormalScores()
        scores = self.scores_.fit_transform(X, rng)
        scores = draw_tied_scores(X, scores, codes, rng)
        self.scores_.smooth(X, scores, codes)
        if not scores.any():
            # Every column is constant: one component that nothing varies along.
            self.mean_, self.remainder_ = np.zeros(X.shape[1]), np.zeros(X.shape[1])
            self.components_ = np.eye(1, X.shape[1])
            return np.zeros((len(X), 1))
        n_components = min(len(X) - 1, X.shape[1], MAX_COMPONENTS)
        pca = PCA(n_components, random_state=rng.randint(2**31 - 1))
        latent = pca.fit_transform(scores)
        variance = pca.explained_variance_
        n_kept = int((variance > 1e-10 * variance[0]).sum())
        self.mean_ = pca.mean_
        # In the order that files give back: products in another one round otherwise.
        self.components_ = np.ascontiguousarray(pca.components_[:n_kept])
        explained = variance[:n_kept] @ self.components_**2
        unexplained = scores.var(axis=0, ddof=1) - explained
        self.remainder_ = np.sqrt(np.where(unexplained > 1e-9, unexplained, 0.0))
        return latent[:, :n_kept]

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Latent rows, shape (m, k), of rows in X, shape (m, d)."""
        scores = self.scores_.transform(self.columns_.transform(X))
        return (scores - self.mean_) @ self.components_.T

    def calibrate(self, latent: Sequence[np.ndarray], rng: np.random.RandomState) -> None:
        """Learn from latent rows drawn of each class when a category is to be chosen."""
        self.columns_.calibrate([self._to_scores(drawn, rng) for drawn in latent])

    def inverse_transform(
        self, latent: np.ndarray, codes: np.ndarray, rng: np.random.RandomState
    ) -> np.ndarray:
        """Rows of the table, shape (m, d), of latent rows, shape (m, k), of classes."""
        scores = self._to_scores(latent, rng)
        finite = self.scores_.inverse_transform(scores)
        return self.columns_.inverse_transform(finite, scores, codes)

    def _to_scores(self, latent: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
        scores = latent @ self.components_ + self.mean_
        if self.remainder_.any():
            scores += self.remainder_ * rng.standard_normal(scores.shape)
        return scores
