"""What samplers of tables and of volumes share: draw, check, judge."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

import numpy as np
from imblearn.over_sampling.base import BaseOverSampler
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from ._adversarial import check_resumable
from ._conditional import ConditionalGenerator
from ._drawing import CheckedDraws
from ._groups import extend_groups, groups_or_twins
from ._prior import resolve_prior, target_counts
from ._warnings import DiagnosisWarning, warn
from .adversarial import single_thread
from .checks import Diagnosis

CHECKS = ("memorization", "fidelity", "diagnosis")

DIAGNOSIS_ALPHA = 0.05
DIAGNOSIS_EXCHANGES = 99
"""As `diagnose` has them, but for the number of exchanges, which take time."""

MAX_NEW_ROWS = 100_000_000

EXTENSION = 2
"""What target_size="extended" multiplies the smallest table by: as many rows again, of
every class (benchmarks/utility/LOG.md, trial 14)."""

Table = tuple[np.ndarray, np.ndarray]


class BaseGANOverSampler(BaseOverSampler):
    """Base class of samplers that train a generator and check what it draws.

    A subclass makes the generator, says where distances are measured, and has what was
    made judged.
    """

    _parameter_constraints: dict[str, list[Any]] = {
        **BaseOverSampler._parameter_constraints,
        "target_prior": [StrOptions({"uniform", "empirical"}), Mapping, None],
        "target_size": [
            Interval(Real, 1, None, closed="left"),
            StrOptions({"extended"}),
            None,
        ],
        "checks": [tuple, list, set, frozenset],
    }

    def _make_gan(self, rng: np.random.RandomState) -> ConditionalGenerator:
        raise NotImplementedError

    def _embedding(self, real: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """What takes rows, or volumes, to rows between which distances are measured."""
        raise NotImplementedError

    def _judge(self, real: Table, synthetic: Table, **settings: Any) -> Diagnosis:
        raise NotImplementedError

    def _draw_rows(
        self, X: np.ndarray, y: np.ndarray, groups: ArrayLike | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Train, draw what is wanted of each class, check, and judge it."""
        check_resumable(self)
        group_of = groups_or_twins(groups, X)
        unknown = [name for name in self.checks if name not in CHECKS]
        if unknown:
            raise ValueError(f"checks may hold {CHECKS}; got {unknown} besides.")
        self.sampling_strategy_ = self._rows_to_add(y)
        check_number(sum(self.sampling_strategy_.values()), len(y))
        rng = check_random_state(self.random_state)
        self.gan_: Any = None
        self.diagnosis_: Diagnosis | None = None
        self.history_: dict[str, Any] = {}
        self.acceptance_rate_: dict[Any, float] = {}
        new, y_new = X[:0], y[:0]
        wanted = {label: n for label, n in self.sampling_strategy_.items() if n}
        if wanted:
            self.gan_ = self._make_gan(rng).fit(X, y, groups=group_of)
            self.history_ = self.gan_.history_
            drawn = np.isin(y, list(wanted))
            drawn |= drawn.sum() < 2  # fewer rows calibrate nothing
            real = (
                (X, y, group_of) if drawn.all() else (X[drawn], y[drawn], group_of[drawn])
            )
            draws = CheckedDraws(
                self.gan_,
                real,
                embed=self._embedding(X),
                copy_alpha=self.copy_alpha if "memorization" in self.checks else None,
                keep_faithful="fidelity" in self.checks,
                rng=rng,
            )
            new = np.concatenate(
                [block for label, n in wanted.items() for block in draws.draw(label, n)]
            )
            y_new = np.repeat(np.array(list(wanted), dtype=y.dtype), list(wanted.values()))
            self.acceptance_rate_ = draws.acceptance_rate
            if "diagnosis" in self.checks:
                self._diagnose((X, y), (new, y_new), group_of, rng)
        self.is_synthetic_ = np.arange(len(y) + len(new)) >= len(y)
        self.groups_resampled_ = None if groups is None else extend_groups(groups, len(new))
        return new, y_new

    def _diagnose(
        self, real: Table, synthetic: Table, groups: np.ndarray, rng: np.random.RandomState
    ) -> None:
        """Judge what was made, and warn of what is wrong with it."""
        with single_thread():
            self.diagnosis_ = self._judge(
                real,
                synthetic,
                classes=np.unique(synthetic[1]).tolist(),
                groups=groups,
                alpha=DIAGNOSIS_ALPHA,
                n_permutations=DIAGNOSIS_EXCHANGES,
                rng=rng,
            )
        self.diagnosis_.history_ = self.history_
        complaint = self.diagnosis_.complaint()
        if complaint:
            warn(complaint, DiagnosisWarning)

    def _rows_to_add(self, y: np.ndarray) -> OrderedDict[Any, int]:
        """Class -> rows to add, by `target_prior` or else `sampling_strategy`."""
        if self.target_prior is None and self.target_size is None:
            given = self.sampling_strategy_
            if any(n != int(n) for n in given.values()):
                raise ValueError(
                    f"sampling_strategy asks for parts of rows: {dict(given)} more than "
                    "there are; give integers."
                )
            return OrderedDict((label, int(n)) for label, n in given.items())
        classes, counts = np.unique(y, return_counts=True)
        if self.target_prior is None:
            added = [self.sampling_strategy_.get(label, 0) for label in classes.tolist()]
            p = (counts + added) / (counts + added).sum()
        elif self.sampling_strategy != "auto":
            raise ValueError(
                "sampling_strategy and target_prior both say what classes to reach: "
                f"got sampling_strategy={self.sampling_strategy!r} and "
                f"target_prior={self.target_prior!r}. Leave one at its default."
            )
        else:
            p = resolve_prior(self.target_prior, classes, counts)
        if self.target_size == "extended":
            wanted = EXTENSION * target_counts(classes, counts, p, None)
        else:
            wanted = target_counts(classes, counts, p, self.target_size)
        return OrderedDict(zip(classes.tolist(), (wanted - counts).tolist(), strict=True))


def check_number(n_new: int, n_rows: int) -> None:
    """Refuse more rows than any memory holds: a size in rows, taken for a factor."""
    if n_new > MAX_NEW_ROWS:
        raise ValueError(
            f"{n_new:,} rows are asked for, beside {n_rows:,}; at most {MAX_NEW_ROWS:,} "
            "can be. target_size is a multiple of the rows given, not their number."
        )
