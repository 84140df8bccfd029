"""What predictions are judged by. A new metric is one more entry of `METRICS`.

Written out in NumPy, for there are a million folds to score; the tests hold them against
scikit-learn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import expit
from scipy.stats import rankdata

CLIP = 0.001
"""Probabilities of 0 and 1, which forests and neighbours predict, count as this far off."""


@dataclass(frozen=True)
class Predictions:
    """What one classifier says of the rows left out.

    Parameters
    ----------
    y : ndarray of {0, 1}
    log_odds : ndarray
        Of class 1, as predicted.
    threshold : float
        Log-odds above which class 1 is predicted.
    shift : float
        What undoes the change of the prior: log-odds of the classes before resampling,
        less those of the rows trained on.
    """

    y: np.ndarray
    log_odds: np.ndarray
    threshold: float = 0.0
    shift: float = 0.0

    @property
    def decision(self) -> np.ndarray:
        return self.log_odds > self.threshold

    @cached_property
    def p(self) -> np.ndarray:
        return expit(self.log_odds)

    @cached_property
    def p_corrected(self) -> np.ndarray:
        return expit(self.log_odds + self.shift)


def roc_auc(f: Predictions) -> float:
    n = f.y.sum()
    ranks = rankdata(f.log_odds)[f.y == 1].sum()
    return (ranks - n * (n + 1) / 2) / (n * (len(f.y) - n))


def average_precision(f: Predictions) -> float:
    order = np.argsort(-f.log_odds)
    found = f.y[order].cumsum()
    # Rows with equal scores are taken together: only the last of each tie is a threshold.
    last = np.flatnonzero(np.diff(f.log_odds[order], append=-np.inf))
    precision, recall = found[last] / (last + 1), found[last] / found[-1]
    return float(np.diff(recall, prepend=0) @ precision)


def balanced_accuracy(f: Predictions) -> float:
    return (f.decision[f.y == 1].mean() + (~f.decision[f.y == 0]).mean()) / 2


def matthews(f: Predictions) -> float:
    spread = f.decision.std() * f.y.std()
    return float(np.cov(f.decision, f.y, ddof=0)[0, 1] / spread) if spread else 0.0


def brier(y: np.ndarray, p: np.ndarray) -> float:
    return float(np.mean((p - y) ** 2))


def log_loss(y: np.ndarray, p: np.ndarray) -> float:
    return float(-np.log(np.where(y == 1, p, 1 - p).clip(CLIP, 1 - CLIP)).mean())


@dataclass(frozen=True)
class Metric:
    label: str
    score: Callable[[Predictions], float]
    better: int = 1
    """1 where larger is better, -1 where smaller is."""
    needs_decision: bool = False
    """Whether it depends on the threshold."""


METRICS: dict[str, Metric] = {
    "auc": Metric("ROC AUC", roc_auc),
    "ap": Metric("average precision", average_precision),
    "balanced": Metric("balanced accuracy", balanced_accuracy, needs_decision=True),
    "mcc": Metric("MCC", matthews, needs_decision=True),
    "brier": Metric("Brier", lambda f: brier(f.y, f.p), -1),
    "brier_corrected": Metric("Brier, corrected", lambda f: brier(f.y, f.p_corrected), -1),
    "log_loss": Metric("log-loss", lambda f: log_loss(f.y, f.p), -1),
    "log_loss_corrected": Metric(
        "log-loss, corrected", lambda f: log_loss(f.y, f.p_corrected), -1
    ),
}


def calibration_slope(y: np.ndarray, log_odds: np.ndarray) -> float:
    """Slope of a logistic regression of y on the predicted log-odds; 1 is right.

    Below 1 the classifier is too sure of itself. Correcting the prior does not change it.
    Taken over all rows left out in a repeat, as a fold has too few; Newton's method with a
    whisper of a ridge, for classes that can be separated.
    """
    x = np.stack(
        [log_odds.clip(*np.log([CLIP / (1 - CLIP), (1 - CLIP) / CLIP])), np.ones(len(y))]
    )
    beta = np.zeros(2)
    ridge = 1e-3 * np.eye(2)
    for _ in range(25):
        p = expit(beta @ x)
        step = np.linalg.solve((x * p * (1 - p)) @ x.T + ridge, x @ (y - p) - ridge @ beta)
        beta += step.clip(-5, 5)
        if np.abs(step).max() < 1e-6:
            break
    return float(beta[0])
