"""NIfTI and NRRD, by SimpleITK."""

from __future__ import annotations

import gzip
import re
import warnings
import zlib
from itertools import takewhile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ._geometry import Volume

SUFFIXES = (".nii.gz", ".nii", ".nrrd")

EXACT = 2**24
"""Integers beyond are not all numbers of float32."""


def simpleitk() -> Any:
    """The package SimpleITK.

    Raises
    ------
    ImportError
        If it is not installed; the message says how to install it.
    """
    try:
        with warnings.catch_warnings():
            # Of its bindings, at import, on Python 3.12 and later.
            warnings.simplefilter("ignore", DeprecationWarning)
            import SimpleITK
    except ImportError as error:
        raise ImportError(
            'images are read and written by SimpleITK: pip install "gansampler[imaging]"'
        ) from error
    return SimpleITK


def is_image_name(path: Path) -> bool:
    """Whether the name ends as that of a NIfTI or NRRD file."""
    return path.name.lower().endswith(SUFFIXES)


def read_image(path: Path) -> Volume:
    """A NIfTI or NRRD file as a volume of one channel.

    Raises
    ------
    ValueError
        If the file is damaged, no single volume, or of colours.
    """
    sitk = simpleitk()
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        dimension, components = reader.GetDimension(), reader.GetNumberOfComponents()
        _check_whole(path, reader)
        image = reader.Execute()
    except (RuntimeError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        raise ValueError(
            f"{path} cannot be read: it is damaged or cut short, or is not what its name "
            f"says ({reason}). Copy or convert it anew."
        ) from error
    if dimension == 4 and image.GetSize()[3] == 1:
        image = image[:, :, :, 0]
    elif dimension != 3:
        raise ValueError(
            f"{path} has {dimension} dimensions, sizes {image.GetSize()}; a volume has 3. "
            "Split it into one file a volume."
        )
    if components != 1:
        raise ValueError(
            f"{path} has {components} numbers in a voxel, as colours, vectors or complex "
            "numbers have; a volume has one. Write each to a file of its own."
        )
    values = sitk.GetArrayViewFromImage(image)
    check_values(path, values)
    direction = np.reshape(image.GetDirection(), (3, 3))
    try:
        return Volume(
            values[None].astype(np.float32),
            spacing=image.GetSpacing()[::-1],
            origin=image.GetOrigin()[::-1],
            direction=direction[::-1, ::-1],
            dtype=values.dtype,
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def write_image(path: Path, volume: Volume) -> None:
    """The only channel of a volume as the file that its name says."""
    sitk = simpleitk()
    dtype = {"b1": "u1", "f2": "f4"}.get(volume.dtype.str[1:], volume.dtype)
    image = sitk.GetImageFromArray(as_dtype(volume.array[0], np.dtype(dtype)))
    image.SetSpacing(volume.spacing[::-1])
    image.SetOrigin(volume.origin[::-1])
    image.SetDirection(volume.direction[::-1, ::-1].ravel().tolist())
    sitk.WriteImage(image, str(path), useCompression=True)


def check_values(path: Path, values: np.ndarray) -> None:
    """Refuse what a volume of float32 cannot hold.

    Raises
    ------
    ValueError
        If there is NaN or infinity, or an integer that float32 would round.
    """
    if values.dtype.kind == "f":
        n_bad = int((~np.isfinite(values)).sum())
        if n_bad:
            raise ValueError(
                f"{path} holds NaN or infinity in {n_bad} voxels; give them a value first, "
                "such as that of air."
            )
    elif values.size and max(-int(values.min()), int(values.max())) > EXACT:
        raise ValueError(
            f"{path} holds integers beyond {EXACT}, which float32 would round; rescale "
            "them, or store them as floating-point numbers."
        )


def as_dtype(values: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """Values as numbers of a file: integers are rounded.

    Raises
    ------
    ValueError
        If there are NaN or infinity, or integers that do not fit.
    """
    if not np.isfinite(values).all():
        raise ValueError("the volume holds NaN or infinity.")
    if dtype.kind in "iu":
        values, limits = np.rint(values.astype(np.float64)), np.iinfo(dtype)
        if values.min() < limits.min or values.max() > limits.max:
            raise ValueError(
                f"values from {values.min():g} to {values.max():g} do not fit {dtype}; "
                "use dataclasses.replace(volume, dtype=...) to choose another dtype."
            )
    return values.astype(dtype)


def _check_whole(path: Path, reader: Any) -> None:
    """Refuse a file that was cut short or changed, where SimpleITK reads what is left.

    Raises
    ------
    RuntimeError, EOFError, gzip.BadGzipFile, zlib.error
    """
    if path.name.lower().endswith(".nrrd"):
        with path.open("rb") as file:
            header = list(takewhile(lambda line: line.strip(), file))
            if any(re.match(rb"encoding: *gz", line, re.IGNORECASE) for line in header):
                _unpacked_length(file)
        return
    n_voxels = int(np.prod(reader.GetSize(), dtype=np.int64))
    bits = int(reader.GetMetaData("bitpix"))
    expected = int(float(reader.GetMetaData("vox_offset"))) + n_voxels * bits // 8
    length = path.stat().st_size
    if path.name.lower().endswith(".gz"):
        with path.open("rb") as file:
            length = _unpacked_length(file)
    if length < expected:
        raise RuntimeError(f"{length} bytes instead of {expected}")


def _unpacked_length(file: BinaryIO) -> int:
    """Bytes that the rest of a file unpacks to; its checksum is looked at."""
    length = 0
    with gzip.GzipFile(fileobj=file) as unpacked:
        while chunk := unpacked.read(1 << 22):
            length += len(chunk)
    return length
