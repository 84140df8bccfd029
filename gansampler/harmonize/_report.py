"""Arms of harmonization side by side: what is left of the site, and of the label."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from inspect import signature
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats
from sklearn import get_config
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, check_cv
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import _safe_indexing, check_random_state, column_or_1d, get_tags

from .._groups import check_groups
from ..report._plots import new_figure
from ._combat import ComBat
from ._design import check_sites, some

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Fold = tuple[np.ndarray, np.ndarray]
Pair = list[pd.DataFrame]

LEVEL = 0.95

TARGETS = ("site", "label")
MARKERS = "osD^v"

TINY = 1e-12
"""Share of a feature's variance up to which it is rounding."""

ASSOCIATED = 0.55
"""AUC of the site given the label alone from which on it is said in print."""


@dataclass(frozen=True)
class HarmonizationReport:
    """What arms of harmonization do to site and label: of `harmonization_report`.

    Parameters
    ----------
    table_ : DataFrame of shape (n_arms, 6 n_classifiers + 3)
        One row an arm, with the columns

        - site_linear, site_linear_low, site_linear_high: area under the ROC curve of the
          site, predicted by the classifier "linear" from features of rows not learned from,
          and its interval; .5 is none left. The same for each classifier.
        - label_linear, label_linear_low, label_linear_high: of the label.
        - site_effect, label_effect: mean over features of `effects_`.
        - label_kept: effect of the label over what it is without harmonization, 1 for all
          of it.
    effects_ : DataFrame of shape (n_features, 2 n_arms)
        Partial eta squared of features in rows not learned from, from 0 to 1: `effects_[
        "site"]` given the label, `effects_["label"]` given the site, one column an arm.
    scores_ : DataFrame of shape (n_arms * n_folds * n_classifiers * 2, 5)
        The columns arm, fold, classifier, target ("site" or "label") and auc.
    site_counts, class_counts : dict
        Rows of each.
    site_auc_from_label : float
        Area under the ROC curve of the site predicted from the label alone. Where it is
        above .5 features that tell the label tell the site, and should.
    classifiers : list of str
        Names of what predicts.
    """

    table_: pd.DataFrame
    effects_: pd.DataFrame
    scores_: pd.DataFrame
    site_counts: dict[Any, int]
    class_counts: dict[Any, int]
    site_auc_from_label: float
    classifiers: list[str]

    def summary(self) -> str:
        """The table in words and numbers.

        Returns
        -------
        str
        """
        n_folds = self.scores_["fold"].nunique()
        lines = [
            f"{sum(self.site_counts.values())} rows, {len(self.effects_)} features",
            f"sites: {_counts(self.site_counts)}",
            f"classes: {_counts(self.class_counts)}",
            f"AUC in rows held out, mean of {n_folds} folds [{LEVEL:.0%} interval]: "
            "of the site, should come to .50; of the label, should stay",
            "",
        ]
        shown = pd.DataFrame(
            {
                f"{what} ({name})": _in_print(self.table_, f"{what}_{name}")
                for what in TARGETS
                for name in self.classifiers
            }
        )
        shown["site effect"] = self.table_["site_effect"].map("{:.3f}".format)
        shown["label effect"] = self.table_["label_effect"].map("{:.3f}".format)
        shown["label kept"] = self.table_["label_kept"].map("{:.0%}".format)
        lines.append(shown.to_string())
        if self.site_auc_from_label > ASSOCIATED:
            lines += [
                "",
                "Classes are not equally frequent at all sites: the label alone tells the "
                f"site with an AUC of {self.site_auc_from_label:.2f}, and features that "
                "keep the label whole tell it too.",
            ]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.summary()

    def plot(self) -> Figure:
        """Both areas of each arm, with their intervals.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        n_lines = len(self.table_) * len(self.classifiers)
        figure = new_figure(height=1.0 + 0.25 * n_lines)
        axes = figure.subplots(1, 2, sharey=True)
        places = np.arange(len(self.table_))
        step = 0.5 / len(self.classifiers)
        for ax, what in zip(axes, TARGETS, strict=True):
            for k, name in enumerate(self.classifiers):
                column = f"{what}_{name}"
                auc = self.table_[column]
                ax.errorbar(
                    auc,
                    places + (k - (len(self.classifiers) - 1) / 2) * step,
                    xerr=[
                        auc - self.table_[f"{column}_low"],
                        self.table_[f"{column}_high"] - auc,
                    ],
                    fmt=MARKERS[k % len(MARKERS)],
                    capsize=3,
                    label=name,
                )
            ax.axvline(0.5, color="0.6", linestyle="--", linewidth=1)
            ax.set_yticks(places, list(map(str, auc.index)))
            ax.set_xlim(-0.02, 1.02)
            ax.set_xlabel(f"AUC of the {what}")
        axes[1].legend(frameon=False)
        axes[0].set_ylim(len(self.table_) - 0.5, -0.5)
        return figure


def harmonization_report(
    X: Any,
    y: ArrayLike,
    sites: ArrayLike,
    *,
    harmonizers: Mapping[str, Any] | None = None,
    covariates: Any = None,
    extractor: Any = None,
    classifier: Any = None,
    cv: Any = 5,
    groups: ArrayLike | None = None,
    random_state: Any = None,
) -> HarmonizationReport:
    """Set arms of harmonization side by side: is the site gone, and the label still there?

    As [1]_ set none, ComBat, CycleGAN and both together side by side. Each arm is fitted on
    the training rows of each fold; site and label of the others are then predicted by
    classifiers that learned from the training rows, harmonized.

    Parameters
    ----------
    X : {array-like, dataframe} of shape (n_samples, n_features), or array-like of shape \
            (n_samples, channel, depth, height, width)
        A table, or volumes (or slices, with one axis less) and an `extractor`.
    y : array-like of shape (n_samples,)
        Class labels.
    sites : array-like of shape (n_samples,)
        Site of each row.
    harmonizers : mapping of str -> transformer, pair of transformers, or None, default=None
        Arms by name. A transformer is one of features; of volumes, give pairs (of volumes,
        of features), either of which may be None. They get y in `fit`, and sites,
        covariates and groups where they take them. None is {"none": None, "ComBat":
        ComBat()}.
    covariates : {array-like, dataframe} of shape (n_samples, n_covariates), default=None
        For harmonizers that take them.
    extractor : callable or transformer, default=None
        From volumes to a table, such as `RadiomicsExtractor`.
    classifier : estimator with `predict_proba`, or mapping of str -> such, default=None
        What predicts site and label, by name. None is {"linear": logistic regression of
        standardised features, "forest": random forest}: they do not see the same.
    cv : int, cross-validation generator or iterable, default=5
        An int is a number of folds, shuffled and stratified by site and label.
    groups : array-like of shape (n_samples,), default=None
        Patients, say: rows of one are never on both sides of a fold.
    random_state : int, RandomState instance or None, default=None
        Seed of the folds and of the random forest.

    Returns
    -------
    HarmonizationReport

    Raises
    ------
    ValueError
        If there are fewer than two sites or classes, or fewer rows of one than folds;
        lengths differ; volumes come without an extractor, or a table with a harmonizer of
        volumes; features are not finite, or their number changes.

    Notes
    -----
    Intervals are corrected resampled t intervals [2]_: over J folds with areas of mean m
    and variance v, m +- t_{J-1} sqrt((1/J + n_test/n_train) v), cut at 0 and 1. With five
    folds they are wide; a `RepeatedStratifiedKFold` narrows them.

    Classifiers do not see the same. Means of sites are what most methods make equal: where
    they are, a linear classifier finds nothing, whatever else differs. Where a little is
    left of many correlated features' shifts, as shrinkage does, it finds more than a random
    forest.

    An area below .5 is not chance either: the site is still there, on the other side. What
    is left of shifts in training rows is then mostly their own error, and held-out rows lie
    opposite. It shows where sites are small; see the guide on harmonization.

    Effects are given the other factor, so a harmonizer that takes a difference in classes
    for one of sites leaves a large effect of sites.

    References
    ----------
    .. [1] Mali et al. (2025), Harmonizing CT scanner acquisition variability in an
       anthropomorphic phantom, PLOS One 20, doi 10.1371/journal.pone.0322365.
    .. [2] Nadeau and Bengio (2003), Inference for the generalization error, Machine
       Learning 52, doi 10.1023/A:1024068626366.

    Examples
    --------
    >>> import numpy as np
    >>> from gansampler.harmonize import harmonization_report
    >>> rng = np.random.default_rng(0)
    >>> sites, y = np.repeat(["A", "B"], 60), np.tile([0, 1], 60)
    >>> X = rng.normal(size=(120, 8))
    >>> X[:, :2] += y[:, None]
    >>> X[sites == "B"] = 1 + 1.5 * X[sites == "B"]
    >>> report = harmonization_report(X, y, sites, random_state=0)
    >>> report.table_[["site_linear", "label_linear"]].round(1)
            site_linear  label_linear
    none            0.9           0.8
    ComBat          0.5           0.9
    """
    data = _check_data(X, extractor)
    site_of, labels = check_sites(sites, len(data)), column_or_1d(y)
    if len(labels) != len(data):
        raise ValueError(f"y has {len(labels)} labels for {len(data)} rows.")
    site_counts, class_counts = _tally(site_of, "sites"), _tally(labels, "y")
    if harmonizers is None:
        harmonizers = {"none": None, "ComBat": ComBat()}
    arms = {
        name: _check_arm(name, arm, extractor is None) for name, arm in harmonizers.items()
    }
    if groups is not None:
        groups = check_groups(groups, len(data))
    rng = check_random_state(random_state)
    folds = _folds(cv, site_of, labels, groups, rng)
    judges = _check_classifier(classifier, rng)

    known = {"sites": site_of, "covariates": covariates, "groups": groups}
    metadata = {name: value for name, value in known.items() if value is not None}
    study = _Study(data, labels, metadata, extractor, folds)
    bare = study.harmonized(None, None)
    before = _effects(bare, folds, site_of, labels)
    targets = dict(zip(TARGETS, (site_of, labels), strict=True))
    ratio = float(np.mean([len(test) / len(train) for train, test in folds]))
    scores: list[tuple[Any, ...]] = []
    rows: dict[str, dict[str, float]] = {}
    effects: dict[str, _Effects] = {}
    for name, arm in arms.items():
        try:
            pairs = bare if arm == (None, None) else study.harmonized(*arm)
        except Exception as error:
            error.add_note(f"In arm {name!r} of harmonizers.")
            raise
        rows[name] = {}
        for what, judge in product(TARGETS, judges):
            areas = [
                _auc(judges[judge], pair, targets[what], fold)
                for pair, fold in zip(pairs, folds, strict=True)
            ]
            scores += [(name, k, judge, what, area) for k, area in enumerate(areas)]
            rows[name] |= _interval(np.array(areas), ratio, f"{what}_{judge}")
        effect = effects[name] = _effects(pairs, folds, site_of, labels)
        rows[name] |= {
            "site_effect": effect.site.mean(),
            "label_effect": effect.label.mean(),
            "label_kept": effect.kept(before),
        }
    by_kind = {
        what: pd.DataFrame(
            {name: getattr(effect, what) for name, effect in effects.items()}
        )
        for what in ("site", "label")
    }
    return HarmonizationReport(
        table_=pd.DataFrame.from_dict(rows, orient="index"),
        effects_=pd.concat(by_kind, axis=1),
        scores_=pd.DataFrame(
            scores, columns=["arm", "fold", "classifier", "target", "auc"]
        ),
        site_counts=site_counts,
        class_counts=class_counts,
        site_auc_from_label=_auc_from(labels, site_of),
        classifiers=[*judges],
    )


class _Study:
    """Rows with all that is known of them, harmonized fold by fold."""

    def __init__(
        self,
        data: Any,
        y: np.ndarray,
        metadata: dict[str, Any],
        extractor: Any,
        folds: list[Fold],
    ) -> None:
        self.data, self.y, self.metadata = data, y, metadata
        self.extractor, self.folds = extractor, folds

    def harmonized(self, on_volumes: Any, on_features: Any) -> list[Pair]:
        """Tables of the training rows and of the others, of each fold."""
        pairs = []
        for fold in self.folds:
            if on_volumes is None and not self._learns:
                tables = [self._whole.iloc[rows] for rows in fold]
            else:
                parts = [self.data[rows] for rows in fold]
                if on_volumes is not None:
                    parts = self._through(on_volumes, parts, fold)
                tables = self._measured(*parts)
            if on_features is not None:
                columns = tables[0].columns
                tables = [
                    _as_table(table, columns)
                    for table in self._through(on_features, tables, fold)
                ]
            pairs.append(tables)
        return pairs

    @property
    def _learns(self) -> bool:
        """Whether the extractor learns from the volumes it is fitted on."""
        is_transformer = hasattr(self.extractor, "transform")
        return is_transformer and get_tags(self.extractor).requires_fit

    @cached_property
    def _whole(self) -> pd.DataFrame:
        return self.data if self.extractor is None else self._measured(self.data)[0]

    def _measured(self, *parts: np.ndarray) -> list[pd.DataFrame]:
        """Features of volumes, by an extractor fitted on the first of them."""
        measure = self.extractor
        if hasattr(measure, "transform"):
            measure = clone(measure).fit(parts[0]).transform
        return [_as_table(measure(part)) for part in parts]

    def _through(self, harmonizer: Any, parts: list[Any], fold: Fold) -> list[Any]:
        """Both parts, harmonized by what was fitted on the first."""
        harmonizer, train = clone(harmonizer), fold[0]
        harmonizer.fit(parts[0], self.y[train], **self._taken(harmonizer, "fit", train))
        return [
            harmonizer.transform(part, **self._taken(harmonizer, "transform", rows))
            for part, rows in zip(parts, fold, strict=True)
        ]

    def _taken(self, harmonizer: Any, method: str, rows: np.ndarray) -> dict[str, Any]:
        """What a method takes of the metadata, by its signature or by its requests."""
        taken = set(signature(getattr(harmonizer, method)).parameters)
        if get_config()["enable_metadata_routing"]:
            taken |= harmonizer.get_metadata_routing().consumes(method, [*self.metadata])
        return {
            name: _safe_indexing(value, rows)
            for name, value in self.metadata.items()
            if name in taken
        }


@dataclass
class _Effects:
    """Partial eta squared of each feature, and what the label adds to it, standardised."""

    site: pd.Series
    label: pd.Series
    of_label: np.ndarray

    def kept(self, before: _Effects) -> float:
        """Slope, through the origin, of the label's effects on those before."""
        size = (before.of_label**2).sum()
        return float((self.of_label * before.of_label).sum() / size) if size else np.nan


def _effects(
    pairs: list[Pair], folds: list[Fold], site_of: np.ndarray, labels: np.ndarray
) -> _Effects:
    """Effects in rows not learned from; where there are repeats, in their means."""
    columns = pairs[0][1].columns
    if any(not pair[1].columns.equals(columns) for pair in pairs):
        raise ValueError(
            "Features differ from fold to fold; take an extractor that does not choose."
        )
    total, times = np.zeros((len(labels), len(columns))), np.zeros(len(labels))
    for (_, test), (_, unseen) in zip(folds, pairs, strict=True):
        total[test] += unseen.to_numpy()
        times[test] += 1
    rows = times > 0
    X = total[rows] / times[rows, None]
    X = X - X.mean(axis=0)
    spread = X.std(axis=0)
    X /= np.where(spread > 0, spread, 1.0)

    def unexplained(*factors: np.ndarray) -> np.ndarray:
        design = np.hstack([f[:, None] == np.unique(f) for f in factors]).astype(float)
        return X - design @ np.linalg.lstsq(design, X, rcond=None)[0]

    site, label = site_of[rows], labels[rows]
    by_site, by_label, by_both = (
        unexplained(site),
        unexplained(label),
        unexplained(site, label),
    )
    left = (by_both**2).mean(axis=0)

    def eta(residuals: np.ndarray) -> pd.Series:
        more = (residuals**2).mean(axis=0)
        share = np.divide(left, more, out=np.ones_like(more), where=more > TINY)
        return pd.Series(1 - share, columns)

    scale = np.sqrt(np.where(left > TINY, left, 1.0))
    return _Effects(eta(by_label), eta(by_site), (by_site - by_both) / scale)


def _auc(classifier: Any, pair: Pair, target: np.ndarray, fold: Fold) -> float:
    """Mean over classes of one against the rest; NaN where there is but one."""
    known, asked = (target[rows] for rows in fold)
    if len(np.unique(known)) < 2:
        return np.nan
    model = clone(classifier).fit(pair[0], known)
    return _mean_auc(model.predict_proba(pair[1]), model.classes_, asked)


def _auc_from(labels: np.ndarray, site_of: np.ndarray) -> float:
    """AUC of the site by its shares among the rows of the same label."""
    shares = pd.crosstab(labels, site_of, normalize="index")
    return _mean_auc(shares.loc[labels].to_numpy(), shares.columns.to_numpy(), site_of)


def _mean_auc(probabilities: np.ndarray, classes: np.ndarray, target: np.ndarray) -> float:
    areas = [
        roc_auc_score(target == label, column)
        for label, column in zip(classes, probabilities.T, strict=True)
        if 0 < (target == label).sum() < len(target)
    ]
    return float(np.mean(areas)) if areas else np.nan


def _interval(areas: np.ndarray, ratio: float, what: str) -> dict[str, float]:
    """Mean and corrected resampled t interval; folds without an area do not count."""
    areas = areas[np.isfinite(areas)]
    mean = half = np.nan
    if len(areas):
        mean = float(areas.mean())
    if len(areas) > 1:
        error = np.sqrt((1 / len(areas) + ratio) * areas.var(ddof=1))
        half = float(stats.t.ppf((1 + LEVEL) / 2, len(areas) - 1) * error)
    low, high = np.clip([mean - half, mean + half], 0, 1).tolist()
    return {what: mean, f"{what}_low": low, f"{what}_high": high}


def _check_data(X: Any, extractor: Any) -> Any:
    """A DataFrame, or an array of volumes."""
    if extractor is None:
        n_axes = np.ndim(X)
        if n_axes != 2:
            raise ValueError(
                f"X has {n_axes} axes; give a table, of 2 axes, or volumes and an "
                "extractor such as RadiomicsExtractor."
            )
        return _as_table(X)
    volumes = np.asarray(X)
    if volumes.ndim < 4:
        raise ValueError(
            f"X has {volumes.ndim} axes, and extractor takes volumes: (sample, channel, "
            "depth, height, width). Give a table without an extractor."
        )
    return volumes


def _as_table(values: Any, columns: Any = None) -> pd.DataFrame:
    """Features as floats, all finite, under their names."""
    if not isinstance(values, pd.DataFrame):
        values = pd.DataFrame(np.asarray(values))
        if columns is not None and len(columns) == values.shape[1]:
            values.columns = columns
        else:
            values = values.rename(columns=lambda j: f"feature_{j}")
    if columns is not None and len(columns) != values.shape[1]:
        raise ValueError(
            f"A harmonizer made {values.shape[1]} features of {len(columns)}; it must keep "
            "them, for their effects to be compared."
        )
    values = values.astype(float)
    unclear = values.columns[~np.isfinite(values).all(axis=0)].tolist()
    if unclear:
        raise ValueError(f"Features are not finite: {some(unclear)}. Leave them out.")
    return values


def _check_arm(name: str, arm: Any, is_table: bool) -> tuple[Any, Any]:
    """What harmonizes volumes, and what features."""
    if not isinstance(arm, tuple | list):
        arm = None, arm
    if len(arm) != 2:
        raise ValueError(
            f"harmonizers[{name!r}] has {len(arm)} parts; give a pair, (of volumes, of "
            "features)."
        )
    if is_table and arm[0] is not None:
        raise ValueError(
            f"harmonizers[{name!r}] has one of volumes, and X is a table; give volumes and "
            "an extractor."
        )
    return arm[0], arm[1]


def _check_classifier(classifier: Any, rng: np.random.RandomState) -> dict[str, Any]:
    """Classifiers by name."""
    if classifier is None:
        seed = rng.randint(2**31 - 1)
        return {
            "linear": make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000)),
            "forest": RandomForestClassifier(random_state=seed),
        }
    if isinstance(classifier, Mapping):
        return dict(classifier)
    return {"classifier": classifier}


def _tally(values: np.ndarray, what: str) -> dict[Any, int]:
    names, counts = np.unique(values, return_counts=True)
    tally = dict(zip(names.tolist(), counts.tolist(), strict=True))
    if len(tally) < 2:
        raise ValueError(f"{what} must hold two different values at least; got {[*tally]}.")
    return tally


def _folds(
    cv: Any,
    site_of: np.ndarray,
    labels: np.ndarray,
    groups: Any,
    rng: np.random.RandomState,
) -> list[Fold]:
    """Training rows and others; an int asks for folds stratified by site and label."""
    pairs = zip(site_of.tolist(), labels.tolist(), strict=True)
    strata = np.unique([f"{pair!r}" for pair in pairs], return_inverse=True)[1]
    if not isinstance(cv, int | np.integer):
        return list(check_cv(cv).split(strata, strata, groups))
    for what, values in (("site", site_of), ("class", labels)):
        for name, count in _tally(values, what).items():
            if count < cv:
                raise ValueError(
                    f"{what} {name!r} has {count} rows, fewer than cv={cv} folds; take "
                    "fewer folds, or leave it out."
                )
    splitter = StratifiedKFold if groups is None else StratifiedGroupKFold
    with warnings.catch_warnings():
        # A site may have few rows of a class.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        return list(
            splitter(cv, shuffle=True, random_state=rng).split(strata, strata, groups)
        )


def _counts(tally: dict[Any, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in tally.items())


def _in_print(table: pd.DataFrame, column: str) -> pd.Series:
    parts = (column, f"{column}_low", f"{column}_high")
    auc, low, high = (table[part].map("{:.2f}".format) for part in parts)
    return auc + " [" + low + ", " + high + "]"
