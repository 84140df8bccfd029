"""One volume from files, and to files."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from .._files import replacing
from ._contours import read_contours
from ._dicom import read_series, write_series
from ._geometry import Volume
from ._images import is_image_name, read_image, write_image

PathLike = str | os.PathLike[str]

SAME_PLACE = 0.05
"""Share of a voxel by which the corners of an image and of its mask may differ."""


def read_volume(
    path: PathLike,
    mask: PathLike | None = None,
    *,
    roi: str | int | None = None,
    series: str | None = None,
) -> Volume:
    """Read a volume, and its mask as the last channel.

    Slices of a DICOM series are sorted along their normal; each one's rescale slope and
    intercept are applied. PET stays in the unit of the file: no SUV is computed.

    Parameters
    ----------
    path : path-like
        A folder with a DICOM series, or a NIfTI (.nii, .nii.gz) or NRRD (.nrrd) file.
    mask : path-like, optional
        A DICOM RTSTRUCT, or a file or folder as for `path` on the same grid. Of contours,
        those voxels are in the mask whose centre is inside the contour of its slice;
        several contours on a slice combine by exclusive or.
    roi : str or int, optional
        Name or number of the region in an RTSTRUCT, or the label in another mask, where
        there is more than one.
    series : str, optional
        SeriesInstanceUID, where the folder `path` holds more than one series.

    Returns
    -------
    Volume
        Of one channel, or two with a mask. Spacing, origin and direction are in the order
        of array indices, (depth, height, width), and in mm of the patient frame, (z, y, x).

    Raises
    ------
    FileNotFoundError
        If there is no such file or folder.
    ImportError
        If SimpleITK or pydicom is not installed.
    ValueError
        If a file is damaged, of colours, or holds NaN; if a folder holds several series, or
        slices that are missing, uneven or tilted; if the mask is empty, on another grid, or
        it is not clear which region is meant.
    """
    path = _existing(path)
    if series is not None and not path.is_dir():
        raise ValueError(f"{path} is no folder: series=... has no meaning.")
    image, frame = _read_image(path, series)
    if mask is None:
        if roi is not None:
            raise ValueError("roi names a region of the mask: give mask=... too.")
        return image
    mask = _existing(mask)
    if mask.is_dir() or is_image_name(mask):
        inside = _read_labels(mask, image, path, roi)
    else:
        inside = read_contours(mask, image, frame, roi)
    return replace(image, array=np.concatenate([image.array, inside[None]]))


def write_volume(
    path: PathLike,
    volume: Volume,
    mask: PathLike | None = None,
    *,
    overwrite: bool = False,
) -> None:
    """Write a volume, its mask to a file of its own.

    Numbers are written as `volume.dtype`; integers are rounded. NIfTI keeps geometry to
    the seven digits of its header. DICOM holds integers of 16 bits exactly, and other
    values to 1/65534 of their range by slope and intercept. Its headers have new
    identifiers and the folder's name as the patient's.

    Parameters
    ----------
    path : path-like
        A name that ends in .nii, .nii.gz or .nrrd, or one without an ending: a folder for
        a DICOM series. It is there whole or as it was before.
    volume : Volume
        Of one image channel, and a mask or none.
    mask : path-like, optional
        Where the mask goes: .nii, .nii.gz or .nrrd.
    overwrite : bool, default=False
        Whether to replace what is there. Of folders, only those that hold nothing but
        slices (.dcm) are replaced.

    Raises
    ------
    FileExistsError
        If something is there that may not be replaced.
    FileNotFoundError
        If the folder to write in does not exist.
    ImportError
        If SimpleITK or pydicom is not installed.
    ValueError
        If the volume has a mask and nowhere to put it, or the other way round; if it holds
        NaN, or values that do not fit its dtype; if DICOM cannot hold it.
    """
    if len(volume.array) > 2:
        raise ValueError(
            f"a file holds one image; the volume has {len(volume.images)}. Write them one "
            "by one."
        )
    if (volume.mask is None) != (mask is None):
        raise ValueError(
            "the volume has no mask to write."
            if volume.mask is None
            else "the volume has a mask: give a path for it, mask=..."
        )
    writers = [(Path(path), writer_for(path), replace(volume, array=volume.images))]
    if mask is not None:
        if not is_image_name(Path(mask)):
            raise ValueError(f"{mask}: a mask is written as .nii, .nii.gz or .nrrd.")
        alone = replace(
            volume,
            array=volume.array[-1:],
            dtype=np.dtype(np.uint8),
            modality=None,
            unit=None,
        )
        writers.append((Path(mask), write_image, alone))
    for target, _, _ in writers:
        check_writable(target, overwrite)
    for target, write, part in writers:
        with replacing(target) as temporary:
            try:
                write(temporary, part)
            except (ValueError, RuntimeError) as error:
                raise ValueError(f"{target} was not written: {error}") from error


def writer_for(path: PathLike) -> Callable[[Path, Volume], None]:
    """What writes a file of this name.

    Raises
    ------
    ValueError
        If the name ends in nothing that is known.
    """
    path = Path(path)
    if is_image_name(path):
        return write_image
    if path.suffix:
        raise ValueError(
            f"{path}: {path.suffix} is not written; end the name in .nii, .nii.gz or "
            ".nrrd, or in nothing for a folder of DICOM."
        )
    return write_series


def check_writable(path: Path, overwrite: bool) -> None:
    """Find out before the work that a file or folder may not be written.

    Raises
    ------
    FileExistsError, FileNotFoundError
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(f"the folder of {path} does not exist; make it first.")
    if path.is_dir():
        inside = list(path.iterdir())
        if is_image_name(path) or any(file.suffix != ".dcm" for file in inside):
            raise FileExistsError(
                f"{path} is a folder that holds more than slices; choose another name."
            )
        exists = bool(inside)
    else:
        exists = path.exists()
        if exists and not is_image_name(path):
            raise FileExistsError(f"{path} is a file, not a folder; choose another name.")
    if exists and not overwrite:
        raise FileExistsError(f"{path} exists; choose another name, or overwrite=True.")


def _read_image(path: Path, series: str | None) -> tuple[Volume, str]:
    """A volume of one channel and its frame of reference, empty if there is none."""
    if path.is_dir():
        return read_series(path, series)
    if is_image_name(path):
        return read_image(path), ""
    raise ValueError(
        f"{path} is no volume: give a .nii, .nii.gz or .nrrd file, or the folder that "
        "holds the slices of a DICOM series."
    )


def _read_labels(
    path: Path, image: Volume, image_path: Path, roi: str | int | None
) -> np.ndarray:
    """The mask in an image file, which must lie on the grid of `image`."""
    labels, _ = _read_image(path, None)
    if labels.shape != image.shape or not _is_same_place(labels, image):
        raise ValueError(
            f"{path} does not lie on the grid of {image_path}: "
            f"{_described(labels)}, the image {_described(image)}. Resample the mask onto "
            "the image's grid, by nearest neighbour."
        )
    values = labels.array[0]
    found = np.unique(values)
    if roi is not None:
        if isinstance(roi, str) or roi not in found or roi == 0:
            raise ValueError(f"{path} has no label {roi!r}; it has {_some(found)}.")
        return np.asarray(values == roi)
    if not values.any():
        raise ValueError(f"{path} is empty: no voxel is in the mask.")
    if len(found[found != 0]) > 1:
        raise ValueError(
            f"{path} has more than one label: {_some(found)}. Say which is the mask: "
            "roi=..."
        )
    return np.asarray(values != 0)


def _is_same_place(one: Volume, other: Volume) -> bool:
    """Whether the corners of two grids of one shape are at the same places."""
    last = np.array(one.shape) - 1
    corners = np.stack(np.meshgrid(*[(0, n) for n in last], indexing="ij"), axis=-1)
    off = one.position(corners) - other.position(corners)
    # Grids of one voxel have one corner, whatever their spacing.
    return bool(
        np.abs(off).max() <= SAME_PLACE * min(other.spacing)
        and np.allclose(one.spacing, other.spacing, rtol=SAME_PLACE)
    )


def _described(volume: Volume) -> str:
    spacing = tuple(round(x, 4) for x in volume.spacing)
    origin = tuple(round(x, 3) for x in volume.origin)
    turned = "" if np.allclose(volume.direction, np.eye(3), atol=1e-4) else ", turned"
    return f"shape {volume.shape}, spacing {spacing} mm, origin {origin} mm{turned}"


def _some(values: np.ndarray) -> str:
    listed = ", ".join(f"{value:g}" for value in values[:8])
    return listed + (f" and {len(values) - 8} more" if len(values) > 8 else "")


def _existing(path: PathLike) -> Path:
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist.")
    return path
