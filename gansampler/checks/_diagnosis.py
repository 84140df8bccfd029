"""`Diagnosis`: the verdicts, what they rest on, and how they are told."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .._files import replacing
from ._evidence import Evidence, Rows
from ._verdicts import VERDICTS, advice, verdict

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
        its p-value `ks_p_value` and that adjusted by Benjamini and Hochberg,
        `ks_p_adjusted`; the Wasserstein distance in interquartile ranges, `w1_iqr`; and the
        mutual information with the class, less what chance gives, in nats, of real rows
        and of synthetic ones, `information_real` and `information_synthetic`.
    rows_ : DataFrame
        One row for each synthetic row that was held against the real ones, by its
        position `synthetic` in the table given: class, p-values `p_copy` (small where it
        is too close to a real row) and `p_far` (too far from all), and the position
        `nearest_real` of the nearest real row of its class with the `distance` to it,
        in normal scores.
    alpha : float
        Level at which single rows and columns were tested.
    history_ : dict
        Losses and scores of the training, where the generator gave them; else empty.
    is_healthy : bool
        Whether every class is healthy; "undetermined" is not.
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
        """What is wrong with which class, and what to change; empty without a fault."""
        lines = []
        for name in [v for v in VERDICTS if v not in ("healthy", "undetermined")]:
            labels = [label for label, v in self.verdicts_.items() if v == name]
            if labels:
                what = advice(self.evidence_[labels[0]], name)
                lines.append(
                    f"The synthetic rows of class {', '.join(map(str, labels))} are judged "
                    f"{name!r}: {VERDICTS[name]}. To change it: {what}."
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
                    "advice": advice(self.evidence_[label], name),
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
        """Return `to_dict` as JSON text, and write it to `path` where one is given.

        The file is there whole, or as it was before.
        """
        text = json.dumps(self.to_dict(), indent=1, allow_nan=False)
        if path is not None:
            with replacing(path) as temporary:
                temporary.write_text(text + "\n", encoding="utf-8")
        return text

    def to_html(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return a report with pictures as one HTML file that loads nothing else.

        Parameters
        ----------
        path : path-like, default=None
            Where to write it as well. The file is there whole, or as it was before.

        Returns
        -------
        str

        Raises
        ------
        ImportError
            If matplotlib is not installed; it comes with ``gansampler[plot]``.
        """
        from ..report import facts, html

        text = html(facts(self))
        if path is not None:
            with replacing(path) as temporary:
                temporary.write_text(text, encoding="utf-8", newline="\n")
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
            high = min(e.statistics[key].null_high, 1.0)
            lines.append(f"  {e[key]:.0%} {text} (up to {high:.0%} is normal)")
    if "energy" in e.statistics:
        lines.append(
            f"  energy distance {max(e['energy_ratio'], 0):.2f} times its 95% bound, "
            f"differences of correlations {e['correlation_ratio']:.2f} times what chance "
            "gives"
        )
    if name != "healthy":
        lines.append(f"  what to do: {advice(e, name)}")
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
