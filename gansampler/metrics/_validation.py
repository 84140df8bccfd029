"""What every measure asks of its arguments."""

from __future__ import annotations

import numpy as np


def check_rows(*, min_rows: int = 1, **tables: np.ndarray) -> tuple[np.ndarray, ...]:
    """Tables as finite float arrays of shape (n, d), one d for all.

    Parameters
    ----------
    min_rows : int, default=1
        Rows that each table needs.
    **tables : ndarray
        By the names of the caller's arguments, which messages use.

    Raises
    ------
    ValueError
        If a table is not 2-D, has too few rows, no columns, a NaN or infinity, or other
        columns than the first.
    """
    checked = [np.asarray(table, dtype=np.float64) for table in tables.values()]
    first, columns = next(iter(tables)), None
    for name, table in zip(tables, checked, strict=True):
        if table.ndim != 2:
            raise ValueError(
                f"{name} must have shape (n_rows, n_columns); got shape {table.shape}."
            )
        if len(table) < min_rows:
            raise ValueError(f"{name} needs at least {min_rows} row(s); got {len(table)}.")
        if not table.shape[1]:
            raise ValueError(f"{name} has no columns; got shape {table.shape}.")
        if not np.isfinite(table).all():
            bad = int((~np.isfinite(table)).sum())
            raise ValueError(f"{name} must be finite; got {bad} NaN or infinite value(s).")
        columns = columns or table.shape[1]
        if table.shape[1] != columns:
            raise ValueError(
                f"{name} must have the {columns} column(s) of {first}; got "
                f"{table.shape[1]}."
            )
    return tuple(checked)


def check_labels(y: np.ndarray, X: np.ndarray, name: str) -> np.ndarray:
    """Labels as an array of shape (n,), one for each row of X.

    Raises
    ------
    ValueError
        If y has another shape.
    """
    labels = np.asarray(y)
    if labels.shape != (len(X),):
        raise ValueError(
            f"{name} must hold one label for each of {len(X)} row(s); got shape "
            f"{labels.shape}."
        )
    return labels


def check_at_least(minimum: int, **numbers: int) -> None:
    """Raise a ValueError that names the first number below the minimum."""
    for name, number in numbers.items():
        if number < minimum:
            raise ValueError(f"{name} must be at least {minimum}; got {number}.")
