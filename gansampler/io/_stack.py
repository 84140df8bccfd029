"""Many volumes as one array, and back."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from .._warnings import warn
from ._geometry import Geometry, Volume, bounding_box
from ._read_write import PathLike, check_writable, read_volume, write_volume, writer_for
from ._sampling import air, reorient, resample


def read_stack(
    paths: Sequence[PathLike],
    masks: Sequence[PathLike] | None = None,
    *,
    roi: str | int | Sequence[str | int] | None = None,
    spacing: ArrayLike = (3.0, 3.0, 3.0),
    size: ArrayLike = (48, 48, 48),
    pad_value: float | None = None,
) -> tuple[np.ndarray, list[Geometry]]:
    """Read volumes onto cubes of one spacing and size, centred on their masks.

    Each is turned by right angles so that its axes run towards (head, back, left), and
    resampled as by `resample`, once, about the centre of the mask's bounding box.

    Parameters
    ----------
    paths : sequence of path-like
        One a patient, as in `read_volume`.
    masks : sequence of path-like, optional
        In the order of `paths`. None centres the cubes on the images.
    roi : str or int, or a sequence of them, optional
        Region of the masks, as in `read_volume`; one for all, or one for each.
    spacing : (float, float, float), default=(3, 3, 3)
        In mm along (depth, height, width).
    size : (int, int, int), default=(48, 48, 48)
        Voxels along (depth, height, width).
    pad_value : float, optional
        Value beyond the edges of an image. None takes air by the modality of a DICOM file:
        -1000 for CT, 0 for PET and MR. NIfTI and NRRD do not say their modality.

    Returns
    -------
    X : ndarray of shape (n, 2, depth, height, width), float32
        Image in physical units, and mask. One channel only without masks.
    geometry : list of Geometry
        Where each cube lies, and the numbers of its file.

    Raises
    ------
    FileNotFoundError, ImportError
    ValueError
        As in `read_volume`; if files differ in modality or unit; if the modality, and so
        `pad_value`, is not known; or if a mask is lost by resampling.

    Warns
    -----
    GansamplerWarning
        If masks reach beyond their cubes.
    """
    paths = _sequence(paths, "paths")
    if not paths:
        raise ValueError("paths is empty.")
    n = len(paths)
    masks_of: Sequence[PathLike | None] = [None] * n
    if masks is not None:
        masks_of = _sequence(masks, "masks")
    rois: Sequence[str | int | None]
    rois = [roi] * n if roi is None or isinstance(roi, str | int) else list(roi)
    for name, values in (("masks", masks_of), ("roi", rois)):
        if len(values) != n:
            raise ValueError(f"{name} has {len(values)} entries for {n} paths.")

    cubes: list[Volume] = []
    cut = []
    for path, mask, region in zip(paths, masks_of, rois, strict=True):
        volume = reorient(read_volume(path, mask, roi=region))
        try:
            outside = air(volume, pad_value)
            cube = resample(volume, spacing, size=size, pad_value=outside)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        for what in ("modality", "unit"):
            first, here = getattr((cubes or [cube])[0], what), getattr(cube, what)
            if first != here:
                raise ValueError(
                    f"{path} has {what} {here}, {paths[0]} has {first}; a stack holds one."
                )
        cubes.append(cube)
        if volume.mask is not None and not _holds(cube, volume):
            cut.append(str(path))
    if cut:
        warn(
            f"{len(cut)} of {n} masks reach beyond their cubes and are cut: "
            f"{', '.join(cut[:5])}{' ...' if len(cut) > 5 else ''}. Choose a larger size.",
        )
    return np.stack([cube.array for cube in cubes]), [cube.geometry for cube in cubes]


def write_stack(
    folder: PathLike,
    X: np.ndarray,
    geometry: Geometry | Sequence[Geometry],
    *,
    names: Sequence[str] | None = None,
    suffix: str = ".nii.gz",
    overwrite: bool = False,
) -> list[Path]:
    """Write each volume of an array to a file, each mask to a file beside it.

    Parameters
    ----------
    folder : path-like
        Made if it is not there. The mask of NAME.nii.gz is NAME_mask.nii.gz.
    X : ndarray of shape (n, channel, depth, height, width)
        Image in physical units, and mask, if there are two channels.
    geometry : Geometry, or sequence of n of them
        One for all suits synthetic volumes, which lie nowhere.
    names : sequence of n str, optional
        Names of the files without endings. None counts: volume_0, volume_1.
    suffix : {".nii.gz", ".nii", ".nrrd", ""}, default=".nii.gz"
        "" writes each image as a folder of DICOM, and each mask as .nii.gz.
    overwrite : bool, default=False
        Whether to replace files that are there.

    Returns
    -------
    list of Path
        The images, in the order of X.

    Raises
    ------
    FileExistsError
        If a file is there; none is written then.
    ImportError
        If SimpleITK or pydicom is not installed.
    ValueError
        If the arguments do not go together, or as in `write_volume`.
    """
    X = np.asarray(X)
    if X.ndim != 5 or X.shape[1] not in (1, 2):
        raise ValueError(
            "X must have the shape (n, channel, depth, height, width) of one image channel "
            f"and a mask or none; got {X.shape}."
        )
    n, has_mask = len(X), X.shape[1] == 2
    geometries = [geometry] * n if isinstance(geometry, Geometry) else list(geometry)
    if len(geometries) != n:
        raise ValueError(
            f"geometry has {len(geometries)} entries for {n} volumes; give one for each, "
            "or one Geometry for all."
        )
    width = len(str(max(n - 1, 0)))
    names = [f"volume_{i:0{width}d}" for i in range(n)] if names is None else list(names)
    folder = Path(folder)
    images = [folder / f"{name}{suffix}" for name in names]
    masks = [folder / f"{name}_mask{suffix or '.nii.gz'}" for name in names]
    targets = images + (masks if has_mask else [])
    if len(names) != n or len(set(targets)) != len(targets):
        raise ValueError(
            f"names must be {n} different names, none of them another's with _mask; got "
            f"{len(names)}."
        )
    for path in targets:
        writer_for(path)
    volumes = []
    for i, (array, where) in enumerate(zip(X, geometries, strict=True)):
        known = {f.name: getattr(where, f.name) for f in fields(Geometry)}
        try:
            volumes.append(Volume(array, **known))
        except ValueError as error:
            raise ValueError(f"volume {i} of X: {error}") from error

    folder.mkdir(exist_ok=True)
    for path in targets:
        check_writable(path, overwrite)
    for path, mask, volume in zip(images, masks, volumes, strict=True):
        write_volume(path, volume, mask if has_mask else None, overwrite=overwrite)
    return images


def _sequence(values: Sequence[PathLike], name: str) -> list[PathLike]:
    """A list; a lone path is a mistake, and text would be taken letter by letter."""
    if isinstance(values, str | os.PathLike):
        raise ValueError(f"{name} must be a sequence of paths; got {values}.")
    return list(values)


def _holds(cube: Volume, volume: Volume) -> bool:
    """Whether the mask of a volume ends inside a cube, in voxels of the volume's grid."""
    if volume.mask is None:
        return True
    box = bounding_box(volume.mask)
    corners = volume.position(np.stack([box[0] - 0.5, box[1] - 0.5]))
    low, high = cube.index(corners)
    return bool(
        (low > -0.5 - 1e-6).all() and (high < np.array(cube.shape) - 0.5 + 1e-6).all()
    )
