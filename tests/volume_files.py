"""Volumes to write to files, and contours around what is in them."""

from dataclasses import replace

import numpy as np
import pytest

from gansampler.io import Volume

pydicom = pytest.importorskip("pydicom")

SPACING, ORIGIN = (3.0, 1.5, 1.0), (-40.0, 12.5, 7.25)
SHAPE = (6, 10, 12)


def rotation(degrees):
    """A rotation about all three axes, in the order (z, y, x)."""
    about = np.deg2rad(degrees)
    result = np.eye(3)
    for i, angle in enumerate(about):
        j, k = [axis for axis in range(3) if axis != i]
        turn = np.eye(3)
        turn[j, j] = turn[k, k] = np.cos(angle)
        turn[j, k], turn[k, j] = -np.sin(angle), np.sin(angle)
        result = result @ turn
    return result


OBLIQUE = rotation((10, -20, 30))


def make_volume(direction=None, dtype="int16", modality="CT", has_mask=False, seed=0):
    rng = np.random.default_rng(seed)
    array = rng.integers(-1000, 1500, (1, *SHAPE)).astype(np.float32)
    if np.dtype(dtype).kind == "f":
        array += rng.random(array.shape, np.float32)
    if has_mask:
        mask = np.zeros((1, *SHAPE), np.float32)
        mask[0, 2:4, 3:7, 4:9] = 1
        array = np.concatenate([array, mask])
    return Volume(
        array,
        spacing=SPACING,
        origin=ORIGIN,
        direction=np.eye(3) if direction is None else direction,
        dtype=dtype,
        modality=modality,
        unit="HU" if modality == "CT" else None,
    )


def linear(direction, mask_radius=None):
    """A volume whose values are a linear function of the place."""
    volume = make_volume(direction, "float32")
    index = np.stack(np.indices(SHAPE), axis=-1)
    values = volume.position(index) @ (1.0, -2.0, 0.5)
    if mask_radius is None:
        return replace(volume, array=values[None])
    off = volume.position(index) - volume.position((2.5, 4.5, 5.5))
    mask = np.linalg.norm(off, axis=-1) < mask_radius
    return replace(volume, array=np.stack([values, mask]))


def assert_same_place(one, other, atol=1e-4):
    np.testing.assert_allclose(one.spacing, other.spacing, atol=atol)
    np.testing.assert_allclose(one.origin, other.origin, atol=atol)
    np.testing.assert_allclose(one.direction, other.direction, atol=1e-6)


def write_rtstruct(path, regions, frame=""):
    """Regions: (number, name, contours of points (z, y, x) in mm)."""
    meta = pydicom.dataset.FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.481.3"
    meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    pydicom.dataset.validate_file_meta(meta)
    dataset = pydicom.dataset.FileDataset(
        str(path),
        {},
        file_meta=meta,
        preamble=b"\0" * 128,
        is_implicit_VR=False,
        is_little_endian=True,
    )
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.Modality = "RTSTRUCT"
    names, drawn = [], []
    for number, name, contours in regions:
        item = pydicom.Dataset()
        item.ROINumber, item.ROIName = number, name
        item.ReferencedFrameOfReferenceUID = frame
        names.append(item)
        item = pydicom.Dataset()
        item.ReferencedROINumber = number
        item.ContourSequence = []
        for points in contours:
            contour = pydicom.Dataset()
            contour.ContourGeometricType = "CLOSED_PLANAR"
            contour.NumberOfContourPoints = len(points)
            contour.ContourData = [f"{x:.6f}" for x in np.asarray(points)[:, ::-1].ravel()]
            item.ContourSequence.append(contour)
        drawn.append(item)
    dataset.StructureSetROISequence, dataset.ROIContourSequence = names, drawn
    dataset.save_as(path)
    return path


def rectangle(volume, k, low, high):
    """Corners in mm of a rectangle on slice k, between (row, column) indices."""
    (y0, x0), (y1, x1) = low, high
    return volume.position([(k, y0, x0), (k, y0, x1), (k, y1, x1), (k, y1, x0)])
