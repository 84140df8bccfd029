"""One volume: its voxels and where they lie."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

AXES = ("depth", "height", "width")

ORTHONORMAL = 1e-3
"""Cosines in files are rounded, to six digits or so."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Geometry:
    """Where the voxels of a volume lie, and what the file said of their values.

    Triples and the matrix are in the order of array indices (depth, height, width) and of
    the patient axes (z, y, x), in the frame of DICOM: z grows towards the head, y towards
    the back, x towards the patient's left. The centre of voxel `index` lies at
    ``origin + direction @ (spacing * index)``.

    Parameters
    ----------
    spacing : (float, float, float)
        Distance of voxel centres in mm.
    origin : (float, float, float), default=(0, 0, 0)
        Centre of voxel (0, 0, 0) in mm.
    direction : ndarray of shape (3, 3), default=identity
        Column j is the unit vector, in (z, y, x), along which array axis j grows. It is
        SimpleITK's matrix with both its rows and its columns in reverse.
    dtype : dtype, default=float32
        Numbers of the file; a volume of integers is written as integers.
    modality : str or None
        As in DICOM: "CT", "PT" for PET, "MR".
    unit : str or None
        As in DICOM: "HU" for CT; "GML" (SUV) or "BQML" for PET.

    Raises
    ------
    ValueError
        If the numbers are no geometry: not three, not finite, axes that are not
        perpendicular.
    """

    spacing: tuple[float, float, float]
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    direction: np.ndarray = field(default_factory=lambda: np.eye(3))
    dtype: np.dtype[Any] = field(default_factory=lambda: np.dtype(np.float32))
    modality: str | None = None
    unit: str | None = None

    def __post_init__(self) -> None:
        spacing = triple(self.spacing, "spacing")
        if min(spacing) <= 0:
            raise ValueError(f"spacing must be positive; got {spacing}.")
        direction = np.array(self.direction, float)
        if direction.shape != (3, 3) or not np.allclose(
            direction.T @ direction, np.eye(3), atol=ORTHONORMAL
        ):
            raise ValueError(
                "direction must be a matrix of three perpendicular unit vectors; got "
                f"{direction.tolist()}."
            )
        dtype = np.dtype(self.dtype)
        if dtype.kind not in "biuf":
            raise ValueError(f"dtype must be of real numbers; got {dtype}.")
        direction.flags.writeable = False
        object.__setattr__(self, "spacing", spacing)
        object.__setattr__(self, "origin", triple(self.origin, "origin"))
        object.__setattr__(self, "direction", direction)
        object.__setattr__(self, "dtype", dtype)

    def position(self, index: ArrayLike) -> np.ndarray:
        """Positions in mm, (z, y, x), of indices (depth, height, width): (..., 3)."""
        steps = np.asarray(index, float) * self.spacing
        return np.asarray(self.origin) + steps @ self.direction.T

    def index(self, position: ArrayLike) -> np.ndarray:
        """Indices, with fractions, of positions in mm; the inverse of `position`."""
        steps = (np.asarray(position, float) - self.origin) @ self.direction
        return np.asarray(steps / self.spacing)


@dataclass(frozen=True, eq=False)
class Volume(Geometry):
    """The images of one patient on one grid, and a mask.

    All but `array` is as in `Geometry`, and given by name.

    Parameters
    ----------
    array : ndarray of shape (channel, depth, height, width), float32
        Image channels in physical units (HU, SUV). Where there are two channels or more,
        the last is a mask of zeros and ones.

    Raises
    ------
    ValueError
        If the array has another shape, or its last of several channels is no mask.

    Examples
    --------
    >>> import numpy as np
    >>> from gansampler.io import Volume, crop
    >>> array = np.zeros((2, 10, 20, 20))
    >>> array[1, 4:6, 5:9, 5:9] = 1
    >>> volume = Volume(array, spacing=(3, 1, 1), modality="CT")
    >>> crop(volume, (4, 8, 8)).origin
    (9.0, 3.0, 3.0)
    """

    array: np.ndarray = field(repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        array = np.asarray(self.array, np.float32)
        if array.ndim != 4 or 0 in array.shape:
            raise ValueError(
                "array must have the shape (channel, depth, height, width); got "
                f"{array.shape}."
            )
        if len(array) > 1 and not np.isin(array[-1], (0, 1)).all():
            raise ValueError(
                "the last of several channels must be a mask of zeros and ones; got "
                f"values from {array[-1].min():g} to {array[-1].max():g}."
            )
        object.__setattr__(self, "array", array)

    @property
    def images(self) -> np.ndarray:
        """Image channels: all but the mask; shape (channel, depth, height, width)."""
        return self.array[: max(len(self.array) - 1, 1)]

    @property
    def mask(self) -> np.ndarray | None:
        """Where the mask is 1, if there is one; bool of shape (depth, height, width)."""
        return self.array[-1] == 1 if len(self.array) > 1 else None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along (depth, height, width)."""
        depth, height, width = self.array.shape[1:]
        return depth, height, width

    @property
    def geometry(self) -> Geometry:
        """All but the array."""
        return Geometry(**{f.name: getattr(self, f.name) for f in fields(Geometry)})

    @property
    def center(self) -> np.ndarray:
        """Centre of the mask's bounding box, or of the volume, in mm, (z, y, x).

        Raises
        ------
        ValueError
            If the mask is empty.
        """
        if self.mask is None:
            return self.position((np.array(self.shape) - 1) / 2)
        box = bounding_box(self.mask)
        return self.position((box[0] + box[1] - 1) / 2)


def triple(values: ArrayLike, name: str) -> tuple[float, float, float]:
    """Three finite numbers, one an axis."""
    try:
        array = np.asarray(values, float)
    except (TypeError, ValueError):
        array = np.empty(0)
    if array.shape != (3,) or not np.isfinite(array).all():
        raise ValueError(
            f"{name} must be three numbers, one for each of {AXES}; got {values!r}."
        )
    depth, height, width = array.tolist()
    return depth, height, width


def bounding_box(mask: np.ndarray) -> np.ndarray:
    """First index and one past the last where a mask is set; shape (2, 3).

    Raises
    ------
    ValueError
        If the mask is empty.
    """
    inside = np.argwhere(mask)
    if len(inside) == 0:
        raise ValueError("the mask is empty: no voxel is 1.")
    return np.stack([inside.min(0), inside.max(0) + 1])
