"""What generators of tables and of volumes share: labels and priors."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import Interval
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, column_or_1d

from ._adversarial import AdversarialEstimator
from ._groups import check_groups
from ._held_out import choose_held_out
from ._prior import Prior, apportion, resolve_prior
from ._start import MIN_CLASS_ROWS
from ._warnings import SmallClassWarning, warn


class ConditionalGenerator(AdversarialEstimator):
    """Base class of estimators that learn p(x | y) in an adversarial game."""

    _parameter_constraints: dict[str, list[Any]] = {
        **AdversarialEstimator._parameter_constraints,
        "shrinkage": [Interval(Real, 0, 1, closed="both")],
        "copy_alpha": [Interval(Real, 0, 1, closed="neither"), None],
    }

    def _hold_out(
        self, codes: np.ndarray, groups: np.ndarray, rng: np.random.RandomState
    ) -> tuple[np.ndarray, np.ndarray]:
        """Which rows are held out, and which classes have something to learn from it."""
        if not self._chooses_step:
            return np.zeros(len(codes), dtype=bool), np.ones(len(self.classes_), dtype=bool)
        held_out = choose_held_out(codes, groups, self.validation_fraction, rng)
        # A class that the held-out rows say nothing about stays at its start.
        return held_out, np.bincount(codes[held_out], minlength=len(self.classes_)) > 0

    def _learn_labels(
        self, n_rows: int, y: ArrayLike | None, groups: ArrayLike | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Set classes and their shares; return class codes and group of each row."""
        labels = np.zeros(n_rows, dtype=int)
        if y is not None:
            labels = column_or_1d(y, warn=True)
            check_classification_targets(labels)
        if len(labels) != n_rows:
            check_consistent_length(np.empty(n_rows), labels)
        group_of = check_groups(groups, n_rows)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        counts = np.bincount(codes)
        self.class_prior_ = counts / n_rows
        small = {
            label: int(count)
            for label, count in zip(self.classes_.tolist(), counts, strict=True)
            if count < MIN_CLASS_ROWS
        }
        if small:
            warn(
                f"Classes with fewer than {MIN_CLASS_ROWS} rows, {small}, take their "
                "covariance from all classes together; their synthetic rows can tell "
                "little that the other classes do not.",
                SmallClassWarning,
            )
        return codes, group_of

    def _codes_to_draw(
        self, n_samples: int, y: ArrayLike | None, prior: Prior
    ) -> np.ndarray:
        if y is not None:
            codes = self._encode_labels(column_or_1d(y))
            if n_samples not in (1, len(codes)):
                raise ValueError(
                    f"n_samples={n_samples!r} and {len(codes)} entries in y ask for "
                    "different numbers of rows; give one of them."
                )
            return codes
        if not isinstance(n_samples, Integral) or n_samples < 1:
            raise ValueError(
                f"n_samples must be an integer of at least 1; got {n_samples!r}."
            )
        p = resolve_prior(prior, self.classes_, self.class_prior_, name="prior")
        return np.repeat(np.arange(len(p)), apportion(int(n_samples), p))

    def _encode_labels(self, y: np.ndarray) -> np.ndarray:
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(
                f"y holds classes that `fit` did not see: {unknown.tolist()}; known are "
                f"{self.classes_.tolist()}."
            )
        return np.searchsorted(self.classes_, y)
