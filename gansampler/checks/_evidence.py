"""Everything that is measured on the synthetic rows of one class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.pipeline import make_pipeline

from .._groups import one_per_group
from ..metrics import (
    benjamini_hochberg,
    classifier_two_sample_test,
    dcr_share,
    kolmogorov_smirnov,
    membership_auc,
    spearman_difference,
    wasserstein_iqr,
)
from ._label_noise import UNKNOWN, LabelNoise
from ._neighbours import Comparison, ConformalNeighbours
from ._relabelling import (
    CLOSE_QUANTILE,
    DUPLICATE_SHARE,
    Null,
    correlation_differences,
    energy_distances,
    is_inside,
    missing_masses,
    neighbourhoods,
    relabel,
    variance_ratios,
)
from ._segments import is_interpolated

JUDGED_ROWS = 2000
"""Synthetic rows of a class that are held against all of its real rows."""

EXCHANGED_ROWS = 500
"""Rows of either side that are exchanged to learn null distributions."""

CORRELATED_COLUMNS = 5000
"""Columns, chosen at random, whose correlations are compared."""

BAND_EXCHANGES = 49
"""Exchanges for costly statistics: their p-values go down to .02."""


@dataclass
class Rows:
    """Rows of one class: as given, as normal scores, where they came from, and patients.

    values, scores : ndarray of shape (n, d); index : position in the table, shape (n,);
    groups : ndarray of shape (n,), for real rows only.
    """

    values: np.ndarray
    scores: np.ndarray
    index: np.ndarray
    groups: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.index)

    def some(self, n: int, rng: np.random.RandomState) -> Rows:
        """At most n of the rows, chosen at random, in their order."""
        if len(self) <= n:
            return self
        return self._take(np.sort(rng.permutation(len(self))[:n]))

    def one_per_group(self, rng: np.random.RandomState) -> Rows:
        """One row of each group, chosen at random; all rows where groups have one each."""
        return self._take(one_per_group(np.asarray(self.groups), rng))

    def _take(self, chosen: np.ndarray) -> Rows:
        groups = None if self.groups is None else self.groups[chosen]
        return Rows(self.values[chosen], self.scores[chosen], self.index[chosen], groups)


@dataclass(frozen=True)
class Statistic:
    """A number, where it would lie if the rows were fresh, and how unlikely it is."""

    question: str
    name: str
    value: float
    null_low: float = np.nan
    null_high: float = np.nan
    p_value: float = np.nan


@dataclass
class Evidence:
    """What is known about the synthetic rows of one class.

    Attributes
    ----------
    label : class
    n_real, n_synthetic, n_groups, n_judged, n_distinct : int
        Rows of the class, groups of its real rows, synthetic rows held one by one against
        the real ones, and those that are no near-duplicates of one another.
    level : float
        Level at which single rows are tested.
    statistics : dict of name -> Statistic
    columns : dict of name -> ndarray of shape (d,)
        Column by column: KS statistic, p-value, adjusted p-value, W1 / IQR.
    judged : Rows
        The rows held one by one against the real ones, and
    comparison : Comparison
        what came out.
    real_index : ndarray of shape (n_real,)
        Position of the real rows in their table.
    """

    label: Any
    n_real: int
    n_synthetic: int
    n_groups: int = 0
    n_judged: int = 0
    n_distinct: int = 0
    level: float = np.nan
    statistics: dict[str, Statistic] = field(default_factory=dict)
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    judged: Rows | None = None
    comparison: Comparison | None = None
    real_index: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=int))

    def __getitem__(self, name: str) -> float:
        """Value of a statistic; nan where it could not be taken."""
        statistic = self.statistics.get(name)
        return np.nan if statistic is None else statistic.value

    def p_value(self, name: str) -> float:
        statistic = self.statistics.get(name)
        return np.nan if statistic is None else statistic.p_value

    def null_low(self, name: str) -> float:
        statistic = self.statistics.get(name)
        return np.nan if statistic is None else statistic.null_low

    def null_high(self, name: str) -> float:
        statistic = self.statistics.get(name)
        return np.nan if statistic is None else statistic.null_high

    @property
    def nearest_real(self) -> np.ndarray:
        """Position in the real table of the real row nearest to each judged row."""
        assert self.comparison is not None
        return self.real_index[self.comparison.nearest]

    @property
    def standard_error(self) -> float:
        """Of the share of fresh rows that a test at `level` rejects.

        Rows are judged against the same real rows, which makes it 1.3 times that of
        independent ones.
        """
        spread = self.level * (1 - self.level)
        return 1.3 * float(np.sqrt(spread * (1 / self.n_groups + 1 / self.n_distinct)))

    def add(
        self,
        question: str,
        name: str,
        value: float,
        null_low: float = np.nan,
        null_high: float = np.nan,
        p_value: float = np.nan,
    ) -> None:
        self.statistics[name] = Statistic(
            question, name, float(value), float(null_low), float(null_high), float(p_value)
        )

    def add_null(self, question: str, name: str, null: Null, *, tail: str) -> None:
        p_value = {"above": null.p_above, "below": null.p_below, "": np.nan}[tail]
        self.add(question, name, null.value, null.low, null.high, p_value)


def examine(
    label: Any,
    real: Rows,
    synthetic: Rows,
    noise: LabelNoise = UNKNOWN,
    others: Sequence[Rows] = (),
    *,
    alpha: float,
    n_permutations: int,
    rng: np.random.RandomState,
) -> Evidence:
    """Measure the synthetic rows of a class against its real rows.

    `others` are the real rows of the other classes, which wrongly labelled rows are like.
    """
    evidence = Evidence(label, len(real), len(synthetic))
    evidence.n_groups = len(np.unique(np.asarray(real.groups)))
    if len(synthetic) == 0:
        return evidence
    _compare_rows(evidence, real, synthetic, alpha, rng)
    _labels(evidence, noise)
    # Rows of a patient are alike and cannot be exchanged for fresh ones: one of each.
    apart = real.one_per_group(rng)
    if min(len(apart), len(synthetic)) >= 2:
        others = [rows.one_per_group(rng) for rows in others]
        _compare_neighbourhoods(evidence, apart, synthetic, others, rng)
        _compare_distributions(evidence, apart, synthetic, n_permutations, rng)
        _compare_columns(evidence, apart, synthetic, alpha)
        _tell_apart(evidence, apart, synthetic, rng)
    return evidence


def compare_holdout(
    evidence: Evidence,
    real: Rows,
    synthetic: Rows,
    holdout: Rows,
    rng: np.random.RandomState,
) -> None:
    """Add whether synthetic rows are nearer to real rows than to unseen ones."""
    if len(holdout) < 2:
        return
    trained, unseen = real.some(JUDGED_ROWS, rng), holdout.some(JUDGED_ROWS, rng)
    judged = synthetic.some(JUDGED_ROWS, rng)
    sides = trained.scores, unseen.scores, judged.scores
    share, p_value = dcr_share(*sides, random_state=rng)
    evidence.add("copies", "dcr_share", share, p_value=p_value)
    auc, p_value = membership_auc(*sides)
    evidence.add("copies", "membership_auc", auc, p_value=p_value)


def _compare_rows(
    evidence: Evidence,
    real: Rows,
    synthetic: Rows,
    alpha: float,
    rng: np.random.RandomState,
) -> None:
    assert real.groups is not None
    judged = synthetic.some(JUDGED_ROWS, rng)
    neighbours = ConformalNeighbours(real.scores, real.groups, rng)
    comparison = neighbours.compare(judged.scores)
    level = max(alpha, neighbours.smallest_level)
    evidence.level, evidence.n_judged = level, len(judged)
    evidence.judged, evidence.comparison = judged, comparison
    evidence.real_index = real.index

    # Repeated rows tell about copies once: a few points are no hundred copies.
    distinct = _distinct(judged.scores, neighbours.nearest)
    evidence.n_distinct = len(distinct)
    margin = evidence.standard_error
    close = (comparison.p_copy[distinct] <= level).mean()
    paired = (comparison.p_ratio[distinct] <= level).mean()
    high = max(0.12, level + 1.5 * margin)
    evidence.add("copies", "share_too_close", close, 0, high)
    copies = max(0.0, (close - level) / (1 - level))
    evidence.add("copies", "estimated_copies", copies)
    high = max(0.15, level + 3.5 * margin)
    evidence.add("copies", "share_paired", paired, 0, high)
    if evidence.n_groups > 2:
        nearer = _probability_lower(comparison.ratio[distinct], neighbours.ratios)
        band = 2 * 1.3 * np.sqrt((1 / evidence.n_groups + 1 / len(distinct)) / 12)
        evidence.add("copies", "ratio_lower", nearer, 0.5 - band, 0.5 + band)

    ends = real.some(JUDGED_ROWS, rng)
    spread = ends.values.std(axis=0)
    spread[spread == 0] = 1.0
    on_segment = is_interpolated(
        [
            (ends.scores, judged.scores),
            (ends.values / spread, judged.values / spread),
        ],
        np.asarray(ends.groups),
        alpha,
    )
    evidence.add("copies", "share_interpolated", on_segment.mean(), 0, level + 2 * margin)


def _distinct(rows: np.ndarray, nearest: np.ndarray) -> np.ndarray:
    """Index of one row of each cluster of near-duplicates.

    `nearest` are the distances of real rows to the nearest other one.
    """
    if np.isinf(nearest).any():
        return np.arange(len(rows))
    within = DUPLICATE_SHARE * np.quantile(nearest, CLOSE_QUANTILE)
    near = csr_array(cdist(rows, rows) <= within)
    _, cluster = connected_components(near, directed=False)
    return np.unique(cluster, return_index=True)[1]


def _probability_lower(values: np.ndarray, others: np.ndarray) -> float:
    """Probability that a value is below another one; ties count half."""
    order = np.sort(others)
    below = np.searchsorted(order, values, side="left")
    at_most = np.searchsorted(order, values, side="right")
    return 1 - float((below + at_most).mean() / (2 * len(others)))


def _labels(evidence: Evidence, noise: LabelNoise) -> None:
    evidence.add("labels", "label_noise", noise.share)
    evidence.add("labels", "label_noise_z", noise.z, -2.33, 2.33)
    evidence.add("labels", "real_accuracy", noise.accuracy)


def _compare_neighbourhoods(
    evidence: Evidence,
    real: Rows,
    synthetic: Rows,
    others: Sequence[Rows],
    rng: np.random.RandomState,
) -> None:
    n = min(len(real), len(synthetic), EXCHANGED_ROWS)
    pooled = np.concatenate([real.some(n, rng).scores, synthetic.some(n, rng).scores])
    is_real = relabel(n, n, BAND_EXCHANGES, rng)
    found = neighbourhoods(cdist(pooled, pooled), is_real, evidence.level)
    for name in ("real_real", "synthetic_synthetic", "synthetic_real"):
        null = Null.of(getattr(found, name))
        evidence.add_null("copies", f"distance_{name}", null, tail="")
    for name in ("synthetic_synthetic", "synthetic_real"):
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = getattr(found, name) / found.real_real
        evidence.add_null("copies", f"ratio_{name}", Null.of(ratios), tail="below")
    for question, name in (
        ("coverage", "recall"),
        ("coverage", "coverage"),
        ("fidelity", "precision"),
        ("fidelity", "density"),
    ):
        null = Null.of(getattr(found, name))
        evidence.add_null(question, name, null, tail="below")
    null = Null.of(found.too_far)
    evidence.add_null("fidelity", "share_too_far", null, tail="above")
    null = Null.of(found.near_duplicates)
    evidence.add_null("coverage", "near_duplicates", null, tail="")
    judged = synthetic.some(n, rng).scores
    inside = np.zeros(len(judged), dtype=bool)
    for rows in (real, *others):
        inside |= is_inside(rows.some(EXCHANGED_ROWS, rng).scores, judged)
    evidence.add("labels", "precision_any_class", inside.mean())


def _compare_distributions(
    evidence: Evidence,
    real: Rows,
    synthetic: Rows,
    n_permutations: int,
    rng: np.random.RandomState,
) -> None:
    real, synthetic = real.some(EXCHANGED_ROWS, rng), synthetic.some(EXCHANGED_ROWS, rng)
    pooled = np.concatenate([real.scores, synthetic.scores])
    is_real = relabel(len(real), len(synthetic), n_permutations, rng)

    null = Null.of(variance_ratios(pooled, is_real))
    evidence.add_null("coverage", "variance_ratio", null, tail="below")
    null = Null.of(missing_masses(pooled, is_real, rng))
    evidence.add_null("coverage", "missing_bin_mass", null, tail="above")

    energies = energy_distances(cdist(pooled, pooled), is_real)
    null = Null.of(energies)
    evidence.add_null("fidelity", "energy", null, tail="above")
    bound = np.quantile(energies[1:], 0.95)
    ratio = null.value / bound if bound > 0 else np.nan
    evidence.add("fidelity", "energy_ratio", ratio, 0, 1, null.p_above)

    exchanges = is_real[: 1 + min(n_permutations, BAND_EXCHANGES)]
    d = real.scores.shape[1]
    if d > 1:
        some = np.arange(d)
        if d > CORRELATED_COLUMNS:
            some = np.sort(rng.permutation(d)[:CORRELATED_COLUMNS])
        null = Null.of(correlation_differences(pooled[:, some], exchanges))
        scale = null.mean if null.mean > 0 else np.nan
        evidence.add(
            "fidelity",
            "correlation_ratio",
            null.value / scale,
            null.low / scale,
            null.high / scale,
            null.p_above,
        )
        difference = spearman_difference(real.values[:, some], synthetic.values[:, some])
        evidence.add("fidelity", "correlation_rms", difference.rms)
        evidence.add("fidelity", "correlation_frobenius", difference.frobenius)


def _compare_columns(evidence: Evidence, real: Rows, synthetic: Rows, alpha: float) -> None:
    statistic, p_value = kolmogorov_smirnov(real.values, synthetic.values)
    adjusted = benjamini_hochberg(p_value)
    shift = wasserstein_iqr(real.values, synthetic.values)
    evidence.columns = {
        "ks": statistic,
        "ks_p_value": p_value,
        "ks_p_adjusted": adjusted,
        "w1_iqr": shift,
    }
    evidence.add("fidelity", "columns_rejected", (adjusted <= alpha).mean(), 0, 0)
    evidence.add("fidelity", "w1_iqr_median", np.median(shift))
    evidence.add("fidelity", "w1_iqr_max", shift.max())


def _tell_apart(
    evidence: Evidence, real: Rows, synthetic: Rows, rng: np.random.RandomState
) -> None:
    n = min(len(real), len(synthetic), EXCHANGED_ROWS)
    if n < 10 or not np.ptp(real.scores, axis=0).any():
        return
    sides = real.some(n, rng).scores, synthetic.some(n, rng).scores
    classifier = make_pipeline(
        PCA(
            min(n, real.scores.shape[1], 20),
            svd_solver="randomized",
            random_state=rng.randint(2**31 - 1),
        ),
        LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
    )
    auc, p_value = classifier_two_sample_test(
        *sides, classifier=classifier, random_state=rng
    )
    evidence.add("fidelity", "classifier_auc", auc, p_value=p_value)
