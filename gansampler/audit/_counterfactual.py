"""audit_model: what a classifier says of the same patients with the nuisance changed."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.validation import _num_samples

from .._groups import check_groups
from ._attribution import attribute
from ._intervals import mean, reversal, share, shift
from ._predictions import (
    as_frame,
    balanced_accuracy,
    check_length,
    check_limits,
    class_outcome,
    extract,
    predict,
    to_codes,
)
from ._result import EITHER_WAY, Audit, judge

ALL = "all"
"""Rows of the table of flips that are not parted."""


def audit_model(
    classifier: Any,
    X: Any,
    X_counterfactual: Any,
    y: ArrayLike | None = None,
    *,
    nuisance: Any = None,
    nuisance_counterfactual: Any = None,
    groups: ArrayLike | None = None,
    extractor: Any = None,
    tolerance: float = 0.1,
    alpha: float = 0.05,
    n_evaluations: int = 50_000,
    random_state: Any = None,
) -> Audit:
    """Audit a fitted classifier on pairs of which only the nuisance differs.

    Row i of `X_counterfactual` is row i of `X` as another scanner would show it: from a
    translation, such as `CycleGAN`, or a transform. Use rows that the classifier did not
    learn from.

    A change that moves rows near the border flips some predictions of any classifier, to
    and fro. A shortcut moves them one way: the nuisance stands for a class. So a shift is
    judged, not the flip rate. For each class it is the difference in the share of rows
    predicted so, and in the mean of p(y|x). If `nuisance` is given, it is the difference
    between two of its values, such as sharp less soft: rows that went the other way count
    with the opposite sign, both ways alike. What the change does either way, such as
    artefacts of a translation, then cancels, and is shown apart.

    The verdict, with intervals that hold together at 1 - alpha (Bonferroni):

    - "shortcut": a shift beyond `tolerance` with all of its interval. Or, if `nuisance` is
      not given, a flip rate above `tolerance` and above that of two predictions that know
      nothing of each other, both with their intervals: X then holds scanners of both
      kinds, and predictions turn into their contrary.
    - "no shortcut": all intervals within `tolerance`, on either side of 0. If `nuisance`
      is not given, that of the flip rate too, since flips that cancel may be those of two
      scanners.
    - "undetermined": otherwise.

    Parameters
    ----------
    classifier : fitted classifier
        Anything with `predict`, such as a pipeline. With `predict_proba`, or else
        `decision_function` through the logistic function, probabilities are judged too.
    X, X_counterfactual : array-like or DataFrame with n_samples rows
        Tables, or volumes if the classifier or the extractor takes them.
    y : array-like of shape (n_samples,), default=None
        True classes, for accuracies and flips by class; the verdict does not need them.
    nuisance : array-like of shape (n_samples,) or a single value, default=None
        What X shows of the nuisance: the scanner, site or kernel of each row. None takes
        all rows to be changed in the same way.
    nuisance_counterfactual : array-like of shape (n_samples,) or a single value, \
            default=None
        What `X_counterfactual` shows. None takes the other value where `nuisance` has two.
    groups : array-like of shape (n_samples,), default=None
        Patients; the rows of one are not independent.
    extractor : callable or fitted transformer, default=None
        From X to what the classifier takes, such as `RadiomicsExtractor`.
    tolerance : float, default=0.1
        Shift up to which predictions count as left alone.
    alpha : float, default=0.05
        One minus the confidence of the intervals.
    n_evaluations : int, default=50_000
        Most rows to predict for `features`; 0 leaves them out.
    random_state : int, RandomState instance or None, default=None
        Seed of the orders in which features are switched.

    Returns
    -------
    Audit
        With evidence `n_rows`, `n_groups`, `flip_rate`, `flips_by_chance` (of predictions
        that know nothing of each other) and, if y is given, balanced `accuracy` and
        `accuracy_after`. `features`, for tables: Shapley values [1]_ of the shift in
        p(y|x) of the class that shifts most, when features are switched to their
        counterfactual value in random orders; without `nuisance`, of the mean absolute
        shift. They sum to the shift of the rows they are taken on, as many as
        `n_evaluations` allows. Features with rank correlations of at least .9 are switched
        together: `members`, named after the first. There are at most 100 such sets.

    Raises
    ------
    ValueError
        If the rows or columns of the two sides differ, a label is unknown to the
        classifier, or what the counterfactuals show cannot be told.

    See Also
    --------
    find_shortcut : The same question without counterfactuals.

    Notes
    -----
    Intervals of flip rates are those of Wilson [2]_, of shifts of predicted classes those
    of Bonett and Price for pairs [3]_, of shifts in probability Student's; each with the
    variance between patients if there are groups.

    The verdict tells that predictions follow the nuisance, not why. A classifier of few
    features may do so although it was trained on balanced scanners, if these move its
    features. And it can be no better than the counterfactuals: where a translation changes
    the tumour too, that is charged to the classifier.

    References
    ----------
    .. [1] Štrumbelj and Kononenko (2014), Explaining prediction models and individual
       predictions with feature contributions, Knowledge and Information Systems 41.
    .. [2] Wilson (1927), Probable inference, the law of succession, and statistical
       inference, JASA 22.
    .. [3] Bonett and Price (2012), Adjusted Wald confidence interval for a difference of
       binomial proportions based on paired data, J. Educ. Behav. Stat. 37.

    Examples
    --------
    Column 0 tells the scanner, and the classifier was trained where that told the class:

    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from gansampler.audit import audit_model
    >>> rng = np.random.default_rng(0)
    >>> scanner, y = rng.integers(2, size=(2, 100))
    >>> X = rng.normal(size=(100, 3)) + np.column_stack([5 * scanner, y, 0 * y])
    >>> X_other = X + np.outer(5 - 10 * scanner, [1, 0, 0])
    >>> classifier = LogisticRegression().fit(X, scanner)
    >>> audit = audit_model(classifier, X, X_other, y, nuisance=scanner, random_state=0)
    >>> audit.verdict, audit.flip_rate, audit.features.index[0]
    ('shortcut', 1.0, 'feature_0')
    """
    n = _num_samples(X)
    if _num_samples(X_counterfactual) != n:
        raise ValueError(
            f"X has {n} rows and X_counterfactual {_num_samples(X_counterfactual)}: row i "
            "of both must be the same patient."
        )
    check_limits(tolerance, alpha)
    group_of = check_groups(groups, n)
    comparisons = _comparisons(nuisance, nuisance_counterfactual, n)
    tables = extract(extractor, X), extract(extractor, X_counterfactual)
    frames = as_frame(tables[0]), as_frame(tables[1])
    _check_alike(tables, frames)

    sides = [predict(classifier, table) for table in tables]
    known = [] if y is None else [check_length(column_or_1d(y), n, "y")]
    classes = getattr(classifier, "classes_", None)
    if classes is None:
        classes = np.unique(np.concatenate([*(side.labels for side in sides), *known]))
    classes = np.asarray(classes)
    before, after = (to_codes(side.labels, classes, "predict") for side in sides)
    truth = to_codes(known[0], classes, "y") if known else None

    one_hot = np.eye(len(classes))
    changes = {"predicted": one_hot[after] - one_hot[before]}
    first, second = (side.probabilities for side in sides)
    if first is not None and second is not None:
        changes["probability"] = second - first
    shifts = _shifts(changes, classes, comparisons, group_of, alpha)
    flips = _flips(before, after, truth, classes, comparisons, group_of, alpha)

    overall = share(before != after, group_of, alpha)
    beyond_chance = reversal(before, after, len(classes), group_of, alpha)
    evidence = {
        "n_rows": n,
        "n_groups": group_of.max() + 1,
        "flip_rate": overall.value,
        "flips_by_chance": overall.value - beyond_chance.value,
    }
    if truth is not None:
        evidence["accuracy"] = balanced_accuracy(truth, before)
        evidence["accuracy_after"] = balanced_accuracy(truth, after)

    blind = None
    if nuisance is None and overall.high > tolerance:
        blind = (
            f"{overall.value:.0%} of the predictions flip, maybe up to {overall.high:.0%}, "
            f"but no shift is clearly beyond {tolerance:g}: say by `nuisance` what X "
            "shows, so that flips in two directions do not cancel."
        )
    verdict, reason = judge(shifts, tolerance, "audit more rows", blind)
    reversed_ = beyond_chance.low > 0 and overall.low > tolerance
    if verdict != "shortcut" and nuisance is None and reversed_:
        verdict = "shortcut"
        reason = (
            f"{overall.value:.0%} of the predictions flip, {beyond_chance.value:.0%} more "
            "than if both sides knew nothing of each other: they turn into their contrary."
        )
    features = None
    if frames[0] is not None and frames[1] is not None and n_evaluations > 0:
        features = _responsible(
            lambda table, k: class_outcome(classifier, table, classes[k]),
            tables[0],
            (frames[0], frames[1]),
            changes,
            comparisons,
            group_of,
            n_evaluations,
            check_random_state(random_state),
        )
    return Audit(
        verdict=verdict,
        reason=reason,
        shifts=shifts,
        flips=flips,
        features=features,
        evidence=pd.Series(evidence, dtype=float),
        tolerance=tolerance,
        alpha=alpha,
    )


class _Comparison(NamedTuple):
    """Rows that went from one value of the nuisance to another (1), or back (-1)."""

    name: str
    back: str
    rows: np.ndarray
    signs: np.ndarray


def _comparisons(nuisance: Any, after: Any, n: int) -> list[_Comparison]:
    """A comparison for each pair of values that rows went between, row by row."""
    if nuisance is None:
        if after is not None:
            raise ValueError("nuisance_counterfactual needs nuisance: what does X show?")
        return [_Comparison("X -> X_counterfactual", "", np.arange(n), np.ones(n))]
    shown = _spread(nuisance, n, "nuisance")
    if after is None:
        values = np.unique(shown)
        if len(values) > 2:
            raise ValueError(
                f"nuisance has {len(values)} values, {values.tolist()}: say by "
                "nuisance_counterfactual which of them X_counterfactual shows."
            )
        # Of a single value, the other one has no name.
        other = values[::-1] if len(values) == 2 else np.array(["counterfactual"])
        then = other[np.searchsorted(values, shown)]
    else:
        then = _spread(after, n, "nuisance_counterfactual")
    shown, then = shown.astype(str), then.astype(str)
    found = []
    for low, high in sorted({tuple(sorted(p)) for p in zip(shown, then, strict=True)}):
        forth = (shown == low) & (then == high)
        rows = np.flatnonzero(forth | ((shown == high) & (then == low)))
        if low != high:
            a, b = (low, high) if forth.any() else (high, low)
            signs = np.where(shown[rows] == a, 1.0, -1.0)
            found.append(_Comparison(f"{a} -> {b}", f"{b} -> {a}", rows, signs))
    if not found:
        raise ValueError(
            "nuisance and nuisance_counterfactual are the same in all rows: nothing was "
            "changed."
        )
    return found


def _spread(values: Any, n: int, name: str) -> np.ndarray:
    values = np.full(n, values) if np.ndim(values) == 0 else column_or_1d(values)
    if pd.isna(check_length(values, n, name)).any():
        raise ValueError(f"{name} holds missing values; give every row one.")
    return values


def _check_alike(
    tables: tuple[Any, Any], frames: tuple[pd.DataFrame | None, pd.DataFrame | None]
) -> None:
    if tables[0].shape != tables[1].shape:
        raise ValueError(
            f"The two sides have shapes {tables[0].shape} and {tables[1].shape}; they must "
            "be the same."
        )
    first, second = frames
    if first is None or second is None:
        return
    if not first.columns.equals(second.columns):
        raise ValueError(
            "The two sides must have the same columns in the same order; "
            f"in one only: {first.columns.symmetric_difference(second.columns).tolist()}."
        )


def _shifts(
    changes: dict[str, np.ndarray],
    classes: np.ndarray,
    comparisons: list[_Comparison],
    groups: np.ndarray,
    alpha: float,
) -> pd.DataFrame:
    """Mean shift of each outcome and class between values of the nuisance."""
    # The shifts of two classes mirror each other.
    n_classes = len(classes) if len(classes) > 2 else 1
    level = alpha / (len(comparisons) * len(changes) * n_classes)
    parts = [
        (name, rows, signs, np.ones(len(signs))) for name, _, rows, signs in comparisons
    ]
    if any(len(np.unique(part.signs)) > 1 for part in comparisons):
        rows, signs = (
            np.concatenate([getattr(part, what) for part in comparisons])
            for what in ("rows", "signs")
        )
        # The sign taken twice is none, but both ways still count alike.
        parts.append((EITHER_WAY, rows, signs, signs))
    found = {
        (name, outcome, label): shift(
            change[rows, k] * again, signs, groups[rows], level, outcome == "predicted"
        )
        for name, rows, signs, again in parts
        for outcome, change in changes.items()
        for k, label in enumerate(classes.tolist())
    }
    table = pd.DataFrame(list(found.values()), columns=["shift", "low", "high"])
    table.index = pd.MultiIndex.from_tuples(found, names=["comparison", "outcome", "class"])
    return table


def _flips(
    before: np.ndarray,
    after: np.ndarray,
    truth: np.ndarray | None,
    classes: np.ndarray,
    comparisons: list[_Comparison],
    groups: np.ndarray,
    alpha: float,
) -> pd.DataFrame:
    """Flip rates of all rows and of parts of them, each with its interval."""
    flipped = before != after
    everyone = np.arange(len(before))
    parts = {(ALL, ALL): (everyone, flipped)}
    for part in comparisons if comparisons[0].back else ():
        for name, sign in ((part.name, 1), (part.back, -1)):
            parts["nuisance", name] = part.rows[part.signs == sign], flipped
    for a, b in permutations(range(len(classes)), 2):
        name = f"{classes[a]} -> {classes[b]}"
        parts["predicted", name] = np.flatnonzero(before == a), after == b
    if truth is not None:
        for k, label in enumerate(classes.tolist()):
            parts["true class", label] = np.flatnonzero(truth == k), flipped
    table = {}
    for key, (rows, hits) in parts.items():
        if len(rows):
            interval = share(hits[rows], groups[rows], alpha)
            table[key] = (hits[rows].sum(), len(rows), *interval)
    frame = pd.DataFrame(
        list(table.values()), columns=["flips", "n", "rate", "low", "high"]
    )
    frame.index = pd.MultiIndex.from_tuples(table, names=["by", "value"])
    return frame


def _responsible(
    outcome: Callable[[Any, int], np.ndarray],
    original: Any,
    frames: tuple[pd.DataFrame, pd.DataFrame],
    changes: dict[str, np.ndarray],
    comparisons: list[_Comparison],
    groups: np.ndarray,
    n_evaluations: int,
    rng: np.random.RandomState,
) -> pd.DataFrame:
    """Contributions of features to the largest shift, the most responsible first."""
    change = changes.get("probability", changes["predicted"])
    told = bool(comparisons[0].back)
    sizes = [
        [
            abs(mean(c if told else np.abs(c), part.signs, groups[part.rows]).value)
            for c in columns.T
        ]
        for part, columns in ((part, change[part.rows]) for part in comparisons)
    ]
    which, k = divmod(int(np.argmax(sizes)), len(sizes[0]))
    part = comparisons[which]
    first, second = (frame.iloc[part.rows].reset_index(drop=True) for frame in frames)

    def of_class(table: pd.DataFrame) -> np.ndarray:
        return outcome(table if isinstance(original, pd.DataFrame) else table.to_numpy(), k)

    values, rows, members = attribute(of_class, first, second, n_evaluations, rng)
    signs = part.signs[rows]
    if not told:
        values = values * np.where(change[part.rows[rows], k] < 0, -1, 1)[:, None]
    found = [mean(column, signs, groups[part.rows[rows]]) for column in values.T]
    direction = -1.0 if sum(one.value for one in found) < 0 else 1.0
    table = pd.DataFrame(
        {
            "contribution": [direction * one.value for one in found],
            "standard_error": [one.error for one in found],
            "members": members,
        },
        index=pd.Index([names[0] for names in members], name="feature"),
    )
    return table.sort_values("contribution", ascending=False, kind="stable")
