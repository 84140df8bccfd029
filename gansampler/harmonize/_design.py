"""What features depend on beside sites: covariates as columns of a design."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import column_or_1d

from .._frames import TableFormat

DEPENDENT = 1e-9
"""Singular value, over the largest, up to which columns of a design are dependent."""

MOST_NAMED = 10
"""Sites and covariates that an error message names at most."""


class Terms:
    """Covariates as centred columns: numbers, and categories but the first of each.

    Learned from the rows of `fit`. What does not vary there has no effect to preserve, and
    no column.

    Parameters
    ----------
    covariates : {array-like, dataframe} of shape (n, k), or None
    n_rows : int

    Attributes
    ----------
    columns : ndarray of shape (n, n_terms)
        Those of the rows learned from.
    owners : list of str
        Covariate that each column is of, in print.
    """

    def __init__(self, covariates: Any, n_rows: int) -> None:
        self._is_given = covariates is not None
        self.owners: list[str] = []
        self._sources: list[tuple[int, int | None]] = []
        self._means = np.empty(0)
        self.columns = np.empty((n_rows, 0))
        if covariates is None:
            return
        table = _as_table(covariates)
        self._format = TableFormat(table)
        numbers = self._numbers(table, n_rows)
        for j, name in enumerate(_names(table)):
            n_levels = len(self._format.categories.get(j, []))
            levels = range(1, n_levels) if j in self._format.categories else [None]
            for level in levels:
                column = _column(numbers, j, level)
                if np.ptp(column) > 0:
                    self._sources.append((j, level))
                    self.owners.append(f"covariate {name!r}")
        self._means = self._expand(numbers).mean(axis=0)
        self.columns = self._expand(numbers) - self._means

    def of(self, covariates: Any, n_rows: int) -> np.ndarray:
        """Columns of other rows, shape (n_rows, n_terms).

        Raises
        ------
        ValueError
            If there are covariates where there were none, or the reverse; if they are
            others, or some are missing.
        """
        if covariates is None and self._is_given:
            raise ValueError(
                "ComBat was fitted with covariates, so transform needs them too: pass "
                "covariates, or in a pipeline request them with "
                "set_transform_request(covariates=True)."
            )
        if covariates is not None and not self._is_given:
            raise ValueError(
                "ComBat was fitted without covariates, so transform can do nothing with "
                "them: pass covariates to fit as well."
            )
        if covariates is None:
            return np.empty((n_rows, 0))
        return self._expand(self._numbers(_as_table(covariates), n_rows)) - self._means

    def _numbers(self, table: Any, n_rows: int) -> np.ndarray:
        names, known = _names(table), list(self._format.columns)
        if self._format.is_frame and names != known:
            raise ValueError(f"covariates has columns {names}; fit had {known}.")
        numbers = np.asarray(self._format.to_numbers(table, "covariates"), dtype=float)
        if len(numbers) != n_rows:
            raise ValueError(
                f"covariates has {len(numbers)} entries for {n_rows} rows: inconsistent "
                "numbers of samples."
            )
        for name, column in zip(names, numbers.T, strict=True):
            unclear = np.flatnonzero(~np.isfinite(column)).tolist()
            if unclear:
                raise ValueError(
                    f"Covariate {name!r} is missing or infinite in rows {some(unclear)}. "
                    "Fill it in, or leave these rows or the covariate out."
                )
        return numbers

    def _expand(self, numbers: np.ndarray) -> np.ndarray:
        columns = [_column(numbers, *source) for source in self._sources]
        return np.column_stack([np.empty((len(numbers), 0)), *columns])


def label_terms(y: np.ndarray) -> Terms:
    """The label as a covariate: a number if it is continuous, classes otherwise."""
    if type_of_target(y, input_name="y") == "continuous":
        return Terms(pd.DataFrame({"y": y.astype(float)}), len(y))
    codes = np.unique(y, return_inverse=True)[1]
    return Terms(pd.DataFrame({"y": pd.Categorical(codes)}), len(y))


def check_sites(sites: Any, n_rows: int) -> np.ndarray:
    """Site of each row.

    Raises
    ------
    ValueError
        If there are not as many as rows, one is missing, or text and numbers are mixed.
    """
    # NumPy would turn a list of text and numbers into one of text.
    array = sites if hasattr(sites, "__array__") else pd.Series(sites)
    site_of = column_or_1d(np.asarray(array))
    if len(site_of) != n_rows:
        raise ValueError(
            f"sites has {len(site_of)} entries for {n_rows} rows: inconsistent numbers of "
            "samples."
        )
    missing = np.flatnonzero(pd.isna(site_of)).tolist()
    if missing:
        raise ValueError(f"sites is missing in rows {some(missing)}; give each row a site.")
    is_text = {isinstance(site, str) for site in site_of.tolist()}
    if len(is_text) > 1:
        raise ValueError("sites mixes text and numbers; give all sites as text.")
    return site_of


def check_rank(design: np.ndarray, owners: list[str]) -> None:
    """Refuse effects that cannot be told apart, and name what they are effects of.

    Raises
    ------
    ValueError
        If columns of the design are linearly dependent.
    """
    n, p = design.shape
    scaled = design / np.sqrt((design**2).sum(axis=0))
    _, values, directions = np.linalg.svd(scaled, full_matrices=n < p)
    rank = int((values > DEPENDENT * values[0]).sum())
    if rank < p:
        involved = (np.abs(directions[rank:]) > np.sqrt(DEPENDENT)).any(axis=0)
        named = dict.fromkeys(
            owner for owner, here in zip(owners, involved, strict=True) if here
        )
        raise ValueError(
            f"The effects of {', '.join(named)} cannot be told apart: in these rows one "
            "follows from the others. Leave a covariate out, or add rows in which it "
            "differs within a site."
        )


def some(names: list[Any]) -> str:
    """Names in print, not too many."""
    more = len(names) - MOST_NAMED
    listed = ", ".join(map(repr, names[:MOST_NAMED]))
    return f"{listed} and {more} more" if more > 0 else listed


def _as_table(covariates: Any) -> Any:
    if hasattr(covariates, "to_frame"):
        covariates = covariates.to_frame()
    if hasattr(covariates, "columns"):
        return covariates
    is_array = hasattr(covariates, "__array__")
    table = np.asarray(covariates, dtype=None if is_array else object)
    return table[:, None] if table.ndim == 1 else table


def _names(table: Any) -> list[Any]:
    return list(table.columns) if hasattr(table, "columns") else [*range(table.shape[1])]


def _column(numbers: np.ndarray, j: int, level: int | None) -> np.ndarray:
    return numbers[:, j] if level is None else (numbers[:, j] == level).astype(float)
