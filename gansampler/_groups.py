"""Groups of rows, patients say: checked, guessed, thinned to one row each, continued."""

from __future__ import annotations

from itertools import count, islice
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.utils.validation import column_or_1d

TELLS_APART = 0.9
"""Share of the different rows that a column has values for, from which on it tells them
apart."""

MIN_DIFFERENT = 0.2
"""Share of all rows that it has values for, at least."""


def check_groups(groups: ArrayLike | None, n_rows: int) -> np.ndarray:
    """Group of each row as an integer code; every row its own where none are given.

    Raises
    ------
    ValueError
        If they are no column, not as many as rows, or one is missing.
    """
    if groups is None:
        return np.arange(n_rows)
    if np.ndim(groups) != 1:
        raise ValueError(
            f"groups has shape {np.shape(groups)}; give one entry for each row, such as a "
            "column of patients."
        )
    group_of = column_or_1d(groups)
    if len(group_of) != n_rows:
        raise ValueError(
            f"groups has {len(group_of)} entries for {n_rows} rows: inconsistent numbers "
            "of samples."
        )
    if pd.isna(group_of).any():
        raise ValueError("groups holds missing values; give every row a group.")
    return np.unique(group_of, return_inverse=True)[1]


def groups_or_twins(groups: ArrayLike | None, X: np.ndarray) -> np.ndarray:
    """Group of each row of X, (n, ...), as `check_groups`; where none are given, of twins.

    Rows that are equal are one measurement that is there twice, where two columns at least
    tell nearly all different rows apart. Elsewhere, in a table of a few categories say,
    they agree by chance, and every row is its own.
    """
    if groups is not None:
        return check_groups(groups, len(X))
    rows = X.reshape(len(X), -1)
    hashes = (hash((row + 0.0).tobytes()) for row in rows)
    twin = pd.factorize(np.fromiter(hashes, dtype=np.int64))[0]
    first = np.unique(twin, return_index=True)[1]
    if len(first) < len(rows):
        different = rows[first]
        needed = max(TELLS_APART * len(different), MIN_DIFFERENT * len(rows))
        telling = (c for c in different.T if len(np.unique(c)) >= needed)
        if len(list(islice(telling, 2))) == 2:
            return twin
    return check_groups(None, len(X))


def one_per_group(groups: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Index of one row of each group, chosen at random, in the order of the rows."""
    order = rng.permutation(len(groups))
    _, first = np.unique(groups[order], return_index=True)
    return np.sort(order[first])


def some_of_groups(
    groups: np.ndarray, n_rows: int, rng: np.random.RandomState
) -> np.ndarray:
    """Positions of at most `n_rows` rows, chosen at random, in their order.

    One of each group comes before a second of any.
    """
    order = rng.permutation(len(groups))
    turn = pd.Series(order).groupby(groups[order]).cumcount().to_numpy()
    return np.sort(order[np.argsort(turn, kind="stable")[:n_rows]])


def some_of_class(
    y: np.ndarray, label: Any, n_rows: int, rng: np.random.RandomState
) -> np.ndarray:
    """Positions of at most `n_rows` rows of a class, chosen at random, in their order."""
    mine = np.flatnonzero(y == label)
    return mine if len(mine) <= n_rows else np.sort(rng.permutation(mine)[:n_rows])


def extend_groups(groups: ArrayLike, n_new: int) -> np.ndarray:
    """Append a new group of its own for each of `n_new` rows.

    Numbers go on from the largest; other labels become text, "synthetic-1" and so on,
    past those that are taken.
    """
    known = np.asarray(groups)
    if known.dtype.kind in "iu":
        start = int(known.max()) + 1
        return np.concatenate([known.astype(np.int64), np.arange(start, start + n_new)])
    taken = {str(label) for label in known}
    free = (name for i in count(1) if (name := f"synthetic-{i}") not in taken)
    new = np.array(list(islice(free, n_new)), dtype=object)
    return np.concatenate([known.astype(str).astype(object), new])
