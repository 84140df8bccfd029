"""Transforms that move voxels, those of the mask too."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial.transform import Rotation
from sklearn.utils._param_validation import Interval

from ._base import Frame, Transform

ORDER = 3
"""Cubic splines: linear interpolation would take away most of the noise, a texture."""


class Flip(Transform):
    """Mirror volumes along random axes; no value changes.

    Parameters
    ----------
    axes : sequence of {0, 1, 2}, default=(0, 1, 2)
        Axes that may be mirrored, of (depth, height, width).
    p : float, default=0.5
        Probability of each axis to be mirrored; 0 changes nothing.

    Examples
    --------
    >>> from gansampler.augment import Flip
    >>> from gansampler.datasets import make_liver_phantoms
    >>> X, y = make_liver_phantoms(3, size=16, random_state=0)
    >>> Flip()(X, random_state=0).shape
    (3, 2, 16, 16, 16)
    >>> sorted(Flip().keeps)
    ['geometry', 'heterogeneity', 'hu', 'texture']
    """

    name = "flip"
    keeps = frozenset({"hu", "texture", "geometry", "heterogeneity"})
    _parameter_constraints = {
        "axes": [tuple, list],
        "p": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(self, *, axes: Sequence[int] = (0, 1, 2), p: float = 0.5) -> None:
        self.axes = axes
        self.p = p

    def draw(
        self, volume: np.ndarray, frame: Frame, rng: np.random.RandomState
    ) -> dict[str, Any]:
        if not set(self.axes) <= {0, 1, 2}:
            raise ValueError(f"axes may hold 0, 1 and 2; got {self.axes}.")
        return {"axes": [axis for axis in self.axes if rng.uniform() < self.p]}

    def apply(self, volume: np.ndarray, frame: Frame, **drawn: Any) -> np.ndarray:
        return np.flip(volume, tuple(axis + 1 for axis in drawn["axes"])).copy()


class Rotate(Transform):
    """Turn volumes about the centre of the mask, or of the volume if there is none.

    Values are interpolated by cubic splines within the range they had. Interpolation
    smooths: fine texture and noise become weaker.

    Parameters
    ----------
    degrees : float, default=15
        Largest angle about each axis; 0 changes nothing.
    fill : float, default=None
        Value outside the volume, -1000 for air in CT; None takes its minimum.

    Examples
    --------
    >>> from gansampler.augment import Rotate
    >>> from gansampler.datasets import make_liver_phantoms
    >>> X, y = make_liver_phantoms(3, size=16, random_state=0)
    >>> Rotate()(X, random_state=0).shape
    (3, 2, 16, 16, 16)
    >>> sorted(Rotate().keeps)
    ['geometry', 'hu']
    """

    name = "rotate"
    keeps = frozenset({"hu", "geometry"})
    _parameter_constraints = {
        "degrees": [Interval(Real, 0, 180, closed="both")],
        "fill": [Real, None],
    }

    def __init__(self, *, degrees: float = 15.0, fill: float | None = None) -> None:
        self.degrees = degrees
        self.fill = fill

    def draw(
        self, volume: np.ndarray, frame: Frame, rng: np.random.RandomState
    ) -> dict[str, Any]:
        return {"degrees": rng.uniform(-self.degrees, self.degrees, size=3)}

    def apply(self, volume: np.ndarray, frame: Frame, **drawn: Any) -> np.ndarray:
        if not drawn["degrees"].any():
            return volume.copy()
        shape = volume.shape[1:]
        centre = (np.array(shape) - 1) / 2
        # Of a region off the middle, most would be turned out of the volume.
        if frame.mask is not None and volume[frame.mask].any():
            centre = np.argwhere(volume[frame.mask]).mean(axis=0)
        turn = Rotation.from_euler("xyz", drawn["degrees"], degrees=True).as_matrix()
        # In mm, or anisotropic voxels would be sheared.
        in_voxels = turn * frame.spacing / frame.spacing[:, None]
        at = np.indices(shape) - centre[:, None, None, None]
        moved = np.tensordot(in_voxels, at, axes=1) + centre[:, None, None, None]
        return resample(volume, moved, frame, self.fill)


class Elastic(Transform):
    """Bend volumes by a smooth random field of displacements.

    Parameters
    ----------
    displacement : float, default=6
        Largest displacement in mm along an axis; 0 changes nothing.
    smoothness : float, default=8
        Standard deviation in mm of the Gaussian that smooths the field, at least as large
        as the displacement, or volumes would fold.
    fill : float, default=None
        Value outside the volume, -1000 for air in CT; None takes its minimum.

    References
    ----------
    Simard, Steinkraus and Platt (2003), Best practices for convolutional neural networks
    applied to visual document analysis, ICDAR, doi 10.1109/ICDAR.2003.1227801.

    Examples
    --------
    >>> from gansampler.augment import Elastic
    >>> from gansampler.datasets import make_liver_phantoms
    >>> X, y = make_liver_phantoms(3, size=16, random_state=0)
    >>> Elastic()(X, random_state=0).shape
    (3, 2, 16, 16, 16)
    >>> sorted(Elastic().keeps)
    ['hu']
    """

    name = "elastic"
    keeps = frozenset({"hu"})
    _parameter_constraints = {
        "displacement": [Interval(Real, 0, None, closed="left")],
        "smoothness": [Interval(Real, 0, None, closed="neither")],
        "fill": [Real, None],
    }

    def __init__(
        self,
        *,
        displacement: float = 6.0,
        smoothness: float = 8.0,
        fill: float | None = None,
    ) -> None:
        self.displacement = displacement
        self.smoothness = smoothness
        self.fill = fill

    def draw(
        self, volume: np.ndarray, frame: Frame, rng: np.random.RandomState
    ) -> dict[str, Any]:
        if self.displacement > self.smoothness:
            raise ValueError(
                f"displacement={self.displacement} over smoothness={self.smoothness} mm "
                "folds volumes: lower the first or raise the second."
            )
        field = rng.standard_normal((3, *volume.shape[1:]))
        for axis in field:
            # Mirrored at the border, as by default, the field would be strongest there.
            axis[...] = gaussian_filter(axis, self.smoothness / frame.spacing, mode="wrap")
        largest = rng.uniform(0, self.displacement)
        return {"displacement": field * (largest / np.abs(field).max())}

    def apply(self, volume: np.ndarray, frame: Frame, **drawn: Any) -> np.ndarray:
        if not drawn["displacement"].any():
            return volume.copy()
        in_voxels = drawn["displacement"] / frame.spacing[:, None, None, None]
        moved = np.indices(volume.shape[1:]) + in_voxels
        return resample(volume, moved, frame, self.fill)


class Crop(Transform):
    """Cut slices off each side, never into the mask, and centre what is left.

    What is cut off is padded, so that volumes have the same size.

    Parameters
    ----------
    fraction : float, default=0.1
        Largest share of an edge to cut off on either side, below 0.5; 0 changes nothing.
    fill : float, default=None
        Value of the padding, -1000 for air in CT; None takes the volume's minimum.

    Examples
    --------
    >>> from gansampler.augment import Crop
    >>> from gansampler.datasets import make_liver_phantoms
    >>> X, y = make_liver_phantoms(3, size=16, random_state=0)
    >>> Crop()(X, random_state=0).shape
    (3, 2, 16, 16, 16)
    >>> sorted(Crop().keeps)
    ['geometry', 'heterogeneity', 'hu', 'texture']
    """

    name = "crop"
    keeps = frozenset({"hu", "texture", "geometry", "heterogeneity"})
    _parameter_constraints = {
        "fraction": [Interval(Real, 0, 0.5, closed="left")],
        "fill": [Real, None],
    }

    def __init__(self, *, fraction: float = 0.1, fill: float | None = None) -> None:
        self.fraction = fraction
        self.fill = fill

    def draw(
        self, volume: np.ndarray, frame: Frame, rng: np.random.RandomState
    ) -> dict[str, Any]:
        kept = []
        for axis, edge in enumerate(volume.shape[1:]):
            most = int(self.fraction * edge)
            low, high = most, edge - most
            if frame.mask is not None and volume[frame.mask].any():
                others = tuple({0, 1, 2} - {axis})
                inside = np.flatnonzero(volume[frame.mask].any(axis=others))
                low, high = min(low, inside[0]), max(high, inside[-1] + 1)
            kept.append((rng.randint(low + 1), rng.randint(high, edge + 1)))
        return {"kept": kept}

    def apply(self, volume: np.ndarray, frame: Frame, **drawn: Any) -> np.ndarray:
        new = np.empty_like(volume)
        for channel, values in enumerate(volume):
            new[channel] = outside(values, channel, frame, self.fill)
        source, target = [slice(None)], [slice(None)]
        for (low, high), edge in zip(drawn["kept"], volume.shape[1:], strict=True):
            first = (edge - (high - low)) // 2
            source.append(slice(low, high))
            target.append(slice(first, first + high - low))
        new[tuple(target)] = volume[tuple(source)]
        return new


def resample(
    volume: np.ndarray, at: np.ndarray, frame: Frame, fill: float | None
) -> np.ndarray:
    """Values of all channels at places given in voxels.

    Images by cubic splines, cut to the range there was: splines overshoot at edges. The
    mask linearly, cut at a half.

    Parameters
    ----------
    volume : ndarray of shape (channel, depth, height, width)
    at : ndarray of shape (3, depth, height, width)
        Where in `volume` each new voxel comes from.
    frame : Frame
    fill : float or None

    Returns
    -------
    float64 ndarray of the shape of `volume`
    """
    new = np.empty_like(volume)
    for channel, values in enumerate(volume):
        value = outside(values, channel, frame, fill)
        order = 1 if channel == frame.mask else ORDER
        moved = map_coordinates(values, at, order=order, mode="constant", cval=value)
        if channel == frame.mask:
            new[channel] = moved >= 0.5
        else:
            low, high = values.min(), values.max()
            new[channel] = moved.clip(min(low, value), max(high, value))
    return new


def outside(values: np.ndarray, channel: int, frame: Frame, fill: float | None) -> float:
    """Value of what was never seen: 0 in the mask, the minimum if none is given."""
    if channel == frame.mask:
        return 0.0
    return float(values.min()) if fill is None else float(fill)
