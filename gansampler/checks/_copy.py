"""Which synthetic rows lie closer to a real row than a fresh draw would?"""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from .._encoding import NormalScores
from .._groups import groups_or_twins
from ._neighbours import ConformalNeighbours


class ConformalCopyCheck(BaseEstimator):
    """Copy check with a known error rate.

    For a synthetic row, the p-value answers: if this row were a fresh draw from the class
    of the real rows, how often would it come out at least as close to a real row? It is the
    larger of two full-conformal p-values: of the distance to the nearest real row, and of
    the ratio of that distance to the second-nearest. So of fresh rows at most a share as
    large as the level is rejected, for any sample size and any distribution. The distance
    alone would also reject rows that are merely central; the ratio alone, chance pairs.

    With groups, patients count alike however many rows they have, and fresh rows are those
    of new patients. A class of one or two patients is judged as if each row were its own.

    The bound holds for independent rows and ``scale=None``. Other scales are learned from
    the real rows only, which treats new rows differently. With normal scores this matters
    in a single column, where most fresh rows are rejected as they fall between evenly
    spaced scores, and a little in two or three: use `scale="standard"` there.

    A copy check is no privacy guarantee: it measures closeness, not what an attacker can
    learn.

    Parameters
    ----------
    alpha : float, default=0.1
        Level at which `accept` rejects a row, in (0, 1). A class of n rows (of n groups,
        if groups are given) cannot be tested below 2 / (n + 1), so that is its level when
        it is larger.
    scale : {"normal-scores", "standard"} or None, default="normal-scores"
        Units of the distances: normal scores of each column, columns divided by their
        standard deviation, or the numbers as given.
    random_state : int, RandomState instance or None, default=None
        Chooses the rows that calibrate classes of more than 2,000 rows.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    levels_ : ndarray of shape (n_classes,)
        Level at which rows of each class are rejected.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        Defined only when X has feature names that are all strings.

    References
    ----------
    .. [1] Vovk, Gammerman and Shafer (2005), Algorithmic Learning in a Random World.
    .. [2] Bates et al. (2023), Testing for outliers with conformal p-values, Ann. Stat.
       51.

    Examples
    --------
    >>> import numpy as np
    >>> from gansampler import ConformalCopyCheck
    >>> rng = np.random.default_rng(0)
    >>> real, fresh = rng.normal(size=(2, 100, 5))
    >>> check = ConformalCopyCheck().fit(real)
    >>> bool(check.accept(fresh).mean() > 0.9)
    True
    >>> bool(check.accept(real[:20] + 1e-3).any())
    False
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "alpha": [Interval(Real, 0, 1, closed="neither")],
        "scale": [StrOptions({"normal-scores", "standard"}), None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        alpha: float = 0.1,
        scale: str | None = "normal-scores",
        random_state: Any = None,
    ) -> None:
        self.alpha = alpha
        self.scale = scale
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: ArrayLike, y: ArrayLike | None = None, groups: ArrayLike | None = None
    ) -> ConformalCopyCheck:
        """Learn how far the real rows of each class lie from one another.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Real rows.
        y : array-like of shape (n_samples,), default=None
            Their classes; None takes all rows for one class.
        groups : array-like of shape (n_samples,), default=None
            Patients, say: a row's own group is left out of its neighbours. Ignored in
            classes of one or two groups. Without groups equal rows are taken for one
            patient's, where two columns tell nearly all others apart.

        Returns
        -------
        self : ConformalCopyCheck

        Raises
        ------
        ValueError
            If X has fewer than two rows or is not finite, or lengths differ.
        """
        rows = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        labels = np.zeros(len(rows), dtype=int) if y is None else column_or_1d(y)
        check_consistent_length(rows, labels)
        group_of = groups_or_twins(groups, rows)
        rng = check_random_state(self.random_state)

        if self.scale == "normal-scores":
            self._scores = NormalScores()
            self._scores.fit_transform(rows, rng)
        elif self.scale == "standard":
            spread = rows.std(axis=0)
            self._spread = np.where(spread > 0, spread, 1.0)
        self.classes_ = np.unique(labels)
        scaled = self._scaled(rows)
        self._rows = [
            ConformalNeighbours(scaled[labels == label], group_of[labels == label], rng)
            for label in self.classes_
        ]
        self.levels_ = np.array(
            [max(self.alpha, rows.smallest_level) for rows in self._rows]
        )
        return self

    def level(self, label: Any) -> float:
        """Level at which rows of a class are rejected.

        Parameters
        ----------
        label : class

        Returns
        -------
        float
            ``alpha``, or 2 / (n + 1) in a class of n rows where that is larger.

        Raises
        ------
        ValueError
            If the class had no real row.
        """
        check_is_fitted(self)
        mine = self.classes_ == label
        if not np.any(mine):
            raise self._unknown([label])
        return float(self.levels_[mine][0])

    def p_values(self, X: ArrayLike, y: ArrayLike | None = None) -> np.ndarray:
        """P-value of each row for being a fresh draw from its class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Synthetic rows.
        y : array-like of shape (n_samples,), default=None
            Their classes; may be None when `fit` was given none.

        Returns
        -------
        ndarray of shape (n_samples,)
            Small where a row looks like a copy.

        Raises
        ------
        ValueError
            If y holds a class that the real rows do not.
        """
        return self._p_values_and_levels(X, y)[0]

    def accept(self, X: ArrayLike, y: ArrayLike | None = None) -> np.ndarray:
        """Whether each row passes: its p-value is above the level of its class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), default=None

        Returns
        -------
        ndarray of bool, shape (n_samples,)
        """
        p, levels = self._p_values_and_levels(X, y)
        return p > levels

    def _p_values_and_levels(
        self, X: ArrayLike, y: ArrayLike | None
    ) -> tuple[np.ndarray, np.ndarray]:
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=np.float64, reset=False)
        labels = self._labels(rows, y)
        scaled = self._scaled(rows)
        p, levels = np.empty((2, len(rows)))
        for c, label in enumerate(self.classes_):
            mine = np.flatnonzero(labels == label)
            if len(mine):
                p[mine] = self._rows[c].compare(scaled[mine]).p_copy
                levels[mine] = self.levels_[c]
        return p, levels

    def _labels(self, rows: np.ndarray, y: ArrayLike | None) -> np.ndarray:
        if y is None:
            if len(self.classes_) > 1:
                raise ValueError(
                    f"The check was fitted on {len(self.classes_)} classes; give the class "
                    "of each row in y."
                )
            return np.repeat(self.classes_, len(rows))
        labels = column_or_1d(y)
        check_consistent_length(rows, labels)
        unknown = np.setdiff1d(labels, self.classes_)
        if len(unknown):
            raise self._unknown(unknown.tolist())
        return labels

    def _unknown(self, labels: list[Any]) -> ValueError:
        return ValueError(
            f"y holds classes without a real row: {labels}; known are "
            f"{self.classes_.tolist()}."
        )

    def _scaled(self, X: np.ndarray) -> np.ndarray:
        if self.scale == "normal-scores":
            return self._scores.transform(X)
        return X / self._spread if self.scale == "standard" else X
