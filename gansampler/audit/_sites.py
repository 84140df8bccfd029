"""find_shortcut: does a classifier learn the site, told from labels and sites alone?"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import rankdata
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.utils import _safe_indexing, check_random_state, column_or_1d
from sklearn.utils.validation import _num_samples

from .._groups import check_groups
from ._predictions import (
    as_frame,
    balanced_accuracy,
    check_length,
    check_limits,
    extract,
    predict,
    to_codes,
)
from ._result import Audit, judge


def find_shortcut(
    classifier: Any,
    X: Any,
    y: ArrayLike,
    sites: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    extractor: Any = None,
    cv: int = 5,
    n_permutations: int = 999,
    tolerance: float = 0.1,
    alpha: float = 0.05,
    random_state: Any = None,
) -> Audit:
    """Find out whether a classifier that learns from several sites uses the site.

    A clone predicts rows that it did not learn from (cross-validation, patients held
    together). Given the true class, its predictions should not depend on the site. The
    shift is the difference in p(y|x) between patients of a site and those of the others
    with the same true class: least squares with an effect for each class. Its null
    distribution comes from exchanging sites within classes, which is exact if predictions
    and site are independent given the class. Intervals have the half-width that the
    largest shift in units of its standard error exceeds by chance with probability
    `alpha`, so that they hold together for all sites and classes.

    The verdict:

    - "shortcut": a shift beyond `tolerance` with all of its interval.
    - "no shortcut": all intervals within `tolerance`, on either side of 0.
    - "undetermined": otherwise. That is so where site and class nearly coincide, as only
      patients of a class at the "wrong" site tell them apart; then make counterfactuals,
      and use `audit_model`.

    Parameters
    ----------
    classifier : classifier
        Cloned and cross-validated. To audit one as it is fitted, on rows that it did not
        learn from, put it in a `sklearn.frozen.FrozenEstimator`.
    X : array-like or DataFrame with n_samples rows
        A table, or volumes if the classifier or the extractor takes them.
    y : array-like of shape (n_samples,)
        True classes.
    sites : array-like of shape (n_samples,)
        Site, scanner or kernel of each row.
    groups : array-like of shape (n_samples,), default=None
        Patients, each of one site. Their rows are averaged within a class.
    extractor : callable or fitted transformer, default=None
        From X to what the classifier takes, once and before the folds, such as
        `RadiomicsExtractor`. What learns from rows belongs into a pipeline.
    cv : int, default=5
        Folds; fewer where the smallest class has fewer patients.
    n_permutations : int, default=999
        Random exchanges of sites.
    tolerance : float, default=0.1
        Shift up to which predictions count as independent of the site.
    alpha : float, default=0.05
        One minus the confidence of the intervals.
    random_state : int, RandomState instance or None, default=None
        Seed of folds and exchanges.

    Returns
    -------
    Audit
        Without flips. `shifts` has another column, `excess`: how much more frequent the
        class is at the site than at the others; a shortcut shifts in its direction.
        Evidence, besides `n_rows`, `n_groups` and the balanced `accuracy`:

        - `p_value`: of all shifts together.
        - `association`: Cramér's V of site and class. Near 0 there is nothing to learn.
        - `auc_within`, `auc_across`: area under the ROC curve from pairs of patients of
          the same site, and of different sites (mean over classes). A shortcut raises the
          second over the first.
        - `auc_site`: the same for sites predicted by the classifier, from pairs of the
          same class. Near .5 there is nothing to use. nan for frozen classifiers.

        `features`, for tables: rank correlations given the class, with being of the site
        whose shift is largest (`site`) and with p(y|x) of the class that shifts
        (`prediction`). `both` is their product, signed so that features that may carry the
        shift are positive and the first; those that only go along with them are too.

    Raises
    ------
    ValueError
        If there is a single site or class, a class with one patient, a patient of several
        sites, or lengths differ.

    See Also
    --------
    audit_model : The same question with counterfactuals, which settle more.

    Notes
    -----
    Sites whose patients differ within a class, in severity say, have predictions that
    rightly differ too. The verdict cannot tell that from a shortcut; counterfactuals can.

    Exchanging sites given the class is the conditional permutation test of the separation
    criterion (equalized odds) [1]_; largest statistics give simultaneous intervals as in
    [2]_. The latter assume that a site shifts predictions and does not spread them.

    References
    ----------
    .. [1] Hardt, Price and Srebro (2016), Equality of opportunity in supervised learning,
       NeurIPS.
    .. [2] Westfall and Young (1993), Resampling-based multiple testing, Wiley.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from gansampler.audit import find_shortcut
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=200)
    >>> site = np.where(rng.random(200) < 0.85, y, 1 - y)
    >>> X = rng.normal(size=(200, 3)) + np.column_stack([5 * site, y, 0 * y])
    >>> audit = find_shortcut(LogisticRegression(), X, y, site, random_state=0)
    >>> audit.verdict, audit.features.index[0]
    ('shortcut', 'feature_0')
    """
    n = _num_samples(X)
    check_limits(tolerance, alpha)
    labels = check_length(column_or_1d(y), n, "y")
    shown = check_length(column_or_1d(sites), n, "sites")
    if pd.isna(shown).any():
        raise ValueError("sites holds missing values; give every row a site.")
    classes, codes = np.unique(labels, return_inverse=True)
    names, site_of = np.unique(shown, return_inverse=True)
    group_of = check_groups(groups, n)
    n_folds = _check_counts(classes, codes, names, site_of, group_of, cv)
    rng = check_random_state(random_state)
    table = extract(extractor, X)
    folds = list(
        StratifiedGroupKFold(n_folds, shuffle=True, random_state=rng).split(
            np.zeros(n), codes, group_of
        )
    )
    p, predicted = _left_out(classifier, table, labels, classes, folds)
    units = _Units.of(p, codes, site_of, group_of)

    # Of two classes and of two sites, one mirrors the other.
    tests = [
        (s, k)
        for s in range(1 if len(names) == 2 else 0, len(names))
        for k in range(1 if len(classes) == 2 else 0, len(classes))
    ]
    found = np.array([_shift(units, units.site, s)[k] for s, k in tests])
    null = np.array([_null_shifts(units, tests, rng) for _ in range(n_permutations)])
    half, p_value = _largest_of(found, null, alpha)
    shifts = pd.DataFrame(
        {
            "shift": found,
            "low": np.nan_to_num(found - half, nan=-1).clip(-1, 1),
            "high": np.nan_to_num(found + half, nan=1).clip(-1, 1),
            "excess": [_excess(units, s, k) for s, k in tests],
        },
        index=pd.MultiIndex.from_tuples(
            [(_compared(names, s), "probability", classes[k]) for s, k in tests],
            names=["comparison", "outcome", "class"],
        ),
    )
    evidence = {
        "n_rows": n,
        "n_groups": group_of.max() + 1,
        "accuracy": balanced_accuracy(codes, predicted),
        "p_value": p_value,
        "association": _cramers_v(units),
        "auc_within": _auc(units.p, units.label, units.site, same=True),
        "auc_across": _auc(units.p, units.label, units.site, same=False),
        "auc_site": np.nan,
    }
    if not isinstance(classifier, FrozenEstimator):
        p_site, _ = _left_out(classifier, table, shown, names, folds)
        site_units = _Units.of(p_site, codes, site_of, group_of)
        evidence["auc_site"] = _auc(site_units.p, units.site, units.label, same=True)
    verdict, reason = judge(
        shifts, tolerance, "collect patients of each class at each site, or use audit_model"
    )
    frame = as_frame(table)
    s, k = tests[int(np.argmax(np.abs(np.nan_to_num(found))))]
    return Audit(
        verdict=verdict,
        reason=reason,
        shifts=shifts,
        flips=None,
        features=None if frame is None else _carriers(frame, p[:, k], codes, site_of, s),
        evidence=pd.Series(evidence, dtype=float),
        tolerance=tolerance,
        alpha=alpha,
    )


class _Units(NamedTuple):
    """Patients: their mean p(y|x) for each class they have, with class, site and profile.

    The profile is the set of classes that a patient has; patients can be exchanged within
    a profile.
    """

    p: np.ndarray
    label: np.ndarray
    site: np.ndarray
    group: np.ndarray
    profile: np.ndarray

    @classmethod
    def of(
        cls, p: np.ndarray, codes: np.ndarray, site_of: np.ndarray, group_of: np.ndarray
    ) -> _Units:
        pairs, unit = np.unique(
            np.column_stack([group_of, codes]), axis=0, return_inverse=True
        )
        counts = np.bincount(unit)
        sums = np.column_stack([np.bincount(unit, column) for column in p.T])
        site = np.empty(len(pairs), dtype=int)
        site[unit] = site_of
        group, label = pairs.T
        has = np.zeros((group.max() + 1, codes.max() + 1), dtype=bool)
        has[group, label] = True
        _, profile = np.unique(has, axis=0, return_inverse=True)
        return cls(sums / counts[:, None], label, site, group, profile)


def _check_counts(
    classes: np.ndarray,
    codes: np.ndarray,
    names: np.ndarray,
    site_of: np.ndarray,
    group_of: np.ndarray,
    cv: int,
) -> int:
    """Folds that every class can be spread over."""
    for what, values in (("y", classes), ("sites", names)):
        if len(values) < 2:
            raise ValueError(
                f"{what} must hold two values at least; got {values.tolist()}."
            )
    if len(np.unique(np.column_stack([group_of, site_of]), axis=0)) > group_of.max() + 1:
        raise ValueError(
            "groups: a patient has rows of several sites. Use audit_model where the same "
            "patient was seen at two; otherwise give each visit a group."
        )
    patients = [len(np.unique(group_of[codes == k])) for k in range(len(classes))]
    if min(patients) < 2 or cv < 2:
        raise ValueError(
            "cv must be at least 2, and every class needs two patients, to learn from some "
            f"and predict others; got cv={cv} and "
            f"{dict(zip(classes.tolist(), patients, strict=True))}."
        )
    return min(cv, *patients)


def _left_out(
    classifier: Any,
    table: Any,
    labels: np.ndarray,
    classes: np.ndarray,
    folds: list[tuple[np.ndarray, np.ndarray]],
) -> tuple[np.ndarray, np.ndarray]:
    """p(y|x) of rows not learned from, or the predicted class as such; and its code."""
    p = np.zeros((len(labels), len(classes)))
    predicted = np.empty(len(labels), dtype=int)
    for train, test in folds:
        model = clone(classifier).fit(_safe_indexing(table, train), labels[train])
        found, probabilities = predict(model, _safe_indexing(table, test))
        predicted[test] = to_codes(found, classes, "predict")
        if probabilities is None:
            p[test, predicted[test]] = 1
        else:
            known = to_codes(model.classes_, classes, "classes_ of the classifier")
            p[np.ix_(test, known)] = probabilities
    return p, predicted


def _shift(units: _Units, site: np.ndarray, s: int) -> np.ndarray:
    """Difference in p between site s and the others given the class, of each class."""
    here = _centred((site == s).astype(float)[:, None], units.label)[:, 0]
    square = here @ here
    if square < 1e-9:  # no class is both here and elsewhere
        return np.full(units.p.shape[1], np.nan)
    return here @ units.p / square


def _null_shifts(
    units: _Units, tests: list[tuple[int, int]], rng: np.random.RandomState
) -> np.ndarray:
    """Shifts after the sites of patients of a profile were exchanged."""
    of_group = np.empty(len(units.profile), dtype=int)
    of_group[units.group] = units.site
    for profile in np.unique(units.profile):
        members = np.flatnonzero(units.profile == profile)
        of_group[members] = of_group[rng.permutation(members)]
    site = of_group[units.group]
    shifts = {s: _shift(units, site, s) for s in {s for s, _ in tests}}
    return np.array([shifts[s][k] for s, k in tests])


def _largest_of(
    found: np.ndarray, null: np.ndarray, alpha: float
) -> tuple[np.ndarray, float]:
    """Half-widths that hold together, and the p-value of all shifts; nan is left out."""
    defined = np.isfinite(found)
    if not defined.any():
        return np.full(len(found), np.nan), 1.0
    spread = np.sqrt((null**2).mean(axis=0))
    scale = np.where(spread > 0, spread, 1.0)
    largest = np.abs(null / scale)[:, defined].max(axis=1)
    half = np.quantile(largest, 1 - alpha, method="higher") * spread
    at_least = largest >= np.abs(found / scale)[defined].max() - 1e-10
    return half, float((1 + at_least.sum()) / (1 + len(null)))


def _centred(values: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """Columns less their mean in each stratum."""
    counts = np.bincount(strata)
    means = np.column_stack([np.bincount(strata, column) for column in values.T])
    return values - (means / np.maximum(counts, 1)[:, None])[strata]


def _compared(names: np.ndarray, s: int) -> str:
    other = names[1 - s] if len(names) == 2 else "other sites"
    return f"{other} -> {names[s]}"


def _excess(units: _Units, s: int, k: int) -> float:
    """How much more frequent class k is at site s than at the others."""
    here, of_class = units.site == s, units.label == k
    return float(of_class[here].mean() - of_class[~here].mean())


def _cramers_v(units: _Units) -> float:
    counts = np.zeros((units.site.max() + 1, units.label.max() + 1))
    np.add.at(counts, (units.site, units.label), 1)
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    chi2 = ((counts - expected) ** 2 / expected).sum()
    return float(np.sqrt(chi2 / (counts.sum() * (min(counts.shape) - 1))))


def _auc(p: np.ndarray, label: np.ndarray, strata: np.ndarray, *, same: bool) -> float:
    """Area under the ROC curve from pairs of the same stratum or not, mean over labels."""
    areas = []
    parts = [strata == stratum for stratum in np.unique(strata)]
    for k in range(1 if p.shape[1] == 2 else 0, p.shape[1]):
        own, score = label == k, p[:, k]
        inside = [_wins(score[rows], own[rows]) for rows in parts]
        within = np.sum(inside, axis=0)
        wins, pairs = within if same else _wins(score, own) - within
        if pairs > 0:
            areas.append(wins / pairs)
    return float(np.mean(areas)) if areas else np.nan


def _wins(score: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Pairs of an own row and another in which the first is higher, ties half; pairs."""
    n_own = own.sum()
    wins = rankdata(score)[own].sum() - n_own * (n_own + 1) / 2
    return np.array([wins, n_own * (len(own) - n_own)])


def _carriers(
    frame: pd.DataFrame, p: np.ndarray, codes: np.ndarray, site_of: np.ndarray, s: int
) -> pd.DataFrame:
    """Features that tell the site and that predictions go by, those of both first."""
    numbers = frame.select_dtypes("number").dropna(axis=1)
    ranks = _centred(rankdata(numbers.to_numpy(dtype=float), axis=0), codes)
    here = _centred((site_of == s).astype(float)[:, None], codes)
    of_p = _centred(rankdata(p)[:, None], codes)
    of_site, of_prediction = _correlations(ranks, here), _correlations(ranks, of_p)
    direction = -1.0 if (of_p * here).sum() < 0 else 1.0
    table = pd.DataFrame(
        {
            "both": of_site * of_prediction * direction,
            "site": of_site,
            "prediction": of_prediction,
        },
        index=numbers.columns.rename("feature"),
    )
    return table.sort_values("both", ascending=False, kind="stable")


def _correlations(columns: np.ndarray, with_: np.ndarray) -> np.ndarray:
    """Correlation of each centred column with another; 0 where one is constant."""
    norms = np.sqrt((columns**2).sum(axis=0) * (with_**2).sum())
    products = columns.T @ with_[:, 0]
    return np.divide(products, norms, out=np.zeros_like(products), where=norms > 1e-9)
