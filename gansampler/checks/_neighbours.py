"""How close new rows of a class lie to its real rows, ranked among the real rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import cdist

CALIBRATION_ROWS = 2000
"""Rows of a class that calibrate the ranks; all of its rows are searched for copies."""

CHUNK = 2**20
"""Distances held in memory at a time, but for those of `MIN_CHUNK` rows."""

MIN_CHUNK = 16

MANY = 2**22
"""Distances above which they are taken by a matrix product, in a tenth of the time."""

MIN_GROUPS = 3
"""Groups without which there is no second-nearest one to everybody."""

TINY = 1e-12
"""Share of a squared norm below which a squared distance so taken is a rounding error."""


Measure = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Gives the distances between the rows of two tables."""


class Comparison(NamedTuple):
    """New rows against the real rows of their class, one entry a row.

    p_copy, p_ratio, p_far : p-values of "a fresh draw", small where a row is too close to
    a real row, by distance and by its ratio to the second-nearest; by that ratio alone;
    or too far from all real rows. ratio : that ratio. nearest, distance : index of the
    nearest real row, and how far it is.
    """

    p_copy: np.ndarray
    p_ratio: np.ndarray
    p_far: np.ndarray
    ratio: np.ndarray
    nearest: np.ndarray
    distance: np.ndarray


class ConformalNeighbours:
    """Real rows of one class with their leave-one-out neighbour distances.

    Full conformal: a new row joins the rows, everyone's two nearest neighbours are taken
    anew, and the new row is ranked among the calibrating ones. Groups count alike in the
    ranks, whatever their numbers of rows: fresh rows come from new groups.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    groups : ndarray of shape (n,)
        Rows of a group are not each other's neighbours, and the second-nearest row is one
        of another group than the nearest. With fewer than `MIN_GROUPS` of them every row
        is its own.
    rng : RandomState
        Chooses the calibrating rows where there are more than `CALIBRATION_ROWS`.
    """

    def __init__(
        self, X: np.ndarray, groups: np.ndarray, rng: np.random.RandomState
    ) -> None:
        if len(np.unique(groups)) < MIN_GROUPS:
            groups = np.arange(len(X))
        self.X = X
        self.by_group = np.argsort(groups, kind="stable")
        self.group_starts = np.unique(groups[self.by_group], return_index=True)[1]
        self.calibrating = np.arange(len(X))
        if len(X) > CALIBRATION_ROWS:
            self.calibrating = np.sort(rng.permutation(len(X))[:CALIBRATION_ROWS])
        _, group, size = np.unique(
            groups[self.calibrating], return_inverse=True, return_counts=True
        )
        self.n_groups, self.weight = len(size), 1 / size[group]
        # So that single precision holds the distances.
        self.unit = float(np.abs(X).max()) or 1.0
        nearest = []
        rows, X, measure = self._ready_to_measure(X[self.calibrating])
        for part in chunks(len(rows), len(X)):
            distances = measure(rows[part], X)
            distances[groups[self.calibrating[part], None] == groups] = np.inf
            nearest.append(_two_smallest(self._to_groups(distances)))
        self.first, self.second = np.concatenate(nearest).T

    @property
    def smallest_level(self) -> float:
        """The p-value of an exact copy: no level below it can reject anything."""
        return min(2, self.n_groups) / (self.n_groups + 1)

    @property
    def nearest(self) -> np.ndarray:
        """Distances of the calibrating rows to the nearest row of another group."""
        return self.unit * self.first.astype(float)

    @property
    def ratios(self) -> np.ndarray:
        """Nearest over second-nearest distance of the calibrating rows."""
        return _ratio(self.first, self.second)

    def compare(self, new: np.ndarray) -> Comparison:
        """Rank new rows, shape (m, d), among the calibrating ones."""
        new, X, measure = self._ready_to_measure(new)
        parts = [self._compare(measure(new[part], X)) for part in chunks(len(new), len(X))]
        return Comparison(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def _compare(self, distances: np.ndarray) -> Comparison:
        nearest = distances.argmin(axis=1)
        if len(self.X) < 3:
            # Too few rows for a ratio: only an exact copy can be told.
            first = distances.min(axis=1)
            p_copy = np.where(first == 0, 1 / (len(self.X) + 1), 1.0)
            ones = np.ones(len(first))
            distance = self.unit * first.astype(float)
            return Comparison(p_copy, p_copy, ones, ones, nearest, distance)
        first, second = _two_smallest(self._to_groups(distances)).T
        to_calibrating = distances[:, self.calibrating]
        # Neighbours of the calibrating rows once the new row is among them.
        their_first = np.minimum(self.first, to_calibrating)
        their_second = np.minimum(self.second, np.maximum(self.first, to_calibrating))
        ratio = _ratio(first, second)
        their_ratio = _ratio(their_first, their_second)
        p_near = self._p_value(their_first <= first[:, None])
        p_ratio = self._p_value(their_ratio <= ratio[:, None])
        return Comparison(
            p_copy=np.maximum(p_near, p_ratio),
            p_ratio=p_ratio,
            p_far=self._p_value(their_first >= first[:, None]),
            ratio=ratio,
            nearest=nearest,
            distance=self.unit * first.astype(float),
        )

    def _p_value(self, as_extreme: np.ndarray) -> np.ndarray:
        """Share of groups, the new row's included, that are as extreme as the new row."""
        # Shares of a group add up to 1, but for rounding.
        n_as_extreme = np.round(as_extreme @ self.weight, 9)
        return (1 + n_as_extreme) / (self.n_groups + 1)

    def _ready_to_measure(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, Measure]:
        """Rows and the real rows in units of these, and what measures between them.

        In single precision, for equal distances to be so however they were taken.
        """
        with np.errstate(over="ignore"):
            rows, X = rows / self.unit, self.X / self.unit
        if len(rows) * len(X) <= MANY:
            return rows, X, _distances
        centre = X.mean(axis=0)
        return rows - centre, X - centre, _distances_by_product

    def _to_groups(self, distances: np.ndarray) -> np.ndarray:
        """Distances to the nearest row of each group, from those to all rows."""
        if len(self.group_starts) == len(self.X):
            return distances
        return np.minimum.reduceat(distances[:, self.by_group], self.group_starts, axis=1)


def distances_to_others(X: np.ndarray, rows: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Distances of some rows of X to all of X, infinite within a group."""
    distances = cdist(X[rows], X)
    distances[groups[rows, None] == groups[None, :]] = np.inf
    return distances


def _distances(rows: np.ndarray, X: np.ndarray) -> np.ndarray:
    """Distances between rows, shape (len(rows), len(X))."""
    with np.errstate(over="ignore"):
        return cdist(rows, X).astype(np.float32)


def _distances_by_product(rows: np.ndarray, X: np.ndarray) -> np.ndarray:
    """Distances between centred rows, shape (len(rows), len(X)); 0 where hardly above."""
    norms = np.einsum("nd,nd->n", rows, rows)[:, None]
    squared = (-2 * rows) @ X.T
    squared += norms
    squared += np.einsum("nd,nd->n", X, X)
    squared[squared < TINY * norms] = 0
    return np.sqrt(squared, out=squared).astype(np.float32)


def chunks(n_rows: int, n_columns: int) -> Iterator[slice]:
    """Slices of rows that keep a block of n_columns a row about within `CHUNK` numbers."""
    size = max(MIN_CHUNK, CHUNK // max(n_columns, 1))
    for start in range(0, n_rows, size):
        yield slice(start, start + size)


def _two_smallest(distances: np.ndarray) -> np.ndarray:
    """The two smallest entries of each row, shape (n, 2); inf where there are none."""
    if distances.shape[1] < 2:
        return np.pad(distances, ((0, 0), (0, 1)), constant_values=np.inf)
    rows, nearest = np.arange(len(distances)), distances.argmin(axis=1)
    first = distances[rows, nearest]
    distances[rows, nearest] = np.inf
    second = distances.min(axis=1)
    distances[rows, nearest] = first
    return np.column_stack([first, second])


def _ratio(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Nearest over second-nearest distance; 1 where both are zero or both infinite."""
    tied = (first == second) | (second == 0)
    return np.divide(first, second, out=np.ones_like(first), where=~tied)
