"""`diagnose`: one call from two tables to a verdict on every class."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.validation import check_array, check_consistent_length, column_or_1d

from .._encoding import NormalScores
from .._frames import TableFormat, naming_the_column
from .._groups import groups_or_twins, some_of_class
from .._mixed import MixedColumns
from ..metrics import mutual_information_difference
from ._diagnosis import SHOWN_ROWS, Diagnosis
from ._evidence import Rows, compare_holdout, examine
from ._label_noise import MAX_ROWS, UNKNOWN, LabelNoise, label_noise

CLASS_ROWS = 20_000
"""Synthetic rows of a class that are looked at, chosen at random, and real rows of classes
that are not judged. Of those that are, all: copies may be of any."""

UNKNOWN_CATEGORY = (
    "If rows of other classes have it, give all real rows, and the classes to judge as "
    "`classes`; if no real row has it, mend the generator"
)


@validate_params(
    {
        "alpha": [Interval(Real, 0, 1, closed="neither")],
        "n_permutations": [Interval(Integral, 19, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def diagnose(
    X_real: ArrayLike,
    y_real: ArrayLike,
    X_synthetic: ArrayLike,
    y_synthetic: ArrayLike,
    *,
    X_holdout: ArrayLike | None = None,
    y_holdout: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    classes: ArrayLike | None = None,
    alpha: float = 0.05,
    n_permutations: int = 999,
    random_state: Any = None,
) -> Diagnosis:
    """Tell how a generator failed, class by class, from its rows alone.

    Works on the output of any generator. As real rows, give those it was trained on.
    "Fresh" rows, the standard of all comparisons, are further draws from the population
    that the real rows come from. How a verdict follows is in docs/checks.md.

    Parameters
    ----------
    X_real, X_synthetic : array-like of shape (n_real, d), (n_synthetic, d)
        With the same columns, of DataFrames by name. Columns of DataFrames whose dtype is
        category, string, object or bool hold categories, which become columns of zeros and
        ones, as do missing values.
    y_real, y_synthetic : array-like of shape (n_real,), (n_synthetic,)
        Their classes. A class without synthetic rows is judged collapsed; see `classes`.
    X_holdout, y_holdout : array-like of shape (n_holdout, d), (n_holdout,), default=None
        Real rows that the generator has not seen, for two more statistics: are synthetic
        rows nearer to the rows it was trained on?
    groups : array-like of shape (n_real,), default=None
        Patients, say: real rows of a group are not each other's neighbours. Without
        groups equal rows are taken for one patient's, where two columns tell nearly
        all others apart.
    classes : array-like, default=None
        Classes to judge, where not all were meant to be made; None judges all of the real
        rows. The others serve to tell wrong labels.
    alpha : float, default=0.05
        Level at which single rows and columns are tested; 2 / (n + 1) in a class of n
        rows where that is larger.
    n_permutations : int, default=999
        Random exchanges of real and synthetic rows, from which null distributions are
        taken; at least 19. With fewer than 99, the rules that need p <= .01 cannot fire.
    random_state : int, RandomState instance or None, default=None
        Seed of exchanges and of random choices of rows.

    Returns
    -------
    Diagnosis
        Verdict of each class in `verdicts_`, evidence in `statistics_`, `features_` and
        `rows_`.

    Raises
    ------
    ValueError
        If columns differ, a side is empty, a synthetic class or category has no real row
        (a category may be one of a pandas dtype, or of X_holdout), a label is missing, a
        value is infinite, or one is missing where no real one is.

    References
    ----------
    .. [1] Bates et al. (2023), Testing for outliers with conformal p-values.
    .. [2] Naeem et al. (2020), Reliable fidelity and diversity metrics.
    .. [3] Richardson and Weiss (2018), On GANs and GMMs.
    .. [4] Meehan et al. (2020), A non-parametric test to detect data-copying.

    Examples
    --------
    >>> from imblearn.over_sampling import SMOTE
    >>> from gansampler import diagnose
    >>> from gansampler.datasets import load_hcc_tace
    >>> X, y = load_hcc_tace(return_X_y=True)
    >>> X_all, y_all = SMOTE(random_state=0).fit_resample(X, y)
    >>> X_new, y_new = X_all[len(X):], y_all[len(X):]
    >>> rare = y == 1
    >>> diagnose(X[rare], y[rare], X_new, y_new, random_state=0).verdicts_
    {1: 'interpolating'}
    """
    format_ = TableFormat(X_real)
    format_.learn_categories(X_real)
    if X_holdout is not None:
        format_.learn_categories(_in_order(X_holdout, "X_holdout", format_))
    real, labels = _check(X_real, y_real, "real", format_)
    new, labels_new = _check(X_synthetic, y_synthetic, "synthetic", format_)
    _check_width("synthetic", new, real)
    _refuse_new_gaps(real, new, format_)
    group_of = groups_or_twins(groups, real)
    judged = np.unique(labels if classes is None else np.asarray(classes)).tolist()
    without = [label for label in judged if label not in np.unique(labels).tolist()]
    if without:
        raise ValueError(f"classes names {without}, of which there is no real row.")
    rng = check_random_state(random_state)
    holdout = None
    if X_holdout is not None:
        if y_holdout is None:
            raise ValueError("X_holdout was given without y_holdout, its classes.")
        holdout = _check(X_holdout, y_holdout, "holdout", format_)
        _check_width("holdout", holdout[0], real)
    return diagnose_classes(
        (real, labels),
        (new, labels_new),
        holdout,
        classes=judged,
        groups=group_of,
        format_=format_,
        alpha=alpha,
        n_permutations=n_permutations,
        rng=rng,
    )


def diagnose_classes(
    real: tuple[np.ndarray, np.ndarray],
    synthetic: tuple[np.ndarray, np.ndarray],
    holdout: tuple[np.ndarray, np.ndarray] | None = None,
    *,
    classes: list[Any],
    groups: np.ndarray,
    format_: TableFormat,
    alpha: float,
    n_permutations: int,
    rng: np.random.RandomState,
) -> Diagnosis:
    """Diagnose some classes only; arguments are taken as checked.

    Rows are in numbers, as `format_` has them. The other classes of the real rows serve to
    tell whose rows the synthetic ones are.
    """
    X, y = real
    X_new, y_new = synthetic
    known = np.unique(y).tolist()
    unknown = sorted(set(np.unique(y_new).tolist()) - set(known), key=str)
    if unknown:
        raise ValueError(
            f"y_synthetic holds classes that y_real does not: {unknown}; known are {known}."
        )
    of_synthetic = {c: some_of_class(y_new, c, CLASS_ROWS, rng) for c in known}
    of_real = {
        c: some_of_class(y, c, len(y) if c in classes else CLASS_ROWS, rng) for c in known
    }
    columns = MixedColumns(list(format_.categories), with_piles=False)
    scores = NormalScores()
    # From the rows of all sides: ranks among the real rows alone would put fresh rows
    # farther out than those they are compared with.
    sides = [
        X[np.sort(np.concatenate(list(of_real.values())))],
        X_new[np.sort(np.concatenate(list(of_synthetic.values())))],
        *([] if holdout is None else [holdout[0]]),
    ]
    pooled = np.concatenate(sides)
    del sides
    scores.fit_transform(columns.fit(pooled).transform(pooled), rng)
    del pooled

    def rows(X: np.ndarray, mine: np.ndarray, groups: np.ndarray | None = None) -> Rows:
        values = columns.transform(X[mine])
        group_of = None if groups is None else groups[mine]
        return Rows(values, scores.transform(values), mine, group_of)

    pairs = {c: (rows(X, of_real[c], groups), rows(X_new, of_synthetic[c])) for c in known}
    noise = _label_noise(pairs, rng)
    evidence = []
    for label in classes:
        e = examine(
            label,
            *pairs[label],
            noise[label],
            [pair[0] for other, pair in pairs.items() if other != label],
            alpha=alpha,
            n_permutations=n_permutations,
            rng=rng,
        )
        if holdout is not None and e.n_synthetic:
            unseen = rows(holdout[0], np.flatnonzero(holdout[1] == label))
            compare_holdout(e, *pairs[label], unseen, rng)
        evidence.append(e)
    shown = {
        label: (ours.some(SHOWN_ROWS, rng), theirs.some(SHOWN_ROWS, rng))
        for label, (ours, theirs) in pairs.items()
        if label in classes
    }
    information = _information(pairs, rng)
    names = columns.names(_feature_names(format_, X.shape[1]), format_.categories)
    return Diagnosis(evidence, information, shown, np.array(names, dtype=object), alpha)


def _information(
    pairs: dict[Any, tuple[Rows, Rows]], rng: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """Mutual information of every feature with the class, of real and synthetic rows."""
    shared = {label: pair for label, pair in pairs.items() if min(map(len, pair)) > 0}
    if len(shared) < 2:
        n_features = next(iter(pairs.values()))[0].values.shape[1]
        return np.full(n_features, np.nan), np.full(n_features, np.nan)
    tables = []
    for side in (0, 1):
        parts = [pair[side].some(MAX_ROWS, rng).values for pair in shared.values()]
        codes = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        tables += [np.concatenate(parts), codes]
    return mutual_information_difference(*tables, random_state=rng)


def _label_noise(
    pairs: dict[Any, tuple[Rows, Rows]], rng: np.random.RandomState
) -> dict[Any, LabelNoise]:
    """Label noise of every class, from at most `MAX_ROWS` of its rows on either side."""
    real = [pair[0].some(MAX_ROWS, rng) for pair in pairs.values()]
    new = [pair[1].some(MAX_ROWS, rng) for pair in pairs.values()]

    def stack(parts: list[Rows]) -> tuple[np.ndarray, np.ndarray]:
        codes = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        return np.concatenate([part.scores for part in parts]), codes

    group_of = np.concatenate([np.asarray(part.groups) for part in real])
    told = label_noise(*stack(real), group_of, *stack(new), rng)
    return {label: told.get(c, UNKNOWN) for c, label in enumerate(pairs)}


def _check(
    X: Any, y: ArrayLike, side: str, format_: TableFormat
) -> tuple[np.ndarray, np.ndarray]:
    """Rows in numbers, in the order of the real columns, and their labels."""
    name = f"X_{side}"
    numbers = format_.to_numbers(_in_order(X, name, format_), name, UNKNOWN_CATEGORY)
    with naming_the_column(numbers):
        rows = check_array(
            numbers, dtype=np.float64, input_name=name, ensure_all_finite="allow-nan"
        )
    labels = column_or_1d(y, warn=True)
    check_consistent_length(rows, labels)
    n_missing = int(np.asarray(pd.isna(labels)).sum())
    if n_missing:
        raise ValueError(f"y_{side} contains NaN in {n_missing} rows; drop or label them.")
    return rows, labels


def _check_width(side: str, rows: np.ndarray, real: np.ndarray) -> None:
    if rows.shape[1] != real.shape[1]:
        raise ValueError(
            f"X_{side} has {rows.shape[1]} columns; X_real has {real.shape[1]}."
        )


def _refuse_new_gaps(real: np.ndarray, new: np.ndarray, format_: TableFormat) -> None:
    gaps = np.isnan(new).any(axis=0) & ~np.isnan(real).any(axis=0)
    if gaps.any():
        name = _feature_names(format_, real.shape[1])[gaps.argmax()]
        raise ValueError(
            f"X_synthetic contains NaN in {name!r}, where X_real has no missing value. "
            "Mend the generator, or fill or drop what it left open."
        )


def _in_order(X: Any, name: str, format_: TableFormat) -> Any:
    """Columns in the order of the real ones, by name where both sides have names."""
    names, theirs = list(format_.columns), list(getattr(X, "columns", []))
    if not names or not theirs or max(len(set(names)), len(set(theirs))) < len(names):
        return X
    missing = [column for column in names if column not in set(theirs)]
    extra = [column for column in theirs if column not in set(names)]
    if missing or extra:
        raise ValueError(
            f"{name} has other columns than X_real: without {missing[:5]}, with "
            f"{extra[:5]} besides. Give both the same columns."
        )
    return X[names]


def _feature_names(format_: TableFormat, n_columns: int) -> list[str]:
    if format_.is_frame:
        return [str(name) for name in format_.columns]
    return [f"feature {j}" for j in range(n_columns)]
