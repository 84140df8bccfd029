"""Intervals of shares and of mean differences, for rows that may come in patients."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import norm, t


class Interval(NamedTuple):
    """An estimate and its limits."""

    value: float
    low: float
    high: float


class Mean(NamedTuple):
    """A mean, its standard error and degrees of freedom."""

    value: float
    error: float
    df: int


def share(hits: np.ndarray, groups: np.ndarray, alpha: float) -> Interval:
    """Wilson's interval, at the effective number of rows where groups hold several.

    Effective is the number of independent rows that would vary as much (Korn and Graubard
    1998).
    """
    n, rate = len(hits), float(np.mean(hits))
    effective = n
    _, codes = np.unique(groups, return_inverse=True)
    n_groups = codes.max() + 1
    if n_groups < n:
        variance = (np.bincount(codes, hits - rate) ** 2).sum() / n**2
        variance *= n_groups / max(n_groups - 1, 1)
        if rate in (0.0, 1.0):
            effective = n_groups
        elif variance > 0:
            effective = min(n, rate * (1 - rate) / variance)
    z2 = norm.ppf(1 - alpha / 2) ** 2 / effective
    middle = (rate + z2 / 2) / (1 + z2)
    half = np.sqrt(z2 * (rate * (1 - rate) + z2 / 4)) / (1 + z2)
    # Rounding must not put the limit of a share of 0 or 1 off it.
    return Interval(rate, min(rate, float(middle - half)), max(rate, float(middle + half)))


def mean(values: np.ndarray, signs: np.ndarray, groups: np.ndarray) -> Mean:
    """Mean of the signs times the values, each sign counting alike.

    The standard error is that of a mean for each sign, with the residuals of a group
    summed.
    """
    kinds = np.unique(signs)
    value, influence = 0.0, np.zeros(len(values))
    for sign in kinds:
        rows = signs == sign
        own = values[rows].mean()
        value += sign * own / len(kinds)
        influence[rows] = sign * (values[rows] - own) / (rows.sum() * len(kinds))
    _, codes = np.unique(groups, return_inverse=True)
    n_groups = codes.max() + 1
    df = n_groups - len(kinds)
    if df < 1:
        return Mean(value, np.inf, 1)
    sums = np.bincount(codes, influence)
    return Mean(value, float(np.sqrt((sums**2).sum() * n_groups / df)), df)


def shift(
    values: np.ndarray, signs: np.ndarray, groups: np.ndarray, alpha: float, flips: bool
) -> Interval:
    """Student's interval of a mean shift between -1 and 1.

    Flips are -1, 0 or 1, and may all be 0: to each sign a patient of either extreme is
    added, as Bonett and Price (2012) do.
    """
    raw = mean(values, signs, groups)
    adjusted = _with_extremes(values, signs, groups) if flips else raw
    half = adjusted.error * t.ppf(1 - alpha / 2, raw.df)
    low, high = np.clip([adjusted.value - half, adjusted.value + half], -1, 1)
    return Interval(raw.value, min(raw.value, float(low)), max(raw.value, float(high)))


def _with_extremes(values: np.ndarray, signs: np.ndarray, groups: np.ndarray) -> Mean:
    _, codes = np.unique(groups, return_inverse=True)
    parts = [(values, signs, codes)]
    new = codes.max() + 1
    for sign in np.unique(signs):
        rows = signs == sign
        size = max(1, round(rows.sum() / len(np.unique(codes[rows]))))
        for extreme in (-1.0, 1.0):
            parts.append((np.full(size, extreme), np.full(size, sign), np.full(size, new)))
            new += 1
    return mean(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def reversal(
    before: np.ndarray, after: np.ndarray, n_classes: int, groups: np.ndarray, alpha: float
) -> Interval:
    """Flip rate less that of predictions that know nothing of each other.

    Above 0, predictions after are the contrary of those before more often than by chance.
    """
    p, q = (
        np.bincount(codes, minlength=n_classes) / len(codes) for codes in (before, after)
    )
    # By the delta method: its mean is the flip rate plus twice the agreement by chance.
    linear = (before != after) + q[before] + p[after]
    found = mean(linear.astype(float), np.ones(len(linear)), groups)
    value = float((before != after).mean() - 1 + p @ q)
    half = found.error * t.ppf(1 - alpha / 2, found.df)
    return Interval(value, float(value - half), float(value + half))
