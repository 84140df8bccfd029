"""Everything that the pictures and the page say, as plain numbers, arrays and lists."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform
from scipy.stats import rankdata
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.utils.extmath import randomized_svd

WORST_ROWS = 8
"""Rows most like copies, in the table of a class."""

LISTED_FEATURES = 8
"""Features in either table of a class, the worst and the most predictive."""

DRAWN_FEATURES = 4
"""Features of either kind whose marginals are drawn."""

CORRELATED_FEATURES = 40
"""Features whose correlations can be read in one picture."""

QUESTIONS = {
    "copies": "Are synthetic rows copies of real ones?",
    "labels": "Do synthetic rows belong to the class they are labelled with?",
    "coverage": "Is the whole class there?",
    "fidelity": "Are synthetic rows distributed like the real ones?",
}


class Wording(NamedTuple):
    """How a statistic is called and read.

    unit : "share" for one shown in percent, else "". worse : the side of its band that is
    bad news, "above", "below" or "" for neither by itself. decides : whether a verdict
    rests on it.
    """

    title: str
    asks: str
    unit: str = ""
    worse: str = ""
    decides: bool = False


STATISTICS = {
    "share_too_close": Wording(
        "Rows too close to a real row",
        "How many synthetic rows lie closer to a real row than fresh rows would, both in "
        "distance and beside the second-nearest real row?",
        "share",
        "above",
        True,
    ),
    "estimated_copies": Wording(
        "Estimated share of copies",
        "The share of rows too close, less what fresh rows give by chance.",
        "share",
    ),
    "share_paired": Wording(
        "Rows paired with one real row",
        "How many synthetic rows are much nearer to one real row than to the "
        "second-nearest, at whatever distance?",
        "share",
        "above",
        True,
    ),
    "ratio_lower": Wording(
        "Nearest against second-nearest",
        "How often is the ratio of these two distances lower for a synthetic row than for "
        "a real one? One half is chance.",
        "",
        "above",
        True,
    ),
    "share_interpolated": Wording(
        "Rows between two real rows",
        "How many synthetic rows lie on a straight line between two real ones?",
        "share",
        "above",
        True,
    ),
    "distance_real_real": Wording(
        "Mean distance, real to real",
        "How far is a real row from the nearest other real row?",
    ),
    "distance_synthetic_synthetic": Wording(
        "Mean distance, synthetic to synthetic",
        "How far is a synthetic row from the nearest other synthetic row?",
    ),
    "distance_synthetic_real": Wording(
        "Mean distance, synthetic to real",
        "How far is a synthetic row from the nearest real row?",
    ),
    "ratio_synthetic_synthetic": Wording(
        "Synthetic to synthetic, over real to real",
        "Are synthetic rows crowded (below the band) or scattered (above)?",
        "",
        "below",
    ),
    "ratio_synthetic_real": Wording(
        "Synthetic to real, over real to real",
        "Do synthetic rows hug real ones (below the band) or stay away (above)?",
        "",
        "below",
    ),
    "dcr_share": Wording(
        "Rows nearer to training rows than to unseen ones",
        "One half if the generator did not remember what it was trained on.",
        "share",
        "above",
    ),
    "membership_auc": Wording(
        "Telling training rows from unseen ones",
        "ROC AUC of the distance to the synthetic rows; one half is chance.",
        "",
        "above",
    ),
    "label_noise": Wording(
        "Wrongly labelled rows",
        "What share of the synthetic rows looks like real rows of another class?",
        "share",
        "above",
        True,
    ),
    "label_noise_z": Wording(
        "The same, in standard errors",
        "Is that share clearly above zero?",
        "",
        "above",
        True,
    ),
    "real_accuracy": Wording(
        "Accuracy among real rows",
        "How well can the class be told at all? One half is chance; below 0.65 wrong "
        "labels cannot be found.",
        "",
        "",
        True,
    ),
    "precision_any_class": Wording(
        "Rows inside some class",
        "What share of the synthetic rows lies where real rows of any class lie?",
        "share",
        "",
        True,
    ),
    "near_duplicates": Wording(
        "Near-duplicates among synthetic rows",
        "How many synthetic rows repeat another synthetic row?",
        "share",
        "above",
        True,
    ),
    "variance_ratio": Wording(
        "Variance, synthetic over real",
        "Do synthetic rows spread as widely as the real ones?",
        "",
        "below",
        True,
    ),
    "missing_bin_mass": Wording(
        "Share of the class left out",
        "How many real rows lie in regions that synthetic rows avoid?",
        "share",
        "above",
        True,
    ),
    "recall": Wording(
        "Recall",
        "How many real rows lie within the reach of a synthetic row?",
        "share",
        "below",
    ),
    "coverage": Wording(
        "Coverage",
        "How many real rows have a synthetic row among their nearest rows?",
        "share",
        "below",
    ),
    "precision": Wording(
        "Precision",
        "How many synthetic rows lie within the reach of a real row?",
        "share",
        "below",
        True,
    ),
    "density": Wording(
        "Density",
        "Within the reach of how many real rows does a synthetic row lie, over what is "
        "expected?",
        "",
        "below",
    ),
    "share_too_far": Wording(
        "Rows too far from every real row",
        "How many synthetic rows are farther from all real rows than real rows are from "
        "one another?",
        "share",
        "above",
        True,
    ),
    "energy": Wording(
        "Energy distance",
        "How different are the two joint distributions? Zero if they are alike.",
        "",
        "above",
    ),
    "energy_ratio": Wording(
        "Energy distance, over its 95% bound",
        "Is that difference larger than chance makes it? Up to one it is not.",
        "",
        "above",
        True,
    ),
    "correlation_ratio": Wording(
        "Difference of correlations, over chance",
        "Do columns hang together as in the real rows? About one if they do.",
        "",
        "above",
        True,
    ),
    "correlation_rms": Wording(
        "Difference of correlations, root mean square",
        "By how much does a rank correlation of two columns differ, on the whole?",
    ),
    "correlation_frobenius": Wording(
        "Difference of correlations, Frobenius norm",
        "The same, summed over all pairs of columns.",
    ),
    "columns_rejected": Wording(
        "Columns that differ",
        "What share of the columns differs significantly, all tests taken together?",
        "share",
        "above",
    ),
    "w1_iqr_median": Wording(
        "Shift of the median column",
        "By how many interquartile ranges is the typical column off?",
    ),
    "w1_iqr_max": Wording(
        "Shift of the worst column",
        "By how many interquartile ranges is the worst column off?",
    ),
    "classifier_auc": Wording(
        "Telling real from synthetic rows",
        "ROC AUC of a classifier on rows it has not seen; one half is chance, and below "
        "one half is no good news either.",
        "",
        "above",
    ),
}
"""Every statistic in plain words; one that is not here goes by its own name."""

PACKAGES = ("gansampler", "numpy", "scipy", "scikit-learn", "pandas", "matplotlib")


def facts(diagnosis: Any) -> dict[str, Any]:
    """Everything that the pictures and the page of a diagnosis say.

    The same diagnosis always gives the same facts.

    Parameters
    ----------
    diagnosis : Diagnosis

    Returns
    -------
    dict
        ``alpha``, ``n_features``, ``n_rows_shown``, ``versions``; ``classes``: class ->
        dict of its ``verdict``, numbers of rows, ``statistics``, ``worst_rows``,
        ``worst_features``, ``predictive_features``, ``distances``, ``marginals`` and
        ``correlations``; ``projection``; ``training``, None where there was none.
    """
    names = [str(name) for name in diagnosis.feature_names_]
    heads = diagnosis.to_dict()["verdicts"]
    classes = {}
    for label, head in zip(diagnosis.verdicts_, heads, strict=True):
        real, synthetic = diagnosis.shown_[label]
        table = _features_of(diagnosis, label, names)
        worst, predictive = _leading(table["w1_iqr"]), _leading(table["information_real"])
        drawn_worst = worst[:DRAWN_FEATURES]
        drawn_predictive = [j for j in predictive if j not in set(drawn_worst)]
        distances = _distances(real, synthetic)
        classes[label] = {
            **head,
            "class": label,
            "statistics": _statistics_of(diagnosis, label),
            "worst_rows": _worst_rows(diagnosis, label, distances["real_real"]),
            "worst_features": [_feature(table, names, j) for j in worst[:LISTED_FEATURES]],
            "predictive_features": [
                _feature(table, names, j) for j in predictive[:LISTED_FEATURES]
            ],
            "distances": distances,
            "marginals": {
                kind: [_marginal(real, synthetic, table, names, j) for j in columns]
                for kind, columns in (
                    ("worst", drawn_worst),
                    ("predictive", drawn_predictive[:DRAWN_FEATURES]),
                )
            },
            "correlations": _correlations(real, synthetic, worst, predictive, names),
        }
    return {
        "alpha": diagnosis.alpha,
        "n_features": len(names),
        "n_rows_shown": max(
            (len(side.values) for pair in diagnosis.shown_.values() for side in pair),
            default=0,
        ),
        "versions": versions(PACKAGES),
        "classes": classes,
        "projection": _projection(diagnosis),
        "training": _training(diagnosis.history_),
    }


def shorten(text: object, width: int = 26) -> str:
    """One line of at most `width` characters, with an ellipsis in the middle.

    The ends of the names of radiomics features, filter and feature, tell them apart.
    """
    line = " ".join(str(text).split())
    if len(line) <= width:
        return line
    head = (width - 1) // 2
    return line[:head] + "…" + line[len(line) - (width - 1 - head) :]


def _statistics_of(diagnosis: Any, label: Any) -> dict[str, list[dict[str, Any]]]:
    """Question -> its statistics, those that verdicts rest on first."""
    frame = diagnosis.statistics_
    found: dict[str, list[dict[str, Any]]] = {}
    for record in frame[_is(frame["class"], label)].to_dict("records"):
        name = str(record["statistic"])
        wording = STATISTICS.get(name, Wording(name.replace("_", " "), ""))
        place = _place(record, diagnosis.alpha)
        found.setdefault(record["question"], []).append(
            {
                **_named(record),
                **wording._asdict(),
                "place": place,
                "is_bad": place != "" and place in (wording.worse, "unlikely"),
            }
        )
    known = [question for question in QUESTIONS if question in found]
    return {
        question: sorted(found[question], key=lambda s: not s["decides"])
        for question in [*known, *(q for q in found if q not in known)]
    }


def _named(record: dict[Any, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in record.items()}


def _place(record: dict[Any, Any], alpha: float) -> str:
    """Where a statistic lies beside its band; without one, whether it is unlikely."""
    if record["value"] < record["null_low"]:
        return "below"
    if record["value"] > record["null_high"]:
        return "above"
    has_band = np.isfinite(record["null_low"]) or np.isfinite(record["null_high"])
    return "unlikely" if not has_band and record["p_value"] <= alpha else ""


def _features_of(diagnosis: Any, label: Any, names: list[str]) -> dict[str, np.ndarray]:
    """Column of `features_` -> its values of one class, nan where none were taken."""
    frame = diagnosis.features_
    columns = (
        "ks",
        "ks_p_adjusted",
        "w1_iqr",
        "information_real",
        "information_synthetic",
    )
    table = {column: np.full(len(names), np.nan) for column in columns}
    if frame.empty:
        return table
    mine = frame[_is(frame["class"], label)]
    for column in columns:
        if len(mine) == len(names):
            table[column] = mine[column].to_numpy(float)
        elif column == "information_real":
            # What real columns tell about the class is the same beside every class.
            table[column] = frame[column].to_numpy(float)[: len(names)]
    return table


def _is(column: Any, label: Any) -> np.ndarray:
    return np.array([value == label for value in column.tolist()], dtype=bool)


def _leading(values: np.ndarray) -> list[int]:
    """Columns by falling value, those without one last."""
    return np.argsort(-np.nan_to_num(values, nan=-np.inf), kind="stable").tolist()


def _feature(table: dict[str, np.ndarray], names: list[str], j: int) -> dict[str, Any]:
    return {"name": names[j], **{key: float(values[j]) for key, values in table.items()}}


def _marginal(
    real: Any, synthetic: Any, table: dict[str, np.ndarray], names: list[str], j: int
) -> dict[str, Any]:
    sides = {
        "real": np.sort(real.values[:, j]),
        "synthetic": np.sort(synthetic.values[:, j]),
    }
    return {**_feature(table, names, j), **sides}


def _worst_rows(diagnosis: Any, label: Any, real_real: np.ndarray) -> list[dict[str, Any]]:
    """Rows of a class most like copies, with distances in those among real rows too."""
    if diagnosis.rows_.empty:
        return []
    rows = diagnosis.worst_rows(len(diagnosis.rows_))
    usual = float(np.median(real_real)) if len(real_real) else np.nan
    return [
        {**_named(row), "distance_ratio": row["distance"] / usual if usual > 0 else np.nan}
        for row in rows[_is(rows["class"], label)].head(WORST_ROWS).to_dict("records")
    ]


def _distances(real: Any, synthetic: Any) -> dict[str, np.ndarray]:
    """Distances to the nearest row, of as many synthetic rows as real ones at most.

    Every real row is searched for copies; real rows of a patient are not each other's
    neighbours.
    """
    n, m = len(real.scores), len(synthetic.scores)
    some = np.sort(np.random.RandomState(0).permutation(m)[:n])
    rows = synthetic.scores[some]
    groups = np.arange(n) if real.groups is None else np.asarray(real.groups)
    return {
        "real_real": _nearest(real.scores, real.scores, groups[:, None] == groups),
        "synthetic_synthetic": _nearest(rows, rows, np.eye(len(rows), dtype=bool)),
        "synthetic_real": _nearest(synthetic.scores, real.scores),
    }


def _nearest(rows: np.ndarray, others: np.ndarray, skip: Any = None) -> np.ndarray:
    """Distance of every row to the nearest of the others, but for pairs to skip.

    Rows that all others are to be skipped for are left out.
    """
    if not len(rows) or not len(others):
        return np.empty(0)
    between = euclidean_distances(rows, others)
    if skip is not None:
        between[skip] = np.inf
    nearest = between.argmin(axis=1)
    kept = np.isfinite(between[np.arange(len(rows)), nearest])
    # Taken anew: the fast formula is off by rounding errors where rows are copies.
    return np.linalg.norm(rows[kept] - others[nearest[kept]], axis=1)


def _correlations(
    real: Any, synthetic: Any, worst: list[int], predictive: list[int], names: list[str]
) -> dict[str, Any]:
    """Rank correlations of some columns, with columns alike in real rows side by side."""
    if len(names) <= CORRELATED_FEATURES:
        chosen = np.arange(len(names))
    else:
        half = CORRELATED_FEATURES // 2
        others = [j for j in worst if j not in set(predictive[:half])]
        chosen = np.sort(predictive[:half] + others[: CORRELATED_FEATURES - half])
    of_real = _rank_correlation(real.values[:, chosen])
    order = _order(of_real)
    of_synthetic = _rank_correlation(synthetic.values[:, chosen])
    chosen = chosen[order]
    return {
        "columns": chosen.tolist(),
        "names": [names[j] for j in chosen],
        "is_subset": len(chosen) < len(names),
        "real": of_real[np.ix_(order, order)],
        "synthetic": of_synthetic[np.ix_(order, order)],
        "n_real": len(real.values),
        "n_synthetic": len(synthetic.values),
    }


def _rank_correlation(values: np.ndarray) -> np.ndarray:
    """Spearman matrix; nan where a column is constant or rows are fewer than three."""
    n, d = values.shape
    if n < 3:
        return np.full((d, d), np.nan)
    ranks = rankdata(values, axis=0)
    ranks -= ranks.mean(axis=0)
    length = np.sqrt(np.square(ranks).sum(axis=0))
    length[length == 0] = np.nan
    return np.clip((ranks / length).T @ (ranks / length), -1, 1)


def _order(correlation: np.ndarray) -> np.ndarray:
    """Columns by average linkage of 1 - correlation; constant ones count as unrelated."""
    if len(correlation) < 3:
        return np.arange(len(correlation))
    apart = 1 - np.nan_to_num(correlation, nan=0.0)
    np.fill_diagonal(apart, 0.0)
    distances = squareform((apart + apart.T) / 2, checks=False)
    return leaves_list(linkage(distances, "average", optimal_ordering=True))


def _projection(diagnosis: Any) -> dict[str, Any]:
    """All rows on the two leading principal components of the real ones."""
    pairs = diagnosis.shown_
    stacked = np.concatenate([real.scores for real, _ in pairs.values()])
    mean = stacked.mean(axis=0)
    centred = stacked - mean
    total = float(np.square(centred).sum())
    axes, explained = np.zeros((2, stacked.shape[1])), np.zeros(2)
    n_components = min(2, *stacked.shape)
    if total > 0:
        _, strength, found = randomized_svd(centred, n_components, random_state=0)
        axes[:n_components] = found
        explained[:n_components] = strength**2 / total
    return {
        "explained": explained.tolist(),
        "real": {
            label: (real.scores - mean) @ axes.T for label, (real, _) in pairs.items()
        },
        "synthetic": {
            label: (synthetic.scores - mean) @ axes.T
            for label, (_, synthetic) in pairs.items()
        },
    }


def _training(history: dict[str, Any]) -> dict[str, Any] | None:
    losses = history.get("losses") or {}
    if not losses:
        return None
    return {
        "losses": {str(name): np.asarray(v, dtype=float) for name, v in losses.items()},
        "score_steps": np.asarray(history.get("score_steps", []), dtype=float),
        "scores": np.asarray(history.get("scores", []), dtype=float),
        "best_step": history.get("best_step"),
    }


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Versions of Python and of the packages that are installed."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
