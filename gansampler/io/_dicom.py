"""DICOM series: headers by pydicom, compressed pixels by SimpleITK."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from ._geometry import Volume, triple
from ._images import as_dtype, check_values, simpleitk

UNEVEN = 0.02
"""Share of the slice distance by which a gap may differ: headers are rounded."""

DRIFT = 0.1
"""Share of a pixel by which slices may lie beside each other."""

SOP_CLASSES = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "PT": "1.2.840.10008.5.1.4.1.1.128",
}


@dataclass(frozen=True)
class _Slice:
    """What the header of a slice says; geometry in the order of DICOM, (x, y, z)."""

    path: Path
    series: str
    description: str
    modality: str
    unit: str | None
    frame: str
    position: np.ndarray
    orientation: np.ndarray  # (2, 3): along a row, along a column
    pixel_spacing: tuple[float, float]  # of rows, of columns
    shape: tuple[int, int]
    thickness: float | None
    slope: float
    intercept: float


def pydicom() -> Any:
    """The package pydicom.

    Raises
    ------
    ImportError
        If it is not installed; the message says how to install it.
    """
    try:
        import pydicom
    except ImportError as error:
        raise ImportError(
            'DICOM is read and written by pydicom: pip install "gansampler[imaging]"'
        ) from error
    return pydicom


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Silence what pydicom has to say of a header; say which file is damaged."""
    try:
        with warnings.catch_warnings():
            # Values longer than the standard allows, and the like: real files are so.
            warnings.simplefilter("ignore")
            yield
    except ImportError:
        raise
    # pydicom raises whatever the damaged bytes lead it to.
    except Exception as error:
        raise ValueError(
            f"{path} is no DICOM file that can be read, or is damaged or cut short "
            f"({type(error).__name__}: {error}). Copy it anew, or remove it."
        ) from error


def read_series(folder: Path, series: str | None) -> tuple[Volume, str]:
    """The DICOM series in a folder as a volume of one channel, and its frame of reference.

    Raises
    ------
    ValueError
        If a file is damaged, the slices are not of one series, or no grid; see
        `read_volume`.
    """
    found: dict[str, list[_Slice]] = defaultdict(list)
    for path in sorted(folder.iterdir()):
        header = _header(path)
        if header is not None:
            found[header.series].append(header)
    if not found:
        raise ValueError(f"{folder} holds no DICOM image; folders in it are not searched.")
    listed = "; ".join(
        f"{uid} ({s[0].modality}, {s[0].description or 'no description'}, {len(s)} slices)"
        for uid, s in found.items()
    )
    if series is not None and series not in found:
        raise ValueError(f"{folder} has no series {series!r}; it has {listed}.")
    if series is None and len(found) > 1:
        raise ValueError(
            f"{folder} holds {len(found)} series: {listed}. Give one as series=..., or put "
            "each in a folder of its own."
        )
    slices = found[next(iter(found)) if series is None else series]
    slices, spacing, normal = _in_order(folder, slices)

    array = np.empty((1, len(slices), *slices[0].shape), np.float32)
    for i, s in enumerate(slices):
        values = _stored(s.path)
        if values.shape != s.shape:
            raise ValueError(
                f"{s.path} has pixels of shape {values.shape}, its header says {s.shape}."
            )
        array[0, i] = values.astype(np.float64) * s.slope + s.intercept
        check_values(s.path, array[0, i])
    axes = np.stack([normal, slices[0].orientation[1], slices[0].orientation[0]], axis=1)
    volume = Volume(
        array,
        spacing=(spacing, *slices[0].pixel_spacing),
        origin=triple(slices[0].position[::-1], "origin"),
        direction=axes[::-1],
        dtype=_dtype_of(array, slices, values.dtype),
        modality=slices[0].modality or None,
        unit=slices[0].unit,
    )
    return volume, slices[0].frame


def _header(path: Path) -> _Slice | None:
    """What a file says of its slice; None if it is no image."""
    if not path.is_file() or path.name.startswith("."):
        return None
    dicom = pydicom()
    try:
        with reading(path):
            dataset = dicom.dcmread(path, stop_before_pixels=True)
            name = dataset.file_meta.MediaStorageSOPClassUID.name
    except ValueError:
        # An empty file was to be something: perhaps the last slice.
        if path.suffix.lower() in (".dcm", ".ima") or path.stat().st_size == 0:
            raise
        return None
    if "Image Storage" not in name and "Rows" not in dataset:
        return None
    with reading(path):
        n_colours = int(dataset.get("SamplesPerPixel", 1))
        n_frames = int(dataset.get("NumberOfFrames", 1) or 1)
        is_palette = dataset.get("PhotometricInterpretation") == "PALETTE COLOR"
    if n_colours != 1 or is_palette:
        raise ValueError(f"{path} is a colour image; a volume has one number in a voxel.")
    if n_frames != 1:
        raise ValueError(
            f"{path} holds {n_frames} frames in one file; convert it to NIfTI, or to one "
            "file a slice."
        )
    needed = [
        "SeriesInstanceUID",
        "ImagePositionPatient",
        "ImageOrientationPatient",
        "PixelSpacing",
        "Rows",
        "Columns",
    ]
    missing = [tag for tag in needed if dataset.get(tag) in (None, "")]
    if missing:
        raise ValueError(
            f"{path} does not say where it lies: {', '.join(missing)} missing. It is cut "
            "short or no slice of a volume (a screenshot, say); mend or remove it."
        )
    with reading(path):
        modality = str(dataset.get("Modality", ""))
        unit = dataset.get("Units" if modality == "PT" else "RescaleType")
        if modality == "CT" and unit is None:
            unit = "HU"
        thickness = dataset.get("SpacingBetweenSlices") or dataset.get("SliceThickness")
        return _Slice(
            path=path,
            series=str(dataset.SeriesInstanceUID),
            description=str(dataset.get("SeriesDescription", "")),
            modality=modality,
            unit=None if unit in (None, "", "US") else str(unit),
            frame=str(dataset.get("FrameOfReferenceUID", "")),
            position=_numbers(dataset.ImagePositionPatient, 3),
            orientation=_unit(_numbers(dataset.ImageOrientationPatient, 6).reshape(2, 3)),
            pixel_spacing=tuple(_numbers(dataset.PixelSpacing, 2).tolist()),
            shape=(int(dataset.Rows), int(dataset.Columns)),
            thickness=None if thickness is None else float(thickness),
            slope=float(dataset.get("RescaleSlope", 1)),
            intercept=float(dataset.get("RescaleIntercept", 0)),
        )


def _in_order(
    folder: Path, slices: Sequence[_Slice]
) -> tuple[list[_Slice], float, np.ndarray]:
    """Slices along their normal, their distance in mm, and the normal, (x, y, z).

    Raises
    ------
    ValueError
        If they are no grid.
    """
    first = slices[0]
    for s in slices:
        for what, of_first, of_other in (
            ("pixels", first.shape, s.shape),
            ("a pixel spacing of", first.pixel_spacing, s.pixel_spacing),
            ("an orientation of", first.orientation, s.orientation),
        ):
            if not np.allclose(of_first, of_other, rtol=1e-4, atol=1e-4):
                raise ValueError(
                    f"{first.path} has {what} {np.ravel(of_first).tolist()}, {s.path} "
                    f"{np.ravel(of_other).tolist()}: these slices are no grid. Put slices "
                    "that belong together in a folder of their own."
                )
    normal = np.cross(*first.orientation)
    height = {s.path: float(s.position @ normal) for s in slices}
    ordered = sorted(slices, key=lambda s: height[s.path])
    if len(ordered) == 1:
        if not first.thickness:
            raise ValueError(f"{first.path} is a lone slice without a thickness.")
        return ordered, first.thickness, normal

    gaps = np.diff([height[s.path] for s in ordered])
    usual = float(np.median(gaps))
    for gap, below, above in zip(gaps, ordered[:-1], ordered[1:], strict=True):
        pair = f"{below.path} and {above.path.name}"
        if gap < 1e-3:
            raise ValueError(
                f"{pair} lie at one place: copies, or another echo, time or phase. Keep "
                "one file a place."
            )
        if abs(gap - usual) > UNEVEN * usual:
            is_hole = abs(gap / usual - round(gap / usual)) < 2 * UNEVEN and gap > usual
            what = f"{round(gap / usual) - 1} slices are missing" if is_hole else "uneven"
            raise ValueError(
                f"{folder}: slices lie {usual:g} mm apart, but {pair} {gap:g} mm ({what}). "
                "Find the missing files, or resample the series to even slices first."
            )
    spacing = float(gaps.mean())
    positions = np.stack([s.position for s in ordered])
    line = ordered[0].position + np.outer(np.arange(len(ordered)) * spacing, normal)
    beside = positions - line
    beside -= np.outer(beside @ normal, normal)
    drift = float(np.linalg.norm(beside, axis=1).max())
    if drift > DRIFT * min(first.pixel_spacing):
        raise ValueError(
            f"{folder}: slices shift sideways by up to {drift:.3g} mm, as with a tilted "
            "gantry. Resample the series to an upright grid first."
        )
    return ordered, spacing, normal


def _stored(path: Path) -> np.ndarray:
    """Pixels as they are stored, before slope and intercept."""
    dicom = pydicom()
    with reading(path):
        dataset = dicom.dcmread(path)
        if not dataset.file_meta.TransferSyntaxUID.is_compressed:
            return np.asarray(dataset.pixel_array)
        # Else SimpleITK would apply them, and they are applied to all slices alike.
        for tag in ("RescaleSlope", "RescaleIntercept", "RescaleType"):
            if tag in dataset:
                delattr(dataset, tag)
        sitk = simpleitk()
        with TemporaryDirectory() as folder:
            bare = Path(folder, "slice.dcm")
            dataset.save_as(bare)
            return np.asarray(sitk.GetArrayFromImage(sitk.ReadImage(str(bare)))[0])


def _dtype_of(
    array: np.ndarray, slices: Sequence[_Slice], stored: np.dtype[Any]
) -> np.dtype[Any]:
    """The type that holds the values of a series: integers stay integers."""
    steps = np.array([(s.slope, s.intercept) for s in slices])
    if stored.kind == "f" or (steps % 1 != 0).any():
        return np.dtype(np.float32)
    for dtype in (stored, np.dtype(np.int16), np.dtype(np.uint16)):
        limits = np.iinfo(dtype)
        if limits.min <= array.min() and array.max() <= limits.max:
            return dtype
    return np.dtype(np.int32)


def _numbers(values: Any, n: int) -> np.ndarray:
    numbers = np.array([float(value) for value in values])
    if numbers.shape != (n,) or not np.isfinite(numbers).all():
        raise ValueError(f"{n} numbers expected, got {values}")
    return numbers


def _unit(axes: np.ndarray) -> np.ndarray:
    """Unit vectors, perpendicular but for the rounding of the header."""
    axes = axes / np.linalg.norm(axes, axis=1, keepdims=True)
    if abs(axes[0] @ axes[1]) > 1e-3:
        raise ValueError(f"rows and columns are not perpendicular: {axes.tolist()}")
    return np.asarray(axes)


def write_series(folder: Path, volume: Volume) -> None:
    """The only channel of a volume as a folder of slices.

    Raises
    ------
    ValueError
        If DICOM cannot hold the volume.
    """
    dicom = pydicom()
    if volume.modality not in SOP_CLASSES:
        raise ValueError(
            f"DICOM needs a modality of {', '.join(SOP_CLASSES)}; the volume has "
            f"{volume.modality}. Use dataclasses.replace(volume, modality=...); write a "
            "mask as .nii.gz or .nrrd."
        )
    if np.linalg.det(volume.direction) < 0:
        raise ValueError("DICOM cannot hold left-handed axes; use reorient(volume) first.")
    stored, slope, intercept = _to_stored(volume)
    axes = volume.direction[::-1]  # columns: along depth, height, width, each in (x, y, z)
    study, series, frame = (dicom.uid.generate_uid() for _ in range(3))

    def text(number: float) -> Any:
        return dicom.valuerep.DS(float(number), auto_format=True)

    folder.mkdir()
    for i, pixels in enumerate(stored):
        meta = dicom.dataset.FileMetaDataset()
        meta.MediaStorageSOPClassUID = SOP_CLASSES[volume.modality]
        meta.MediaStorageSOPInstanceUID = dicom.uid.generate_uid()
        meta.TransferSyntaxUID = dicom.uid.ExplicitVRLittleEndian
        dicom.dataset.validate_file_meta(meta)
        path = folder / f"{i + 1:04d}.dcm"
        dataset = dicom.dataset.FileDataset(
            str(path),
            {},
            file_meta=meta,
            preamble=b"\0" * 128,
            is_implicit_VR=False,
            is_little_endian=True,
        )
        dataset.SpecificCharacterSet = "ISO_IR 192"  # UTF-8, for the name
        dataset.SOPClassUID = meta.MediaStorageSOPClassUID
        dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
        dataset.FrameOfReferenceUID = frame
        dataset.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
        dataset.Modality = volume.modality
        dataset.SeriesDescription = "written by gansampler"
        # The standard wants these to be there, known or not.
        for tag in (
            "StudyDate StudyTime StudyID AccessionNumber ReferringPhysicianName "
            "Manufacturer PatientBirthDate PatientSex PositionReferenceIndicator "
            "AcquisitionNumber KVP"
        ).split():
            if tag != "KVP" or volume.modality == "CT":
                setattr(dataset, tag, None)
        dataset.PatientName = dataset.PatientID = folder.name[:64]
        dataset.SeriesNumber, dataset.InstanceNumber = 1, i + 1
        dataset.ImagePositionPatient = [text(x) for x in volume.position((i, 0, 0))[::-1]]
        dataset.ImageOrientationPatient = [text(x) for x in (*axes[:, 2], *axes[:, 1])]
        dataset.PixelSpacing = [text(x) for x in volume.spacing[1:]]
        dataset.SliceThickness = dataset.SpacingBetweenSlices = text(volume.spacing[0])
        dataset.Rows, dataset.Columns = pixels.shape
        dataset.SamplesPerPixel = 1
        dataset.PhotometricInterpretation = "MONOCHROME2"
        dataset.BitsAllocated = dataset.BitsStored = 16
        dataset.HighBit = 15
        dataset.PixelRepresentation = int(stored.dtype.kind == "i")
        dataset.RescaleSlope, dataset.RescaleIntercept = slope, intercept
        if volume.modality == "PT":
            dataset.Units = volume.unit or ""
        else:
            dataset.RescaleType = volume.unit or "US"
        dataset.PixelData = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
        dataset["PixelData"].VR = "OW"
        dataset.save_as(path)


def _to_stored(volume: Volume) -> tuple[np.ndarray, Any, Any]:
    """Integers of 16 bits, slope and intercept, as text of a header."""
    number = pydicom().valuerep.DS
    values = as_dtype(volume.array[0], volume.dtype)
    low, high = float(values.min()), float(values.max())
    if values.dtype.kind in "iub":
        for dtype in (np.int16, np.uint16):
            if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
                return values.astype(dtype), number("1"), number("0")
    # Rounded up, so that the largest value fits.
    slope = number((high - low) / 65534 or 1.0, auto_format=True)
    intercept = number(low, auto_format=True)
    steps = np.rint((values.astype(np.float64) - float(intercept)) / float(slope))
    return np.clip(steps, 0, 65535).astype(np.uint16), slope, intercept
