"""Volumes on other grids: resampled, cropped, padded, turned."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import affine_transform, gaussian_filter1d
from scipy.optimize import linear_sum_assignment

from ._geometry import Volume, triple

AIR = {"CT": -1000.0, "PT": 0.0, "MR": 0.0}
"""What lies around a patient."""

FWHM = float(np.sqrt(8 * np.log(2)))
"""Full width at half maximum of a Gaussian, in standard deviations."""

TIE = 1e-6
"""Share of a voxel by which masks are read further on, so that no value is just 0.5."""


def resample(
    volume: Volume,
    spacing: ArrayLike,
    *,
    size: ArrayLike | None = None,
    center: ArrayLike | None = None,
    pad_value: float | None = None,
) -> Volume:
    """A volume with another distance of voxels; its axes keep their directions.

    Along each axis where the new spacing is coarser, a Gaussian whose full width at half
    maximum is sqrt(new² - old²) removes what the new grid cannot hold; linear
    interpolation follows. The mask takes the same steps and is cut at 0.5; what is
    just half in it is in at one end and out at the other, so that masks do not grow.

    Unless `center` is given, the new grid starts on a voxel: how much interpolation smooths
    does not go by where a mask lies. At the spacing of the volume all values stay.

    Parameters
    ----------
    volume : Volume
    spacing : (float, float, float)
        New spacing in mm along (depth, height, width).
    size : (int, int, int), optional
        Voxels of the new grid along (depth, height, width). None covers the volume, to
        the nearest voxel, about its centre.
    center : (float, float, float), optional
        Centre of the new grid in mm, (z, y, x), where `size` is given; met exactly. None
        takes the centre of the mask's bounding box, or of the volume if it has no mask,
        met within half a voxel as in `crop`.
    pad_value : float, optional
        Value of image voxels beyond the edges of the volume; None takes air: -1000 for CT,
        0 for PET and MR. The mask is 0 there.

    Returns
    -------
    Volume

    Raises
    ------
    ValueError
        If the mask was empty or has become so, or the new grid reaches beyond the volume
        and what air is in its modality is not known.

    Examples
    --------
    >>> import numpy as np
    >>> from gansampler.io import Volume, resample
    >>> volume = Volume(np.zeros((1, 10, 20, 30)), spacing=(3, 1, 1), modality="CT")
    >>> resample(volume, (3, 2, 2)).array.shape
    (1, 10, 10, 15)
    """
    old, new = np.array(volume.spacing), np.array(triple(spacing, "spacing"))
    if (new <= 0).any():
        raise ValueError(f"spacing must be positive; got {tuple(new.tolist())}.")
    shape = np.array(volume.shape)
    if size is None:
        if center is not None:
            raise ValueError("center needs a size.")
        count = np.maximum(np.floor(shape * old / new + 0.5), 1).astype(int)
        middle = (shape - 1) / 2
    else:
        count = _size(size)
        middle = volume.index(volume.center if center is None else triple(center, "center"))
    start = middle - (count - 1) / 2 * new / old
    if center is None:
        # A grid that covers the volume more finely would reach beyond its edge.
        is_free = (size is not None) | (new >= old)
        start = np.where(is_free, _nearest(start), start)
    inside = np.ones(tuple(count), bool)
    for axis, n in enumerate(volume.shape):
        at = start[axis] + np.arange(count[axis]) * new[axis] / old[axis]
        # Half a voxel beyond the outer centres: the edges of the volume.
        is_inside = (at > -0.5 - 1e-6) & (at < n - 0.5 + 1e-6)
        inside &= np.expand_dims(is_inside, [other for other in range(3) if other != axis])
    outside = 0.0 if inside.all() else air(volume, pad_value)

    blur = np.sqrt(np.maximum(new**2 - old**2, 0)) / FWHM / old
    ties = np.zeros(len(volume.array))
    ties[len(volume.images) :] = TIE
    channels = []
    for channel, tie in zip(volume.array, ties, strict=True):
        values = channel.astype(np.float64)
        for axis in np.flatnonzero(blur).tolist():
            values = gaussian_filter1d(values, blur[axis], axis=axis, mode="nearest")
        channels.append(
            affine_transform(
                values,
                np.diag(new / old),
                start + tie,
                output_shape=tuple(count),
                order=1,
                mode="nearest",
            )
        )
    array = np.stack(channels)
    array[:, ~inside] = outside
    if volume.mask is not None:
        array[-1] = (array[-1] >= 0.5) & inside
        if not array[-1].any():
            raise ValueError(
                "the mask is empty at the new spacing: it was, or it is too small or lies "
                "outside; choose a finer spacing or another center."
            )
    return replace(
        volume,
        array=array,
        spacing=triple(new, "spacing"),
        origin=triple(volume.position(start), "origin"),
    )


def crop(
    volume: Volume,
    size: ArrayLike,
    *,
    center: ArrayLike | None = None,
    pad_value: float | None = None,
) -> Volume:
    """The `size` voxels around the mask; no voxel is moved.

    Parameters
    ----------
    volume : Volume
    size : (int, int, int)
        Voxels along (depth, height, width).
    center : (float, float, float), optional
        Centre in mm, (z, y, x), met within half a voxel. None takes the centre of the
        mask's bounding box, or of the volume if it has no mask.
    pad_value : float, optional
        Value of image voxels beyond the volume; None takes air, as in `resample`.

    Returns
    -------
    Volume

    Raises
    ------
    ValueError
        If the mask is empty, or the crop reaches beyond the volume and what air is in its
        modality is not known.

    Examples
    --------
    >>> import numpy as np
    >>> from gansampler.io import Volume, crop
    >>> volume = Volume(np.zeros((1, 10, 20, 30)), spacing=(3, 1, 1), modality="CT")
    >>> part = crop(volume, (4, 8, 8))
    >>> part.array.shape, part.origin
    ((1, 4, 8, 8), (9.0, 6.0, 11.0))
    """
    count = _size(size)
    middle = volume.index(volume.center if center is None else triple(center, "center"))
    start = _nearest(middle - (count - 1) / 2).astype(int)
    return _window(volume, start, count, pad_value)


def pad(volume: Volume, size: ArrayLike, *, pad_value: float | None = None) -> Volume:
    """A volume grown to `size` on all sides; axes that are longer stay as they are.

    Parameters
    ----------
    volume : Volume
    size : (int, int, int)
        Least number of voxels along (depth, height, width). An odd one is added at the end.
    pad_value : float, optional
        Value of new image voxels; None takes air, as in `resample`.

    Returns
    -------
    Volume

    Raises
    ------
    ValueError
        If what air is in the modality of the volume is not known.

    Examples
    --------
    >>> import numpy as np
    >>> from gansampler.io import Volume, pad
    >>> volume = Volume(np.zeros((1, 10, 20, 30)), spacing=(3, 1, 1), modality="CT")
    >>> grown = pad(volume, (12, 20, 32))
    >>> grown.array.shape, float(grown.array.min())
    ((1, 12, 20, 32), -1000.0)
    """
    count = np.maximum(_size(size), volume.shape)
    return _window(volume, -((count - volume.shape) // 2), count, pad_value)


def reorient(volume: Volume) -> Volume:
    """A volume whose axes are as near (head, back, left) as turns by 90 degrees allow.

    Axes are exchanged and flipped; no voxel is interpolated and none moves in space. An
    oblique volume stays oblique.

    Parameters
    ----------
    volume : Volume

    Returns
    -------
    Volume

    Examples
    --------
    >>> import numpy as np
    >>> from gansampler.io import Volume, reorient
    >>> feet_first = np.diag([-1.0, 1.0, 1.0])
    >>> array = np.arange(4).reshape(1, 4, 1, 1)
    >>> volume = Volume(array, spacing=(3, 1, 1), direction=feet_first)
    >>> reorient(volume).array.ravel().tolist()
    [3.0, 2.0, 1.0, 0.0]
    """
    _, order = linear_sum_assignment(-np.abs(volume.direction))
    direction = volume.direction[:, order]
    is_flipped = np.diag(direction) < 0
    array = np.transpose(volume.array, (0, *(order + 1)))
    array = np.flip(array, tuple((np.flatnonzero(is_flipped) + 1).tolist()))
    corner = np.zeros(3)
    corner[order] = np.where(is_flipped, np.array(volume.shape)[order] - 1, 0)
    return replace(
        volume,
        array=np.ascontiguousarray(array),
        spacing=triple(np.array(volume.spacing)[order], "spacing"),
        origin=triple(volume.position(corner), "origin"),
        direction=np.where(is_flipped, -direction, direction),
    )


def air(volume: Volume, pad_value: float | None) -> float:
    """What image voxels are outside a volume.

    Raises
    ------
    ValueError
        If it is not given and the modality does not tell.
    """
    if pad_value is not None:
        return float(pad_value)
    if volume.modality not in AIR:
        raise ValueError(
            f"what air is in modality {volume.modality} is not known; give pad_value, such "
            "as -1000 for CT in HU or 0 for PET and MR."
        )
    return AIR[volume.modality]


def _window(
    volume: Volume, start: np.ndarray, count: np.ndarray, pad_value: float | None
) -> Volume:
    """The voxels from index `start` on, which may lie outside."""
    shape = np.array(volume.shape)
    low, high = np.clip(start, 0, shape), np.clip(start + count, 0, shape)
    is_whole = (low == start).all() and (high == start + count).all()
    array = np.zeros((len(volume.array), *count), np.float32)
    array[: len(volume.images)] = 0.0 if is_whole else air(volume, pad_value)
    source = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    target = tuple(slice(a, b) for a, b in zip(low - start, high - start, strict=True))
    if (high > low).all():
        array[(slice(None), *target)] = volume.array[(slice(None), *source)]
    return replace(volume, array=array, origin=triple(volume.position(start), "origin"))


def _nearest(index: np.ndarray) -> np.ndarray:
    """The voxels nearest to indices; errors of rounding do not decide between two."""
    return np.floor(np.round(index, 6) + 0.5)


def _size(size: ArrayLike) -> np.ndarray:
    values = np.array(triple(size, "size"))
    if (values < 1).any() or (values % 1 != 0).any():
        raise ValueError(f"size must be three whole numbers from 1 on; got {size!r}.")
    return values.astype(int)
