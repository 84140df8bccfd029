"""Transforms that change values and leave the mask as it is."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter
from sklearn.utils._param_validation import Interval

from ._base import Frame, Transform


class Noise(Transform):
    """Add white Gaussian noise. The mean stays, texture does not.

    Parameters
    ----------
    std : float, default=10
        Largest standard deviation, in units of the values (HU); 0 changes nothing.

    Examples
    --------
    >>> from gansampler.augment import Noise
    >>> from gansampler.datasets import make_liver_phantoms
    >>> X, y = make_liver_phantoms(3, size=16, random_state=0)
    >>> Noise()(X, random_state=0).shape
    (3, 2, 16, 16, 16)
    >>> sorted(Noise().keeps)
    ['geometry', 'hu']
    """

    name = "noise"
    keeps = frozenset({"hu", "geometry"})
    _parameter_constraints = {"std": [Interval(Real, 0, None, closed="left")]}

    def __init__(self, *, std: float = 10.0) -> None:
        self.std = std

    def draw(
        self, volume: np.ndarray, frame: Frame, rng: np.random.RandomState
    ) -> dict[str, Any]:
        shape = (len(frame.images), *volume.shape[1:])
        return {"noise": rng.uniform(0, self.std) * rng.standard_normal(shape)}

    def apply(self, volume: np.ndarray, frame: Frame, **drawn: Any) -> np.ndarray:
        new = volume.copy()
        new[frame.images] += drawn["noise"]
        return new


class Blur(Transform):
    """Blur by a Gaussian, as a softer reconstruction kernel does.

    Below a quarter of a voxel it does nothing. Thin rims and small lesions blend with what
    is around them: with strong blur, their mean changes too.

    Parameters
    ----------
    sigma : float, default=1
        Largest standard deviation in mm; 0 changes nothing.

    Examples
    --------
    >>> from gansampler.augment import Blur
    >>> from gansampler.datasets import make_liver_phantoms
    >>> X, y = make_liver_phantoms(3, size=16, random_state=0)
    >>> Blur()(X, random_state=0).shape
    (3, 2, 16, 16, 16)
    >>> sorted(Blur().keeps)
    ['geometry', 'hu']
    """

    name = "blur"
    keeps = frozenset({"hu", "geometry"})
    _parameter_constraints = {"sigma": [Interval(Real, 0, None, closed="left")]}

    def __init__(self, *, sigma: float = 1.0) -> None:
        self.sigma = sigma

    def draw(
        self, volume: np.ndarray, frame: Frame, rng: np.random.RandomState
    ) -> dict[str, Any]:
        return {"sigma": rng.uniform(0, self.sigma)}

    def apply(self, volume: np.ndarray, frame: Frame, **drawn: Any) -> np.ndarray:
        new = volume.copy()
        for channel in frame.images:
            sigma = drawn["sigma"] / frame.spacing
            new[channel] = gaussian_filter(volume[channel], sigma, mode="nearest")
        return new


class IntensityShift(Transform):
    """Add one number to all values. It breaks a scale such as HU.

    Parameters
    ----------
    shift : float, default=20
        Largest shift, up or down, in units of the values (HU); 0 changes nothing.

    Examples
    --------
    >>> from gansampler.augment import IntensityShift
    >>> from gansampler.datasets import make_liver_phantoms
    >>> X, y = make_liver_phantoms(3, size=16, random_state=0)
    >>> IntensityShift()(X, random_state=0).shape
    (3, 2, 16, 16, 16)
    >>> sorted(IntensityShift().keeps)
    ['geometry', 'heterogeneity', 'texture']
    """

    name = "intensity_shift"
    keeps = frozenset({"texture", "geometry", "heterogeneity"})
    _parameter_constraints = {"shift": [Interval(Real, 0, None, closed="left")]}

    def __init__(self, *, shift: float = 20.0) -> None:
        self.shift = shift

    def draw(
        self, volume: np.ndarray, frame: Frame, rng: np.random.RandomState
    ) -> dict[str, Any]:
        shape = (len(frame.images), 1, 1, 1)
        return {"shift": rng.uniform(-self.shift, self.shift, size=shape)}

    def apply(self, volume: np.ndarray, frame: Frame, **drawn: Any) -> np.ndarray:
        new = volume.copy()
        new[frame.images] += drawn["shift"]
        return new


class Gamma(Transform):
    """Raise values, as shares of the volume's range, to a power. It breaks a scale.

    Parameters
    ----------
    log_gamma : float, default=0.3
        The power is exp(u), with u uniform from -log_gamma to log_gamma; 0 changes nothing.

    Examples
    --------
    >>> from gansampler.augment import Gamma
    >>> from gansampler.datasets import make_liver_phantoms
    >>> X, y = make_liver_phantoms(3, size=16, random_state=0)
    >>> Gamma()(X, random_state=0).shape
    (3, 2, 16, 16, 16)
    >>> sorted(Gamma().keeps)
    ['geometry']
    """

    name = "gamma"
    keeps = frozenset({"geometry"})
    _parameter_constraints = {"log_gamma": [Interval(Real, 0, None, closed="left")]}

    def __init__(self, *, log_gamma: float = 0.3) -> None:
        self.log_gamma = log_gamma

    def draw(
        self, volume: np.ndarray, frame: Frame, rng: np.random.RandomState
    ) -> dict[str, Any]:
        return {"gamma": np.exp(rng.uniform(-self.log_gamma, self.log_gamma))}

    def apply(self, volume: np.ndarray, frame: Frame, **drawn: Any) -> np.ndarray:
        new = volume.copy()
        for channel in frame.images:
            low, high = volume[channel].min(), volume[channel].max()
            # There and back again is not exact.
            if drawn["gamma"] != 1 and high > low:
                share = (volume[channel] - low) / (high - low)
                new[channel] = low + (high - low) * share ** drawn["gamma"]
        return new
