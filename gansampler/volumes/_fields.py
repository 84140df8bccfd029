"""Random fields in a part of each volume: their profiles, histograms and spectra."""

from __future__ import annotations

import numpy as np
import torch
from scipy.special import ndtr, ndtri
from torch import Tensor

BINS = 24
"""Bins of a profile: of the distance to the border, or of intensity."""

SCORES = np.linspace(-4, 4, 257)
"""Normal scores at which a histogram of texture is known."""

MIN_VOXELS = 50
"""Bins and regions with fewer voxels in a class go by all classes together."""

FEW = 50
"""Voxels that the level expected in a bin of a volume counts for."""

MANY = 500
"""Voxels that a histogram is made of: a bin with fewer borrows from those beside it."""

MIN_SPREAD = 1e-4
"""Least spread of texture, to divide by, in network units."""

LEAST_STRENGTH = 0.1
"""Of the texture of a volume beside that of its class."""

RARE = 0.005
"""Share of voxels at either end of a histogram that are no farther out than normal ones."""

POWERS = np.exp(np.linspace(-1.5, 1.5, 25))
"""Powers of the spectrum of a class, from rough to smooth, that a volume can have."""


class Region:
    """Texture in a part of each volume: values, where, and bins; all (n, *edges)."""

    def __init__(self, values: np.ndarray, inside: np.ndarray, bins: np.ndarray) -> None:
        self.values, self.inside, self.bins = values.astype(float), inside, bins

    def profiles(self, codes: np.ndarray, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
        """Mean and spread in each bin of each class, both (n_classes, BINS).

        Bins with few values are interpolated; a class without any other goes by all
        classes together, and where that is of no use by all bins together.
        """
        some = self.values[self.inside] if self.inside.any() else np.zeros(1)
        found = np.tile([[some.mean()], [some.std()]], (n_classes, 1, BINS))
        for c in range(n_classes):
            for rows in (codes == c, np.ones(len(codes), dtype=bool)):
                n, *profile = self._profile(rows)
                known = np.flatnonzero(n >= MIN_VOXELS)
                if len(known):
                    found[c] = [np.interp(range(BINS), known, v[known]) for v in profile]
                    break
        return found[:, 0], found[:, 1].clip(MIN_SPREAD)

    def _profile(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        inside = self.inside[rows]
        at, values = self.bins[rows][inside], self.values[rows][inside]
        n = np.bincount(at, minlength=BINS)
        some = np.maximum(n, 1)
        mean = np.bincount(at, values, BINS) / some
        variance = np.bincount(at, values**2, BINS) / some - mean**2
        return n, mean, np.sqrt(np.maximum(variance, 0))

    def levels(self, expected: np.ndarray) -> np.ndarray:
        """Mean in each bin of each volume, (n, BINS).

        The fewer voxels a bin has, the nearer it is to what is expected there, moved by
        what the volume is off.
        """
        n = len(self.values)
        row, *_ = np.nonzero(self.inside)
        at = self.bins[self.inside]
        cell = row * BINS + at
        off = self.values[self.inside] - expected[row, at]
        count = np.bincount(cell, minlength=n * BINS).reshape(n, BINS)
        total = np.bincount(cell, off, n * BINS).reshape(n, BINS)
        overall = total.sum(axis=1) / np.maximum(count.sum(axis=1), 1)
        return expected + (total + FEW * overall[:, None]) / (count + FEW)

    def minus(self, levels: np.ndarray) -> Region:
        """What is left without the levels, (n, BINS), of each volume."""
        return Region(self.values - self._at(levels), self.inside, self.bins)

    def standardize(self, spread: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values over the spread, (n, BINS), and over their strength, (n,)."""
        standard = self.values / self._at(spread)
        axes = tuple(range(1, standard.ndim))
        n_inside = self.inside.sum(axis=axes)
        square = (standard**2 * self.inside).sum(axis=axes) / np.maximum(n_inside, 1)
        # Without any voxel, as strong as others.
        strength = np.where(n_inside > 0, np.sqrt(square).clip(LEAST_STRENGTH), 1.0)
        return standard / strength.reshape(-1, *[1] * len(axes)), strength

    def _at(self, profiles: np.ndarray) -> np.ndarray:
        at = self.bins.reshape(len(self.bins), -1)
        return np.take_along_axis(profiles, at, axis=1).reshape(self.bins.shape)


class Field:
    """A random field known in a part of each volume: its histograms and its spectrum.

    Parameters
    ----------
    values : ndarray of shape (n, *edges)
    inside : ndarray of bool, shape (n, *edges)
    bins : ndarray of int, shape (n, *edges)

    Attributes
    ----------
    histogram : ndarray of shape (BINS, len(SCORES))
        Values at normal scores, in each bin.
    amplitude : ndarray
        Square root of the power spectrum of the normal scores of the values.
    """

    def __init__(self, values: np.ndarray, inside: np.ndarray, bins: np.ndarray) -> None:
        self.inside = inside
        order = np.argsort(bins[inside], kind="stable")
        known = values[inside][order]
        ends = np.r_[0, np.bincount(bins[inside], minlength=BINS).cumsum()]
        scores = np.empty(len(known))
        self.histogram = np.empty((BINS, len(SCORES)))
        for b in range(BINS):
            for width in range(BINS):
                first, last = ends[max(b - width, 0)], ends[min(b + width + 1, BINS)]
                if last - first >= MANY:
                    break
            self.histogram[b] = histogram_of(known[first:last])
            mine = slice(ends[b], ends[b + 1])
            scores[mine] = scores_of(known[mine], self.histogram[b])
        self.scores = np.zeros(values.shape)
        self.scores[inside] = scores[np.argsort(order)]
        self.amplitude = amplitude_spectrum(self.scores, inside)

    def powers(self) -> np.ndarray:
        """Power of the spectrum that gives each volume its own lag-one correlation.

        One, if it has that which volumes have on average: the spectrum is theirs.
        """
        axes = [axis for axis, edge in enumerate(self.inside.shape[1:]) if edge > 1]
        of_power = np.array([self._lag_one(power, axes) for power in POWERS])
        # A white field is white to any power.
        if not of_power[-1] - of_power[0] > 0.01:
            return np.ones(len(self.inside))
        squares, products, n_pairs = np.zeros((3, len(self.inside)))
        for axis in axes:
            inside = np.moveaxis(self.inside, 1 + axis, -1)
            scores = np.moveaxis(self.scores, 1 + axis, -1)
            pairs = inside[..., 1:] & inside[..., :-1]
            rest = tuple(range(1, pairs.ndim))
            first, second = scores[..., 1:], scores[..., :-1]
            n_pairs += pairs.sum(axis=rest)
            products += (first * second * pairs).sum(axis=rest)
            squares += ((first**2 + second**2) / 2 * pairs).sum(axis=rest)
        some = (n_pairs >= MIN_VOXELS) & (squares > 1e-6)
        if not some.any():
            return np.ones(len(self.inside))
        own = products / np.maximum(squares, 1e-6)
        own += self._lag_one(1.0, axes) - own[some].mean()
        found = np.interp(own, np.maximum.accumulate(of_power), POWERS)
        return np.where(some, found, 1.0)

    def _lag_one(self, power: float, axes: list[int]) -> float:
        """Mean correlation of neighbours in a field with this power of the spectrum."""
        edges = self.inside.shape[1:]
        covariance = np.fft.irfftn(
            self.amplitude ** (2 * power), s=edges, axes=range(len(edges))
        )
        lags = np.eye(len(edges), dtype=int)[axes]
        return float(np.mean([covariance[tuple(lag)] for lag in lags]) / covariance.flat[0])


def histogram_of(values: np.ndarray, ends: np.ndarray | None = None) -> np.ndarray:
    """Values at normal scores, (len(SCORES),), with tails no longer than normal.

    Or than such normal ones as reach the ends, (low, high), at the last score.
    """
    if not len(values):
        return np.zeros(len(SCORES))
    # What is rare may have a form of its own, a vessel say; scattered, it is grit.
    low, middle, high = np.quantile(values, [RARE, 0.5, 1 - RARE])
    tail = np.abs(SCORES / ndtri(RARE))
    lower = np.minimum(low, middle - (middle - low) * tail)
    upper = np.maximum(high, middle + (high - middle) * tail)
    if ends is not None:
        share = np.abs(SCORES / SCORES[-1])
        lower = np.minimum(lower, middle - (middle - ends[0]) * share)
        upper = np.maximum(upper, middle + (ends[1] - middle) * share)
    return np.clip(np.quantile(values, ndtr(SCORES)), lower, upper)


def scores_of(values: np.ndarray, histogram: np.ndarray) -> np.ndarray:
    """Normal scores of values; the rank of a pile is half way between its ends."""
    ties = np.arange(len(SCORES)) * 1e-9
    ends = (histogram + ties, histogram - ties[::-1])
    return ndtri(np.mean([ndtr(np.interp(values, end, SCORES)) for end in ends], axis=0))


def standardized(values: Tensor, mine: Tensor) -> Tensor:
    """Values with mean 0 and mean square 1 in a part of each volume.

    As those are that a field is learned from; what a volume is off is drawn apart.
    """
    axes = tuple(range(2, values.ndim))
    n = mine.sum(axes, keepdim=True).clamp(min=1)
    values = values - (values * mine).sum(axes, keepdim=True) / n
    square = (values**2 * mine).sum(axes, keepdim=True) / n
    return torch.where(square > 1e-6, values / square.clamp(min=1e-6).sqrt(), values)


def lookup(tables: Tensor, position: Tensor) -> Tensor:
    """Values of tables at fractional positions, by linear interpolation.

    Shape: tables (batch, channel, m), position (batch, channel, *edges) in 0 .. m - 1 ->
    (batch, channel, *edges).
    """
    last = tables.shape[-1] - 1
    at = position.flatten(2).clamp(0, last)
    below = at.floor().long().clamp(max=last - 1)
    values = torch.lerp(tables.gather(-1, below), tables.gather(-1, below + 1), at - below)
    return values.reshape(position.shape)


def amplitude_spectrum(fields: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Square root of the power spectrum of fields known in a region only.

    The autocovariance at each lag is a mean over pairs of voxels that both lie in the
    region [1]_; lags of few pairs, and long ones, are tapered off.

    Parameters
    ----------
    fields : ndarray of shape (n, *edges)
        Zero outside the region.
    region : ndarray of bool, shape (n, *edges)

    Returns
    -------
    ndarray of the shape of `rfftn` over the edges
        Such that white noise of variance 1, times it, has variance 1.

    References
    ----------
    .. [1] Marcotte (1996), Fast variogram computation with FFT, Computers & Geosciences.
    """
    edges = fields.shape[1:]
    axes = range(len(edges))
    # Twice as large, so that opposite faces are no neighbours.
    size = [2 * edge for edge in edges]

    def pairs(values: np.ndarray) -> np.ndarray:
        total = np.zeros(1)
        for value in values:
            total = total + np.abs(np.fft.rfftn(value, s=size, axes=axes)) ** 2
        return np.fft.irfftn(total, s=size, axes=axes)

    n_pairs = pairs(region.astype(float))
    covariance = pairs(fields) / np.maximum(n_pairs, 1.0)
    # Noise at lags of few pairs would leave a spectrum that is half negative.
    lags = np.meshgrid(*(np.fft.fftfreq(n, 1 / n) for n in size), indexing="ij")
    far = sum((lag / (edge / 2)) ** 2 for lag, edge in zip(lags, edges, strict=True))
    share = np.minimum(n_pairs / max(n_pairs.max() / 2, 0.5), 1.0)
    covariance *= share**2 * np.clip(1 - far, 0, None) ** 2
    for axis, edge in enumerate(edges):
        keep = np.r_[0 : (edge + 1) // 2, 2 * edge - edge // 2 : 2 * edge]
        covariance = np.take(covariance, keep, axis=axis)
    power = np.maximum(np.fft.rfftn(covariance).real, 0)
    full = np.fft.irfftn(power, s=edges, axes=axes).flat[0]
    if full <= 0:
        return np.ones_like(power)
    return np.sqrt(power / full)
