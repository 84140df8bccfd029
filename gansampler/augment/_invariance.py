"""What a transform does to features and to what a classifier says of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state, column_or_1d

from ._base import KEEPABLE, Frame, Transform, check_volumes

TOLERANCE = 0.1
"""Change up to which "hu", "texture", "geometry" and "heterogeneity" count as kept."""

ROUNDING = 1e-6
"""Relative difference that comes from the order of sums in single precision."""

MOST_NAMED = 10
"""Broken features that are named in print."""


@dataclass(frozen=True)
class LabelInvariance:
    """What a transform changed: the result of `check_label_invariance`.

    Parameters
    ----------
    transform : str
        The transform, in print.
    ccc : Series
        Feature -> Lin's concordance correlation coefficient, before against after.
    threshold : float
        Below it a feature is broken.
    probability_shift : float
        Mean over volumes of the distance between p(y|x) and p(y|T(x)): half the sum of
        absolute differences over classes, from 0 to 1.
    flip_rate : float
        Share of volumes whose predicted class changed.
    accuracy, accuracy_after : float
        Balanced accuracy of the classifier before and after. Where the first is near
        chance, the two numbers above tell nothing.
    claimed : frozenset of str
        What the transform says that it keeps.
    change : Series
        "hu", "texture", "geometry", "heterogeneity" -> change measured; see
        `check_label_invariance`.
    """

    transform: str
    ccc: pd.Series
    threshold: float
    probability_shift: float
    flip_rate: float
    accuracy: float
    accuracy_after: float
    claimed: frozenset[str]
    change: pd.Series

    @property
    def broken_features(self) -> list[str]:
        """Features with a coefficient below the threshold, the worst first."""
        return [
            str(name) for name in self.ccc[self.ccc < self.threshold].sort_values().index
        ]

    @property
    def kept(self) -> frozenset[str]:
        """What was kept within a tolerance of 0.1 at this strength."""
        return frozenset(self.change.index[self.change <= TOLERANCE])

    @property
    def violated(self) -> frozenset[str]:
        """What is claimed and was not kept."""
        return self.claimed & frozenset(self.change.index[self.change > TOLERANCE])

    def __str__(self) -> str:
        broken = self.broken_features
        lines = [
            self.transform,
            f"  features: {len(broken)} of {len(self.ccc)} broken (CCC < "
            f"{self.threshold:g}), median CCC {self.ccc.median():.3f}",
        ]
        for name in broken[:MOST_NAMED]:
            lines.append(f"    {name}: {self.ccc[name]:.3f}")
        if len(broken) > MOST_NAMED:
            lines.append(f"    and {len(broken) - MOST_NAMED} more")
        lines += [
            f"  labels: {self.flip_rate:.1%} predicted otherwise, probabilities moved by "
            f"{self.probability_shift:.3f}",
            f"  balanced accuracy: {self.accuracy:.3f} before, "
            f"{self.accuracy_after:.3f} after",
        ]
        for name in KEEPABLE:
            said = "claimed" if name in self.claimed else "not claimed"
            found = "kept" if name in self.kept else "not kept"
            if np.isnan(self.change[name]):
                found = "not measured"
            lines.append(f"  {name}: {said}, {found} (change {self.change[name]:.3f})")
        return "\n".join(lines)


def check_label_invariance(
    transform: Callable[..., np.ndarray],
    X: ArrayLike,
    y: ArrayLike,
    *,
    extractor: Any,
    classifier: Any = None,
    threshold: float = 0.9,
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
    mask_channel: int | None = -1,
    random_state: Any = None,
) -> LabelInvariance:
    """Measure what a transform does to features, to predictions, and to what it claims.

    Features are measured before and after, and compared by the concordance correlation
    coefficient of Lin [1]_. A classifier learns from features before, and predicts both
    sides of rows that it did not learn from (cross-validation).

    What is kept is measured on the voxels of the mask, or of the whole volume without one:
    a relative change between 0 and 1 in each volume, its median in each class, and the
    largest of classes and channels.

    - "hu": change of the mean, over the standard deviation before; may exceed 1.
    - "texture": mean squared difference of neighbours over the variance.
    - "geometry": volume of the mask, or its standard deviation in mm along one of its
      principal axes, whichever changed most. NaN without a mask.
    - "heterogeneity": standard deviation.

    Parameters
    ----------
    transform : Transform or callable
        Any other callable is called with X alone.
    X : array-like of shape (n_samples, channel, depth, height, width)
    y : array-like of shape (n_samples,)
        Class labels, with two rows at least of each.
    extractor : callable or transformer
        From volumes to a table of shape (n_samples, n_features): a callable, or anything
        with `fit` and `transform`, of which a clone is fitted to X.
    classifier : estimator with `predict_proba`, default=None
        None takes a logistic regression of standardised features.
    threshold : float, default=0.9
        Coefficient below which a feature is broken.
    spacing : sequence of three floats, default=(1, 1, 1)
        Edges of a voxel in mm: (depth, height, width).
    mask_channel : int or None, default=-1
        Channel that is a mask of zeros and ones.
    random_state : int, RandomState instance or None, default=None
        Seed of the transform and of the folds.

    Returns
    -------
    LabelInvariance

    Raises
    ------
    ValueError
        If X is not as `Transform` needs it, y holds one class only or a class with one
        row, lengths differ, a feature is not finite, or the features before are not those
        after.

    References
    ----------
    .. [1] Lin (1989), A concordance correlation coefficient to evaluate reproducibility,
       Biometrics 45, doi 10.2307/2532051.

    Examples
    --------
    >>> import pandas as pd
    >>> from gansampler.augment import Gamma, check_label_invariance
    >>> from gansampler.datasets import make_liver_phantoms
    >>> X, y = make_liver_phantoms(20, size=16, random_state=0)
    >>> def mean_and_size(X):
    ...     inside = X[:, 1].sum(axis=(1, 2, 3))
    ...     sums = (X[:, 0] * X[:, 1]).sum(axis=(1, 2, 3))
    ...     return pd.DataFrame({"mean": sums / inside, "size": inside})
    >>> result = check_label_invariance(
    ...     Gamma(), X, y, extractor=mean_and_size, random_state=0
    ... )
    >>> result.broken_features, sorted(result.kept & result.claimed)
    (['mean'], ['geometry'])
    """
    volumes, frame = check_volumes(X, spacing, mask_channel)
    labels = column_or_1d(y)
    if len(labels) != len(volumes):
        raise ValueError(f"X has {len(volumes)} volumes and y {len(labels)} labels.")
    classes, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if len(classes) < 2 or counts.min() < 2:
        rows = dict(zip(classes.tolist(), counts.tolist(), strict=True))
        raise ValueError(
            "y must hold two classes at least with two rows each, to learn from some and "
            f"predict others; got {rows}."
        )
    rng = check_random_state(random_state)
    if isinstance(transform, Transform):
        changed = transform(
            volumes, spacing=spacing, mask_channel=mask_channel, random_state=rng
        )
    else:
        changed, _ = check_volumes(transform(volumes), spacing, mask_channel)
    before, after = _tables(extractor, volumes, changed)
    p_before, p_after, predicted = _probabilities(
        classifier, (before, after), labels, int(min(5, counts.min())), rng
    )
    first, second = predicted
    return LabelInvariance(
        transform=repr(transform),
        ccc=_concordance(before, after),
        threshold=threshold,
        probability_shift=float(np.abs(p_before - p_after).sum(axis=1).mean() / 2),
        flip_rate=float((first != second).mean()),
        accuracy=float(balanced_accuracy_score(labels, classes[first])),
        accuracy_after=float(balanced_accuracy_score(labels, classes[second])),
        claimed=frozenset(getattr(transform, "keeps", ())),
        change=_change(volumes, changed, frame, codes),
    )


def _tables(
    extractor: Any, X: np.ndarray, changed: np.ndarray
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Features before and after, as tables of floats."""
    measure = extractor
    if hasattr(extractor, "transform"):
        measure = clone(extractor).fit(X).transform
    tables = []
    for volumes in (X, changed):
        table = measure(volumes)
        if not isinstance(table, pd.DataFrame):
            values = np.asarray(table)
            values = values.reshape(len(values), -1)
            table = pd.DataFrame(values).rename(columns=lambda j: f"feature_{j}")
        tables.append(table.astype(float).reset_index(drop=True))
    before, after = tables
    if len(before) != len(X) or not before.columns.equals(after.columns):
        raise ValueError(
            "The extractor must return one row for each volume and the same features each "
            f"time; got {before.shape} and {after.shape} for {len(X)} volumes."
        )
    finite = np.isfinite(before.to_numpy()) & np.isfinite(after.to_numpy())
    unclear = before.columns[~finite.all(axis=0)].tolist()
    if unclear:
        raise ValueError(f"Features are not finite everywhere: {unclear}. Leave them out.")
    return before, after


def _concordance(before: pd.DataFrame, after: pd.DataFrame) -> pd.Series:
    """Lin's coefficient of each column, with the moments over n, as he defines it."""
    a, b = before.to_numpy(), after.to_numpy()
    mean_a, mean_b = a.mean(axis=0), b.mean(axis=0)
    covariance = ((a - mean_a) * (b - mean_b)).mean(axis=0)
    spread = a.var(axis=0) + b.var(axis=0) + (mean_a - mean_b) ** 2
    # A feature that is the same in all volumes has no spread to compare with.
    same = (np.abs(a - b) <= ROUNDING * np.maximum(np.abs(a), np.abs(b))).all(axis=0)
    ccc = np.ones(a.shape[1])
    np.divide(2 * covariance, spread, out=ccc, where=~same)
    return pd.Series(ccc, index=before.columns, name="ccc")


def _probabilities(
    classifier: Any,
    tables: tuple[pd.DataFrame, pd.DataFrame],
    y: np.ndarray,
    n_folds: int,
    rng: np.random.RandomState,
) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """p(y|x) and p(y|T(x)) of rows not learnt from, and the codes of the likeliest."""
    if classifier is None:
        classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
    before, after = tables
    n_classes = len(np.unique(y))
    p_before, p_after = np.zeros((2, len(y), n_classes))
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=rng)
    for train, test in folds.split(before, y):
        model = clone(classifier).fit(before.iloc[train], y[train])
        p_before[test] = model.predict_proba(before.iloc[test])
        p_after[test] = model.predict_proba(after.iloc[test])
    return p_before, p_after, (p_before.argmax(axis=1), p_after.argmax(axis=1))


def _change(X: np.ndarray, changed: np.ndarray, frame: Frame, y: np.ndarray) -> pd.Series:
    """How much each of `KEEPABLE` changed, as `check_label_invariance` defines it."""
    changes = np.array(
        [_change_of_one(*pair, frame) for pair in zip(X, changed, strict=True)]
    )
    medians = [np.median(changes[y == label], axis=0) for label in np.unique(y)]
    return pd.Series(np.max(medians, axis=0), index=list(KEEPABLE), name="change")


def _change_of_one(before: np.ndarray, after: np.ndarray, frame: Frame) -> list[float]:
    regions = [_region(volume, frame) for volume in (before, after)]
    geometry = np.nan
    if frame.mask is not None:
        geometry = _relative(*(_shape(region, frame) for region in regions)).max()
    hu, texture, heterogeneity = [], [], []
    for channel in frame.images:
        (mean, sd, rough), (mean_after, sd_after, rough_after) = (
            _statistics(volume[channel].astype(float), region)
            for volume, region in zip((before, after), regions, strict=True)
        )
        difference = abs(mean_after - mean)
        hu.append(difference / sd if sd > 0 else float(difference > 0))
        texture.append(_relative(rough, rough_after))
        heterogeneity.append(_relative(sd, sd_after))
    return [max(hu), max(texture), float(geometry), max(heterogeneity)]


def _region(volume: np.ndarray, frame: Frame) -> np.ndarray:
    if frame.mask is None or not volume[frame.mask].any():
        return np.ones(volume.shape[1:], dtype=bool)
    return volume[frame.mask] > 0


def _shape(region: np.ndarray, frame: Frame) -> np.ndarray:
    """Voxels and the standard deviation in mm along each principal axis."""
    places = np.argwhere(region) * frame.spacing
    # Each voxel is a box, so that a single slice has a thickness.
    box = np.diag(frame.spacing**2 / 12)
    covariance = np.cov(places.T, bias=True) + box
    return np.array([len(places), *np.sqrt(np.linalg.eigvalsh(covariance))])


def _statistics(values: np.ndarray, region: np.ndarray) -> tuple[float, float, float]:
    """Mean, standard deviation and roughness of the values in a region."""
    inside = values[region]
    squares = []
    for axis in range(3):
        v, r = np.moveaxis(values, axis, 0), np.moveaxis(region, axis, 0)
        squares.append(((v[1:] - v[:-1]) ** 2)[r[1:] & r[:-1]])
    differences = np.concatenate(squares)
    variance = inside.var()
    rough = differences.mean() / variance if differences.size and variance > 0 else 0.0
    return float(inside.mean()), float(np.sqrt(variance)), float(rough)


def _relative(a: Any, b: Any) -> Any:
    """Difference over the larger: 0 for the same, 1 from or to nothing."""
    return np.abs(b - a) / np.maximum(np.maximum(np.abs(a), np.abs(b)), 1e-12)
