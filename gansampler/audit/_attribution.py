"""Which features account for a shift: Shapley values over switched features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from scipy.stats import rankdata

CORRELATED = 0.9
"""Features whose rank correlations are all at least this are switched together."""

MOST_SETS = 100
"""Sets of features that are told apart; beyond it the most alike are merged."""

MOST_ORDERS = 10
"""Pairs of orders for each row."""

CHUNK = 5_000_000
"""Values of mixed rows held at the same time."""

Outcome = Callable[[Any], np.ndarray]


class Credit(NamedTuple):
    """What each set of features contributed in each of some rows, shape (rows, sets)."""

    values: np.ndarray
    rows: np.ndarray
    members: list[list[Any]]


def attribute(
    outcome: Outcome,
    before: pd.DataFrame,
    after: pd.DataFrame,
    n_evaluations: int,
    rng: np.random.RandomState,
) -> Credit:
    """Credit sets of correlated features with the shift of the outcome of each row.

    In a random order the sets of a row are switched to their value after, one by one, and
    each is credited with what it changed; then again in the reverse order. The credit of a
    row sums to its shift.
    """
    # One type for both sides of a column: whole numbers may have become fractions.
    both = pd.concat([before, after], ignore_index=True)
    before = both[: len(before)]
    after = both[len(before) :].reset_index(drop=True)
    sets = _correlated_sets(before, after)
    a_row = 2 * (len(sets) + 1)
    n_rows = int(np.clip(n_evaluations // a_row, 1, len(before)))
    n_orders = int(np.clip(n_evaluations // (a_row * n_rows), 1, MOST_ORDERS))
    rows = np.sort(rng.permutation(len(before))[:n_rows])
    credit = np.zeros((n_rows, len(sets)))
    for _ in range(n_orders if sets else 0):
        orders = np.array([rng.permutation(len(sets)) for _ in rows])
        for forth_or_back in (orders, orders[:, ::-1]):
            credit += _credit(outcome, before, after, rows, sets, forth_or_back)
    members = [before.columns[columns].tolist() for columns in sets]
    return Credit(credit / (2 * n_orders), rows, members)


def _correlated_sets(before: pd.DataFrame, after: pd.DataFrame) -> list[np.ndarray]:
    """Columns that change, in sets of those that correlate."""
    same = (before == after) | (before.isna() & after.isna())
    changed = np.flatnonzero(~same.to_numpy().all(axis=0))
    if len(changed) < 2:
        return [changed] if len(changed) else []
    both = pd.concat([before, after]).iloc[:, changed]
    codes = both.apply(
        lambda column: (
            column if pd.api.types.is_numeric_dtype(column) else pd.factorize(column)[0]
        )
    )
    ranks = rankdata(codes.to_numpy(dtype=float), axis=0, nan_policy="omit")
    # Missing values are alike: they share the lowest rank.
    distances = 1 - np.abs(np.corrcoef(np.nan_to_num(ranks), rowvar=False))
    np.fill_diagonal(distances, 0)
    tree = linkage(squareform(distances.clip(0), checks=False), "complete")
    labels = fcluster(tree, 1 - CORRELATED, "distance")
    if labels.max() > MOST_SETS:
        labels = fcluster(tree, MOST_SETS, "maxclust")
    return [changed[labels == label] for label in np.unique(labels)]


def _credit(
    outcome: Outcome,
    before: pd.DataFrame,
    after: pd.DataFrame,
    rows: np.ndarray,
    sets: list[np.ndarray],
    orders: np.ndarray,
) -> np.ndarray:
    """What each set changed when it was switched in its turn, shape (rows, sets)."""
    # Columns that do not change are switched last, which is to say never.
    turns = np.full((len(rows), before.shape[1]), len(sets))
    ranks = np.argsort(orders, axis=1)
    for j, columns in enumerate(sets):
        turns[:, columns] = ranks[:, [j]]
    steps = np.arange(len(sets) + 1)
    credit = np.empty(orders.shape)
    size = max(1, CHUNK // (len(steps) * before.shape[1]))
    for start in range(0, len(rows), size):
        part = slice(start, start + size)
        first, second = (
            table.iloc[rows[part]].to_numpy()[:, None, :] for table in (before, after)
        )
        mixed = np.where(turns[part, None, :] < steps[:, None], second, first)
        values = mixed.reshape(-1, before.shape[1])
        table = pd.DataFrame(values, columns=before.columns).astype(before.dtypes)
        along = outcome(table).reshape(-1, len(steps))
        np.put_along_axis(credit[part], orders[part], np.diff(along, axis=1), axis=1)
    return credit
