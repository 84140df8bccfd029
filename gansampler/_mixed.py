"""Categories, missing values and piles as columns of finite numbers, and back.

Every category but the most common one of its column becomes an indicator column, as do
"missing", the rarer of two numbers in a column that has no other, and the value, zero say,
that many rows of an otherwise continuous column share.
What is drawn for an indicator is a score; the rows with the highest scores get what it
stands for. How many those are is learned for every class, so categories, gaps and piles
come as often as they do in the class, and with the values in other columns they go with.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from scipy.stats import rankdata
from sklearn.metrics.pairwise import nan_euclidean_distances

PILE = 0.2
"""Share of the rows from which on equal numbers get an indicator, where the others are"""
MIN_OTHERS = 10
"""at least so many different ones."""

MAX_DONORS = 500
"""Rows of a class that fill the gaps of others, at most."""


class MixedColumns:
    """Columns with categories and missing values <-> columns of finite numbers.

    A table of numbers without gaps and piles passes unchanged.

    Parameters
    ----------
    categorical : sequence of int
        Columns that hold codes of categories.
    with_piles : bool
        Whether piles, and columns of two numbers, get indicators.

    Attributes
    ----------
    n_columns_ : int
    numeric_ : ndarray of int, shape (n_numeric,)
        Columns of numbers; they come first.
    pile_, fill_ : ndarray of shape (n_numeric,)
        Value of their pile, NaN where there is none, and median of the other values.
    column_, level_ : ndarray of shape (n_indicators,)
        Column and category or value of each indicator, NaN for "missing"; those of a
        column stand together, the rarest first.
    base_ : ndarray of shape (n_columns,)
        Most common category of each categorical column, NaN for the others.
    share_, threshold_ : ndarray of shape (n_classes, n_indicators)
        Share of a class that an indicator takes of the rows that those before it leave,
        and the score from which on it does.
    """

    def __init__(self, categorical: Sequence[int] = (), with_piles: bool = True) -> None:
        self.categorical = np.asarray(categorical, dtype=int)
        self.with_piles = with_piles

    @property
    def has_indicators(self) -> bool:
        return len(self.column_) > 0

    @property
    def is_identity(self) -> bool:
        """Whether the table is one of numbers without gaps and piles."""
        return not self.has_indicators and len(self.numeric_) == self.n_columns_

    def fit(self, X: np.ndarray) -> MixedColumns:
        """Learn the categories of X, shape (n, d), and which columns have gaps or piles."""
        self.n_columns_ = X.shape[1]
        categorical = self.categorical
        if self.with_piles and len(X) > MIN_OTHERS:
            categorical = np.union1d(categorical, _two_valued(X))
        self.numeric_ = np.setdiff1d(np.arange(X.shape[1]), categorical)
        self.base_ = np.full(X.shape[1], np.nan)
        self.pile_ = np.full(len(self.numeric_), np.nan)
        self.fill_ = np.zeros(len(self.numeric_))
        pairs = []
        for j in categorical:
            levels, counts = np.unique(X[:, j], return_counts=True)
            *rare, self.base_[j] = levels[np.argsort(counts, kind="stable")]
            pairs += [(j, level) for level in rare]
        for k, j in enumerate(self.numeric_):
            rows = np.sort(X[:, j])
            others = rows[: np.searchsorted(rows, np.nan)]
            n_gaps = len(rows) - len(others)
            sizes = {np.nan: n_gaps} if n_gaps else {}
            first, last = _pile(others, len(rows)) if self.with_piles else (0, 0)
            if first < last:
                self.pile_[k] = others[first]
                sizes[self.pile_[k]] = last - first
                others = np.delete(others, slice(first, last))
            self.fill_[k] = _median(others)
            pairs += [(j, level) for level in sorted(sizes, key=sizes.__getitem__)]
        self.column_ = np.array([j for j, _ in pairs], dtype=int)
        self.level_ = np.array([level for _, level in pairs], dtype=float)
        return self

    def _is_open(self, X: np.ndarray) -> np.ndarray:
        """Which numbers, shape (m, n_numeric), an indicator stands for."""
        numeric = X[:, self.numeric_]
        return np.isnan(numeric) | (numeric == self.pile_)

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Finite columns, shape (m, n_numeric + n_indicators), medians in open places."""
        if self.is_identity and not np.isnan(X).any():
            return X
        numeric = np.where(self._is_open(X), self.fill_, X[:, self.numeric_])
        wide = np.hstack([numeric, self._indicators(X)])
        # Where all categories are constant, one column in which nothing varies.
        return wide if wide.shape[1] else np.zeros((len(X), 1))

    def fit_transform(
        self, X: np.ndarray, codes: np.ndarray, rng: np.random.RandomState
    ) -> np.ndarray:
        """Learn from X, shape (n, d), with a class code for each row.

        Gaps, and numbers on a pile, are filled from the most similar row of the class, so
        that columns stay correlated.
        """
        wide = self.fit(X).transform(X)
        self.share_ = np.zeros((codes.max() + 1, len(self.column_)))
        self.threshold_ = np.zeros_like(self.share_)
        if self.is_identity:
            return wide
        if len(self.numeric_):
            numeric = np.where(self._is_open(X), np.nan, X[:, self.numeric_])
            wide[:, : len(self.numeric_)] = _filled(numeric, wide, codes, rng)
        indicators = wide[:, len(self.numeric_) :]
        for c in range(len(self.share_)):
            mine = indicators[codes == c]
            for j in np.unique(self.column_):
                of_column = self.column_ == j
                counts = mine[:, of_column].sum(axis=0)
                left = len(mine) - np.concatenate([[0], counts[:-1].cumsum()])
                self.share_[c, of_column] = counts / np.maximum(left, 1)
        return wide

    def calibrate(self, scores: Sequence[np.ndarray]) -> None:
        """Learn thresholds from drawn rows of each class, shape (m, n_wide)."""
        self.threshold_ = np.empty_like(self.share_)
        for c, drawn in enumerate(scores):
            for k, score, is_left in self._walk(drawn):
                q = self.share_[c, k]
                some = score[is_left] if is_left.any() else score
                self.threshold_[c, k] = np.quantile(some, 1 - q, method="lower")
                if q in (0, 1):
                    self.threshold_[c, k] = np.inf if q == 0 else -np.inf
                is_left &= score <= self.threshold_[c, k]

    def inverse_transform(
        self, wide: np.ndarray, scores: np.ndarray, codes: np.ndarray
    ) -> np.ndarray:
        """Rows, shape (m, d), of finite columns and the scores drawn for them."""
        if self.is_identity:
            return wide
        X = np.repeat(self.base_[None], len(wide), axis=0)
        X[:, self.numeric_] = wide[:, : len(self.numeric_)]
        for k, score, is_left in self._walk(scores):
            chosen = is_left & (score > self.threshold_[codes, k])
            X[chosen, self.column_[k]] = self.level_[k]
            is_left &= ~chosen
        return X

    def names(
        self, columns: Sequence[str], categories: Mapping[int, Sequence[str]]
    ) -> list[str]:
        """Names of the finite columns."""
        names = [str(columns[j]) for j in self.numeric_]
        for j, level in zip(self.column_, self.level_, strict=True):
            missing = np.isnan(level)
            known = categories.get(j)
            category = level if known is None or missing else known[int(level)]
            names.append(f"{columns[j]} missing" if missing else f"{columns[j]}={category}")
        return names or ["constant"]

    def _indicators(self, X: np.ndarray) -> np.ndarray:
        values = X[:, self.column_]
        return (values == self.level_) | (np.isnan(values) & np.isnan(self.level_))

    def _walk(self, scores: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Indicators in their order: index, scores, and which rows are left to it.

        Callers clear, in place, the rows that an indicator takes.
        """
        first = len(self.numeric_)
        is_left = np.empty(0, dtype=bool)
        for k, j in enumerate(self.column_):
            if k == 0 or j != self.column_[k - 1]:
                is_left = np.ones(len(scores), dtype=bool)
            yield k, scores[:, first + k], is_left


def _two_valued(X: np.ndarray) -> np.ndarray:
    """Columns with two numbers, not counting gaps."""
    low, high = np.fmin.reduce(X), np.fmax.reduce(X)
    is_one_of_two = (X == low) | (X == high) | np.isnan(X)
    return np.flatnonzero(is_one_of_two.all(axis=0) & (low < high))


def _pile(known: np.ndarray, n_rows: int) -> tuple[int, int]:
    """Where the pile of a sorted column begins and ends; 0 and 0 where there is none."""
    size = max(1, math.ceil(PILE * n_rows))
    n_runs = max(len(known) - size + 1, 0)
    if not (known[size - 1 :] == known[:n_runs]).any():
        return 0, 0
    values, first, counts = np.unique(known, return_index=True, return_counts=True)
    if len(values) <= MIN_OTHERS:
        return 0, 0
    largest = counts.argmax()
    return int(first[largest]), int(first[largest] + counts[largest])


def _median(ordered: np.ndarray) -> float:
    """Median of sorted values, 0 of none; `np.median` takes twenty times as long."""
    if not len(ordered):
        return 0.0
    return float(ordered[(len(ordered) - 1) // 2] / 2 + ordered[len(ordered) // 2] / 2)


def _filled(
    numeric: np.ndarray, wide: np.ndarray, codes: np.ndarray, rng: np.random.RandomState
) -> np.ndarray:
    """Numbers with each gap filled from the nearest row of the class that has a value.

    Nearest in ranks. Only what no row of the class has is lent by other classes.
    """
    is_gap = np.isnan(numeric)
    filled, is_open = np.where(is_gap, 0.0, numeric), is_gap.copy()
    if not is_gap.any():
        return filled
    ranks = rankdata(numeric, axis=0, nan_policy="omit") / len(numeric)
    units = np.hstack([ranks, wide[:, numeric.shape[1] :]])
    for c in np.unique(codes):
        mine = np.flatnonzero(codes == c)
        for lenders in (mine, np.arange(len(codes))):
            donors = np.sort(rng.permutation(lenders)[:MAX_DONORS])
            takers = mine[is_open[mine].any(axis=1)]
            for part in np.array_split(takers, len(takers) // MAX_DONORS + 1):
                if not len(part):
                    continue
                distance = np.nan_to_num(
                    nan_euclidean_distances(units[part], units[donors]), nan=np.inf
                )
                for k in np.flatnonzero(is_open[part].any(axis=0)):
                    can_lend = np.flatnonzero(~is_gap[donors, k])
                    lacking = np.flatnonzero(is_open[part, k])
                    if len(can_lend):
                        among = distance[np.ix_(lacking, can_lend)]
                        nearest = donors[can_lend[among.argmin(axis=1)]]
                        filled[part[lacking], k] = numeric[nearest, k]
                        is_open[part[lacking], k] = False
    return filled
