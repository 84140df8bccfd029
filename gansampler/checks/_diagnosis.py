"""`diagnose`: one call from two tables to a verdict on every class."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.validation import check_array, check_consistent_length, column_or_1d

from .._encoding import NormalScores
from ..metrics import mutual_information_difference
from ._evidence import Evidence, Rows, compare_holdout, examine
from ._label_noise import MAX_ROWS, UNKNOWN, LabelNoise, label_noise
from ._verdicts import ADVICE, VERDICTS, verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN_ROWS = 1000
"""Rows of a class, real and synthetic, that are kept for pictures."""


class Diagnosis:
    """Verdicts on synthetic rows, and what they rest on; made by `diagnose`.

    Attributes
    ----------
    verdicts_ : dict
        Class -> "memorizing", "interpolating", "label-noise", "collapsed", "underfit",
        "undetermined" or "healthy".
    statistics_ : DataFrame
        One row for each class and statistic, with columns `class`, `question`,
        `statistic`, `value`, the band `null_low` to `null_high` in which it lies for 95
        of 100 tables of fresh rows (nan where no null is known), and `p_value`.
    features_ : DataFrame
        One row for each class and feature: two-sample Kolmogorov-Smirnov statistic `ks`,
        its p-value, plain and adjusted (Benjamini-Hochberg), the Wasserstein distance in
        interquartile ranges `w1_iqr`, and the mutual information with the class, less
        what chance gives, in nats, of real and synthetic rows.
    rows_ : DataFrame
        One row for each synthetic row that was held against the real ones, by its
        position `synthetic` in the table given: class, p-values `p_copy` (small where it
        is too close to a real row) and `p_far` (too far from all), and the position
        `nearest_real` of the nearest real row of its class with the `distance` to it,
        in normal scores.
    alpha : float
    history_ : dict
        Losses and scores of the training, where the generator gave them; else empty.
    """

    def __init__(
        self,
        evidence: Sequence[Evidence],
        information: tuple[np.ndarray, np.ndarray],
        shown: dict[Any, tuple[Rows, Rows]],
        feature_names: np.ndarray,
        alpha: float,
    ) -> None:
        self.evidence_ = {e.label: e for e in evidence}
        self.verdicts_ = {e.label: verdict(e) for e in evidence}
        self.shown_ = shown
        self.feature_names_ = feature_names
        self.alpha = alpha
        self.history_: dict[str, Any] = {}
        self.statistics_ = _statistics_frame(evidence)
        self.features_ = _features_frame(evidence, feature_names, information)
        self.rows_ = _rows_frame(evidence)

    @property
    def is_healthy(self) -> bool:
        """Whether every class is healthy."""
        return set(self.verdicts_.values()) == {"healthy"}

    def worst_rows(self, k: int = 10) -> pd.DataFrame:
        """Return the k rows of `rows_` that look most like copies, the worst first."""
        order = self.rows_.sort_values(["p_copy", "distance"], kind="stable")
        return order.head(k).reset_index(drop=True)

    def summary(self) -> str:
        """Verdict on each class, the numbers behind it and what to do, in plain words."""
        return "\n".join(
            _summary_of(e, self.verdicts_[label]) for label, e in self.evidence_.items()
        )

    def complaint(self) -> str:
        """What is wrong with which class and what to change; empty where all is well."""
        lines = []
        for name in VERDICTS:
            labels = [str(label) for label, v in self.verdicts_.items() if v == name]
            if labels and name != "healthy":
                lines.append(
                    f"The synthetic rows of class {', '.join(labels)} are judged {name!r}: "
                    f"{VERDICTS[name]}. To change it: {ADVICE[name]}."
                )
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Diagnosis {self.verdicts_}>"

    def to_dict(self) -> dict[str, Any]:
        """Everything but the pictures, as plain lists, dicts and numbers."""
        return {
            "verdicts": [
                {
                    "class": _plain(label),
                    "verdict": name,
                    "meaning": VERDICTS[name],
                    "advice": ADVICE[name],
                    "n_real": self.evidence_[label].n_real,
                    "n_synthetic": self.evidence_[label].n_synthetic,
                    "n_judged": self.evidence_[label].n_judged,
                    "level": _plain(self.evidence_[label].level),
                }
                for label, name in self.verdicts_.items()
            ],
            "alpha": self.alpha,
            "statistics": _records(self.statistics_),
            "features": _records(self.features_),
            "worst_rows": _records(self.worst_rows()),
        }

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return `to_dict` as JSON text, and write it to `path` where one is given."""
        text = json.dumps(self.to_dict(), indent=1, allow_nan=False)
        if path is not None:
            Path(path).write_text(text + "\n", encoding="utf-8")
        return text

    def to_html(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return a report with pictures as one HTML file that loads nothing else.

        Parameters
        ----------
        path : path-like, default=None
            Where to write it as well. The file is there whole or not at all, and one that
            was there before is replaced.

        Returns
        -------
        str

        Raises
        ------
        ImportError
            If matplotlib is not installed; it comes with ``gansampler[plot]``.
        """
        from ..report import facts, html, write_whole

        text = html(facts(self))
        if path is not None:
            write_whole(Path(path), text)
        return text

    def plot_distances(self, label: Any, ax: Axes | None = None) -> Figure:
        """Plot how far rows of a class are from the nearest real and synthetic rows.

        Parameters
        ----------
        label : class
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        matplotlib.figure.Figure
        """
        from ..report import facts, plot_distances

        return plot_distances(facts(self), label, ax)

    def plot_marginals(self, label: Any = None) -> Figure:
        """Plot distributions of the worst and of the most predictive features.

        Parameters
        ----------
        label : class, default=None
            None plots all classes.

        Returns
        -------
        matplotlib.figure.Figure
        """
        from ..report import facts, plot_marginals

        return plot_marginals(facts(self), label)

    def plot_correlations(self, label: Any) -> Figure:
        """Plot rank correlations of real and synthetic rows, and their difference.

        Of at most 40 features: the most predictive and the worst.

        Parameters
        ----------
        label : class

        Returns
        -------
        matplotlib.figure.Figure
        """
        from ..report import facts, plot_correlations

        return plot_correlations(facts(self), label)

    def plot_projection(self) -> Figure:
        """Plot rows of every class on two principal components of the real ones.

        Returns
        -------
        matplotlib.figure.Figure
        """
        from ..report import facts, plot_projection

        return plot_projection(facts(self))

    def plot_training(self) -> Figure:
        """Plot losses and held-out scores of the training, and the step that was kept.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        ValueError
            If `history_` is empty.
        """
        from ..report import facts, plot_training

        return plot_training(facts(self))


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
    alpha: float = 0.05,
    n_permutations: int = 999,
    random_state: Any = None,
) -> Diagnosis:
    """Tell how a generator failed, class by class, from its rows alone.

    Works on the output of any generator. Real rows are those it was trained on.

    Parameters
    ----------
    X_real, X_synthetic : array-like of shape (n_real, d), (n_synthetic, d)
        Finite numbers, with the same columns.
    y_real, y_synthetic : array-like of shape (n_real,), (n_synthetic,)
        Their classes. A class without synthetic rows is judged collapsed.
    X_holdout, y_holdout : array-like of shape (n_holdout, d), (n_holdout,), default=None
        Real rows that the generator has not seen, for two more statistics: are synthetic
        rows nearer to the rows it was trained on?
    groups : array-like of shape (n_real,), default=None
        Patients, say: real rows of a group are not each other's neighbours.
    alpha : float, default=0.05
        Level at which single rows and columns are tested; 2 / (n + 1) in a class of n
        rows where that is larger.
    n_permutations : int, default=999
        Exchanges of real and synthetic rows that give null distributions; at least 19,
        and at least 99 for the rules that ask for p <= .01 to be able to fire.
    random_state : int, RandomState instance or None, default=None

    Returns
    -------
    Diagnosis

    Raises
    ------
    ValueError
        If columns differ, a side is empty, a synthetic class has no real row, or a value
        is missing or infinite.

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
    names = _common_columns(X_real, X_synthetic, X_holdout)
    real, labels = _check(X_real, y_real, "real", names)
    new, labels_new = _check(X_synthetic, y_synthetic, "synthetic", names)
    group_of = np.arange(len(real)) if groups is None else column_or_1d(groups)
    check_consistent_length(real, group_of)
    rng = check_random_state(random_state)
    holdout = None
    if X_holdout is not None:
        if y_holdout is None:
            raise ValueError("X_holdout was given without y_holdout, its classes.")
        holdout = _check(X_holdout, y_holdout, "holdout", names)
    return diagnose_classes(
        (real, labels),
        (new, labels_new),
        holdout,
        classes=np.unique(labels).tolist(),
        groups=group_of,
        feature_names=names,
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
    feature_names: np.ndarray | None,
    alpha: float,
    n_permutations: int,
    rng: np.random.RandomState,
) -> Diagnosis:
    """Diagnose some classes only; arguments are taken as checked.

    The other classes of the real rows serve to tell whose rows the synthetic ones are.
    """
    X, y = real
    X_new, y_new = synthetic
    if feature_names is None:
        feature_names = _numbered(X.shape[1])
    known = np.unique(y).tolist()
    unknown = sorted(set(np.unique(y_new).tolist()) - set(known), key=str)
    if unknown:
        raise ValueError(
            f"y_synthetic holds classes that y_real does not: {unknown}; known are {known}."
        )
    # From rows of both sides: ranks among the real rows alone would put fresh rows
    # farther out than those they are compared with.
    some_new = rng.permutation(len(X_new))[: len(X)]
    scores = NormalScores()
    scores.fit_transform(np.concatenate([X, X_new[some_new]]), rng)

    def rows(side: tuple[np.ndarray, np.ndarray], label: Any) -> Rows:
        mine = np.flatnonzero(side[1] == label)
        values = side[0][mine]
        group_of = groups[mine] if side is real else None
        return Rows(values, scores.transform(values), mine, group_of)

    pairs = {label: (rows(real, label), rows(synthetic, label)) for label in known}
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
            compare_holdout(e, *pairs[label], rows(holdout, label), rng)
        evidence.append(e)
    shown = {
        label: (ours.some(SHOWN_ROWS, rng), theirs.some(SHOWN_ROWS, rng))
        for label, (ours, theirs) in pairs.items()
        if label in classes
    }
    information = _information(pairs, rng)
    return Diagnosis(evidence, information, shown, feature_names, alpha)


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
    X: Any, y: ArrayLike, side: str, names: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Finite numbers in the order of the real columns, and their labels."""
    if hasattr(X, "columns"):
        X = X[list(names)]
    rows = check_array(X, dtype=np.float64, input_name=f"X_{side}")
    if rows.shape[1] != len(names):
        raise ValueError(f"X_{side} has {rows.shape[1]} columns; X_real has {len(names)}.")
    labels = column_or_1d(y, warn=True)
    check_consistent_length(rows, labels)
    return rows, labels


def _common_columns(X_real: Any, *others: Any) -> np.ndarray:
    """Names of the columns of the real rows, after a look at those of the others."""
    columns = getattr(X_real, "columns", None)
    if columns is None:
        n_columns = np.shape(X_real)[1] if np.ndim(X_real) == 2 else 0
        return _numbered(n_columns)
    names = list(columns)
    for side, X in zip(("synthetic", "holdout"), others, strict=True):
        theirs = getattr(X, "columns", None)
        if theirs is None:
            continue
        missing = [name for name in names if name not in set(theirs)]
        extra = [name for name in theirs if name not in set(names)]
        if missing or extra:
            raise ValueError(
                f"X_{side} has other columns than X_real: without {missing[:5]}, with "
                f"{extra[:5]} besides. Give both the same columns."
            )
    return np.array(names, dtype=object)


def _numbered(n_columns: int) -> np.ndarray:
    return np.array([f"feature {j}" for j in range(n_columns)])


def _statistics_frame(evidence: Sequence[Evidence]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "class": e.label,
                "question": statistic.question,
                "statistic": name,
                "value": statistic.value,
                "null_low": statistic.null_low,
                "null_high": statistic.null_high,
                "p_value": statistic.p_value,
            }
            for e in evidence
            for name, statistic in e.statistics.items()
        ],
        columns=[
            "class",
            "question",
            "statistic",
            "value",
            "null_low",
            "null_high",
            "p_value",
        ],
    )


def _features_frame(
    evidence: Sequence[Evidence],
    names: np.ndarray,
    information: tuple[np.ndarray, np.ndarray],
) -> pd.DataFrame:
    of_real, of_synthetic = information
    frames = [
        pd.DataFrame(
            {
                "class": e.label,
                "feature": names,
                **e.columns,
                "information_real": of_real,
                "information_synthetic": of_synthetic,
            }
        )
        for e in evidence
        if e.columns
    ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _rows_frame(evidence: Sequence[Evidence]) -> pd.DataFrame:
    frames = [
        pd.DataFrame(
            {
                "synthetic": e.judged.index,
                "class": e.label,
                "p_copy": e.comparison.p_copy,
                "p_far": e.comparison.p_far,
                "nearest_real": e.nearest_real,
                "distance": e.comparison.distance,
            }
        )
        for e in evidence
        if e.judged is not None and e.comparison is not None
    ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _summary_of(e: Evidence, name: str) -> str:
    rows = f"{e.n_synthetic} synthetic rows against {e.n_real} real ones"
    lines = [f"class {e.label}: {name} ({rows})", f"  {VERDICTS[name]}"]
    for text, key in (
        ("closer to a real row than fresh rows would be", "share_too_close"),
        ("too far from every real row", "share_too_far"),
        ("on a line between two real rows", "share_interpolated"),
    ):
        if key in e.statistics:
            high = e.statistics[key].null_high
            lines.append(f"  {e[key]:.0%} {text} (up to {high:.0%} is normal)")
    if "energy" in e.statistics:
        lines.append(
            f"  energy distance {e['energy_ratio']:.2f} times its 95% bound, differences "
            f"of correlations {e['correlation_ratio']:.2f} times what chance gives"
        )
    if name != "healthy":
        lines.append(f"  what to do: {ADVICE[name]}")
    return "\n".join(lines)


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {str(name): _plain(value) for name, value in record.items()}
        for record in frame.to_dict("records")
    ]


def _plain(value: Any) -> Any:
    """A value that JSON knows; numbers that are not finite become None."""
    value = getattr(value, "item", lambda: value)()
    return None if isinstance(value, float) and not np.isfinite(value) else value
