"""Masks from the contours of an RTSTRUCT."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ._dicom import pydicom, reading
from ._geometry import Volume

OFF_SLICE = 0.1
"""Share of the slice distance by which a contour may lie beside its slice."""


def read_contours(
    path: Path, image: Volume, frame: str, roi: str | int | None
) -> np.ndarray:
    """Voxels of `image` whose centres lie inside the contours of a region.

    Contours on the same slice are combined by exclusive or: one inside another is a hole.

    Parameters
    ----------
    path : Path
    image : Volume
    frame : str
        Frame of reference of the image; empty if it is not known.
    roi : str, int or None
        Name or number of the region; None if there is but one.

    Returns
    -------
    ndarray of bool, shape (depth, height, width)

    Raises
    ------
    ValueError
        If the file is no RTSTRUCT, the region is not there, ambiguous or empty, or was
        drawn on other slices.
    """
    with reading(path):
        dataset = pydicom().dcmread(path)
        modality = str(dataset.get("Modality", "none"))
    if modality != "RTSTRUCT":
        raise ValueError(
            f"{path} has modality {modality}; a mask from DICOM is an RTSTRUCT, or a "
            "folder that holds a series."
        )
    with reading(path):
        regions = {
            int(item.ROINumber): (
                str(item.get("ROIName", "")),
                str(item.get("ReferencedFrameOfReferenceUID", "")),
            )
            for item in dataset.get("StructureSetROISequence", [])
        }
        contours: dict[int, list[np.ndarray]] = {number: [] for number in regions}
        for item in dataset.get("ROIContourSequence", []):
            for contour in item.get("ContourSequence", None) or []:
                points = np.array([float(x) for x in contour.ContourData]).reshape(-1, 3)
                if contour.ContourGeometricType.startswith("CLOSED") and len(points) > 2:
                    contours[int(item.ReferencedROINumber)].append(points[:, ::-1])
    number = _choose(path, {n: name for n, (name, _) in regions.items()}, roi)
    name, drawn_on = regions[number]
    if drawn_on and frame and drawn_on != frame:
        raise ValueError(
            f"{path}: region {name!r} has frame of reference {drawn_on}, the image has "
            f"{frame}: it was drawn on another image, perhaps of another patient."
        )
    if not contours[number]:
        raise ValueError(
            f"{path}: region {name!r} has no closed contour; its mask is empty."
        )

    mask = np.zeros(image.shape, bool)
    for points in contours[number]:
        at = image.index(points)
        k = int(np.rint(at[:, 0].mean()))
        if np.abs(at[:, 0] - k).max() > OFF_SLICE:
            raise ValueError(
                f"{path}: region {name!r} has contours that lie between or across the "
                "slices of the image. Read the series that it was drawn on."
            )
        if 0 <= k < len(mask):
            mask[k] ^= inside(at[:, 1:], mask.shape[1:])
    if not mask.any():
        raise ValueError(
            f"{path}: region {name!r} holds no voxel of the image: they do not overlap, or "
            "its mask is empty."
        )
    return mask


def inside(polygon: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Pixels whose centres lie inside a closed polygon, by the even-odd rule.

    Parameters
    ----------
    polygon : ndarray of shape (n, 2)
        Corners as (row, column), pixel centres at whole numbers.
    shape : (int, int)

    Returns
    -------
    ndarray of bool
    """
    n_rows, n_columns = shape
    (y0, x0), (y1, x1) = polygon.T, np.roll(polygon, -1, axis=0).T
    rows = np.arange(n_rows)[:, None]
    # Half-open, so that a corner on a row is crossed once.
    row, edge = np.nonzero((y0 <= rows) != (y1 <= rows))
    y0, x0, y1, x1 = y0[edge], x0[edge], y1[edge], x1[edge]
    crossed_at = x0 + (row - y0) * (x1 - x0) / (y1 - y0)
    first = np.clip(np.ceil(crossed_at), 0, n_columns).astype(int)
    # An odd number of crossings to the left of a centre: it is inside.
    crossings = np.zeros((n_rows, n_columns + 1), int)
    np.add.at(crossings, (row, first), 1)
    return np.asarray(crossings.cumsum(axis=1)[:, :-1] % 2 == 1)


def _choose(path: Path, names: dict[int, str], roi: str | int | None) -> int:
    """The number of the region that is meant."""
    listed = ", ".join(f"{name!r} (number {number})" for number, name in names.items())
    listed = listed or "no region"
    fitting = [n for n, name in names.items() if roi is None or roi in (name, n)]
    if len(fitting) == 1:
        return fitting[0]
    if roi is None:
        raise ValueError(f"{path} has {listed}; say which is the mask: roi=...")
    what = "no region" if not fitting else "more than one region"
    raise ValueError(f"{path} has {what} {roi!r}, but {listed}.")
